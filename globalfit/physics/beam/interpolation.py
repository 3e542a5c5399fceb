"""Interpolation of a table in one or two masses for n points together: four-point Lagrange on any nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array

Index = NDArray[np.intp]


def stencil(nodes: Array, x: Array) -> tuple[Index, Array]:
    """Return the four nodes (n, 4) around each x (n,) and their Lagrange weights (n, 4).

    Exact for cubics. Beyond the first or last node the four outermost ones extrapolate; callers see to it
    that points stay inside.

    Parameters
    ----------
    nodes : array (k,)
        Increasing, k >= 4.
    x : array (n,)
    """
    first = np.clip(np.searchsorted(nodes, x) - 2, 0, len(nodes) - 4)
    index = first[:, None] + np.arange(4)
    at = nodes[index]
    weights = np.empty((len(x), 4))
    for i in range(4):
        others = [j for j in range(4) if j != i]
        weights[:, i] = np.prod([(x - at[:, j]) / (at[:, i] - at[:, j]) for j in others], axis=0)
    return index, weights


def tensor_stencil(first: tuple[Index, Array], second: tuple[Index, Array], k: int) -> tuple[Index, Array]:
    """Return the 16 rows (n, 16) of a table (k_first x k, ...) and weights, from the stencils of two axes.

    `k` is the number of nodes of the second axis.
    """
    index = first[0][:, :, None] * k + second[0][:, None, :]
    weights = first[1][:, :, None] * second[1][:, None, :]
    return index.reshape(len(index), -1), weights.reshape(len(index), -1)


def blend(table: Array, index: Index, weights: Array) -> Array:
    """Return the weighted sum (n, bins) of rows of a table (rows, bins)."""
    return np.asarray(np.matmul(weights[:, None, :], table[index])[:, 0, :])
