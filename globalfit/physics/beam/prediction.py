"""Events of long-lived particles at n points from the shipped tables; couplings and charges are exact.

Only masses are interpolated: the logarithm of the folded prediction, cubic in the logarithm of the mediator's
mass and in `Channel.coordinate` of the mass of X, one production channel at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array
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
from globalfit.physics.beam.interpolation import blend, neighbours
from globalfit.physics.beam.masses import Masses
from globalfit.physics.beam.nuclei import named_charges
from globalfit.physics.beam.prepared import (
    axis,
    delay_table,
    delays_at_mass,
    events_at_mass,
    events_table,
    place,
)
from globalfit.physics.beam.primakoff import VERTICES
from globalfit.physics.beam.tables import load_tables
from globalfit.physics.compiled_code import is_compiled

if TYPE_CHECKING:
    from globalfit.physics.beam.compiled import Plane

LEPTONS = {"mu": ("mu",), "e": ("e",), "e+mu": ("mu", "e")}


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
    add = _add_compiled if is_compiled(masses.engine) else _add
    lost = None if loss is None else loss / HBARC_MEV_M
    for channels, scale in _together(setup, quantity, scales or {}):
        if masses.common is None or masses.common < channels[0].threshold:
            add(masses, channels, quantity, closing(channels[0], masses.m_x) * scale, lost, out)
    out[~masses.inside] = np.inf
    return out


def _add(
    masses: Masses,
    channels: tuple[Channel, ...],
    quantity: str,
    factor: Array,
    loss: Array | None,
    out: Array,
) -> None:
    """Add the events of channels of one threshold, times factor (n,), to `out` (n, bins)."""
    given, first = (masses.setup, channels, quantity), channels[0]
    at, common = masses.reached(first), masses.common
    table = events_table(*given) if common is None else events_at_mass(*given, common)
    logs = blend(table, *masses.rows(first, "events"))
    if loss is not None:
        table = delay_table(*given) if common is None else delays_at_mass(*given, common)
        found = blend(table, *masses.rows(first, "delays"))
        bins = logs.shape[1]
        mean, spread = np.exp(found[:, :bins]), np.exp(found[:, bins:])
        mean *= spread
        mean *= loss[at, None]
        power = np.log1p(mean, out=mean)
        power /= spread
        logs -= power
    made = np.exp(logs, out=logs)
    made *= factor[at, None]
    out[at] += made


def _add_compiled(
    masses: Masses,
    channels: tuple[Channel, ...],
    quantity: str,
    factor: Array,
    loss: Array | None,
    out: Array,
) -> None:
    """Do the same in compiled code."""
    from globalfit.physics.beam import compiled  # imports numba

    plane, delays = _planes(masses.setup, channels, quantity, loss is not None)
    x = masses.x(channels[0])
    if loss is None:
        compiled.add_exponentials(plane, x, masses.y, factor, out)
    else:
        compiled.add_surviving(plane, x, masses.y, factor, delays, loss, out)


@cache
def _planes(
    setup: LongLived, channels: tuple[Channel, ...], quantity: str, mortal: bool
) -> tuple[Plane, Plane]:
    """Tables of events and, of `mortal` X, of delays for compiled code."""
    from globalfit.physics.beam.compiled import Plane

    process, x = PROCESSES[setup.process], axis(channels[0])
    plane = Plane.of(events_table(setup, channels, quantity), x, np.log(process.mediators))
    if not mortal:
        return plane, plane
    slow = np.log(process.mediators[list(process.delays)])
    return plane, Plane.of(delay_table(setup, channels, quantity), x, slow)


def _together(
    setup: LongLived, quantity: str, scales: Mapping[str, Array]
) -> Iterator[tuple[tuple[Channel, ...], Array | float]]:
    """Channels that reach a quantity with their scale: both charges of a meson as one where scales agree."""
    for charges in _reaching(setup, quantity):
        factors = [scales.get(each.parent, 1.0) for each in charges]
        first = factors[0]
        if all(factor is first or np.array_equal(factor, first) for factor in factors):
            yield charges, first
        else:
            yield from (((each,), factor) for each, factor in zip(charges, factors, strict=True))


@cache
def _reaching(setup: LongLived, quantity: str) -> tuple[tuple[Channel, ...], ...]:
    """Channels that reach a quantity, both charges of a meson together."""
    reach = [each for each in setup.channels if each in OBSERVABLES[quantity].channels]
    return tuple(
        tuple(each for each in reach if (each.meson, each.lepton) == (meson, lepton))
        for meson, lepton in dict.fromkeys((each.meson, each.lepton) for each in reach)
    )


def branching_ratio(setup: LongLived, channel: Channel, m_x: Array) -> Array:
    """Return BR(M+ -> l+ nu X) (n,) per squared coupling of X to the lepton; zero if closed or not coupled.

    For a vector the leg's coupling. Masses below the tables count as the lowest one.
    """
    if channel not in setup.channels:
        return np.zeros(len(m_x))
    logs = load_tables(setup.path).branching[(*setup.key, channel.name)][:, None]
    at = np.clip(m_x, LOWEST_X, HIGHEST_X)
    return np.asarray(np.exp(blend(logs, *neighbours(place(channel, at)))[:, 0]) * closing(channel, m_x))


def closing(channel: Channel, m_x: Array) -> Array:
    """Return 1 below a channel's last node, 0 above its threshold, falling linearly between."""
    last = float(channel.masses[-1])
    if last < 0.99 * channel.threshold:  # the tables end before the channel does
        return np.ones(len(m_x))
    return np.asarray(np.clip((channel.threshold - m_x) / (channel.threshold - last), 0.0, 1.0))
