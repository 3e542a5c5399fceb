"""Without fault, with a nuisance parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from globalfit.arrays import Array
from globalfit.likelihood import Prediction
from globalfit.model import Point
from globalfit.parameters import Parameter
from globalfit.priors.shapes import Normal
from globalfit.statistics import gaussian


@dataclass(frozen=True)
class Sound:
    """One measured coupling."""

    name: ClassVar[str] = "sound"
    reference: ClassVar[str] = "an example"
    needs: ClassVar[tuple[str, ...]] = ("y_mu",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("offset", prior=Normal(0.0, 0.001)),)

    def predict(self, point: Point) -> Prediction:
        """Return the coupling (n,)."""
        return {"coupling": point.y_mu + point.offset}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return ln L (n,)."""
        return gaussian(0.01, prediction["coupling"], 0.001)
