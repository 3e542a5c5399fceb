"""Quadrature weights in the cells around a pole, from Legendre functions of the second kind.

int_{-1}^1 P_k(t)/(t - c) dt = -2 Q_k(c): a polynomial through the nodes times 1/|t - c|^2 is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, Mask
from globalfit.physics.freeze_out.nodes import Cell, Level

Complex = NDArray[np.complex128]


APART = 1e-3  # of half a cell, between the extra node and the others
ELLIPSE = 4.25  # sum of the distances from the ends of a cell, -1 and 1: a Bernstein ellipse of radius 4
REACH = 1.05  # of half a cell, from its centre: a pole nearer than that has a node of its own


def pole_weights(q: Complex, grid: Level) -> tuple[Array, Array, Array]:
    """Return weights (r, k) for int du h(u)/|u - q^2|^2, and place v (r,) and weight (r,) of an extra node.

    Near the pole h(u(v)) 2 v is interpolated in v: in the first cell as an even function by its nodes, in the
    others by the nodes, and by the pole's place too if it lies inside the cell or close to it: beyond an edge
    a narrow pole weighs as much as inside.
    """
    v, edges, order, first = grid.v, grid.edges, grid.cell.t.size, grid.first.t.size
    square = q**2
    weights = grid.u - square.real[:, None]
    weights *= weights
    weights += square.imag[:, None] ** 2
    np.divide(grid.weight, weights, out=weights)
    at_pole = np.zeros(len(q))

    rows = np.flatnonzero(np.abs(q) < 1.25 * edges[0])
    if rows.size:
        even = _even_pole(q[rows] / edges[0], grid.first)
        weights[rows, :first] = even * 2.0 * v[:first] / edges[0] ** 3

    # the cell of the pole and its neighbours, if the pole is inside their Bernstein ellipse of radius 4
    own = np.searchsorted(edges, q.real, side="right")  # 0 is the first cell
    rows = np.flatnonzero((own >= 1) & (own < edges.size))
    half = 0.5 * edges[own[rows] - 1]
    v_pole = q.real.copy()
    v_pole[rows] = half * (off_nodes(q.real[rows] / half - 3.0, grid.cell.t) + 3.0)
    cell = (own[:, None] + np.array([-1, 0, 1])).ravel()
    row = np.repeat(np.arange(len(q)), 3)
    known = (cell >= 1) & (cell < edges.size)
    cell, row = cell[known], row[known]
    half = 0.5 * edges[cell - 1]
    c = q[row] / half - 3.0
    near = np.abs(c + 1.0) + np.abs(c - 1.0) < ELLIPSE
    cell, row, half, c = cell[near], row[near], half[near], c[near]
    place = v_pole[row] / half - 3.0
    beside = np.abs(place) < REACH
    inner, extra = _pole(c, place, beside, grid.cell)
    at = (first + (cell - 1) * order)[:, None] + np.arange(order)
    v_at = v[at]
    far = q[row, None]
    weights[row[:, None], at] = inner * (2.0 * v_at / ((v_at + far.real) ** 2 + far.imag**2)) / half[:, None]
    row, half = row[beside], half[beside]
    size = 2.0 * v_pole[row] / ((v_pole[row] + q.real[row]) ** 2 + q.imag[row] ** 2)
    np.add.at(at_pole, row, extra / half * size)
    return weights, v_pole, at_pole


def off_nodes(place: Array, t: Array) -> Array:
    """Return where the extra node of a pole at `place` (r,) is: there, but not within `APART` of a node.

    The nearer it is to a node, the larger are the weights of both, which cancel: of a narrow resonance far
    above threshold nothing would be left below its peak.
    """
    nearest = t[np.abs(place[:, None] - t).argmin(axis=1)]
    away = place - nearest
    return np.where(np.abs(away) < APART, nearest + np.where(away < 0.0, -APART, APART), place)


def _pole(c: Complex, place: Array, beside: Mask, cell: Cell) -> tuple[Array, Array]:
    """Return weights (r, order) of int_{-1}^1 h(t)/|t - c|^2 dt; if `beside`, also of a node at `place`.

    1/|t - c|^2 = Im[1/(t - c)]/Im c and (t - p)/|t - c|^2 = Re[1/(t - c)] + (Re c - p) Im[1/(t - c)]/Im c.
    """
    order = cell.t.size
    second_kind = _legendre_q(c, order)
    weights = second_kind[:order].imag.T @ cell.matrix / c.imag[:, None]
    p = place[beside]
    own = second_kind[:order, beside].real.T @ cell.matrix + (c.real[beside] - p)[:, None] * weights[beside]
    weights[beside] = own / (cell.t - p[:, None])
    return weights, -2.0 * second_kind[order, beside].imag / (c.imag[beside] * _legendre_p(p, order))


def _even_pole(c: Complex, cell: Cell) -> Array:
    """Return weights (r, first) of int_0^1 h(t)/|t^2 - c^2|^2 dt for an even h that vanishes at 0.

    h/t^2 is interpolated, and t^2/|t^2 - c^2|^2 = Im[c^2/(t^2 - c^2)]/Im c^2: well conditioned for a pole on
    threshold of any width.
    """
    order = 2 * cell.t.size
    second_kind = _legendre_q(c, order)[:order:2]
    return (second_kind * c).imag.T @ cell.matrix / ((c**2).imag[:, None] * cell.t**2)


def _legendre_q(c: Complex, order: int) -> Complex:
    """Return Q_k(c) (order + 1, r) for Im c > 0, by upward recurrence: stable near [-1, 1]."""
    q = np.empty((order + 1, len(c)), dtype=np.complex128)
    # ln (c + 1)/(c - 1), the argument from the product: exact for a pole close to the real axis
    argument = np.arctan2(-2.0 * c.imag, c.real**2 + c.imag**2 - 1.0)
    q[0] = 0.5 * (np.log(np.abs(c + 1.0) / np.abs(c - 1.0)) + 1j * argument)
    q[1] = c * q[0] - 1.0
    for k in range(1, order):
        q[k + 1] = ((2 * k + 1) / (k + 1)) * c * q[k] - (k / (k + 1)) * q[k - 1]
    return q


def _legendre_p(t: Array, order: int) -> Array:
    """Return P_order(t) (r,)."""
    before, now = np.ones_like(t), t
    for k in range(1, order):
        before, now = now, ((2 * k + 1) * t * now - k * before) / (k + 1)
    return now
