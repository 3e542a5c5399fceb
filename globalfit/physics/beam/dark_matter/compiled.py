"""Kernels of dark matter and what becomes of its flux, point by point: imported only to use numba.

The same as `prediction` and `eta_decay` do with arrays.
"""

from __future__ import annotations

from functools import cache
from math import floor, pi, sqrt
from typing import Final

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_E, M_MU
from globalfit.physics.beam.compiled import NONE, Axis, add_four, place
from globalfit.physics.beam.dark_matter.channels import Decay
from globalfit.physics.beam.dark_matter.lsnd import ENERGIES, OVER_THRESHOLD
from globalfit.physics.beam.dark_matter.prepared import Kernel
from globalfit.physics.beam.interpolation import Index
from globalfit.physics.compiled_math import exp, jit, ln
from globalfit.physics.freeze_out.compiled_rates import add_width
from globalfit.physics.freeze_out.dark_sector import VECTOR_DIRAC, VECTOR_MAJORANA, VECTOR_MIXED

_ENERGIES: Final = ENERGIES.copy()  # that can be written to, as all arrays of compiled code
_OVER: Final = OVER_THRESHOLD.copy()
SMALL: Final = 0.02  # below it 1 - e^-x is a series, to 1e-14


def mixed(kernel: Kernel, decay: Decay, at: tuple[Array, Array, Array], charges: Array) -> Array:
    """Return the weights (m, r) of combinations, sizes put in, at places (m,) on the axes of a decay.

    `charges` (m, parts) multiply the parts of the kernel.
    """
    first, second, third = _axes(decay)
    out = np.empty((len(charges), len(kernel.shapes)))
    room = np.empty((3, 4)), np.empty(kernel.rows.shape[1])
    _fill_mixed(kernel.rows, first, second, third, *at, charges, *room, out)
    return out


@cache
def _axes(decay: Decay) -> tuple[Axis, Axis, Axis]:
    first, second, third = decay.nodes
    return Axis.of(first), Axis.of(second), Axis.of(third)


def fold(a: Array, shape: Array, rows: Index, out: Array) -> None:
    """Fill the `rows` (m,) of `out` (n, bins) with flux amplitudes (n, k) times shapes (m, k, all bins)."""
    _fold(np.ascontiguousarray(a), shape, rows, out)


def lsnd_events(rows: Array, decay: Decay, at: tuple[Array, Array, Array], limits: Array, h: Array) -> Array:
    """Return the events (m, parts) of fluxes h (m, energies) at LSND, for thresholds `limits` (m, parts).

    `rows` are `prepared.lsnd_rows` and `at` (m,) places on the axes of a decay: the product of the flux with
    `lsnd.at_energies`.
    """
    first, second, third = _axes(decay)
    out = np.empty_like(limits)
    room = np.empty((3, 4)), np.empty(rows.shape[1])
    _fill_lsnd(rows, first, second, third, *at, limits, h, _ENERGIES, _OVER, *room, out)
    return out


def chances(m: Array, loss: Array, energies: Array) -> Array:
    """Return 1 - exp(-loss/p) (n, energies) of masses m (n,), p at least 1 keV; loss (n,) in MeV."""
    out = np.empty((len(m), len(energies)))
    _chances(m, loss, energies.copy(), out)
    return out


def moved(h: Array, shift: Array, chance: Array) -> Array:
    """Return the flux `shift` (n,) bins further on, linear in between, times `chance` (n, energies)."""
    out = np.empty_like(chance)
    _moved(np.ascontiguousarray(h), shift, chance, out)
    return out


def widths(y: Array, w: Array, columns: Array) -> tuple[Array, Array]:
    """Return `eta_decay.widths` with nodes y, weights w and the columns (n, 11) in the order named there."""
    out = np.empty((2, len(columns)))
    _widths(y, w, columns, NONE, np.empty((3, len(y))), np.zeros(6), out)
    return out[0], out[1]


@jit
def _mix(
    table: Array, first: Axis, second: Axis, third: Axis, x: float, y: float, z: float, weights: Array,
    row: Array,
) -> None:  # fmt: skip
    """Fill `row` (columns,) with the 64 rows of a table around a place, `weights` (3, 4) is overwritten."""
    begin_1, begin_2 = place(first, x, weights[0]), place(second, y, weights[1])
    begin_3 = place(third, z, weights[2])
    for j in range(row.size):
        row[j] = 0.0
    for a in range(4):
        for b in range(4):
            begin = ((begin_1 + a) * second.nodes.size + begin_2 + b) * third.nodes.size + begin_3
            add_four(table, begin, weights[0, a] * weights[1, b], weights[2], row)


@jit
def _fill_mixed(
    table: Array, first: Axis, second: Axis, third: Axis, x: Array, y: Array, z: Array, charges: Array,
    weights: Array, row: Array, out: Array,
) -> None:  # fmt: skip
    r = out.shape[1]
    for i in range(x.size):
        _mix(table, first, second, third, x[i], y[i], z[i], weights, row)
        for j in range(r):
            out[i, j] = 0.0
        for part in range(charges.shape[1]):
            start = part * (1 + r)
            size = charges[i, part] * exp(row[start])
            for j in range(r):
                out[i, j] += size * row[start + 1 + j]


@jit
def _fill_lsnd(
    table: Array, first: Axis, second: Axis, third: Axis, x: Array, y: Array, z: Array, limits: Array,
    h: Array, energies: Array, nodes: Array, weights: Array, row: Array, out: Array,
) -> None:  # fmt: skip
    step, last = 1.0 / ln(nodes[1] / nodes[0]), nodes.size - 4
    for i in range(x.size):
        _mix(table, first, second, third, x[i], y[i], z[i], weights, row)
        for part in range(limits.shape[1]):
            start = part * (1 + nodes.size)
            kernel, total = row[start + 1 : start + 1 + nodes.size], 0.0
            for j in range(energies.size):
                over = energies[j] - limits[i, part]
                if over <= 0.0:
                    continue
                if over < nodes[0]:
                    value = kernel[0] * over / nodes[0]
                else:
                    at = ln(over / nodes[0]) * step
                    left = min(max(int(at) - 1, 0), last)
                    d = at - left
                    value = d * (d - 2.0) * (d - 3.0) * kernel[left + 1] / 2.0
                    value += (
                        d
                        * (d - 1.0)
                        * ((d - 2.0) * kernel[left + 3] / 6.0 - (d - 3.0) * kernel[left + 2] / 2.0)
                    )
                    value -= (d - 1.0) * (d - 2.0) * (d - 3.0) * kernel[left] / 6.0
                total += max(value, 0.0) * h[i, j]
            out[i, part] = exp(row[start]) * total


@jit
def _fold(a: Array, shape: Array, rows: Index, out: Array) -> None:
    for i in range(rows.size):
        row = rows[i]
        for j in range(out.shape[1]):
            out[row, j] = 0.0
        for k in range(a.shape[1]):
            for j in range(out.shape[1]):
                out[row, j] += a[row, k] * shape[i, k, j]
        for j in range(out.shape[1]):
            out[row, j] = max(out[row, j], 0.0)


@jit
def _chances(m: Array, loss: Array, energies: Array, out: Array) -> None:
    for i in range(m.size):
        for j in range(energies.size):
            x = loss[i] / sqrt(max(energies[j] ** 2 - m[i] ** 2, 1e-6))
            series = x * (
                1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * (1.0 - x / 6.0))))
            )
            out[i, j] = series if x < SMALL else 1.0 - exp(-x)


@jit
def _moved(h: Array, shift: Array, chance: Array, out: Array) -> None:
    bins = h.shape[1]
    for i in range(shift.size):
        whole = floor(shift[i])
        share = shift[i] - whole
        for j in range(bins):
            left = j + whole
            low = h[i, left] if left < bins else 0.0
            high = h[i, left + 1] if left + 1 < bins else 0.0
            out[i, j] = (low + share * (high - low)) * chance[i, j]


@jit
def _widths(
    y: Array, w: Array, columns: Array, none: Array, room: Array, given: Array, out: Array
) -> None:  # fmt: skip
    q, rate, width = room[0], room[1], room[2]
    for i in range(columns.shape[0]):
        m_1, m_2, m_a, g_eta, m_nus, g_r = columns[i, :6]
        gap, total = m_2 - m_1, m_2 + m_1
        out[0, i] = 0.0
        out[1, i] = 0.0
        if gap <= 2.0 * M_E or gap >= m_a:
            continue
        span, coupling = gap - 2.0 * M_E, g_eta**2 / (16.0 * pi**2 * m_2**3)
        for j in range(y.size):
            q[j] = 2.0 * M_E + span * y[j] * y[j] * (3.0 - 2.0 * y[j])
            q2 = q[j] * q[j]
            below, bottom = max(gap**2 - q2, 0.0), m_a**2 - q2
            step = coupling * span * 12.0 * y[j] * (1.0 - y[j]) * w[j]
            rate[j] = step * sqrt((total**2 - q2) * below) * below * (total**2 + 2.0 * q2) / (bottom * bottom)
            width[j] = 0.0
        given[0], given[1], given[2] = M_E, columns[i, 7], columns[i, 8]
        add_width(VECTOR_DIRAC, given, none, none, q, width)
        for j in range(y.size):
            out[0, i] += rate[j] * width[j]
        given[0], given[1] = m_nus, g_r
        add_width(VECTOR_MAJORANA, given, none, none, q, width)
        given[1] = columns[i, 6]
        add_width(VECTOR_MIXED, given, none, none, q, width)
        if gap > 2.0 * M_MU:
            given[0], given[1], given[2] = M_MU, columns[i, 9], columns[i, 10]
            add_width(VECTOR_DIRAC, given, none, none, q, width)
        for j in range(y.size):
            out[1, i] += rate[j] * width[j]
