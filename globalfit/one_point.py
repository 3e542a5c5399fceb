"""Likelihoods written for one point at a time, wrapped so that they take batches (slowly)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, LikelihoodError
from globalfit.likelihood import Likelihood, Prediction
from globalfit.model import Point


class ScalarPoint:
    """One model point whose quantities are floats."""

    def __init__(self, point: Point) -> None:
        self._point = point

    def __getattr__(self, name: str) -> float:
        if name.startswith("_"):
            raise AttributeError(name)
        return float(getattr(self._point, name)[0])


class OnePointAtATime:
    """A batched likelihood around one that takes a single point; everything else is passed through."""

    batched = True

    def __init__(self, likelihood: Likelihood) -> None:
        self.inner = likelihood

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def predict(self, point: Point) -> Prediction:
        """Return {observable: (n,) or (n, bins)}, point by point."""
        rows = [
            self.inner.predict(cast("Point", ScalarPoint(point.take(slice(i, i + 1)))))
            for i in range(point.n)
        ]
        return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return ln likelihood (n,), point by point."""
        n = len(next(iter(prediction.values())))
        values = (
            self.inner.log_likelihood({name: column[i] for name, column in prediction.items()})
            for i in range(n)
        )
        return np.array([_number(value) for value in values])


def _number(value: object) -> float:
    """Return a ln likelihood of one point as a float."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise TypeError(f"one point has the ln likelihood {value!r:.40}, which is not a number")
    return float(array.item())


def redrawn(likelihood: Likelihood, prediction: Prediction, rng: np.random.Generator) -> Likelihood:
    """Return a likelihood that can `simulate` with data drawn at a prediction of one point (n = 1).

    Raises
    ------
    LikelihoodError
        If it fails; a GlobalfitError of its own, as that a limit is no density of data, is passed on.
    """
    try:
        if isinstance(likelihood, OnePointAtATime):
            row = {key: values[0] for key, values in prediction.items()}
            inner = cast("Any", likelihood.inner).simulate(row, rng)
            return cast("Likelihood", OnePointAtATime(inner))
        return cast("Likelihood", cast("Any", likelihood).simulate(prediction, rng))
    except GlobalfitError:
        raise
    except Exception as error:
        raise LikelihoodError(
            likelihood.name, f"simulate raised {type(error).__name__}: {error}", "see --debug"
        ) from error


def as_batched(likelihood: Likelihood, point: Point) -> Likelihood:
    """Return `likelihood`, wrapped if it can take the points of `point` (n >= 2) only one at a time.

    A likelihood that says ``batched = True`` or ``batched = False`` is believed. One that fails both ways is
    returned as it is, so that its own error is reported where it is used.
    """
    declared = getattr(likelihood, "batched", None)
    if declared is not None:
        return likelihood if declared else cast("Likelihood", OnePointAtATime(likelihood))
    if _shape(likelihood, point) == (point.n,):
        return likelihood
    wrapped = cast("Likelihood", OnePointAtATime(likelihood))
    return wrapped if _shape(wrapped, point) == (point.n,) else likelihood


def _shape(likelihood: Likelihood, point: Point) -> tuple[int, ...] | None:
    try:
        with np.errstate(all="ignore"):
            return np.shape(likelihood.log_likelihood(likelihood.predict(point)))
    except Exception:  # any failure means: not this way
        return None
