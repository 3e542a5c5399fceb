"""Nodes of the thermal average: cells of v = sqrt(energy above threshold) that double in length.

A rate over v is an even function of v, smooth up to its nearest pole or threshold. Where that is far, one
first cell reaches half-way to it: the rate is interpolated there, and the kernel, which falls like exp(-v^2
x), is integrated with the interpolating polynomial once and for all. Only a rate that has structure close to
its threshold needs the small cells. So there are levels of nodes, with first cells of different lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import k1e

from globalfit.arrays import Array, readonly
from globalfit.physics.freeze_out.elementary import exp

U_MAX: Final = 36.0  # highest node
CLEAR: Final = 1.5  # least distance in v from a threshold to a pole or branch point, in first cells


def _k1_series() -> tuple[float, ...]:
    """Fit of e^u K1(u) sqrt(u) as a polynomial in 1/u, u >= 2, to 1e-8."""
    r = 0.25 * (1.0 + np.cos(np.pi * (np.arange(64) + 0.5) / 64))
    fit = np.polynomial.Chebyshev.fit(r, k1e(1.0 / r) / np.sqrt(r), 9, domain=[0.0, 0.5])
    return tuple(float(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef)


K1_SERIES: Final = _k1_series()


@dataclass(frozen=True, eq=False)
class Cell:
    """Gauss-Legendre rule of a cell, with what integrates its interpolating polynomial against a pole.

    `matrix` (k, j) is -w_j (2k + 1) P_k(t_j): int l_j(t)/(t - c) dt = sum_k Q_k(c) matrix_kj. In the first
    cell of an even function, t_j > 0, k is even, and int l_j(t)/(t^2 - c^2) dt over (0, 1) has Q_k(c)/c
    instead.
    """

    t: Array
    weight: Array
    matrix: Array


@dataclass(frozen=True, eq=False)
class Level:
    """Nodes and weights in v, u = v^2, for rates that are smooth up to some distance from the threshold.

    Parameters
    ----------
    first, cell : Cell
        Rules of the first cell, which reaches down to the threshold, and of all others.
    edges : array (cells,)
        v at the right edges of the cells; each is twice the one before.
    v, u : array (k,)
        The nodes, those of the first cell first.
    weight : array (k,)
        Weights of int du = int 2 v dv.
    columns : tuple of int
        Where the first cell and the others start in `Nodes.kernel`.
    """

    first: Cell
    cell: Cell
    edges: Array
    v: Array
    u: Array
    weight: Array
    columns: tuple[int, int]

    def own(self, kernel: Array) -> Array:
        """Return the rows of `Nodes.kernel` that belong to the nodes (k, t)."""
        low, high = self.columns
        return readonly(np.concatenate([kernel[low : low + self.first.t.size], kernel[high:]]))


@dataclass(frozen=True, eq=False)
class Nodes:
    """Levels of nodes, and the kernel between them and temperatures x.

    Parameters
    ----------
    x : array (t,)
        The temperatures x = m/T.
    levels : tuple of Level
        From the longest first cell to the shortest.
    kernel : array (k, t)
        K1e((2 + u) x) exp(-u x) of the first cells of all levels, then of the cells, which they share.
    """

    x: Array
    levels: tuple[Level, ...]
    kernel: Array
    kernels: tuple[Array, ...]  # (nodes, t) of each level: its rows of `kernel`
    inverse: Array  # (powers, t): terms of the series of K1

    @property
    def limits(self) -> Array:
        """Distance in u, from the threshold, that must be clear for each level but the last."""
        return np.array([(CLEAR * level.edges[0]) ** 2 for level in self.levels[:-1]])

    def level_of(self, clear: Array) -> NDArray[np.intp]:
        """Return the level (r,) for rates that are smooth up to `clear` (r,) in u from the threshold."""
        level: NDArray[np.intp] = (clear[:, None] < self.limits).sum(axis=1)
        return level


@lru_cache(maxsize=64)
def nodes(
    x: tuple[float, ...],
    order: int = 9,
    first: int = 6,
    cells: tuple[int, ...] = (11,),
    u_max: float = U_MAX,
) -> Nodes:
    """Return the nodes for temperatures `x`: a level for each number of `cells`, rising, up to `u_max`."""
    temperatures = np.array(x)
    levels = tuple(layout(order, first, cells, u_max))
    finest, start = levels[-1], len(cells) * first
    kernel = np.empty((start + order * (cells[-1] - 1), temperatures.size))
    kernel[start - first :] = _kernel(finest.u, temperatures)
    for level in levels[:-1]:
        column = level.columns[0]
        kernel[column : column + first] = _first_cell(level, temperatures)
    powers = np.arange(len(K1_SERIES))[:, None]
    inverse = np.array(K1_SERIES)[:, None] * temperatures ** (-powers - 0.5)
    own = tuple(level.own(kernel) for level in levels)
    return Nodes(readonly(temperatures), levels, readonly(kernel), own, readonly(inverse))


def layout(order: int, first: int, cells: tuple[int, ...], u_max: float) -> list[Level]:
    """Return the levels of `nodes`."""
    low, cell = _even_cell(first), _cell(order)
    found = []
    for i, count in enumerate(cells):
        edges = np.sqrt(u_max) * 0.5 ** np.arange(count - 1, -1, -1)
        half = 0.5 * edges[:-1, None]
        v = np.concatenate([edges[0] * low.t, (half * (3.0 + cell.t)).ravel()])
        weight = np.concatenate([edges[0] * low.weight, (half * cell.weight).ravel()]) * 2.0 * v
        columns = (i * first, len(cells) * first + order * (cells[-1] - count))
        found.append(
            Level(low, cell, readonly(edges), readonly(v), readonly(v**2), readonly(weight), columns)
        )
    return found


def _kernel(u: Array, x: Array) -> Array:
    """Return K1e((2 + u) x) exp(-u x) (k, t)."""
    return np.asarray(k1e((2.0 + u[:, None]) * x) * exp(-u[:, None] * x))


def _first_cell(level: Level, x: Array) -> Array:
    """Return the kernel (first, t) integrated with the polynomials of the first cell, over their weights.

    A rate w at the nodes stands for the even polynomial through w/v, times v.
    """
    t, order = level.first.t, level.first.t.size
    edge, fine = level.edges[0], _cell(16)
    cuts = np.append(0.0, 0.5 ** np.arange(11, -1, -1))
    half = 0.5 * np.diff(cuts)[:, None]
    at = (cuts[:-1, None] + half * (1.0 + fine.t)).ravel()
    weight = (half * fine.weight).ravel() * 2.0 * (at * edge) ** 2 * edge
    basis = np.array([_lagrange(at**2, t**2, j) for j in range(order)])
    integrals = (basis * weight) @ _kernel((at * edge) ** 2, x)
    found: Array = integrals / (level.v[:order] * level.weight[:order])[:, None]
    return found


def _lagrange(at: Array, points: Array, j: int) -> Array:
    """Return the polynomial that is 1 at point j and 0 at the others, at `at`."""
    others = np.delete(points, j)
    product: Array = np.prod((at[:, None] - others) / (points[j] - others), axis=1)
    return product


def _cell(order: int) -> Cell:
    t, w = np.polynomial.legendre.leggauss(order)
    legendre = np.polynomial.legendre.legvander(t, order - 1)
    matrix = -(w[:, None] * legendre * (2.0 * np.arange(order) + 1.0)).T
    return Cell(readonly(t), readonly(w), readonly(matrix))


def _even_cell(half: int) -> Cell:
    full = _cell(2 * half)
    return Cell(full.t[half:], full.weight[half:], readonly(full.matrix[::2, half:]))
