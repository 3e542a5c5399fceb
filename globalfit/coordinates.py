"""Bijections between physical values and the coordinates walkers move in, with exact Jacobians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from globalfit.arrays import Array, Columns

if TYPE_CHECKING:
    from globalfit.parameters import Prior


class Coordinate(Protocol):
    """A coordinate u for one parameter x, a bijection at fixed values of the parameters in `reads`."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Other parameters the bijection depends on."""
        ...

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return x (n,) and ln |dx/du| (n,); x is nan where `u` (n,) has no image."""
        ...

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return u (n,)."""
        ...


@dataclass(frozen=True)
class Linear:
    """u = x."""

    reads: tuple[str, ...] = ()

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return x = u and ln |dx/du| = 0."""
        return u, np.zeros_like(u)

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return u = x."""
        return x


@dataclass(frozen=True)
class Log:
    """u = ln x, for x > 0."""

    reads: tuple[str, ...] = ()

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return x = exp(u) and ln |dx/du| = u."""
        return np.exp(u), u

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return u = ln x."""
        return np.log(x)


@dataclass(frozen=True)
class SignedLog:
    """u = sign(x) ln(|x|/low), for |x| > low: the two branches of a signed logarithm joined at zero."""

    low: float
    reads: tuple[str, ...] = ()

    def to_physical(self, u: Array, columns: Columns) -> tuple[Array, Array]:
        """Return x = sign(u) low exp|u| and ln |dx/du| = ln|x|."""
        x = np.copysign(self.low * np.exp(np.abs(u)), u)
        return x, np.log(self.low) + np.abs(u)

    def from_physical(self, x: Array, columns: Columns) -> Array:
        """Return u = sign(x) ln(|x|/low); nan in the gap."""
        size = np.abs(x)
        with np.errstate(divide="ignore"):
            return np.where(size < self.low, np.nan, np.copysign(np.log(size / self.low), x))


def coordinate_for(prior: Prior) -> Coordinate:
    """Return the coordinate that a prior's scale asks for."""
    if prior.scale == "log":
        return Log()
    if prior.scale == "signed-log":
        return SignedLog(float(getattr(prior, "low")))  # noqa: B009  (only this scale has the attribute)
    return Linear()
