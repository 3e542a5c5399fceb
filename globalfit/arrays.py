"""Array types and the shape convention: n points are evaluated together, the point axis first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
Columns: TypeAlias = Mapping[str, Array]


def strict(value: Any) -> Any:
    """Return `value` in strict JSON types: arrays become lists, numbers that are not finite None."""
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return strict(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def as_points(theta: ArrayLike, dim: int) -> Array:
    """Return `theta` as a float64 array of shape (n, dim); a single point (dim,) becomes (1, dim).

    Raises
    ------
    ValueError
        If the last axis is not `dim` long or there are more than two axes.
    """
    points = np.atleast_2d(np.asarray(theta, dtype=np.float64))
    if points.ndim != 2 or points.shape[1] != dim:
        raise ValueError(f"points of shape {np.shape(theta)} given; shape (n, {dim}) is needed")
    return points


def readonly(values: ArrayLike) -> Array:
    """Return a float64 view of `values` that refuses to be written to."""
    view = np.asarray(values, dtype=np.float64).view()
    view.flags.writeable = False
    return view


def scatter(values: Array, mask: Mask, fill: float) -> Array:
    """Put `values` (m, ...) where `mask` (n,) is true, `fill` elsewhere; shape (n, ...)."""
    if mask.all():
        return values
    out = np.full((mask.size, *values.shape[1:]), fill)
    out[mask] = values
    return out
