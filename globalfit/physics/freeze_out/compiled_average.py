"""Spectra at the nodes and their thermal averages for one point, compiled: `thermal_average` and `poles`.

The algorithm is explained there. Imported only where numba is to be used.
"""

from __future__ import annotations

from math import atan2, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.compiled_math import exp, jit, ln
from globalfit.physics.freeze_out.nodes import K1_SERIES, Nodes
from globalfit.physics.freeze_out.poles import APART, ELLIPSE, REACH


class Layout(NamedTuple):
    """The levels of `nodes.Nodes` without temperatures, each as a row, of which `size` (levels,) is used."""

    v: Array
    u: Array
    weight: Array
    edges: Array
    size: NDArray[np.int64]
    cells: NDArray[np.int64]
    columns: NDArray[np.int64]  # (levels, 2)
    limits: Array  # (levels - 1,)
    first_t: Array
    first_matrix: Array
    cell_t: Array
    cell_matrix: Array

    @classmethod
    def of(cls, grid: Nodes) -> Layout:
        """Return what compiled code needs of `grid`."""
        levels = grid.levels
        one = levels[0]

        def rows(name: str) -> Array:
            filled = np.zeros((len(levels), getattr(levels[-1], name).size))
            for row, level in zip(filled, levels, strict=True):
                values = getattr(level, name)
                row[: values.size] = values
            return filled

        return cls(
            rows("v"), rows("u"), rows("weight"), rows("edges"),
            np.array([level.v.size for level in levels]), np.array([level.edges.size for level in levels]),
            np.array([level.columns for level in levels]), grid.limits,
            *(np.array(each) for each in (one.first.t, one.first.matrix, one.cell.t, one.cell.matrix)),
        )  # fmt: skip


@jit
def _legendre_q(c: complex, order: int, q: NDArray[np.complex128]) -> None:
    size = ((c.real + 1.0) ** 2 + c.imag**2) / ((c.real - 1.0) ** 2 + c.imag**2)
    q[0] = complex(0.25 * ln(size), 0.5 * atan2(-2.0 * c.imag, c.real**2 + c.imag**2 - 1.0))
    q[1] = c * q[0] - 1.0
    for k in range(1, order):
        q[k + 1] = ((2 * k + 1) / (k + 1)) * c * q[k] - (k / (k + 1)) * q[k - 1]


@jit
def pole_weights(
    q: complex, grid: Layout, level: int, second: NDArray[np.complex128], out: Array
) -> tuple[float, float]:
    """Fill `out` (k,) with weights of int du h(u)/|u - q^2|^2; return place and weight of another node."""
    square = q * q
    at, u, weight = grid.v[level], grid.u[level], grid.weight[level]
    for j in range(out.size):
        off = u[j] - square.real
        out[j] = weight[j] / (off * off + square.imag**2)
    first, order, edges = grid.first_t.size, grid.cell_t.size, grid.edges[level, : grid.cells[level]]
    if abs(q) < 1.25 * edges[0]:
        c = q / edges[0]
        _legendre_q(c, 2 * first, second)
        imaginary = (c * c).imag
        for j in range(first):
            out[j] = 0.0
        for k in range(first):
            size = (second[2 * k] * c).imag
            for j in range(first):
                out[j] += size * grid.first_matrix[k, j]
        for j in range(first):
            out[j] *= 2.0 * at[j] / (imaginary * grid.first_t[j] ** 2 * edges[0] ** 3)
    v_pole, at_pole = q.real, 0.0
    at_cell = 0
    while at_cell < edges.size and edges[at_cell] <= q.real:
        at_cell += 1
    if 1 <= at_cell < edges.size:
        half = 0.5 * edges[at_cell - 1]
        place = q.real / half - 3.0
        for j in range(order):
            away = place - grid.cell_t[j]
            if abs(away) < APART:
                place = grid.cell_t[j] + (-APART if away < 0.0 else APART)
                break
        v_pole = half * (place + 3.0)
    for cell in range(max(at_cell - 1, 1), min(at_cell + 2, edges.size)):
        half = 0.5 * edges[cell - 1]
        c = q / half - 3.0
        height = c.imag * c.imag
        if sqrt((c.real + 1.0) ** 2 + height) + sqrt((c.real - 1.0) ** 2 + height) >= ELLIPSE:
            continue
        place = v_pole / half - 3.0
        beside = abs(place) < REACH
        _legendre_q(c, order, second)
        start = first + (cell - 1) * order
        shift = (c.real - place) / c.imag
        own = out[start : start + order]
        for j in range(order):
            own[j] = 0.0
        for k in range(order):
            size = second[k].imag / c.imag
            if beside:
                size = second[k].real + shift * second[k].imag
            for j in range(order):
                own[j] += size * grid.cell_matrix[k, j]
        if beside:
            for j in range(order):
                own[j] /= grid.cell_t[j] - place
        for j in range(order):
            v = at[start + j]
            own[j] *= 2.0 * v / (((v + q.real) ** 2 + q.imag**2) * half)
        if beside:
            before, now = 1.0, place
            for k in range(1, order):
                before, now = now, ((2 * k + 1) * place * now - k * before) / (k + 1)
            extra = -2.0 * second[order].imag / (c.imag * now)
            at_pole += extra / half * 2.0 * v_pole / ((v_pole + q.real) ** 2 + q.imag**2)
    return v_pole, at_pole


@jit
def add_forbidden(
    weights: Array, first: Array, higher: bool, threshold: float, x: Array, inverse: Array, kernel: Array,
    reach: NDArray[np.int64], columns: NDArray[np.int64], low: int, part: Array, other: Array, total: Array,
) -> None:  # fmt: skip
    """Add e^{2x} int de w K1(e x) at temperatures `x` (t,), the node at a pole left out."""
    if higher:
        product_of_two(weights, first, kernel, reach, columns, low, part, other)
        at = 1.0 / threshold
        second = -0.1171875 * (at * at - 0.25) - 0.1875 * 0.375 * (at - 0.5)
        for t in range(x.size):
            value = (part[t] + other[t] * inverse[t]) * (1.0 + second * inverse[t] * inverse[t])
            total[t] += value * exp((2.0 - threshold) * x[t])
    else:
        product(weights, kernel, reach, columns, low, part)
        for t in range(x.size):
            total[t] += part[t] * exp((2.0 - threshold) * x[t])


@jit
def product(
    weights: Array, kernel: Array, reach: NDArray[np.int64], columns: NDArray[np.int64], low: int, out: Array
) -> None:
    """Fill `out` (t,) with weights (k,) times a kernel (all, t), whose row j ends at `reach[j]`.

    The weights are those of `low` rows from `columns[0]` on, then of the rows from `columns[1]` on, both even
    in number.
    """
    for i in range(out.size):
        out[i] = 0.0
    for j in range(0, weights.size, 2):
        w_0, w_1 = weights[j], weights[j + 1]
        row = columns[0] + j if j < low else columns[1] + j - low
        for i in range(reach[row]):
            out[i] += w_0 * kernel[row, i] + w_1 * kernel[row + 1, i]


@jit
def product_of_two(
    one: Array, two: Array, kernel: Array, reach: NDArray[np.int64], columns: NDArray[np.int64], low: int,
    out_one: Array, out_two: Array,
) -> None:  # fmt: skip
    """Do two products with one pass through the kernel."""
    for i in range(out_one.size):
        out_one[i] = 0.0
        out_two[i] = 0.0
    for j in range(0, one.size, 2):
        a_0, a_1, b_0, b_1 = one[j], one[j + 1], two[j], two[j + 1]
        row = columns[0] + j if j < low else columns[1] + j - low
        for i in range(reach[row]):
            k_0, k_1 = kernel[row, i], kernel[row + 1, i]
            out_one[i] += a_0 * k_0 + a_1 * k_1
            out_two[i] += b_0 * k_0 + b_1 * k_1


@jit
def add_peak(energy: float, peak: float, x: Array, inverse: Array, out: Array) -> None:
    """Add the node at a pole: peak e^{2x} K1(energy x)."""
    for t in range(x.size):
        r = inverse[t] / energy
        series = K1_SERIES[9]
        series = series * r + K1_SERIES[8]
        series = series * r + K1_SERIES[7]
        series = series * r + K1_SERIES[6]
        series = series * r + K1_SERIES[5]
        series = series * r + K1_SERIES[4]
        series = series * r + K1_SERIES[3]
        series = series * r + K1_SERIES[2]
        series = series * r + K1_SERIES[1]
        series = series * r + K1_SERIES[0]
        out[t] += peak * exp((2.0 - energy) * x[t]) * sqrt(r) * series


@jit
def finish(m: float, mu: complex, energy: Array, numerator: Array, weights: Array) -> None:
    """Multiply `weights` (k,) with numerators at sqrt s/m = `energy`, without the pole at `mu`, if not 0."""
    if mu.real > 0.0:
        c, height = 1.0 / m**4, mu.imag**2
        for j in range(weights.size):
            other = energy[j] + mu.real
            weights[j] *= numerator[j] * c / (other * other + height)
    else:
        for j in range(weights.size):
            weights[j] *= numerator[j]
