"""What the tables of dark matter cover: sources of V1, terms of its production, masses, observables.

A source is a meson, both charges together, and the lepton beside V1. Sources stay apart because each has its
own threshold and because couplings and errors of the flux may differ between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.physics.beam.grid import COMBINATIONS, LEGS, MODES, combine
from globalfit.physics.beam.mesons import LEPTON_MASSES, MESONS

#: Terms of a production rate: `grid.COMBINATIONS` for a lepton with c_L = c_R = 1, and those that change
#: for a right-handed lepton, (c_L, c_R) = (0, 1).
TERMS: Final = (*COMBINATIONS, "aa_right", "ab_right", "ac_right")

M_V1: Final = (5.0, 350.0)  # MeV: what the tables cover
M_V2: Final = (5.0, 1000.0)
M_CHI: Final = (1.0, 100.0)
GAP: Final = (4.0, 150.0)  # m_chi' - m_chi
HIGHEST_RATIO: Final = 0.9  # m_chi/m_chi': beyond, hardly a pair is above MiniBooNE's threshold


@dataclass(frozen=True)
class Source:
    """V1 from mesons: M -> l nu V1 for "pi" and "k" with a `lepton`, M -> gamma V1 for "pi0" and "eta"."""

    meson: str
    lepton: str = ""

    @property
    def name(self) -> str:
        """Such as "pi_mu" or "eta"."""
        return f"{self.meson}_{self.lepton}" if self.lepton else self.meson

    @property
    def parents(self) -> tuple[str, ...]:
        """The mesons, as `grid.PARENTS` names them."""
        return (f"{self.meson}+", f"{self.meson}-") if self.lepton else (self.meson,)

    @property
    def terms(self) -> tuple[str, ...]:
        """Terms of the rate; one for neutral mesons."""
        return TERMS if self.lepton else ("photon",)

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes with a flux of their own: the horn does not touch neutral mesons."""
        return MODES if self.lepton else ("nu", "dump")

    @property
    def threshold(self) -> float:
        """Mass of V1 in MeV from which on the decay is closed."""
        return MESONS[self.parents[0]].m - (LEPTON_MASSES[self.lepton] if self.lepton else 0.0)

    @property
    def highest(self) -> float:
        """Last node in the mass of V1, MeV."""
        return min(0.996 * self.threshold, 1.03 * M_V1[1])

    @property
    def masses(self) -> Array:
        """Nodes in the mass of V1, MeV, evenly spaced in `coordinate`."""
        low, high = 0.8 * M_V1[0], self.highest
        first, last = (float(each) for each in self.coordinate(np.array([low, high])))
        x = np.linspace(first, last, int(np.ceil((last - first) / 0.5)) + 1)
        return readonly(self.threshold / (1.0 + np.exp(-x)))

    def coordinate(self, m: Array) -> Array:
        """Return ln m/(threshold - m): logarithmic at both ends, where rates are powers. Inf when closed."""
        return np.log(m / np.maximum(self.threshold - m, 1e-12 * self.threshold))


CHARGED: Final = tuple(Source(meson, lepton) for meson in ("pi", "k") for lepton in ("mu", "e"))
NEUTRAL: Final = (Source("pi0"), Source("eta"))
SOURCES: Final = {source.name: source for source in (*CHARGED, *NEUTRAL)}

#: Nodes in (2 m_chi/m_V1)^2: from a light chi to its threshold, smooth at both ends.
SHARES: Final = readonly(np.array([1e-5, 0.12, 0.33, 0.56, 0.77, 0.92, 0.9995]))


def leg_weights(leg: str) -> tuple[float, ...]:
    """Return the weights of `TERMS` for a leg of `grid.LEGS` at unit coupling, lepton with c_L = c_R = 1."""
    return (*combine(*LEGS[leg]).tolist(), 0.0, 0.0, 0.0)


def right_handed_weights(a: float, b: float, c: float) -> tuple[float, ...]:
    """Return the weights of `TERMS` for legs of strength a, b, c and a right-handed lepton."""
    return (0.0, b * b, c * c, 0.0, 0.0, b * c, a * a, a * b, a * c)


@dataclass(frozen=True)
class Decay:
    """How chi' decays, and the nodes of its kernels.

    First axis ln(m' + 15 MeV), second ln(m'/gap) with the gap m' - m; the third is
    ln(m_V2/gap) where V2 is on shell, and sqrt(ln(m_V2/gap)/ln(1001 MeV/gap)) where it is virtual: the two
    meet at m_V2 = gap, across which nothing is interpolated.
    """

    on_shell: bool

    @property
    def name(self) -> str:
        """Of the tables."""
        return "on_shell" if self.on_shell else "virtual"

    @property
    def nodes(self) -> tuple[Array, Array, Array]:
        """Nodes of the three axes."""
        heavy = np.linspace(np.log(4.0 + _OFFSET), np.log(256.0 + _OFFSET), 9)
        ratio = np.linspace(0.005, 2.31, 8)
        third = np.log([0.022, 0.055, 0.12, 0.24, 0.44, 0.7, 0.9995]) if self.on_shell else _VIRTUAL
        return heavy, ratio, third

    def coordinates(self, m_chi: Array, m_chi_prime: Array, m_v2: Array) -> tuple[Array, Array, Array]:
        """Return the place (n,) of masses on the three axes."""
        gap = m_chi_prime - m_chi
        ratio = np.log(np.maximum(m_v2 / gap, 1e-12))
        if not self.on_shell:
            ratio = np.sqrt(np.maximum(ratio, 0.0) / np.log(_FARTHEST / gap))
        return np.log(m_chi_prime + _OFFSET), np.log(m_chi_prime / gap), ratio

    def masses(self, heavy: float, ratio: float, third: float) -> tuple[float, float, float]:
        """Return m_chi, m_chi', m_V2 in MeV of a node: the inverse of `coordinates`."""
        m_chi_prime = float(np.exp(heavy)) - _OFFSET
        gap = m_chi_prime * float(np.exp(-ratio))
        x = third if self.on_shell else third**2 * float(np.log(_FARTHEST / gap))
        return m_chi_prime - gap, m_chi_prime, gap * float(np.exp(x))


_OFFSET: Final = 15.0
_FARTHEST: Final = 1001.0
_VIRTUAL: Final = np.array([0.02, 0.16, 0.31, 0.46, 0.61, 0.75, 0.88, 1.0])
DECAYS: Final = (Decay(on_shell=True), Decay(on_shell=False))


@dataclass(frozen=True)
class Observable:
    """Events in MiniBooNE in one mode: bins up to `last` of a kernel's observable, or their sum."""

    mode: str
    kernel: str
    last: int
    total: bool = False


#: What tables predict, by the name of the point's quantity; `signal_lsnd` has tables of its own.
OBSERVABLES: Final = {
    "signal_nu": Observable("nu", "enuqe", 11),
    "signal_nubar": Observable("nubar", "enuqe", 11),
    "signal_costheta": Observable("nu", "costheta", 20),
    "signal_evis": Observable("nu", "evis", 23),
    "signal_dump": Observable("dump", "enuqe", 9, total=True),  # 200 to 1250 MeV
}
KERNELS: Final = {"enuqe": 11, "evis": 23, "costheta": 20}
