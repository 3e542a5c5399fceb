"""Anomalous magnetic moment of the muon: a Gaussian in experiment minus Standard Model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction, Published
from globalfit.likelihoods.measurements import Vintages, record
from globalfit.model import Point
from globalfit.physics.magnetic_moment import delta_a_scalar, delta_a_vector, error_two_loop
from globalfit.statistics import gaussian

_FILE = "muon_g2.toml"
_UNIT = 1e-11  # of its numbers


@dataclass(frozen=True)
class MuonG2:
    """Muon g-2: delta a_mu = a_mu(experiment) - a_mu(SM) against the model's one-loop contribution.

    The variance is that of experiment and Standard Model plus a theory error, (alpha/pi) times the larger
    of the scalar's and the vector's contribution: these cancel to half a per cent in the U(1)_T3R model, so
    what the second loop adds is as large as the measurement's error.

    Parameters
    ----------
    measurement : str
        One of `vintages`; experiment, Standard Model prediction and citation are in ``data/muon_g2.toml``.
    delta_a_mu, error : float, optional
        Replace the published difference and its error (experiment and Standard Model in quadrature);
        dimensionless.
    two_loop : float
        Factor on the theory error; 0 switches it off.

    Raises
    ------
    GlobalfitError
        If `measurement` is unknown or a number is out of range.
    """

    measurement: str = "fnal-2025-wp2025"
    delta_a_mu: float | None = None
    error: float | None = None
    two_loop: float = 1.0

    name: ClassVar[str] = "muon-g2"
    needs: ClassVar[tuple[str, ...]] = ("g_mu_vector", "g_mu_axial", "y_mu", "m_aprime", "m_phi")
    version: ClassVar[str] = "1"
    vintages = Vintages()

    def __post_init__(self) -> None:
        record(_FILE, self.measurement, self.name)
        if self.delta_a_mu is not None and not math.isfinite(self.delta_a_mu):
            raise GlobalfitError(self.name, f"'delta_a_mu' is {self.delta_a_mu}", "give a finite number")
        if self.error is not None and not 0.0 < self.error < math.inf:
            raise GlobalfitError(self.name, f"'error' is {self.error}", "give a finite number above 0")
        if not 0.0 <= self.two_loop < math.inf:
            problem = f"'two_loop' is {self.two_loop}"
            raise GlobalfitError(self.name, problem, "give a finite number not below 0 (0 switches it off)")

    @property
    def _record(self) -> Mapping[str, Any]:
        return record(_FILE, self.measurement, self.name)

    @property
    def observed(self) -> float:
        """The difference of experiment and Standard Model, dimensionless."""
        return self.delta_a_mu if self.delta_a_mu is not None else self._record["delta_a_mu"] * _UNIT

    @property
    def error_observed(self) -> float:
        """Its error, experiment and Standard Model in quadrature, dimensionless."""
        return self.error if self.error is not None else self._record["error_delta_a_mu"] * _UNIT

    @property
    def reference(self) -> str:
        """Citation of the measurement and of the Standard Model prediction."""
        return str(self._record["citation"])

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data in the measurement; all world averages contain E821."""
        return tuple(self._record["data"])

    @property
    def published(self) -> tuple[Published, ...]:
        """The density at the published difference and, with a published significance, at zero."""
        if self.delta_a_mu is not None or self.error is not None:
            return ()
        peak = -math.log(self.error_observed * math.sqrt(2.0 * math.pi))
        numbers = [
            Published(
                {"delta_a_mu": self.observed, "error_delta_a_mu": 0.0},
                peak,
                "closed form: -ln(sigma sqrt(2 pi))",
            )
        ]
        if "significance" in self._record:
            sigmas = self._record["significance"]
            without = Published(
                {"delta_a_mu": 0.0, "error_delta_a_mu": 0.0},
                peak - 0.5 * sigmas**2,
                f"{sigmas} sigma, {self.reference}",
                tolerance=0.06 * sigmas,  # the significance is given to 0.1 and its error to 1 %
            )
            numbers.append(without)
        return tuple(numbers)

    def predict(self, point: Point) -> Prediction:
        """Return ``delta_a_mu`` (n,) at one loop and its error ``error_delta_a_mu`` (n,), dimensionless."""
        scalar = delta_a_scalar(point.y_mu, point.m_phi)
        vector = delta_a_vector(point.g_mu_vector, point.g_mu_axial, point.m_aprime)
        return {
            "delta_a_mu": scalar + vector,
            "error_delta_a_mu": self.two_loop * error_two_loop(scalar, vector),
        }

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the measured difference, per unit of a_mu."""
        error = np.hypot(self.error_observed, prediction["error_delta_a_mu"])
        return gaussian(self.observed, prediction["delta_a_mu"], error)

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of a difference drawn at the prediction (n = 1)."""
        error = np.hypot(self.error_observed, prediction["error_delta_a_mu"][0])
        return replace(self, delta_a_mu=float(rng.normal(prediction["delta_a_mu"][0], error)))

    def null(self, point: Point) -> Prediction:
        """Return the prediction (n,) without new physics: the published Standard Model, no contribution."""
        return {"delta_a_mu": np.zeros(point.n), "error_delta_a_mu": np.zeros(point.n)}
