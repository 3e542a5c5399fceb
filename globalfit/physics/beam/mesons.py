"""The mesons of a beam: masses, lifetimes, decay constants; a sample of them at the points where they decay.

PDG: S. Navas et al. (Particle Data Group), Phys. Rev. D 110 (2024) 030001; FLAG 2021 for decay constants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import HBAR_MEV_S, M_E, M_K, M_MU, M_PI, M_PI0

G_F = 1.1663788e-11  # Fermi constant in MeV^-2, PDG
M_ETA = 547.862  # PDG
C_LIGHT = 2.99792458e8  # m/s
LEPTON_MASSES = {"e": M_E, "mu": M_MU}


@dataclass(frozen=True)
class Meson:
    """A meson: name, mass in MeV, lifetime in s (0: at once), charge; f V in MeV; BR to two photons."""

    name: str
    m: float
    lifetime: float
    charge: int
    f_ckm: float = 0.0
    br_photons: float = 0.0

    @property
    def width(self) -> float:
        """Total width in MeV."""
        return HBAR_MEV_S / self.lifetime

    @property
    def c_tau(self) -> float:
        """Decay length c tau in m."""
        return C_LIGHT * self.lifetime


_PI = {"m": M_PI, "lifetime": 2.6033e-8, "f_ckm": 130.2 * 0.97373}
_K = {"m": M_K, "lifetime": 1.2380e-8, "f_ckm": 155.7 * 0.2243}
MESONS = {
    "pi+": Meson("pi+", charge=1, **_PI),
    "pi-": Meson("pi-", charge=-1, **_PI),
    "k+": Meson("k+", charge=1, **_K),
    "k-": Meson("k-", charge=-1, **_K),
    "pi0": Meson("pi0", M_PI0, 0.0, 0, br_photons=0.98823),
    "eta": Meson("eta", M_ETA, 0.0, 0, br_photons=0.3936),
}


@dataclass(frozen=True)
class MesonSample:
    """Mesons of one kind at their decay points; z along the protons, origin at the target's upstream face.

    Attributes
    ----------
    meson : Meson
    x : array (n, 3)
        Decay points in m.
    direction : array (n, 3)
        Unit vectors of flight.
    p : array (n,)
        Momenta in MeV; zero for decay at rest.
    weight : array (n,)
        Decays per proton on target that each entry stands for.
    spare : array (n, 5)
        Low-discrepancy coordinates in (0, 1) not used so far: point in the detector, energies in the decay.
    """

    meson: Meson
    x: Array
    direction: Array
    p: Array
    weight: Array
    spare: Array

    @property
    def decays(self) -> float:
        """Decays per proton on target."""
        return float(self.weight.sum())

    def scaled(self, factor: float | Array) -> MesonSample:
        """Return the sample with its weights times `factor`, a number or (n,)."""
        return replace(self, weight=self.weight * factor)


def concatenate(samples: list[MesonSample]) -> MesonSample:
    """Return samples of the same meson as one."""
    return MesonSample(
        samples[0].meson,
        *(
            np.concatenate([getattr(sample, field) for sample in samples])
            for field in ("x", "direction", "p", "weight", "spare")
        ),
    )
