"""Spectra at the nodes and their thermal averages for one point, compiled: `thermal_average` and `poles`.

The algorithm is explained there. Imported only where numba is to be used.
"""

from __future__ import annotations

from math import atan2, exp, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.freeze_out.compiled_rates import jit
from globalfit.physics.freeze_out.nodes import K1_SERIES, Nodes

_K1 = np.array(K1_SERIES)


class Layout(NamedTuple):
    """The nodes of `nodes.Nodes` without temperatures."""

    v: Array
    u: Array
    weight: Array
    edges: Array
    first_t: Array
    first_matrix: Array
    cell_t: Array
    cell_matrix: Array

    @classmethod
    def of(cls, grid: Nodes) -> Layout:
        """Return what compiled code needs of `grid`."""
        arrays = (
            grid.v, grid.u, grid.weight, grid.edges, grid.first.t, grid.first.matrix, grid.cell.t,
            grid.cell.matrix,
        )  # fmt: skip
        return cls(*(np.array(each) for each in arrays))


@jit
def _legendre_q(c: complex, order: int, q: NDArray[np.complex128]) -> None:
    size = sqrt(((c.real + 1.0) ** 2 + c.imag**2) / ((c.real - 1.0) ** 2 + c.imag**2))
    q[0] = complex(0.5 * log(size), 0.5 * atan2(-2.0 * c.imag, c.real**2 + c.imag**2 - 1.0))
    q[1] = c * q[0] - 1.0
    for k in range(1, order):
        q[k + 1] = ((2 * k + 1) / (k + 1)) * c * q[k] - (k / (k + 1)) * q[k - 1]


@jit
def pole_weights(q: complex, grid: Layout, second: NDArray[np.complex128], out: Array) -> tuple[float, float]:
    """Fill `out` (k,) with weights of int du h(u)/|u - q^2|^2; return place and weight of another node."""
    square = q * q
    for j in range(grid.u.size):
        off = grid.u[j] - square.real
        out[j] = grid.weight[j] / (off * off + square.imag**2)
    first, order, edges = grid.first_t.size, grid.cell_t.size, grid.edges
    if abs(q) < 1.25 * edges[0]:
        c = q / edges[0]
        _legendre_q(c, 2 * first, second)
        imaginary = (c * c).imag
        for j in range(first):
            total = 0.0
            for k in range(first):
                total += (second[2 * k] * c).imag * grid.first_matrix[k, j]
            out[j] = total / (imaginary * grid.first_t[j] ** 2) * 2.0 * grid.v[j] / edges[0] ** 3
    v_pole, at_pole = 1.0, 0.0
    own = int(np.searchsorted(edges, q.real, side="right"))
    for cell in range(max(own - 1, 1), min(own + 2, edges.size)):
        half = 0.5 * edges[cell - 1]
        c = q / half - 3.0
        if abs(c + np.sqrt(c - 1.0) * np.sqrt(c + 1.0)) >= 4.0:
            continue
        inside = cell == own
        if inside:
            for j in range(order):
                if abs(c.real - grid.cell_t[j]) < 1e-7:
                    c = c + 2e-7
                    break
        _legendre_q(c, order, second)
        start = first + (cell - 1) * order
        for j in range(order):
            total = 0.0
            if inside:
                for k in range(order):
                    total += second[k].real * grid.cell_matrix[k, j]
                total /= grid.cell_t[j] - c.real
            else:
                for k in range(order):
                    total += second[k].imag * grid.cell_matrix[k, j]
                total /= c.imag
            v = grid.v[start + j]
            out[start + j] = total * (2.0 * v / ((v + q.real) ** 2 + q.imag**2)) / half
        if inside:
            before, now = 1.0, c.real
            for k in range(1, order):
                before, now = now, ((2 * k + 1) * c.real * now - k * before) / (k + 1)
            extra = -2.0 * second[order].imag / (c.imag * now)
            v_pole = half * (c.real + 3.0)
            at_pole = extra / half * 2.0 * v_pole / ((v_pole + q.real) ** 2 + q.imag**2)
    return v_pole, at_pole


@jit
def laplace(
    weights: Array, first: Array, higher: bool, threshold: float, x: Array, kernel: Array, out: Array
) -> None:
    """Fill `out` (t,) with e^{e_0 x} int de w K1(e x) at temperatures `x`, the node at a pole left out."""
    product(weights, kernel, out)
    if higher:
        other = np.empty(x.size)
        product(first, kernel, other)
        at = 1.0 / threshold
        second = -0.1171875 * (at**2 - 0.25) - 0.1875 * 0.375 * (at - 0.5)
        for t in range(x.size):
            out[t] = (out[t] + other[t] / x[t]) * (1.0 + second / x[t] ** 2)


@jit
def product(weights: Array, kernel: Array, out: Array) -> None:
    """Fill `out` (t,) with weights (k,) times the kernel, (k, t) in one dimension."""
    t, k = out.size, weights.size
    out[:] = 0.0
    even = k - k % 4
    for j in range(0, even, 4):
        w_0, w_1, w_2, w_3 = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        k_0 = kernel[j * t : (j + 1) * t]
        k_1 = kernel[(j + 1) * t : (j + 2) * t]
        k_2 = kernel[(j + 2) * t : (j + 3) * t]
        k_3 = kernel[(j + 3) * t : (j + 4) * t]
        for i in range(t):
            out[i] += w_0 * k_0[i] + w_1 * k_1[i] + w_2 * k_2[i] + w_3 * k_3[i]
    for j in range(even, k):
        w_0 = weights[j]
        k_0 = kernel[j * t : (j + 1) * t]
        for i in range(t):
            out[i] += w_0 * k_0[i]


@jit
def add_peak(energy: float, peak: float, x: Array, out: Array) -> None:
    """Add the node at a pole: peak e^{2x} K1(energy x)."""
    for t in range(x.size):
        u = energy * x[t]
        exponent = (2.0 - energy) * x[t]
        if exponent > -700.0:
            r = 1.0 / u
            series = _K1[_K1.size - 1]
            for k in range(_K1.size - 2, -1, -1):
                series = series * r + _K1[k]
            out[t] += peak * exp(exponent) * sqrt(r) * series


@jit
def finish(
    m: float, threshold: float, m_pole: float, width: float, energy: Array, numerator: Array, weights: Array
) -> None:
    """Multiply `weights` (k,) with numerators at sqrt s/m = `energy`, without the pole that they contain."""
    if m_pole > 0.0:
        mu = np.sqrt(complex(m_pole**2, -m_pole * width)) / m
        for j in range(weights.size):
            other = energy[j] + mu.real
            weights[j] *= numerator[j] / (other * other + mu.imag**2) / m**4
    else:
        for j in range(weights.size):
            weights[j] *= numerator[j]
