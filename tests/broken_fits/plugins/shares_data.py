"""Uses data of a measurement that the fit already has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from globalfit.arrays import Array
from globalfit.likelihood import Prediction
from globalfit.model import Point
from globalfit.statistics import gaussian


@dataclass(frozen=True)
class Mine:
    """One measured coupling."""

    name: ClassVar[str] = "mine"
    reference: ClassVar[str] = "an example"
    needs: ClassVar[tuple[str, ...]] = ("y_mu",)
    data: ClassVar[tuple[str, ...]] = ("muon-g-2-fnal-run1",)

    def predict(self, point: Point) -> Prediction:
        """Return the coupling (n,)."""
        return {"coupling": point.y_mu}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return ln L (n,)."""
        return gaussian(0.01, prediction["coupling"], 0.001)
