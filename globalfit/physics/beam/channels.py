"""What a table of beam predictions covers: production channels, masses, processes and observables.

A channel is a parent and a lepton, "pi_mu" and so on; both charges of the parent are in it. Channels stay
apart because each has its own threshold m_M - m_l, across which nothing is interpolated, and because
couplings and errors of the flux may differ between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.physics.beam.mesons import LEPTON_MASSES, MESONS

LEGS: Final = ("lepton", "meson", "contact", "gauge-invariant")


@dataclass(frozen=True)
class Channel:
    """Production M -> l nu X: `parent` is "pi" or "k", `lepton` "e" or "mu"."""

    parent: str
    lepton: str

    @property
    def name(self) -> str:
        """Such as "pi_mu"."""
        return f"{self.parent}_{self.lepton}"

    @property
    def parents(self) -> tuple[str, str]:
        """Both charges, as `grid.PARENTS` names them."""
        return f"{self.parent}+", f"{self.parent}-"

    @property
    def threshold(self) -> float:
        """Mass of X in MeV from which on the decay is closed."""
        return MESONS[f"{self.parent}+"].m - LEPTON_MASSES[self.lepton]

    @property
    def masses(self) -> Array:
        """Nodes in the mass of X, MeV."""
        shares = 1.0 - np.array(_NEAR_THRESHOLD)
        low = MASSES_X[0.85 * shares[0] * self.threshold > MASSES_X]
        near = self.threshold * shares
        return readonly(np.concatenate((low, near[near < HIGHEST_X * 1.05])))

    def coordinate(self, m_x: Array) -> Array:
        """Return ln m/(threshold - m): logarithmic at both ends, where rates are powers. Inf when closed."""
        left = np.maximum(self.threshold - m_x, 1e-12 * self.threshold)
        return np.log(m_x / left)


#: Masses of X shared by the channels, MeV; each adds its own nodes towards its threshold.
MASSES_X: Final = readonly(np.sort(np.append(np.geomspace(0.5, 390.0, 21), (170.0, 229.0))))
_NEAR_THRESHOLD: Final = (0.3, 0.18, 0.1, 0.05, 0.02, 0.007, 0.002)
LOWEST_X: Final = 0.5
HIGHEST_X: Final = 345.0
CHANNELS: Final = tuple(Channel(parent, lepton) for parent in ("pi", "k") for lepton in ("mu", "e"))


@dataclass(frozen=True)
class Process:
    """A long-lived particle: how mesons make it, how it scatters, and the masses of what it exchanges."""

    production: str  # of `grid.PROCESSES`
    scattering: str  # of `primakoff.PROCESSES`
    mediators: Array

    @property
    def legs(self) -> tuple[str, ...]:
        """Legs of production that have tables of their own; one without a name for spin 0."""
        return LEGS if self.production == "vector" else ("",)


PROCESSES: Final = {
    "scalar": Process("scalar", "scalar", readonly(np.geomspace(1.0, 1000.0, 14))),
    "pseudoscalar": Process("pseudoscalar", "pseudoscalar", readonly(np.geomspace(1.0, 1000.0, 14))),
    "vector": Process("vector", "vector-scalar", readonly(np.geomspace(10.0, 2000.0, 10))),
}


@dataclass(frozen=True)
class Observable:
    """Events of one card in one mode: bins `first` to `last` of a kernel's observable, or their sum."""

    card: str
    mode: str
    kernel: str
    last: int
    total: bool = False

    @property
    def bins(self) -> int:
        """Bins of the prediction."""
        return 1 if self.total else self.last


#: The quantities that tables predict, by the name of the point's quantity.
OBSERVABLES: Final = {
    "signal_nu": Observable("miniboone", "nu", "enuqe", 11),
    "signal_nubar": Observable("miniboone", "nubar", "enuqe", 11),
    "signal_costheta": Observable("miniboone", "nu", "costheta", 20),
    "signal_evis": Observable("miniboone", "nu", "evis", 23),
    "signal_dump": Observable("miniboone", "dump", "enuqe", 9, total=True),  # 200 to 1250 MeV
    "signal_lsnd": Observable("lsnd", "nu", "evis", 1),  # 20 to 60 MeV
}
