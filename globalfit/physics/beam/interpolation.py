"""Interpolation of a table in one or two masses for n points together: four-point Lagrange on any nodes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, readonly

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
    first = np.searchsorted(nodes, x)
    first -= 2
    np.maximum(first, 0, out=first)
    np.minimum(first, len(nodes) - 4, out=first)
    index = first[:, None] + np.arange(4)
    d = x[:, None] - nodes.take(index)
    low, high = d[:, 0] * d[:, 1], d[:, 2] * d[:, 3]
    weights = inverse_denominators(nodes.tobytes()).take(first, axis=0)
    d[:, :2] *= high[:, None]
    d[:, 2:] *= low[:, None]
    weights *= d.take((1, 0, 3, 2), axis=1)
    return index, weights


@lru_cache(maxsize=256)
def inverse_denominators(of_nodes: bytes) -> Array:
    """Return 1/prod_j (x_i - x_j) (k - 3, 4) of each four neighbours, j != i; nodes (k,) as bytes."""
    nodes = np.frombuffer(of_nodes)
    n = np.stack([nodes[i : len(nodes) - 3 + i] for i in range(4)], axis=1)
    gaps = n[:, :, None] - n[:, None, :] + np.eye(4)
    return readonly(1.0 / gaps.prod(axis=2))


def tensor_stencil(first: tuple[Index, Array], second: tuple[Index, Array], k: int) -> tuple[Index, Array]:
    """Return the 16 rows (n, 16) of a table (k_first x k, ...) and weights, from the stencils of two axes.

    `k` is the number of nodes of the second axis.
    """
    index = first[0][:, :, None] * k + second[0][:, None, :]
    weights = first[1][:, :, None] * second[1][:, None, :]
    return index.reshape(len(index), -1), weights.reshape(len(index), -1)


def blend(table: Array, index: Index, weights: Array) -> Array:
    """Return the weighted sum (n, bins) of rows of a table (rows, bins)."""
    n, k = index.shape
    if len(table) == k:  # a stencil of all rows
        return np.asarray(weights @ table)
    if k < 16:
        return np.asarray(np.matmul(weights[:, None, :], table.take(index, axis=0))[:, 0, :])
    from scipy.sparse import csr_array  # a product with a sparse matrix needs no copy of the rows

    places = np.arange(0, n * k + 1, k)
    return np.asarray(csr_array((weights.ravel(), index.ravel(), places), shape=(n, len(table))) @ table)
