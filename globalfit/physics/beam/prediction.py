"""Events of long-lived particles at n points from the shipped tables; couplings and charges are exact.

Only masses are interpolated: the logarithm of the folded prediction, cubic in the logarithm of the mediator's
mass and in `Channel.coordinate` of the mass of X, one production channel at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.constants import HBARC_MEV_M
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
        """Channels that make X, both charges of the mesons."""
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

    def place(self, channel: Channel) -> tuple[Index, Array]:
        """Return the stencil of a channel in the mass of X."""
        return _place(channel, self.m_x)

    def rows(self, channel: Channel) -> tuple[Index, Array]:
        """Return the 16 rows (n, 16) of a channel's table and their weights; the same for both charges."""
        name = f"{channel.meson}_{channel.lepton}"
        if name not in self._rows:
            k = len(PROCESSES[self.setup.process].mediators)
            self._rows[name] = tensor_stencil(self.place(channel), self.mediator, k)
        return self._rows[name]


def events(
    masses: Masses, quantity: str, scales: Mapping[str, Array] | None = None, loss: Array | None = None
) -> Array:
    """Return expected events (n, bins) per squared portal coupling in MeV^-2; inf outside the tables.

    Parameters
    ----------
    masses : Masses
    quantity : str
        Of `channels.OBSERVABLES`.
    scales : mapping of str to array (n,), optional
        Flux of "pi+", "pi-", "k+", "k-" over that of the tables; 1 where there is none.
    loss : array (n,), optional
        m Gamma in MeV^2 of an X that decays on its way. Within a bin r/p is taken to follow a gamma
        distribution with the mean and variance of the tables, so that <exp(-loss r/p)> is a power.
    """
    setup = masses.setup
    out = np.zeros((len(masses.m_x), OBSERVABLES[quantity].bins))
    for channels, scale in _together(setup, quantity, scales or {}):
        first = channels[0]
        if masses.common is not None:
            if masses.common >= first.threshold:
                continue
            table = _at_mass(setup, channels, quantity, masses.common)
            logs = blend(table, *masses.mediator)
        else:
            logs = blend(_table(setup, channels, quantity), *masses.rows(first))
        made = np.exp(logs) * (closing(first, masses.m_x) * scale)[:, None]
        if loss is not None:
            made *= _survival(masses, channels, quantity, loss)
        out += made
    out[~masses.inside] = np.inf
    return out


def _together(
    setup: LongLived, quantity: str, scales: Mapping[str, Array]
) -> Iterator[tuple[tuple[Channel, ...], Array | float]]:
    """Channels that reach a quantity with their scale: both charges of a meson as one where scales agree."""
    reach = [each for each in setup.channels if each in OBSERVABLES[quantity].channels]
    for meson, lepton in dict.fromkeys((each.meson, each.lepton) for each in reach):
        charges = tuple(each for each in reach if (each.meson, each.lepton) == (meson, lepton))
        factors = [scales.get(each.parent, 1.0) for each in charges]
        if all(np.array_equal(factor, factors[0]) for factor in factors):
            yield charges, factors[0]
        else:
            yield from (((each,), factor) for each, factor in zip(charges, factors, strict=True))


def _survival(masses: Masses, channels: tuple[Channel, ...], quantity: str, loss: Array) -> Array:
    """Share (n, bins) of a channel's events whose X has not decayed."""
    setup = masses.setup
    process = PROCESSES[setup.process]
    nodes = np.log(process.mediators[list(process.delays)])
    rows, weights = tensor_stencil(
        masses.place(channels[0]), stencil(nodes, np.log(np.maximum(masses.m_mediator, 1e-300))), 4
    )
    found = blend(_delay_table(setup, channels, quantity), rows, weights)
    bins = found.shape[1] // 2
    mean, spread = np.exp(found[:, :bins]), np.exp(found[:, bins:])
    power = np.log1p((loss / HBARC_MEV_M)[:, None] * mean * spread) / spread
    return np.asarray(np.exp(-power))


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
def _table(setup: LongLived, channels: tuple[Channel, ...], quantity: str) -> Array:
    """Ln events (m_x times mediators, bins): charges and vertex put in, parts and `channels` added up."""
    tables = load_tables(setup.path)
    charges = charge_weights(PARTS, *named_charges(setup.nuclear_charge))
    factor = (VERTICES[setup.vertex] * charges)[:, None]
    events = [np.exp(tables.logs(*setup.key, quantity, each)) * factor for each in channels]
    total = np.log(np.sum(events, axis=(0, 3)))
    return np.ascontiguousarray(total.reshape(-1, total.shape[-1]))


@cache
def _delay_table(setup: LongLived, channels: tuple[Channel, ...], quantity: str) -> Array:
    """Ln mean and ln relative variance of r/p (m_x times 4, 2 bins), both charges of a meson together."""
    tables = load_tables(setup.path)
    charges = charge_weights(PARTS, *named_charges("Z"))[:, None]
    places = list(PROCESSES[setup.process].delays)
    zero, first, second = 0.0, 0.0, 0.0
    for each in channels:
        logs = tables.logs(*setup.key, quantity, each)[:, places]
        mean, spread = np.moveaxis(tables.delay(*setup.key, quantity, each), -1, 0)
        events = (np.exp(logs) * charges).sum(axis=2)
        zero = zero + events
        first = first + events * np.exp(mean)
        second = second + events * np.exp(2.0 * mean) * (1.0 + spread)
    ratio = np.asarray(first / zero)
    spread = np.maximum(second / zero / ratio**2 - 1.0, 1e-3)
    both = np.concatenate((np.log(ratio), np.log(spread)), axis=-1)
    return np.ascontiguousarray(both.reshape(-1, both.shape[-1]))


@lru_cache(maxsize=256)
def _at_mass(setup: LongLived, channels: tuple[Channel, ...], quantity: str, m_x: float) -> Array:
    """Ln events (mediators, bins) at one mass of X."""
    table = _table(setup, channels, quantity)
    k = len(PROCESSES[setup.process].mediators)
    flat = table.reshape(len(channels[0].masses), k * table.shape[1])
    return blend(flat, *_place(channels[0], np.array([m_x]))).reshape(k, -1)
