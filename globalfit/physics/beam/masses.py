"""Masses of a long-lived X and of what it exchanges at n points, with their places in the tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.physics.beam.channels import HIGHEST_X, LOWEST_X, PROCESSES, Channel
from globalfit.physics.beam.interpolation import Index, Stencil, neighbours, stencil
from globalfit.physics.beam.prepared import coordinate, place
from globalfit.physics.compiled_code import Engine

if TYPE_CHECKING:
    from globalfit.physics.beam.prediction import LongLived


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
