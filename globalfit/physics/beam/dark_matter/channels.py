"""What the tables of dark matter cover: sources of V1, terms of its production, masses, observables.

A source is a meson, both charges together, and the lepton beside V1. Sources stay apart because each has its
own threshold and because couplings and errors of the flux may differ between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp, log
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

    @cached_property
    def threshold(self) -> float:
        """Mass of V1 in MeV from which on the decay is closed."""
        return MESONS[self.parents[0]].m - (LEPTON_MASSES[self.lepton] if self.lepton else 0.0)

    @cached_property
    def highest(self) -> float:
        """Last node in the mass of V1, MeV."""
        return min(0.996 * self.threshold, 1.03 * M_V1[1])

    @cached_property
    def masses(self) -> Array:
        """Nodes in the mass of V1, MeV, evenly spaced in `coordinate`."""
        low, high = 0.8 * M_V1[0], self.highest
        first, last = (float(each) for each in self.coordinate(np.array([low, high])))
        x = np.linspace(first, last, int(np.ceil((last - first) / 0.4)) + 1)
        return readonly(self.threshold / (1.0 + np.exp(-x)))

    def coordinate(self, m: Array) -> Array:
        """Return ln m/(threshold - m): logarithmic at both ends, where rates are powers. Inf when closed."""
        return np.log(m / np.maximum(self.threshold - m, 1e-12 * self.threshold))


CHARGED: Final = tuple(Source(meson, lepton) for meson in ("pi", "k") for lepton in ("mu", "e"))
NEUTRAL: Final = (Source("pi0"), Source("eta"))
SOURCES: Final = {source.name: source for source in (*CHARGED, *NEUTRAL)}

#: Nodes in (2 m_chi/m_V1)^2: from a light chi to its threshold, smooth at both ends.
SHARES: Final = readonly(np.array([1e-5, 0.06, 0.17, 0.32, 0.49, 0.66, 0.81, 0.93, 0.9995]))


def leg_weights(leg: str) -> tuple[float, ...]:
    """Return the weights of `TERMS` for a leg of `grid.LEGS` at unit coupling, lepton with c_L = c_R = 1."""
    return (*combine(*LEGS[leg]).tolist(), 0.0, 0.0, 0.0)


def right_handed_weights(a: float, b: float, c: float) -> tuple[float, ...]:
    """Return the weights of `TERMS` for legs of strength a, b, c and a right-handed lepton."""
    return (0.0, b * b, c * c, 0.0, 0.0, b * c, a * a, a * b, a * c)


@dataclass(frozen=True)
class Decay:
    """How chi' decays, and the nodes of its kernels.

    Virtual V2: ln(m' + 15 MeV), ln(m'/gap) with the gap m' - m, and sqrt(ln(m_V2/gap)/ln(1001 MeV/gap)).
    On shell: ln m_V2, ln(m'/m_V2)/ln(400 MeV/m_V2) and ln(m'/gap)/ln(m'/m_V2). A pair of one mass stops being
    one ring at an energy in proportion to it, which moves through the bins: m_V2 has many nodes.
    The two meet at m_V2 = gap, across which nothing is interpolated.
    """

    on_shell: bool

    @property
    def name(self) -> str:
        """Of the tables."""
        return "on_shell" if self.on_shell else "virtual"

    @cached_property
    def nodes(self) -> tuple[Array, Array, Array]:
        """Nodes of the three axes."""
        if self.on_shell:
            return readonly(np.linspace(np.log(4.3), np.log(160.0), 28)), _HEAVY, _LIGHT
        heavy = readonly(np.linspace(np.log(4.0 + _OFFSET), np.log(256.0 + _OFFSET), 12))
        return heavy, _RATIO, _VIRTUAL

    def coordinates(self, m_chi: Array, m_chi_prime: Array, m_v2: Array) -> tuple[Array, Array, Array]:
        """Return the place (n,) of masses on the three axes."""
        gap = m_chi_prime - m_chi
        if self.on_shell:
            heavy = np.log(m_chi_prime / m_v2)
            return np.log(m_v2), heavy / np.log(_HEAVIEST / m_v2), np.log(m_chi_prime / gap) / heavy
        ratio = np.sqrt(np.maximum(np.log(m_v2 / gap), 0.0) / np.log(_FARTHEST / gap))
        return np.log(m_chi_prime + _OFFSET), np.log(m_chi_prime / gap), ratio

    def masses(self, first: float, second: float, third: float) -> tuple[float, float, float]:
        """Return m_chi, m_chi', m_V2 in MeV of a node: the inverse of `coordinates`."""
        if self.on_shell:
            m_v2 = exp(first)
            m_chi_prime = m_v2 * (_HEAVIEST / m_v2) ** second
            return m_chi_prime - m_chi_prime * (m_v2 / m_chi_prime) ** third, m_chi_prime, m_v2
        m_chi_prime = exp(first) - _OFFSET
        gap = m_chi_prime * exp(-second)
        return m_chi_prime - gap, m_chi_prime, gap * exp(third**2 * log(_FARTHEST / gap))


_OFFSET: Final = 15.0
_FARTHEST: Final = 1001.0
_HEAVIEST: Final = 400.0
_RATIO: Final = readonly(np.array([0.005, 0.08, 0.17, 0.27, 0.38, 0.51, 0.67, 0.86, 1.1, 1.42, 1.84, 2.31]))
_VIRTUAL: Final = readonly(np.array([0.02, 0.08, 0.16, 0.27, 0.41, 0.56, 0.72, 0.87, 1.0]))
_HEAVY: Final = readonly(np.array([0.005, 0.09, 0.2, 0.32, 0.44, 0.55, 0.65, 0.75, 0.87, 1.0]))
_LIGHT: Final = readonly(np.array([0.002, 0.14, 0.3, 0.46, 0.62, 0.78, 0.92, 0.9995]))
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
