"""The branching ratio of B_s -> mu mu."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, cast

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.likelihood import Prediction, Published
from globalfit.likelihoods.flavour_measurements import (
    Measurement,
    correlated_asymmetric_gaussian,
    draw_values,
    log_density,
    measurement,
    shipped_forms,
    simulated,
    standard_model_values,
    with_standard_model,
    with_values,
)
from globalfit.likelihoods.measurements import Vintages
from globalfit.model import Point
from globalfit.physics.flavour.channels import LEPTONIC, Observable
from globalfit.physics.flavour.observables import COVARIANCE, observables
from globalfit.physics.wilson import WilsonCoefficients

_B0 = (Observable("br_b0_mumu", "b0_mumu"),)


@dataclass(frozen=True)
class BsToMuMu:
    """Time-integrated BR(B_s -> mu mu), theory error (f_Bs, CKM) at the point included.

    Parameters
    ----------
    measurement : str
        One of ``data/bs_to_mumu.toml``; `vintages` are those that stand for a date.
    b0_mumu : {"marginalised", "standard-model"}
        What becomes of BR(B0 -> mu mu) where it was measured together: left free, or at its Standard Model
        value (the model changes b -> s alone).
    values : sequence of float, optional
        Replace the measured values, that of BR(B0 -> mu mu) last, for instance by simulated ones.

    Raises
    ------
    GlobalfitError
        If `measurement` is unknown, `b0_mumu` is, or the measurement has no B0 part to fix.
    """

    measurement: str = "gsss-2022"
    b0_mumu: Literal["marginalised", "standard-model"] = "marginalised"
    values: tuple[float, ...] | None = None

    name: ClassVar[str] = "bs-to-mumu"
    needs: ClassVar[tuple[str, ...]] = ("wilson_coefficients",)
    version: ClassVar[str] = "1"
    vintages = Vintages()

    def __post_init__(self) -> None:
        measured = self.measured
        known = ("marginalised", "standard-model")
        if self.b0_mumu not in known:
            raise GlobalfitError(self.name, f"no b0_mumu '{self.b0_mumu}'", did_you_mean(self.b0_mumu, known))
        if self.b0_mumu == "standard-model" and measured.b0 is None:
            problem = f"'{self.measurement}' is published without its correlation with B0 -> mu mu"
            raise GlobalfitError(self.name, problem, "use b0_mumu = 'marginalised'")

    @property
    def measured(self) -> Measurement:
        """Value and errors."""
        published = measurement("bs_to_mumu.toml", self.name, self.measurement)
        return with_values(published, self.values, self.name)

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        return self.measured.citation

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data in the measurement."""
        return self.measured.data

    @property
    def published(self) -> tuple[Published, ...]:
        """The closed form of the density at the measured value, without theory error."""
        if self.b0_mumu != "marginalised":
            return ()
        measured = self.measured
        width = 0.5 * float(measured.error_low[0] + measured.error_high[0])
        at: Mapping[str, float | tuple[float, ...]] = {
            "br_bs_mumu": float(measured.value[0]),
            COVARIANCE: (0.0,),
        }
        return (Published(at, -math.log(width * math.sqrt(2.0 * math.pi)), "closed form at its maximum"),)

    def predict(self, point: Point) -> Prediction:
        """Return ``br_bs_mumu`` (n,), ``error_br_bs_mumu``, ``sm_br_bs_mumu`` and the theory covariance."""
        wilson = cast(WilsonCoefficients, point.wilson_coefficients)
        return with_standard_model(observables(shipped_forms(), wilson, LEPTONIC), LEPTONIC)

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the measured branching ratios, dimensionless."""
        measured = self.measured
        if self.b0_mumu == "marginalised" or measured.b0 is None:
            return log_density(measured, LEPTONIC, prediction)
        (low, high), correlation, predicted, theory = _with_b0(measured, measured.b0, prediction)
        values = np.append(measured.value, measured.b0[0])
        return correlated_asymmetric_gaussian(values, low, high, correlation, predicted, theory)

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of branching ratios drawn at the prediction (n = 1)."""
        measured = self.measured
        if self.b0_mumu == "marginalised" or measured.b0 is None:
            return replace(self, values=simulated(measured, LEPTONIC, prediction, rng))
        errors, correlation, predicted, theory = _with_b0(measured, measured.b0, prediction)
        return replace(self, values=draw_values(errors, correlation, predicted[0], theory[0], rng))


def _with_b0(
    measured: Measurement, b0: tuple[float, float, float], prediction: Prediction
) -> tuple[tuple[Array, Array], Array, Array, Array]:
    """Return errors, correlation, predictions (n, 2) and theory covariance of B_s and B0 together."""
    _, error, rho = b0
    there = np.full(len(prediction["br_bs_mumu"]), standard_model_values(_B0)["br_b0_mumu"])
    predicted = np.column_stack([prediction["br_bs_mumu"], there])
    theory = np.zeros((len(predicted), 2, 2))
    theory[:, 0, 0] = prediction[COVARIANCE][:, 0]
    errors = (np.append(measured.error_low, error), np.append(measured.error_high, error))
    return errors, np.array([[1.0, rho], [rho, 1.0]]), predicted, theory
