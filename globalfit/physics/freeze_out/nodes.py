"""Nodes of the thermal average: cells of v = sqrt(energy above threshold) that double in length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import k1e

from globalfit.arrays import Array, readonly


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
class Nodes:
    """Nodes and weights in v, u = v^2, and the kernel between them and temperatures x.

    Parameters
    ----------
    x : array (t,)
        The temperatures x = m/T.
    first, cell : Cell
        Rules of the first cell, which reaches down to the threshold, and of all others.
    edges : array (cells,)
        v at the right edges of the cells; each is twice the one before.
    v : array (k,)
        The nodes.
    weight : array (k,)
        Weights of int du = int 2 v dv.
    kernel : array (k, t)
        K1e((2 + u) x) exp(-u x).
    """

    x: Array
    first: Cell
    cell: Cell
    edges: Array
    v: Array
    weight: Array
    kernel: Array
    u: Array  # v^2
    inverse: Array  # (powers, t): terms of the series of K1


@lru_cache(maxsize=16)
def nodes(
    x: tuple[float, ...], order: int = 9, first: int = 6, cells: int = 11, u_max: float = 36.0
) -> Nodes:
    """Return the nodes for temperatures `x`: `cells` up to `u_max` of `order` nodes."""
    temperatures = np.array(x)
    edges = np.sqrt(u_max) * 0.5 ** np.arange(cells - 1, -1, -1)
    low, cell = _even_cell(first), _cell(order)
    half = 0.5 * edges[:-1, None]
    v = np.concatenate([edges[0] * low.t, (half * (3.0 + cell.t)).ravel()])
    weight = np.concatenate([edges[0] * low.weight, (half * cell.weight).ravel()]) * 2.0 * v
    u = v**2
    kernel = k1e((2.0 + u[:, None]) * temperatures) * np.exp(-u[:, None] * temperatures)
    powers = np.arange(len(K1_SERIES))[:, None]
    inverse = np.array(K1_SERIES)[:, None] * temperatures ** (-powers - 0.5)
    return Nodes(
        readonly(temperatures), low, cell, readonly(edges), readonly(v), readonly(weight), readonly(kernel),
        readonly(u), readonly(inverse),
    )  # fmt: skip


def _cell(order: int) -> Cell:
    t, w = np.polynomial.legendre.leggauss(order)
    legendre = np.polynomial.legendre.legvander(t, order - 1)
    matrix = -(w[:, None] * legendre * (2.0 * np.arange(order) + 1.0)).T
    return Cell(readonly(t), readonly(w), readonly(matrix))


def _even_cell(half: int) -> Cell:
    full = _cell(2 * half)
    return Cell(full.t[half:], full.weight[half:], readonly(full.matrix[::2, half:]))
