"""What was measured, as the likelihoods of a fit tell it: values with errors, counts, spectra.

A likelihood need not tell: what stands here is read where it is there, by the names that the shipped
experiments use. Nothing of it enters a fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.likelihood import Likelihood, Prediction


@dataclass(frozen=True)
class Datum:
    """A measured number.

    Attributes
    ----------
    likelihood, observable : str
        Whose, and which of its observables.
    value, error_low, error_high : float
        In the observable's unit; the errors of `scale` "log" are those of its logarithm.
    scale : str
        "linear", "log", or "count": a Poisson count, `plus` being expected beside the observable.
    plus : str
        For a count, the observable that is its background.
    number : int
        1, or 2 for a second measurement of the same observable.
    """

    likelihood: str
    observable: str
    value: float
    error_low: float
    error_high: float
    scale: str = "linear"
    plus: str = ""
    number: int = 1

    @property
    def title(self) -> str:
        """What is compared with the value."""
        name = self.observable if self.number == 1 else f"{self.observable} ({self.number})"
        return f"{name} + {self.plus}" if self.plus else name

    @property
    def interval(self) -> tuple[float, float]:
        """The value with its errors, (low, high)."""
        if self.scale == "log":
            return self.value * math.exp(-self.error_low), self.value * math.exp(self.error_high)
        return self.value - self.error_low, self.value + self.error_high

    def compared(self, values: Mapping[str, Array]) -> Array:
        """Return what is compared with the value, from predictions by name."""
        return values[self.observable] + values[self.plus] if self.plus else values[self.observable]

    def pull(self, predicted: float, theory: float = 0.0) -> float:
        """Return (predicted - measured)/error.

        The error is that of the side on which the prediction lies, with the theory error in quadrature; for a
        count the signed root of the Poisson deviance.
        """
        if self.scale == "count":
            if predicted <= 0.0:
                return -math.inf if self.value > 0.0 else 0.0
            ratio = self.value * math.log(self.value / predicted) if self.value > 0.0 else 0.0
            deviance = 2.0 * (predicted - self.value + ratio)
            return math.copysign(math.sqrt(max(deviance, 0.0)), predicted - self.value)
        if self.scale == "log":
            if predicted <= 0.0:
                return -math.inf
            distance = math.log(predicted / self.value)
        else:
            distance = predicted - self.value
        error = math.hypot(self.error_high if distance > 0.0 else self.error_low, theory)
        return distance / error


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A measured spectrum.

    Attributes
    ----------
    likelihood, observable : str
        Whose, and the signal (n, bins) that is to explain it.
    edges : (bins + 1,)
        Of the bins.
    excess, error : (bins,)
        Data minus background, in events, and the error, which is correlated between bins.
    """

    likelihood: str
    observable: str
    edges: Array
    excess: Array
    error: Array


def measured(likelihood: Likelihood, prediction: Prediction) -> list[Datum]:
    """Return the numbers that a likelihood compares with its scalar observables."""
    return [each for each in _measured(likelihood, prediction) if math.isfinite(each.value)]


def _measured(likelihood: Any, prediction: Prediction) -> Iterator[Datum]:
    name = str(likelihood.name)
    table = getattr(likelihood, "measured", None)
    if table is not None and hasattr(table, "observables"):
        for i, observable in enumerate(table.observables):
            if observable in prediction:
                errors = float(table.error_low[i]), float(table.error_high[i])
                number = 1 + list(table.observables[:i]).count(observable)
                yield Datum(name, observable, float(table.value[i]), *errors, number=number)
    for observable in prediction:
        if f"error_{observable}" in prediction and hasattr(likelihood, "error_observed"):
            error = float(likelihood.error_observed)
            yield Datum(name, observable, float(likelihood.observed), error, error)
        if f"error_ln_{observable}" in prediction and hasattr(likelihood, "error_ln_observed"):
            error = max(float(likelihood.error_ln_observed), float(getattr(likelihood, "error_floor", 0.0)))
            if getattr(likelihood, "mode", "gaussian") == "gaussian":
                yield Datum(name, observable, float(likelihood.observed), error, error, "log")
        background = f"background_{observable.removeprefix('signal_')}"
        if observable != background and background in prediction and hasattr(likelihood, "count"):
            count = float(likelihood.count)
            yield Datum(name, observable, count, math.sqrt(count), math.sqrt(count), "count", background)
    for each in spectra(likelihood, prediction):
        total = f"excess_{each.observable.removeprefix('signal_')}"
        if total in prediction:
            inside, error = _total(likelihood, each)
            yield Datum(name, total, float(each.excess[inside].sum()), error, error)


def spectra(likelihood: Any, prediction: Prediction) -> list[Spectrum]:
    """Return the spectra that a likelihood compares with its binned observables."""
    found = []
    name, wanted = str(likelihood.name), [key for key in likelihood.needs if _binned(prediction, key)]
    if (release := getattr(likelihood, "release", None)) is not None:
        background, covariance = release.constrained_background()
        error = np.sqrt(np.diag(covariance))
        bins = len(release.edges) - 1
        for i, key in enumerate(wanted):
            part = slice(i * bins, (i + 1) * bins)
            excess = release.data[part] - background[part]
            found.append(Spectrum(name, key, release.edges, excess, error[part]))
    elif (events := getattr(likelihood, "events", None)) is not None and len(wanted) == 1:
        background = events["background"]
        share = math.hypot(likelihood.error_bin, likelihood.error_normalisation)
        error = np.sqrt(background + (share * background) ** 2)
        edges = np.append(events["low"], events["high"][-1])
        found.append(Spectrum(name, wanted[0], edges, events["data"] - background, error))
    return found


def _binned(prediction: Prediction, key: str) -> bool:
    return key in prediction and prediction[key].ndim == 2


def _total(likelihood: Any, spectrum: Spectrum) -> tuple[Any, float]:
    """Return the bins that the sum counts, and the error of their sum."""
    inside = likelihood.release.low_energy
    at = likelihood.needs.index(spectrum.observable) * len(inside)
    covariance = likelihood.release.constrained_background()[1][at : at + len(inside), at : at + len(inside)]
    return inside, math.sqrt(float(covariance[np.ix_(inside, inside)].sum()))
