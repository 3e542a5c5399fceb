"""What a table of beam predictions covers: production channels, masses, processes and observables.

A channel is a parent and a lepton, "pi+_mu" and so on. Channels stay apart because each has its own
threshold m_M - m_l, across which nothing is interpolated, and because couplings and errors of the flux may
differ between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.physics.beam.mesons import LEPTON_MASSES, MESONS

LEGS: Final = ("lepton", "meson", "contact", "gauge-invariant")


@dataclass(frozen=True)
class Channel:
    """Production M -> l nu X: `parent` is "pi+", "pi-", "k+" or "k-", `lepton` "e" or "mu"."""

    parent: str
    lepton: str

    @property
    def name(self) -> str:
        """Such as "pi+_mu"."""
        return f"{self.parent}_{self.lepton}"

    @cached_property
    def meson(self) -> str:
        """The parent without its charge, "pi" or "k"."""
        return self.parent[:-1]

    @cached_property
    def threshold(self) -> float:
        """Mass of X in MeV from which on the decay is closed."""
        return MESONS[self.parent].m - LEPTON_MASSES[self.lepton]

    @cached_property
    def masses(self) -> Array:
        """Nodes in the mass of X, MeV."""
        shares = 1.0 - np.array(_NEAR_THRESHOLD)
        window = _WINDOWS.get((self.meson, self.lepton), np.zeros(0))
        low = MASSES_X[0.85 * shares[0] * self.threshold > MASSES_X]
        near = self.threshold * shares
        beyond = int(np.searchsorted(near, 1.02 * HIGHEST_X)) + 1  # one node past the last mass
        nodes = np.concatenate((low, near[:beyond]))
        if window.size:  # not beside its own nodes
            nodes = nodes[(nodes < 0.97 * window[0]) | (nodes > 1.03 * window[-1])]
        return readonly(np.sort(np.concatenate((nodes, window))))

    def coordinate(self, m_x: Array) -> Array:
        """Return ln m/(threshold - m): logarithmic at both ends, where rates are powers. Inf when closed."""
        left = np.maximum(self.threshold - m_x, 1e-12 * self.threshold)
        return np.log(m_x / left)


#: Masses of X shared by the channels, MeV; each adds its own nodes towards its threshold.
MASSES_X: Final = readonly(np.geomspace(0.5, 390.0, 31))
_NEAR_THRESHOLD: Final = (
    0.6,
    0.55,
    0.5,
    0.45,
    0.4,
    0.35,
    0.3,
    0.26,
    0.22,
    0.16,
    0.115,
    0.08,
    0.055,
    0.038,
    0.025,
    0.016,
    0.01,
    0.006,
    0.0035,
    0.002,
)
#: Nodes where a pion's X at rest passes an end of LSND's window of 20 to 60 MeV, in MeV: from 20 MeV on all X
#: are above its lower end, from 60 MeV on only the resolution brings any below its upper end.
_WINDOWS: Final = {
    ("pi", "mu"): readonly(np.arange(13.5, 25.0, 1.5)),
    ("pi", "e"): readonly(np.concatenate((np.geomspace(17.5, 42.0, 9), np.arange(46.0, 87.0, 4.0)))),
}
LOWEST_X: Final = 0.5
HIGHEST_X: Final = 345.0
CHARGED: Final = ("pi+", "pi-", "k+", "k-")
CHANNELS: Final = tuple(Channel(parent, lepton) for parent in CHARGED for lepton in ("mu", "e"))


@dataclass(frozen=True)
class Process:
    """A long-lived particle: how mesons make it, how it scatters, and the masses of what it exchanges."""

    production: str  # of `grid.PROCESSES`
    scattering: str  # of `primakoff.PROCESSES`
    mediators: Array

    @property
    def delays(self) -> tuple[int, ...]:
        """Places of the four mediators at which the tables keep how long X travels."""
        last = len(self.mediators) - 1
        return 0, last // 3, last - last // 3, last

    @property
    def legs(self) -> tuple[str, ...]:
        """Legs of production that have tables of their own; one without a name for spin 0."""
        return LEGS if self.production == "vector" else ("",)


PROCESSES: Final = {
    "scalar": Process("scalar", "scalar", readonly(np.geomspace(1.0, 1000.0, 16))),
    "pseudoscalar": Process("pseudoscalar", "pseudoscalar", readonly(np.geomspace(1.0, 1000.0, 16))),
    "vector": Process("vector", "vector-scalar", readonly(np.geomspace(10.0, 2000.0, 14))),
}


@dataclass(frozen=True)
class Observable:
    """Events of one card in one mode: the first `last` bins of a kernel's observable, or their sum."""

    card: str
    mode: str
    kernel: str
    last: int
    total: bool = False
    parents: tuple[str, ...] = CHARGED

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """Channels that reach it, in the order of the tables' rows."""
        return tuple(each for each in CHANNELS if each.parent in self.parents)

    def rows(self, channel: Channel) -> slice:
        """Return the rows of a channel's masses in the tables."""
        sizes = [len(each.masses) for each in self.channels]
        first = sum(sizes[: self.channels.index(channel)])
        return slice(first, first + len(channel.masses))

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
    # 20 to 60 MeV; protons of 800 MeV make no kaons, and negative pions are captured
    "signal_lsnd": Observable("lsnd", "nu", "evis", 1, parents=("pi+",)),
}
