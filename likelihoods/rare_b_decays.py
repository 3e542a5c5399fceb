"""Rates of b -> s mu mu decays: predictions, and a likelihood when asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, cast

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.likelihood import Prediction
from globalfit.likelihoods.flavour_measurements import (
    Measurement,
    log_density,
    measurement,
    shipped_forms,
    simulated,
    with_standard_model,
    with_values,
)
from globalfit.likelihoods.measurements import Vintages
from globalfit.model import Point
from globalfit.physics.flavour.channels import RATES
from globalfit.physics.flavour.observables import observables
from globalfit.physics.wilson import WilsonCoefficients


@dataclass(frozen=True)
class RareBDecays:
    """Bin-averaged dB/dq^2 (GeV^-2) of B -> K(*) mu mu, B_s -> phi mu mu, Lambda_b -> Lambda mu mu.

    Parameters
    ----------
    measurement : str
        One of ``data/rare_b_decays.toml``; `vintages` are those that stand for a date.
    mode : {"predict", "likelihood"}
        Predict alone (ln L = 0), or compare: these rates have theory errors of 5 to 25 %, some larger than
        their distance from the data.
    values : sequence of float, optional
        Replace the measured values, for instance by simulated ones.

    Raises
    ------
    GlobalfitError
        If `measurement` or `mode` is unknown.
    """

    measurement: str = "lhcb-2014-2018"
    mode: Literal["predict", "likelihood"] = "predict"
    values: tuple[float, ...] | None = None

    name: ClassVar[str] = "rare-b-decays"
    needs: ClassVar[tuple[str, ...]] = ("wilson_coefficients",)
    version: ClassVar[str] = "1"
    vintages = Vintages()

    def __post_init__(self) -> None:
        _ = self.measured
        known = ("predict", "likelihood")
        if self.mode not in known:
            raise GlobalfitError(self.name, f"no mode '{self.mode}'", did_you_mean(self.mode, known))

    @property
    def measured(self) -> Measurement:
        """Values and errors."""
        published = measurement("rare_b_decays.toml", self.name, self.measurement)
        return with_values(published, self.values, self.name)

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        return self.measured.citation

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data in the measurement; none when it only predicts."""
        return self.measured.data if self.mode == "likelihood" else ()

    def predict(self, point: Point) -> Prediction:
        """Return ``dbr_<decay>_<bin>`` (n,) in GeV^-2, ``error_``, ``sm_`` of each, theory covariance."""
        wilson = cast(WilsonCoefficients, point.wilson_coefficients)
        return with_standard_model(observables(shipped_forms(), wilson, RATES), RATES)

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the measured rates, per GeV^-2; zero if it only predicts."""
        if self.mode == "predict":
            return np.zeros(len(prediction[RATES[0].name]))
        return log_density(self.measured, RATES, prediction)

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of rates drawn at the prediction (n = 1), theory errors included."""
        if self.mode == "predict":
            return self
        return replace(self, values=simulated(self.measured, RATES, prediction, rng))
