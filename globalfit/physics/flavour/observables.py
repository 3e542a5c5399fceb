"""Observables from rates: values, theory errors and their covariance at every point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.flavour.channels import Observable
from globalfit.physics.flavour.evaluate import rates
from globalfit.physics.flavour.forms import FlavourForms
from globalfit.physics.wilson import WilsonCoefficients

#: Key of the theory covariance in a prediction: the upper triangle, row by row, shape (n, b (b + 1) / 2).
COVARIANCE = "theory_covariance"
_BLOCK = 2048  # points evaluated together: the work arrays stay in the cache


def observables(
    forms: FlavourForms,
    wilson: WilsonCoefficients,
    wanted: Sequence[Observable],
    relative_error: float = 0.0,
    errors: bool = True,
) -> dict[str, Array]:
    """Return values, ``error_<name>`` and the theory covariance of the observables `wanted`.

    Parameters
    ----------
    forms : FlavourForms
    wilson : WilsonCoefficients
        Of n points.
    wanted : sequence of Observable
        b of them.
    relative_error : float
        A further relative theory error of each, independent between them: QED in ratios.
    errors : bool
        Leave the errors out if False.

    Returns
    -------
    dict
        ``{name: (n,)}``, ``{"error_" + name: (n,)}`` and `COVARIANCE` (n, b (b + 1) / 2).
    """
    out = {each.name: np.empty(wilson.n) for each in wanted}
    if errors:
        out |= {"error_" + each.name: np.empty(wilson.n) for each in wanted}
        out[COVARIANCE] = np.empty((wilson.n, len(wanted) * (len(wanted) + 1) // 2))
    for start in range(0, wilson.n, _BLOCK):
        cut = slice(start, start + _BLOCK)
        for name, values in _block(forms, wilson.take(cut), wanted, relative_error, errors).items():
            out[name][cut] = values
    return out


def _block(
    forms: FlavourForms,
    wilson: WilsonCoefficients,
    wanted: Sequence[Observable],
    relative_error: float,
    errors: bool,
) -> dict[str, Array]:
    names = dict.fromkeys(
        name for each in wanted for name in (each.numerator, each.denominator) if name is not None
    )
    found = rates(forms, wilson, tuple(names), errors)
    out: dict[str, Array] = {}
    shifts = []
    for each in wanted:
        value = found.central[each.numerator]
        if each.denominator is not None:
            value = value / found.central[each.denominator]
        out[each.name] = value
        if errors:
            shifts.append(_shift(each, value, found.central, found.modes))
    if not errors:
        return out
    pairs = [(i, j) for i in range(len(shifts)) for j in range(i, len(shifts))]
    triangle = np.empty((len(pairs), wilson.n))
    for entry, (i, j) in zip(triangle, pairs, strict=True):
        np.einsum("kn,kn->n", shifts[i], shifts[j], out=entry)
        if i == j:
            name = wanted[i].name
            entry += (relative_error * out[name]) ** 2
            out["error_" + name] = np.sqrt(entry)
    out[COVARIANCE] = triangle.T
    return out


def _shift(each: Observable, value: Array, central: dict[str, Array], modes: dict[str, Array]) -> Array:
    """Return the modes (r, n) of an observable; a ratio to first order in the shifts of both rates."""
    shift = modes[each.numerator]
    if each.denominator is None:
        return shift
    shift = shift - value * modes[each.denominator]
    shift *= 1.0 / central[each.denominator]
    return shift


def covariance_matrix(triangle: Array) -> Array:
    """Return the symmetric matrices (n, b, b) of upper triangles (n, b (b + 1) / 2)."""
    b = int(np.sqrt(2.0 * triangle.shape[1]))
    rows, columns = _triangle(b)
    matrix = np.empty((len(triangle), b, b))
    matrix[:, rows, columns] = triangle
    matrix[:, columns, rows] = triangle
    return matrix


@cache
def _triangle(b: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of an upper triangle, row by row."""
    return np.triu_indices(b)
