"""What a likelihood returns or raises, checked: errors name the plug-in and the first offending point."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import LikelihoodError
from globalfit.likelihood import Likelihood, Prediction
from globalfit.model import Point


def where(point: Point, i: int) -> str:
    """Return the parameter values of point `i`, for a message."""
    return ", ".join(f"{name} = {values[i]:.6g}" for name, values in point.columns.items())


def first_failing(call: Callable[[Point], object], point: Point) -> Point:
    """Return the first point at which `call` fails by itself, or all of `point` if only together."""
    if point.n == 1:
        return point
    half = point.n // 2
    for part in (point.take(slice(0, half)), point.take(slice(half, point.n))):
        try:
            call(part)
        except Exception:
            return first_failing(call, part)
    return point


def failure(likelihood: Likelihood, method: str, error: Exception, point: Point) -> LikelihoodError:
    """Return the one-line error for an exception in a likelihood's method."""
    if isinstance(error, ValueError) and "read-only" in str(error):
        return LikelihoodError(
            likelihood.name, f"{method} writes into its input", "copy an array before changing it"
        )
    place = f"at {where(point, 0)}" if point.n == 1 else f"for {point.n} points together"
    return LikelihoodError(
        likelihood.name, f"{method} raised {type(error).__name__}: {error} ({place})", "see --debug"
    )


def checked_prediction(name: str, prediction: object, point: Point) -> Prediction:
    """Return `prediction` with float64 arrays (m,) or (m, bins); refuse anything else."""
    if not isinstance(prediction, Mapping):
        raise LikelihoodError(
            name, f"predict returned {type(prediction).__name__}", "return {observable: array (n,)}"
        )
    checked: dict[str, Array] = {}
    for key, values in prediction.items():
        try:
            array = np.asarray(values)
            if array.dtype.kind not in "fiu":
                raise TypeError
            checked[key] = array.astype(np.float64, copy=False)
        except (TypeError, ValueError):
            shown = f"predict returned {type(values).__name__} for '{key}'"
            raise LikelihoodError(name, shown, "return an array (n,)") from None
        if array.ndim == 0 or len(array) != point.n:
            shown = f"predicted '{key}' has shape {array.shape} for {point.n} points"
            raise LikelihoodError(name, shown, f"return ({point.n},) or ({point.n}, bins)")
    return checked


def checked(name: str, values: object, point: Point) -> Array:
    """Return `values` as (m,) float64; refuse NaN, +inf and wrong shapes."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64 and values.shape == (point.n,):
        bad = ~(values < np.inf)
        if bad.any():
            i = int(np.argmax(bad))
            raise LikelihoodError(name, f"log_likelihood is {values[i]} at {where(point, i)}")
        return values
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise TypeError
        array = array.astype(np.float64)
    except (TypeError, ValueError):
        raise LikelihoodError(
            name, f"log_likelihood returned {type(values).__name__} {values!r:.40}", "return an array (n,)"
        ) from None
    if array.shape != (point.n,):
        raise LikelihoodError(
            name, f"log_likelihood has shape {array.shape} for {point.n} points", f"return ({point.n},)"
        )
    return checked(name, array, point)
