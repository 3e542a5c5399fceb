"""R_K and R_K*: lepton universality of b -> s l l."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self, cast

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction, Published
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
from globalfit.physics.flavour.channels import RATIOS
from globalfit.physics.flavour.observables import COVARIANCE, observables
from globalfit.physics.wilson import WilsonCoefficients


@dataclass(frozen=True)
class LeptonUniversality:
    """R_K(*), rate to muons over rate to electrons: five bins predicted, those measured compared.

    The theory error is that of form factors, CKM and non-local effects at the point (flavio's, correlated
    between the ratios), and radiative corrections beyond what the experiments correct for.

    Parameters
    ----------
    measurement : str
        One of ``data/lepton_universality.toml``; `vintages` are those that stand for a date.
    error_qed : float
        Relative error of each ratio from QED, independent between them: 0.01 covers what M. Bordone, G.
        Isidori and A. Pattori find beyond the corrections applied (Eur. Phys. J. C 76 (2016) 440,
        arXiv:1605.07633).
    values : sequence of float, optional
        Replace the measured values, for instance by simulated ones.

    Raises
    ------
    GlobalfitError
        If `measurement` is unknown or `error_qed` is out of range.
    """

    measurement: str = "lhcb-2022-cms-2024"
    error_qed: float = 0.01
    values: tuple[float, ...] | None = None

    name: ClassVar[str] = "lepton-universality"
    needs: ClassVar[tuple[str, ...]] = ("wilson_coefficients",)
    version: ClassVar[str] = "1"
    vintages = Vintages()

    def __post_init__(self) -> None:
        _ = self.measured
        if not 0.0 <= self.error_qed < 1.0:
            raise GlobalfitError(self.name, f"'error_qed' is {self.error_qed}", "give a number from 0 to 1")

    @property
    def measured(self) -> Measurement:
        """Values, errors, correlation."""
        published = measurement("lepton_universality.toml", self.name, self.measurement)
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
        """The closed form of the density at the measured values, without theory error."""
        measured = self.measured
        peak = -sum(
            math.log(0.5 * (low + high) * math.sqrt(2.0 * math.pi))
            for low, high in zip(measured.error_low, measured.error_high, strict=True)
        ) - 0.5 * float(np.linalg.slogdet(measured.correlation)[1])
        values = dict(zip(measured.observables, map(float, measured.value), strict=True))
        if len(values) < len(measured.value):
            return ()  # one observable measured twice: no point is at both values
        everywhere = {each.name: 1.0 for each in RATIOS} | values
        zero = (0.0,) * (len(RATIOS) * (len(RATIOS) + 1) // 2)
        return (
            Published({**everywhere, COVARIANCE: zero}, peak, "closed form of the density at its maximum"),
        )

    def predict(self, point: Point) -> Prediction:
        """Return ``r_k_<bin>``, ``r_kstar_<bin>`` (n,), ``error_``, ``sm_`` of each, theory covariance."""
        wilson = cast(WilsonCoefficients, point.wilson_coefficients)
        return with_standard_model(observables(shipped_forms(), wilson, RATIOS, self.error_qed), RATIOS)

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the measured ratios."""
        return log_density(self.measured, RATIOS, prediction)

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of ratios drawn at the prediction (n = 1), theory errors included."""
        return replace(self, values=simulated(self.measured, RATIOS, prediction, rng))
