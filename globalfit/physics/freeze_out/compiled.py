"""Freeze-out point by point in compiled code: the same as `windows.windowed`, for the vector current.

Importing this module imports numba; the first call compiles, which takes about half a minute once and is
kept on disk. Agreement with the numpy path to 1e-9 is tested over the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, pi, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.freeze_out.boltzmann import FROZEN, SIGMA_V_CM3_S, X_END, Relic, omega_h2
from globalfit.physics.freeze_out.channels import REACH
from globalfit.physics.freeze_out.compiled_average import (
    Layout,
    add_peak,
    finish,
    laplace,
    pole_weights,
)
from globalfit.physics.freeze_out.compiled_boltzmann import advance, k2e, rate_and_ratio
from globalfit.physics.freeze_out.compiled_rates import (
    add_aprime_aprime,
    add_aprime_phi,
    add_phi_phi,
    add_width,
    jit,
)
from globalfit.physics.freeze_out.dark_sector import UNKNOWN, DarkSector, FinalState
from globalfit.physics.freeze_out.degrees_of_freedom import fine_table
from globalfit.physics.freeze_out.photons import flat_tables
from globalfit.physics.freeze_out.relevance import NEGLIGIBLE, SPREAD
from globalfit.physics.freeze_out.thermal_average import HIGHER
from globalfit.physics.freeze_out.windows import FAR, FLOOR, FOLLOWS, windows

MASSES: Final = (
    "m_eta", "delta_eta", "m_aprime", "m_phi", "width_aprime", "width_phi", "g_eta", "y_1", "y_2", "f",
)  # fmt: skip
_SPREAD = np.array(SPREAD)


class Grids(NamedTuple):
    """All windows one after the other, the temperatures looked at first as the last of them."""

    x: Array
    ln_x: Array
    begin: NDArray[np.int64]  # (windows + 1,) in x
    length: NDArray[np.int64]  # steps of each window
    tail: Array  # weights, as long as x
    near: Layout
    far: Layout
    kernel_near: Array  # (k, t) of each window, one after the other
    kernel_far: Array
    loops: Array
    loop_slopes: Array
    plasma: Array
    plasma_low: float
    plasma_step: float


def supports(dark: DarkSector) -> bool:
    """Return whether there is compiled code for all that `dark` contains."""
    finals = (*dark.finals_aprime, *dark.finals_phi)
    return dark.current == "vector" and all(final.kind != UNKNOWN for final in finals)


def compiled(dark: DarkSector, x_end: float = X_END) -> Relic:
    """Return the abundance of n points, as `relic.relic` does with numpy."""
    columns = np.stack([np.asarray(getattr(dark, name), dtype=np.float64) for name in MASSES])
    n = columns.shape[1]
    out = np.empty((4, n))
    _points(
        columns, *_finals(dark.finals_phi, n), *_finals(dark.finals_aprime, n), grids(x_end), out
    )  # fmt: skip
    return Relic(omega_h2(dark.m_eta, out[0]), out[1] * SIGMA_V_CM3_S, out[2], out[3] < 1.0)


def _finals(finals: Sequence[FinalState], n: int) -> tuple[NDArray[np.int64], Array, Array]:
    """Return kinds (f,), thresholds (f, n) and parameters (n, f, 6)."""
    kinds = np.array([final.kind for final in finals], dtype=np.int64)
    thresholds, parameters = np.empty((len(finals), n)), np.zeros((n, len(finals), 6))
    for i, final in enumerate(finals):
        thresholds[i] = final.threshold
        for k, values in enumerate(final.parameters):
            parameters[:, i, k] = values
    return kinds, thresholds, parameters


@lru_cache(maxsize=8)
def grids(x_end: float = X_END) -> Grids:
    """Return `windows.windows` as flat arrays."""
    found = windows(x_end)
    each = (*found.windows, found.coarse)
    x = np.concatenate([window.x for window in each])
    tail = np.concatenate(
        [np.append(np.zeros(2 * step.count + 1), step.tail) for step in found.steps]
        + [np.zeros(found.coarse.x.size)]
    )
    root, h, low, step = fine_table()
    return Grids(
        x,
        np.log(x),
        np.cumsum([0, *(window.x.size for window in each)]),
        np.array([step.count for step in found.steps]),
        tail,
        Layout.of(found.coarse.near),
        Layout.of(found.coarse.far),
        np.concatenate([window.near.kernel.ravel() for window in each]),
        np.concatenate([window.far.kernel.ravel() for window in each]),
        *flat_tables(),
        np.stack([root, h], axis=1),
        low,
        step,
    )


@jit
def _numerators(
    pair: int, chosen: NDArray[np.bool_], poled: bool, point: Array, kinds: NDArray[np.int64],
    parameters: Array, grid: Grids, w: Array, out: Array,
) -> None:  # fmt: skip
    """Fill `out` (k,) with the numerator, or without `poled` the rate, of the `chosen` processes of a pair.

    Pairs are 11 and 22 through phi' (0, 1) and 12 through A' (2). The processes are the final states of the
    mediator, then for a pair through phi' A'A' and phi'phi', for one through A' A'phi'.
    """
    m_1, delta, m_a, m_phi, w_a, w_phi, g, y_1, y_2, f = point
    m_2, mean = m_1 + delta, m_1 + 0.5 * delta
    widths, finals = np.zeros(w.size), kinds.size
    for i in range(finals):
        if chosen[i]:
            add_width(kinds[i], parameters[i], grid.loops, grid.loop_slopes, w, widths)
    if pair < 2:
        m, y = (m_1, y_1) if pair == 0 else (m_2, y_2)
        c = 8.0 * pi * 2.0 * (0.5 * y**2 / (8.0 * pi))
        for j in range(w.size):
            beta2 = max(1.0 - 4.0 * (m / w[j]) ** 2, 0.0)
            s = w[j] * w[j]
            out[j] = c * s * s * w[j] * beta2 * sqrt(beta2) * widths[j]
        if chosen[finals]:
            add_aprime_aprime(w, m, m_a, m_phi, w_phi, g, y, f, out)
    else:
        c = 8.0 * pi * 3.0 * g**2 / (12.0 * pi) * 2.0
        for j in range(w.size):
            plus, minus = ((m_1 + m_2) / w[j]) ** 2, ((m_1 - m_2) / w[j]) ** 2
            q = max(1.0 - minus, 0.0)
            s = w[j] * w[j]
            out[j] = c * s * s * w[j] * sqrt(max(1.0 - plus, 0.0) * q) * q * (1.0 + 0.5 * plus) * widths[j]
    if chosen[finals + 1]:
        other = np.zeros(w.size)
        if pair < 2:
            add_phi_phi(w, m_1 if pair == 0 else m_2, m_phi, y_1 if pair == 0 else y_2, f, other)
            pole, width = m_phi, w_phi
        else:
            add_aprime_phi(w, mean, m_a, m_phi, g, y_1, y_2, f, other)
            pole, width = m_a, w_a
        for j in range(w.size):
            size = 1.0
            if poled:
                size = ((w[j] - pole) * (w[j] + pole)) ** 2 + (pole * width) ** 2
            out[j] += other[j] * size


@jit
def _relevant(
    m: float, threshold: float, pole: float, width: float, energy: Array, numerator: Array, x: Array,
    others: Array, since: int,
) -> bool:  # fmt: skip
    """Return `relevance.relevant` of one channel; energies and numerators there, with a pole last."""
    size = 0.0
    for j in range(energy.size):
        size = max(size, abs(numerator[j]))
    peak = 0.0
    if pole > 0.0:
        start = m * threshold
        size /= ((start - pole) * (start + pole)) ** 2 + (pole * width) ** 2 + 1e-300
        if pole / m > threshold:
            w = max(width, 1e-16 * pole)
            peak = abs(numerator[energy.size - 1]) * pi / (2.0 * pole**2 * w * m)
    for t in range(since, x.size):
        limit = NEGLIGIBLE * others[t]
        if size * exp((2.0 - threshold) * x[t]) > limit * x[t] * sqrt(x[t]):
            return True
        if peak > 0.0 and peak * exp((2.0 - energy[energy.size - 1]) * x[t]) > limit * sqrt(x[t]):
            return True
    return False


@jit
def _average(
    m: float, gap: float, n: int, weights: Array, firsts: Array, thresholds: Array, energies: Array,
    peaks: Array, far: NDArray[np.bool_], offset: NDArray[np.int64], window: int, grid: Grids,
    kappa: Array, total: Array, part: Array,
) -> None:  # fmt: skip
    """Add the channels `n[0]` to `n[1]` to `total` (t,), and fill `kappa`."""
    low, high = grid.begin[window], grid.begin[window + 1]
    x = grid.x[low:high]
    falling = np.empty(x.size)
    for t in range(x.size):
        falling[t] = exp(-gap * x[t])
    r = 1.0 + gap
    for t in range(x.size):
        kappa[t] = k2e(x[t]) + r**2 * k2e(r * x[t]) * falling[t]
    for i in range(offset[0], n):
        near = not far[i]
        k = grid.near.u.size if near else grid.far.u.size
        kernel = grid.kernel_near[k * low : k * high] if near else grid.kernel_far[k * low : k * high]
        laplace(weights[i, :k], firsts[i, :k], thresholds[i] > HIGHER, thresholds[i], x, kernel, part)
        if offset[1 + i] == 0:
            for t in range(x.size):
                total[t] += part[t]
        elif offset[1 + i] == 1:
            for t in range(x.size):
                total[t] += part[t] * falling[t]
        elif offset[1 + i] == 2:
            for t in range(x.size):
                total[t] += part[t] * falling[t] * falling[t]
        else:
            for t in range(x.size):
                exponent = (2.0 - thresholds[i]) * x[t]
                if exponent > -700.0:
                    total[t] += part[t] * exp(exponent)
        if peaks[i] != 0.0:
            add_peak(energies[i], peaks[i], x, total)


@jit
def _sigma_v(m: float, kappa: Array, total: Array, x: Array, out: Array) -> None:
    for t in range(x.size):
        out[t] = max(total[t] * x[t] / (8.0 * m**4 * kappa[t] ** 2), FLOOR)


@jit
def _since(b: Array) -> int:
    last = 0
    for t in range(b.size):
        if b[t] >= FOLLOWS:
            last = t
    return last


@jit
def _points(
    columns: Array,
    kinds_phi: NDArray[np.int64],
    thresholds_phi: Array,
    parameters_phi: Array,
    kinds_a: NDArray[np.int64],
    thresholds_a: Array,
    parameters_a: Array,
    grid: Grids,
    out: Array,
) -> None:
    """Fill `out` (4, n): yield, <sigma v> and x at freeze-out, largest b x, point by point."""
    n_windows = grid.length.size
    near, far_grid = grid.near, grid.far
    most = 3 + 2 * (kinds_phi.size + 2) + kinds_a.size + 2
    k_near, longest = near.u.size, 0
    for k in range(n_windows + 1):
        longest = max(longest, grid.begin[k + 1] - grid.begin[k])
    weights, firsts = np.zeros((most, k_near)), np.zeros((most, k_near))
    thresholds, energies, peaks = np.zeros(most), np.zeros(most), np.zeros(most)
    far = np.zeros(most, dtype=np.bool_)
    offset = np.zeros(most + 1, dtype=np.int64)
    second = np.empty(64, dtype=np.complex128)
    kappa, total, part = np.empty(longest), np.empty(longest), np.empty(longest)
    sigma_v, a, ratio, b = np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest)
    w_buffer, e_buffer, n_buffer = np.empty(k_near + 1), np.empty(k_near + 1), np.empty(k_near + 1)
    chosen = np.zeros(max(kinds_phi.size, kinds_a.size) + 2, dtype=np.bool_)
    coarse_low, coarse_high = grid.begin[n_windows], grid.begin[n_windows + 1]
    x_coarse, ln_coarse = grid.x[coarse_low:coarse_high], grid.ln_x[coarse_low:coarse_high]
    n_coarse = x_coarse.size
    total_c, others = np.empty(n_coarse), np.empty(n_coarse)
    for i in range(columns.shape[1]):
        point = columns[:, i].copy()
        m, delta, m_a, m_phi = point[0], point[1], point[2], point[3]
        gap = delta / m
        filled, opened = 0, 0
        total_c[:] = 0.0
        since = 0
        for forbidden in range(2):
            for pair in range(3):
                if pair < 2:
                    kinds, opens, parameters = kinds_phi, thresholds_phi, parameters_phi[i]
                    pole, width = m_phi, point[5]
                    rest = 2.0 * m if pair == 0 else 2.0 * (m + delta)
                    extra_1, extra_2 = 2.0 * m_a, 2.0 * m_phi
                else:
                    kinds, opens, parameters = kinds_a, thresholds_a, parameters_a[i]
                    pole, width = m_a, point[4]
                    rest = 2.0 * (m + 0.5 * delta)
                    extra_1, extra_2 = np.inf, m_a + m_phi
                finals = kinds.size
                limit = (1.0 + 0.5 * REACH) * rest
                for process in range(finals + 2 if forbidden else 1):
                    poled = True
                    chosen[:] = False
                    if not forbidden:
                        any_open = False
                        for k in range(finals):
                            chosen[k] = opens[k, i] <= rest
                            any_open = any_open or chosen[k]
                        chosen[finals], chosen[finals + 1] = extra_1 <= rest, extra_2 <= rest
                        if not (any_open or chosen[finals] or chosen[finals + 1]):
                            continue
                        opening = rest
                    else:
                        if process < finals:
                            opening = opens[process, i]
                        elif process == finals:
                            opening = extra_1
                        else:
                            opening, poled = extra_2, False
                        if not rest < opening < limit:
                            continue
                        chosen[process] = True
                    threshold = opening / m
                    m_pole = pole if poled else 0.0
                    distant = False
                    if forbidden:
                        size = _SPREAD.size
                        for j in range(size):
                            e_buffer[j] = threshold + _SPREAD[j] / x_coarse[since]
                        if poled:
                            e_buffer[size] = max(pole / m, threshold)
                            size += 1
                        for j in range(size):
                            w_buffer[j] = m * e_buffer[j]
                        _numerators(
                            pair, chosen, poled, point, kinds, parameters, grid, w_buffer[:size],
                            n_buffer[:size],
                        )  # fmt: skip
                        if not _relevant(
                            m, threshold, m_pole, width, e_buffer[:size], n_buffer[:size], x_coarse,
                            others, since,
                        ):  # fmt: skip
                            continue
                        distant = opening > FAR * m
                    layout = far_grid if distant else near
                    k_nodes = layout.u.size
                    size = k_nodes
                    for j in range(k_nodes):
                        e_buffer[j] = threshold + layout.u[j]
                    at_pole, least = 0.0, 0.0
                    energies[filled] = threshold
                    if poled:
                        least = max(width, max(1e-16 * pole, 1e-6 * (opening - pole)))
                        mu = np.sqrt(complex(pole**2, -pole * least)) / m
                        q = np.sqrt(mu.conjugate() - threshold)
                        place, at_pole = pole_weights(q, layout, second, weights[filled, :k_nodes])
                        if at_pole != 0.0:
                            e_buffer[k_nodes] = threshold + place * place
                            energies[filled] = e_buffer[k_nodes]
                            size += 1
                    else:
                        weights[filled, :k_nodes] = layout.weight
                    for j in range(size):
                        w_buffer[j] = m * e_buffer[j]
                    _numerators(
                        pair, chosen, poled, point, kinds, parameters, grid, w_buffer[:size], n_buffer[:size]
                    )
                    finish(
                        m, threshold, m_pole, least, e_buffer[:k_nodes],
                        n_buffer[:k_nodes], weights[filled, :k_nodes],
                    )  # fmt: skip
                    peaks[filled] = 0.0
                    if at_pole != 0.0:
                        other = e_buffer[k_nodes] + mu.real
                        peaks[filled] = n_buffer[k_nodes] / (other * other + mu.imag**2) / m**4 * at_pole
                    if threshold > 2.0:
                        for j in range(k_nodes):
                            base = 2.0 + layout.u[j]
                            weights[filled, j] *= sqrt(base / e_buffer[j])
                        if threshold > HIGHER:
                            for j in range(k_nodes):
                                base = 2.0 + layout.u[j]
                                correction = 0.375 * (1.0 / e_buffer[j] - 1.0 / base)
                                firsts[filled, j] = weights[filled, j] * correction
                    thresholds[filled] = threshold
                    far[filled] = distant
                    offset[1 + filled] = 3
                    if not forbidden:
                        offset[1 + filled] = 0 if pair == 0 else 3 - pair
                    filled += 1
            offset[0] = 0 if not forbidden else opened
            _average(
                m, gap, filled, weights, firsts, thresholds, energies, peaks, far, offset, n_windows, grid,
                kappa[:n_coarse], total_c, part[:n_coarse],
            )  # fmt: skip
            opened = filled
            _sigma_v(m, kappa, total_c, x_coarse, sigma_v)
            rate_and_ratio(
                m, kappa, sigma_v, x_coarse, ln_coarse, grid.plasma, grid.plasma_low, grid.plasma_step, a,
                ratio,
            )  # fmt: skip
            for t in range(n_coarse):
                b[t] = a[t] * ratio[t] * exp(-x_coarse[t])
            since = _since(b[:n_coarse])
            others[:] = total_c
        offset[0] = 0
        window = min(since, n_windows - 1)
        while True:
            low, high = grid.begin[window], grid.begin[window + 1]
            x, ln_x = grid.x[low:high], grid.ln_x[low:high]
            count, size = grid.length[window], high - low
            total[:size] = 0.0
            _average(
                m, gap, filled, weights, firsts, thresholds, energies, peaks, far, offset, window, grid,
                kappa[:size], total[:size], part[:size],
            )  # fmt: skip
            _sigma_v(m, kappa, total, x, sigma_v)
            rate_and_ratio(
                m, kappa, sigma_v, x, ln_x, grid.plasma, grid.plasma_low, grid.plasma_step, a, ratio
            )
            edges = 2 * count + 1
            largest = 0.0
            for t in range(edges):
                b[t] = a[t] * ratio[t] * exp(-x[t])
                largest = max(largest, b[t] * x[t])
            start = 1.0
            if window > 0:
                change = np.log(ratio[1] / ratio[0])
                lag = 0.5 * (1.0 - change / (x[1] - x[0])) / b[0]
                start = lag + sqrt(1.0 + lag * lag)
            late, left = advance(b, ratio, x, count, 1, start)
            if window > 0 and late < FROZEN:
                window = 0
                continue
            crude, _ = advance(b, ratio, x, count, 2, start)
            y = late * (late / crude) ** (1.0 / 15.0) * ratio[edges - 1] * exp(-x[edges - 1])
            after = 0.0
            for t in range(edges, size):
                after += a[t] * grid.tail[low + t]
            out[0, i] = 1.0 / (1.0 / y + after)
            out[1, i] = sigma_v[left]
            out[2, i] = x[left]
            out[3, i] = largest
            break
