"""Interpolation of a table in one or more masses for n points together: four-point Lagrange on any nodes."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, readonly

Index = NDArray[np.intp]
_FOUR = np.arange(4)


class Stencil(NamedTuple):
    """Four neighbours on an axis for n points; the point axis last, along which numpy is fast."""

    first: Index  # (n,) node
    weights: Array  # (4, n)
    nodes: int  # of the axis

    def take(self, at: Index | slice) -> Stencil:
        """Return the stencil of some points."""
        return Stencil(self.first[at], self.weights[:, at], self.nodes)


def stencil(nodes: Array, x: Array) -> Stencil:
    """Return the four nodes around each x (n,) with their Lagrange weights.

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
    d = x - nodes.take(first + _FOUR[:, None])
    low, high = d[0] * d[1], d[2] * d[3]
    weights = inverse_denominators(nodes.tobytes()).take(first, axis=1)
    weights[:2] *= d[1::-1]
    weights[:2] *= high
    weights[2:] *= d[:1:-1]
    weights[2:] *= low
    return Stencil(first, weights, len(nodes))


@lru_cache(maxsize=256)
def inverse_denominators(of_nodes: bytes) -> Array:
    """Return 1/prod_j (x_i - x_j) (4, k - 3) of each four neighbours, j != i; nodes (k,) as bytes."""
    nodes = np.frombuffer(of_nodes)
    n = np.stack([nodes[i : len(nodes) - 3 + i] for i in range(4)], axis=1)
    gaps = n[:, :, None] - n[:, None, :] + np.eye(4)
    return readonly(np.ascontiguousarray((1.0 / gaps.prod(axis=2)).T))


def neighbours(*axes: Stencil) -> tuple[Index, Array]:
    """Return the 4^d rows (n, 4^d) of a table around each point and their weights, from d axes.

    The rows of the table are the nodes of the axes, those of the last axis side by side.
    """
    begin, steps, weights = axes[0].first, _FOUR, axes[0].weights
    for axis in axes[1:]:
        begin = begin * axis.nodes + axis.first
        steps = (steps[:, None] * axis.nodes + _FOUR).ravel()
        weights = (weights[:, None] * axis.weights).reshape(len(steps), -1)
    return begin[:, None] + steps, np.ascontiguousarray(weights.T)


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
