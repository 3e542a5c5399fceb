"""Events of long-lived particles at n points from the shipped tables; couplings and charges are exact.

Only masses are interpolated: the logarithm of the folded prediction, cubic in the logarithm of the mediator's
mass and in `Channel.coordinate` of the mass of X, one production channel at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

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
from globalfit.physics.beam.interpolation import Index, Stencil, blend, neighbours, stencil
from globalfit.physics.beam.nuclei import named_charges
from globalfit.physics.beam.prepared import (
    axis,
    coordinate,
    delay_table,
    delays_at_mass,
    events_at_mass,
    events_table,
    place,
)
from globalfit.physics.beam.primakoff import VERTICES
from globalfit.physics.beam.tables import load_tables
from globalfit.physics.compiled_code import Engine, is_compiled

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


@dataclass(frozen=True, eq=False)
class Masses:
    """Masses (n,) in MeV of X and of the mediator, with their places in the tables, found once.

    `engine` "numba" is compiled code, the same to 1e-10; "auto" takes it where numba is installed.
    """

    setup: LongLived
    m_x: Array
    m_mediator: Array
    engine: Engine = "numpy"
    _rows: dict[str, tuple[Index, Array]] = field(default_factory=dict, repr=False)

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
    def y(self) -> Array:
        """Ln of the mediator's mass (n,), within the tables."""
        return np.log(np.clip(self.m_mediator, *self.setup.mediators))

    @cached_property
    def mediator(self) -> Stencil:
        """Stencil in the mass of the mediator."""
        return stencil(np.log(PROCESSES[self.setup.process].mediators), self.y)

    @cached_property
    def slow_mediator(self) -> Stencil:
        """Stencil in the mass of the mediator at those of `Process.delays`."""
        process = PROCESSES[self.setup.process]
        return stencil(np.log(process.mediators[list(process.delays)]), self.y)

    def x(self, channel: Channel) -> Array:
        """Return the place (n,) of the mass of X on a channel's axis."""
        return coordinate(channel, self.m_x)

    def reached(self, channel: Channel) -> Index | slice:
        """Return which points (m,) are below the threshold of a channel."""
        below = self.m_x < channel.threshold
        return slice(None) if below.all() else np.flatnonzero(below)

    def rows(self, channel: Channel, of: str) -> tuple[Index, Array]:
        """Return the rows (m, 16) of a channel's table and their weights, for the points it `reached`.

        The same for both charges; `of` "events" or "delays", which have fewer mediators. Where the mass of X
        is `common` the rows (n, 4) of a table at that mass.
        """
        key = of if self.common is not None else f"{of} {channel.meson}_{channel.lepton}"
        if key not in self._rows:
            at = self.reached(channel)
            across = (self.mediator if of == "events" else self.slow_mediator).take(at)
            axes = (across,) if self.common is not None else (place(channel, self.m_x[at]), across)
            self._rows[key] = neighbours(*axes)
        return self._rows[key]


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
