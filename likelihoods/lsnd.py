"""LSND: the excess of electron-like events in coincidence with a 2.2 MeV photon from neutron capture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction, Published
from globalfit.likelihoods.measurements import Recorded, Vintages, record
from globalfit.model import Point
from globalfit.parameters import Parameter
from globalfit.priors.shapes import Fixed
from globalfit.statistics import gaussian, upper_limit

_Z_90 = 1.6448536269514722  # standard deviations of a one-sided limit at 90 %, as in `upper_limit`


@dataclass(frozen=True)
class LSND(Recorded):
    """Correlated excess between 20 and 60 MeV: a Gaussian in f_n times the predicted showers.

    A photon or an electron pair is no neutron: the signal enters the excess only where the scattering frees
    one. ``lsnd_neutron_fraction`` f_n is that fraction; kinematics allow a few per cent at most
    (docs/physics/miniboone.md), which is why it is fixed to 0.01 unless a fit says otherwise.

    Parameters
    ----------
    measurement : str
        One of `vintages`; the numbers are in ``data/lsnd.toml``.
    singles : bool
        Also bound the showers without a neutron, by what the measured 12C(nu_e, e-)12N* rate leaves room for.
        The limit is converted here from a cross-section (`error_singles`), not published in events.
    error_flux : float
        Relative error of the predicted number of showers, in quadrature with the measured one.
    excess, error : float, optional
        Replace the observed correlated excess and its error, in events.

    Raises
    ------
    GlobalfitError
        If `measurement` is unknown or a number is out of range.
    """

    measurement: str = "lsnd-2001"
    singles: bool = False
    error_flux: float = 0.3
    excess: float | None = None
    error: float | None = None

    name: ClassVar[str] = "lsnd"
    needs: ClassVar[tuple[str, ...]] = ("signal_lsnd",)
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("lsnd_neutron_fraction", "", "f_n", Fixed(0.01)),
    )
    file: ClassVar[str] = "lsnd.toml"
    version: ClassVar[str] = "1"
    vintages = Vintages()

    def __post_init__(self) -> None:
        record(self.file, self.measurement, self.name)
        if not 0.0 <= self.error_flux < math.inf:
            problem = f"'error_flux' is {self.error_flux}"
            raise GlobalfitError(self.name, problem, "give a finite relative error, not below 0")
        if self.excess is not None and not math.isfinite(self.excess):
            raise GlobalfitError(self.name, f"'excess' is {self.excess}", "give a finite number of events")
        if self.error is not None and not 0.0 < self.error < math.inf:
            raise GlobalfitError(self.name, f"'error' is {self.error}", "give a finite number above 0")

    @property
    def observed(self) -> float:
        """Observed correlated excess in events."""
        return float(self._record["excess"] if self.excess is None else self.excess)

    @property
    def error_observed(self) -> float:
        """Its error, statistical and systematic in quadrature, in events."""
        if self.error is not None:
            return self.error
        return math.hypot(self._record["error_statistical"], self._record["error_systematic"])

    @property
    def error_singles(self) -> float:
        """Error of the measured rate of electrons without a neutron, in events."""
        known = self._record["singles"]
        error = math.hypot(known["error_sigma_statistical"], known["error_sigma_systematic"])
        return float(error * known["flux"] * known["carbon_nuclei"] * known["efficiency"])

    @property
    def published(self) -> tuple[Published, ...]:
        """The density at the observed excess and without a signal."""
        if self.singles or self.excess is not None or self.error is not None:
            return ()
        peak = -math.log(self.error_observed * math.sqrt(2.0 * math.pi))
        none = peak - 0.5 * (self.observed / self.error_observed) ** 2

        def at(events: float) -> Mapping[str, float | tuple[float, ...]]:
            return {"signal_lsnd": events, "correlated_lsnd": events, "error_correlated_lsnd": 0.0}

        return (
            Published(at(self.observed), peak, "closed form: -ln(sigma sqrt(2 pi))"),
            Published(at(0.0), none, "3.8 standard deviations", tolerance=1e-6),
        )

    def predict(self, point: Point) -> Prediction:
        """Return all showers, those with a neutron, and the error of these (n,), in events.

        ``signal_lsnd`` counts showers of 20 to 60 MeV with the electron efficiency, ``correlated_lsnd`` is
        that times the neutron fraction.
        """
        correlated = point.lsnd_neutron_fraction * point.signal_lsnd
        return {
            "signal_lsnd": point.signal_lsnd,
            "correlated_lsnd": correlated,
            "error_correlated_lsnd": self.error_flux * correlated,
        }

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the correlated excess (and of the singles)."""
        endless = np.isinf(prediction["signal_lsnd"])  # where a model has no prediction
        correlated = np.where(endless, 0.0, prediction["correlated_lsnd"])
        error = np.hypot(self.error_observed, np.where(endless, 0.0, prediction["error_correlated_lsnd"]))
        ln_density = gaussian(self.observed, correlated, error)
        if self.singles:
            untagged = np.where(endless, 0.0, prediction["signal_lsnd"]) - correlated
            limit = _Z_90 * np.hypot(self.error_singles, self.error_flux * untagged)
            ln_density = ln_density + upper_limit(limit, untagged, level=0.9)
        return np.where(endless, -np.inf, ln_density)

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of an excess drawn at the prediction (n = 1).

        Raises
        ------
        GlobalfitError
            With `singles`: a limit is no density of data.
        """
        if self.singles:
            raise GlobalfitError(
                self.name, "singles = true is a limit, from which no data can be drawn", "set singles = false"
            )
        error = math.hypot(self.error_observed, prediction["error_correlated_lsnd"][0])
        return replace(self, excess=float(rng.normal(prediction["correlated_lsnd"][0], error)))

    def null(self, point: Point) -> Prediction:
        """Return the prediction (n,) without showers."""
        return dict.fromkeys(("signal_lsnd", "correlated_lsnd", "error_correlated_lsnd"), np.zeros(point.n))
