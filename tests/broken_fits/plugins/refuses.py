"""Refuses an option's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction
from globalfit.model import Point
from globalfit.statistics import gaussian


@dataclass(frozen=True)
class Mine:
    """One measured coupling."""

    efficiency: float = 1.0

    name: ClassVar[str] = "mine"
    reference: ClassVar[str] = "an example"
    needs: ClassVar[tuple[str, ...]] = ("y_mu",)

    def __post_init__(self) -> None:
        if not 0.0 < self.efficiency <= 1.0:
            raise GlobalfitError("", f"'efficiency' = {self.efficiency} is not a share", "give 0 to 1")

    def predict(self, point: Point) -> Prediction:
        """Return the coupling (n,)."""
        return {"coupling": self.efficiency * point.y_mu}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return ln L (n,)."""
        return gaussian(0.01, prediction["coupling"], 0.001)
