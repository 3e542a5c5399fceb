"""Events of long-lived particles at n points from the shipped tables; couplings and charges are exact.

Only masses are interpolated: the logarithm of the folded prediction, cubic in the logarithm of the mediator's
mass and in `Channel.coordinate` of the mass of X, one production channel at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.physics.beam.channels import (
    CHANNELS,
    HIGHEST_X,
    LOWEST_X,
    OBSERVABLES,
    PROCESSES,
    Channel,
)
from globalfit.physics.beam.interpolation import Index, blend, stencil, tensor_stencil
from globalfit.physics.beam.nuclei import charge_weights, named_charges, scatterers
from globalfit.physics.beam.primakoff import VERTICES
from globalfit.physics.beam.tables import load_tables

LEPTONS = {"mu": ("mu",), "e": ("e",), "e+mu": ("mu", "e")}
#: Every detector with tables is CH2: the parts and their order.
PARTS = scatterers({"C": 1.0, "H": 1.0})


@dataclass(frozen=True)
class LongLived:
    """A long-lived X, with the conventions of its production and scattering.

    Parameters
    ----------
    process : {"scalar", "pseudoscalar", "vector"}
        Spin and parity of X.
    path : Path
        The file of tables.
    leg : str
        Leg that radiates a vector, of `channels.LEGS`; without meaning for spin 0.
    leptons : {"mu", "e", "e+mu"}
        Charged leptons beside which X is made, all with the same coupling.
    nuclear_charge : {"Z", "A", "quark"}
        Charges of the nucleons under the mediator (`nuclei.CHARGES`).
    vertex : {"doubled", "single"}
        What "+ h.c." means (`primakoff`).

    Raises
    ------
    GlobalfitError
        If a choice is unknown.
    """

    process: str
    path: Path
    leg: str = "lepton"
    leptons: str = "mu"
    nuclear_charge: str = "Z"
    vertex: str = "doubled"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("process", self.process, tuple(PROCESSES)),
            ("leptons", self.leptons, tuple(LEPTONS)),
            ("vertex", self.vertex, tuple(VERTICES)),
        ):
            if value not in known:
                raise GlobalfitError("beam", f"no {name} '{value}'", did_you_mean(str(value), known))
        if PROCESSES[self.process].production == "vector" and self.leg not in PROCESSES[self.process].legs:
            known = PROCESSES[self.process].legs
            raise GlobalfitError("beam", f"no leg '{self.leg}'", did_you_mean(str(self.leg), known))
        named_charges(self.nuclear_charge)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels that make X."""
        return tuple(each for each in CHANNELS if each.lepton in LEPTONS[self.leptons])

    @property
    def key(self) -> tuple[str, str]:
        """Process and leg as the tables name them."""
        return self.process, self.leg if PROCESSES[self.process].production == "vector" else ""

    @property
    def mediators(self) -> tuple[float, float]:
        """Lowest and highest mass of the mediator in the tables, MeV."""
        nodes = PROCESSES[self.process].mediators
        return float(nodes[0]), float(nodes[-1])


@dataclass(frozen=True, eq=False)
class Masses:
    """Masses (n,) in MeV of X and of the mediator, with their places in the tables, found once."""

    setup: LongLived
    m_x: Array
    m_mediator: Array

    @cached_property
    def inside(self) -> Mask:
        """Whether the tables cover the masses (n,)."""
        low, high = self.setup.mediators
        return np.asarray(
            (self.m_x >= LOWEST_X)
            & (self.m_x <= HIGHEST_X)
            & (self.m_mediator >= low * (1.0 - 1e-12))
            & (self.m_mediator <= high * (1.0 + 1e-12))
        )

    @cached_property
    def common(self) -> float | None:
        """The mass of X if all points have the same one inside the tables: its axis is then blended once."""
        first = float(self.m_x[0]) if self.m_x.size else np.nan
        return first if LOWEST_X <= first <= HIGHEST_X and (self.m_x == first).all() else None

    @cached_property
    def mediator(self) -> tuple[Index, Array]:
        """Stencil in the mass of the mediator."""
        nodes = PROCESSES[self.setup.process].mediators
        x = np.log(np.clip(self.m_mediator, nodes[0], nodes[-1]))
        return stencil(np.log(nodes), x)

    @cached_property
    def _rows(self) -> dict[str, tuple[Index, Array]]:
        return {}

    def rows(self, channel: Channel) -> tuple[Index, Array]:
        """Return the 16 rows (n, 16) of a channel's table and their weights."""
        if channel.name not in self._rows:
            k = len(PROCESSES[self.setup.process].mediators)
            self._rows[channel.name] = tensor_stencil(_place(channel, self.m_x), self.mediator, k)
        return self._rows[channel.name]


def events(masses: Masses, quantity: str) -> Array:
    """Return expected events (n, bins) per squared portal coupling in MeV^-2; inf outside the tables.

    Parameters
    ----------
    masses : Masses
    quantity : str
        Of `channels.OBSERVABLES`.
    """
    setup = masses.setup
    out = np.zeros((len(masses.m_x), OBSERVABLES[quantity].bins))
    for channel in setup.channels:
        if quantity == "signal_lsnd" and channel.parent == "k":
            continue  # no kaons from protons of 800 MeV
        if masses.common is not None:
            if masses.common >= channel.threshold:
                continue
            table = _at_mass(setup, channel, quantity, masses.common)
            logs = blend(table, *masses.mediator)
        else:
            logs = blend(_table(setup, channel, quantity), *masses.rows(channel))
        out += np.exp(logs) * closing(channel, masses.m_x)[:, None]
    out[~masses.inside] = np.inf
    return out


def branching_ratio(setup: LongLived, channel: Channel, m_x: Array) -> Array:
    """Return BR(M+ -> l+ nu X) (n,) per squared coupling of X to the lepton; zero if closed or not coupled.

    For a vector the leg's coupling. Masses below the tables count as the lowest one.
    """
    if channel not in setup.channels:
        return np.zeros(len(m_x))
    logs = load_tables(setup.path).branching[(*setup.key, channel.name)][:, None]
    at = np.clip(m_x, LOWEST_X, HIGHEST_X)
    return np.asarray(np.exp(blend(logs, *_place(channel, at))[:, 0]) * closing(channel, m_x))


def closing(channel: Channel, m_x: Array) -> Array:
    """Return 1 below a channel's last node, 0 above its threshold, falling linearly between."""
    last = float(channel.masses[-1])
    if last < 0.99 * channel.threshold:  # the tables end before the channel does
        return np.ones(len(m_x))
    return np.asarray(np.clip((channel.threshold - m_x) / (channel.threshold - last), 0.0, 1.0))


def _place(channel: Channel, m_x: Array) -> tuple[Index, Array]:
    nodes = channel.coordinate(channel.masses)
    at = channel.coordinate(np.clip(m_x, LOWEST_X, min(HIGHEST_X, float(channel.masses[-1]))))
    return stencil(nodes, at)


@cache
def _table(setup: LongLived, channel: Channel, quantity: str) -> Array:
    """Ln events (m_x times mediators, bins) with charges and vertex put in, parts added up."""
    logs = load_tables(setup.path).logs[(*setup.key, channel.name, quantity)].astype(np.float64)
    charges = charge_weights(PARTS, *named_charges(setup.nuclear_charge))
    factor = (VERTICES[setup.vertex] * charges)[:, None]
    total = np.log((np.exp(logs) * factor).sum(axis=2))
    return np.ascontiguousarray(total.reshape(-1, logs.shape[-1]))


@lru_cache(maxsize=256)
def _at_mass(setup: LongLived, channel: Channel, quantity: str, m_x: float) -> Array:
    """Ln events (mediators, bins) at one mass of X."""
    table = _table(setup, channel, quantity)
    k = len(PROCESSES[setup.process].mediators)
    flat = table.reshape(len(channel.masses), k * table.shape[1])
    return blend(flat, *_place(channel, np.array([m_x]))).reshape(k, -1)
