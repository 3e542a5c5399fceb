"""Constraints: regions of parameter space that a fit excludes.

A constraint is any object with ``name``, ``needs`` (what it reads from the point) and ``allows(point)``, the
mask (n,) of the points it lets through. Points it refuses get zero probability and no likelihood is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, pi
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.errors import GlobalfitError

if TYPE_CHECKING:
    from globalfit.model import Point


@dataclass(frozen=True)
class Perturbativity:
    """Every coupling in `couplings` is below `limit` in absolute value.

    Parameters
    ----------
    limit : float
        4 pi by default.
    couplings : sequence of str
        Quantities of the point: the quartic of phi, the gauge coupling and the Yukawas of the charged
        leptons. Add ``"y_eta"`` where the fit has `m_eta`.
    """

    limit: float = 4.0 * pi
    couplings: tuple[str, ...] = ("lambda_phi", "gauge_coupling", "y_mu", "y_e")

    name: ClassVar[str] = "perturbativity"

    def __post_init__(self) -> None:
        if not (self.limit > 0.0 and isfinite(self.limit)):
            raise GlobalfitError("", f"'limit' = {self.limit} is not a positive number", "4 pi is customary")
        object.__setattr__(self, "couplings", _names("couplings", self.couplings))

    @property
    def needs(self) -> tuple[str, ...]:
        """Quantities it reads from the point."""
        return self.couplings

    def allows(self, point: Point) -> Mask:
        """Return the mask (n,) of points whose couplings are all below the limit; nan is refused."""
        allowed = np.ones(point.n, dtype=bool)
        for name in self.couplings:
            allowed &= np.abs(getattr(point, name)) < self.limit
        return allowed


@dataclass(frozen=True)
class MassOrdering:
    """The sum of the parameters in `lighter` is below the sum of those in `heavier`.

    A name may stand twice: ``lighter = ["m_eta", "m_eta"], heavier = ["m_aprime"]`` keeps A' -> eta eta open.
    """

    lighter: tuple[str, ...]
    heavier: tuple[str, ...]

    name: ClassVar[str] = "mass-ordering"

    def __post_init__(self) -> None:
        for side in ("lighter", "heavier"):
            object.__setattr__(self, side, _names(side, getattr(self, side)))
        if sorted(self.lighter) == sorted(self.heavier):
            raise GlobalfitError("", "'lighter' and 'heavier' are the same masses", "no point could pass")

    @property
    def needs(self) -> tuple[str, ...]:
        """Parameters it reads from the point."""
        return tuple(dict.fromkeys((*self.lighter, *self.heavier)))

    def allows(self, point: Point) -> Mask:
        """Return the mask (n,) of points that are in order; nan is refused."""
        return _sum(point, self.lighter) < _sum(point, self.heavier)


def _names(field: str, names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or not names:
        raise GlobalfitError("", f"'{field}' is not a list of names", 'write it as ["m_eta", "m_phi"]')
    return tuple(names)


def _sum(point: Point, names: tuple[str, ...]) -> Array:
    total = np.zeros(point.n)
    for name in names:
        total = total + getattr(point, name)
    return total
