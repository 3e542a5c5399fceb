"""Interpolation of tables in two masses point by point, in compiled code: imported only to use numba.

The same as `interpolation.blend` of the `neighbours` with what is done to its result afterwards, without
arrays in between. Points with factor zero, those of closed channels, cost nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.interpolation import inverse_denominators
from globalfit.physics.compiled_math import exp, jit, ln

NONE = np.zeros((0, 0))  # a table that is not there


class Axis(NamedTuple):
    """Nodes (k,) of an axis, and 1/prod_j (x_i - x_j) (4, k - 3) of each four neighbours."""

    nodes: Array
    inverse: Array

    @classmethod
    def of(cls, nodes: Array) -> Axis:
        """Return the axis of increasing nodes (k,), k >= 4."""
        return cls(nodes.copy(), inverse_denominators(nodes.tobytes()).copy())


class Plane(NamedTuple):
    """A table (k_first times k_second, columns) in two masses."""

    table: Array
    first: Axis
    second: Axis

    @classmethod
    def of(cls, table: Array, first: Array, second: Array) -> Plane:
        """Return the table on increasing nodes (k_first,) and (k_second,)."""
        return cls(np.ascontiguousarray(table), Axis.of(first), Axis.of(second))


def add_exponentials(plane: Plane, x: Array, y: Array, factor: Array, out: Array) -> None:
    """Add factor (n,) times the exponential of the blended table to `out` (n, columns), at x, y (n,)."""
    room = np.empty((2, 4)), np.empty(out.shape[1]), np.empty(0)
    _add_exponentials(*plane, x, y, factor, NONE, plane.first, x, *room, out)


def add_surviving(
    plane: Plane, x: Array, y: Array, factor: Array, delays: Plane, loss: Array, out: Array
) -> None:
    """Do the same for X that decay: `delays` has 2 columns for each one of `plane`, and the same first axis.

    They are ln mean and ln relative variance of r/p, which is taken to follow a gamma distribution; loss (n,)
    is m Gamma over hbar c.
    """
    room = np.empty((2, 4)), np.empty(out.shape[1]), np.empty(2 * out.shape[1])
    _add_exponentials(*plane, x, y, factor, delays.table, delays.second, loss, *room, out)


def add_levelled(plane: Plane, x: Array, y: Array, factor: Array, out: Array) -> None:
    """Add factor (n,) e^level times the rest to `out` (n, columns); the level is the table's first column."""
    _add_levelled(*plane, x, y, factor, np.empty((2, 4)), np.empty(1 + out.shape[1]), out)


@jit
def place(along: Axis, x: float, weights: Array) -> int:
    """Fill `weights` (4,) of the four nodes around x and return the first: `interpolation.stencil`."""
    nodes, inverse = along
    low, high = 0, nodes.size
    while low < high:
        middle = (low + high) // 2
        if nodes[middle] < x:
            low = middle + 1
        else:
            high = middle
    first = min(max(low - 2, 0), nodes.size - 4)
    d_0, d_1, d_2, d_3 = x - nodes[first], x - nodes[first + 1], x - nodes[first + 2], x - nodes[first + 3]
    weights[0] = d_1 * (d_2 * d_3) * inverse[0, first]
    weights[1] = d_0 * (d_2 * d_3) * inverse[1, first]
    weights[2] = d_3 * (d_0 * d_1) * inverse[2, first]
    weights[3] = d_2 * (d_0 * d_1) * inverse[3, first]
    return first


@jit
def add_four(table: Array, begin: int, outer: float, inner: Array, out: Array) -> None:
    """Add four rows of a table from `begin` on, weighted `inner` (4,) times `outer`, to `out` (columns,)."""
    one, two, three, four = table[begin], table[begin + 1], table[begin + 2], table[begin + 3]
    w_1, w_2, w_3, w_4 = outer * inner[0], outer * inner[1], outer * inner[2], outer * inner[3]
    for j in range(out.size):
        out[j] += (w_1 * one[j] + w_2 * two[j]) + (w_3 * three[j] + w_4 * four[j])


@jit
def mix(table: Array, begin: int, step: int, outer: Array, inner: Array, out: Array) -> None:
    """Fill `out` (columns,) with 4 x 4 rows of a table from `begin` on, `step` apart in the first axis."""
    for j in range(out.size):
        out[j] = 0.0
    for a in range(4):
        add_four(table, begin + a * step, outer[a], inner, out)


@jit
def _add_exponentials(
    table: Array, first: Axis, second: Axis, x: Array, y: Array, factor: Array, delays: Array, third: Axis,
    loss: Array, weights: Array, logs: Array, delay: Array, out: Array,
) -> None:  # fmt: skip
    bins, step = table.shape[1], second.nodes.size
    for i in range(x.size):
        if factor[i] == 0.0:
            continue
        left = place(first, x[i], weights[0])
        mix(table, left * step + place(second, y[i], weights[1]), step, weights[0], weights[1], logs)
        if delays.size:
            below = place(third, y[i], weights[1])
            length = third.nodes.size
            mix(delays, left * length + below, length, weights[0], weights[1], delay)
            for j in range(bins):
                lost = loss[i] * exp(delay[j] + delay[bins + j])
                whole = 1.0 + lost
                logs[j] -= (ln(whole) + (lost - (whole - 1.0)) / whole) * exp(-delay[bins + j])
        for j in range(bins):
            out[i, j] += factor[i] * exp(logs[j])


@jit
def _add_levelled(
    table: Array, first: Axis, second: Axis, x: Array, y: Array, factor: Array, weights: Array, mixed: Array,
    out: Array,
) -> None:  # fmt: skip
    step = second.nodes.size
    for i in range(x.size):
        if factor[i] == 0.0:
            continue
        left = place(first, x[i], weights[0])
        mix(table, left * step + place(second, y[i], weights[1]), step, weights[0], weights[1], mixed)
        size = factor[i] * exp(mixed[0])
        for j in range(out.shape[1]):
            out[i, j] += size * mixed[1 + j]
