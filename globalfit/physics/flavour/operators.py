"""The combinations of Wilson coefficients a decay depends on, and the monomials of a quadratic form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from globalfit.arrays import Array

Kind: TypeAlias = Literal["pseudoscalar", "vector", "baryon", "leptonic", "general"]

OPERATORS = ("C7", "C9", "C10", "CS", "CP", "C7p", "C9p", "C10p", "CSp", "CPp")

# Each direction is a sum of coefficients with signs. Parity leaves C + C' in B -> P l l, C_S - C_S' and C_P -
# C_P' in B -> V l l, C - C' in B_s -> l l; flavio's Lambda_b -> Lambda l l has no scalar operators.
_DIRECTIONS: dict[Kind, tuple[tuple[tuple[str, float], ...], ...]] = {
    "pseudoscalar": tuple(((op, 1.0), (op + "p", 1.0)) for op in ("C7", "C9", "C10", "CS", "CP")),
    "vector": (
        *(((op, 1.0),) for op in ("C7", "C9", "C10", "C7p", "C9p", "C10p")),
        (("CS", 1.0), ("CSp", -1.0)),
        (("CP", 1.0), ("CPp", -1.0)),
    ),
    "baryon": tuple(((op, 1.0),) for op in ("C7", "C9", "C10", "C7p", "C9p", "C10p")),
    "leptonic": tuple(((op, 1.0), (op + "p", -1.0)) for op in ("C10", "CS", "CP")),
    "general": tuple(((op, 1.0),) for op in OPERATORS),
}


def directions(kind: Kind) -> tuple[tuple[tuple[str, float], ...], ...]:
    """Return the directions of `kind`, each a tuple of (operator, sign)."""
    return _DIRECTIONS[kind]


def projection(kind: Kind) -> Array:
    """Return the matrix (d, 10) from the coefficients, in the order of `OPERATORS`, to the directions."""
    matrix = np.zeros((len(_DIRECTIONS[kind]), len(OPERATORS)))
    for row, direction in enumerate(_DIRECTIONS[kind]):
        for operator, sign in direction:
            matrix[row, OPERATORS.index(operator)] = sign
    return matrix


def monomials(x: Array) -> Array:
    """Return the products x_i x_j, i <= j, on the last axis: (..., p) to (..., p (p + 1) / 2)."""
    rows, columns = np.triu_indices(x.shape[-1])
    return np.asarray(x[..., rows] * x[..., columns])


def design(p: int) -> Array:
    """Return p (p + 1) / 2 points (1, x_1, ...) that determine a quadratic form: 0, +-e_i, e_i + e_j."""
    unit = np.eye(p - 1)
    pairs = [unit[i] + unit[j] for i in range(p - 1) for j in range(i)]
    points = np.concatenate([np.zeros((1, p - 1)), unit, -unit, np.reshape(pairs, (len(pairs), p - 1))])
    return np.column_stack([np.ones(len(points)), points])


def symmetric(coefficients: Array, p: int) -> Array:
    """Return the symmetric matrices (..., p, p) of forms given by monomials (..., p (p + 1) / 2)."""
    rows, columns = np.triu_indices(p)
    matrix = np.zeros((*coefficients.shape[:-1], p, p))
    half = np.where(rows == columns, 1.0, 0.5) * coefficients
    matrix[..., rows, columns] = half
    matrix[..., columns, rows] = half
    return matrix


def subset(p: int, keep: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return which monomials of p variables stay if only the variables `keep` (ascending) are not zero."""
    rows, columns = np.triu_indices(p)
    chosen = np.isin(rows, keep) & np.isin(columns, keep)
    return np.flatnonzero(chosen)
