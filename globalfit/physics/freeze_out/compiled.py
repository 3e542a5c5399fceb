"""Freeze-out point by point in compiled code: the same as `windows.windowed`, for the vector current.

Importing this module imports numba; the first call compiles, which takes 20 s of processor time once and
is kept on disk. Agreement with numpy is tested: 1e-9, close to a pole 3e-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import pi, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.compiled_math import exp, jit, ln, root
from globalfit.physics.freeze_out.boltzmann import FROZEN, SIGMA_V_CM3_S, X_END, Relic, k2e, omega_h2
from globalfit.physics.freeze_out.channels import REACH, clearances
from globalfit.physics.freeze_out.compiled_average import (
    Layout,
    add_forbidden,
    add_peak,
    finish,
    pole_weights,
    product,
    product_of_two,
)
from globalfit.physics.freeze_out.compiled_boltzmann import advance, fill_kappa, rate_and_ratio
from globalfit.physics.freeze_out.compiled_rates import (
    add_aprime_aprime,
    add_aprime_phi,
    add_phi_phi,
    add_width,
)
from globalfit.physics.freeze_out.dark_sector import UNKNOWN, DarkSector, FinalState
from globalfit.physics.freeze_out.degrees_of_freedom import plasma_table
from globalfit.physics.freeze_out.nodes import Nodes
from globalfit.physics.freeze_out.photons import flat_tables
from globalfit.physics.freeze_out.relevance import NEGLIGIBLE, SPREAD
from globalfit.physics.freeze_out.thermal_average import HIGHER
from globalfit.physics.freeze_out.windows import FLOOR, FOLLOWS, windows

MASSES: Final = (
    "m_eta", "delta_eta", "m_aprime", "m_phi", "width_aprime", "width_phi", "g_eta", "y_1", "y_2", "f",
)  # fmt: skip
NOTHING: Final = 1e-40  # e^{-u x} that leaves nothing of any rate
_SPREAD = np.array(SPREAD)


class Grids(NamedTuple):
    """All windows one after the other, the temperatures looked at first as the last of them."""

    x: Array
    ln_x: Array
    inverse: Array  # 1/x
    fading: Array  # e^-x
    k2: Array  # e^x K2(x)
    begin: NDArray[np.int64]  # (windows + 1,) in x
    length: NDArray[np.int64]  # steps of each window
    tail: Array  # weights, as long as x
    layout: Layout
    kernel: Array  # (k, t) of each window, one after the other
    reach: NDArray[np.int64]  # (windows + 1, k): how many temperatures a row of the kernel counts at
    single: Array
    loops: Array
    plasma: Array
    plasma_low: float
    plasma_step: float


class Work(NamedTuple):
    """Arrays that are overwritten point after point."""

    weights: Array  # of nodes, one row a channel
    firsts: Array
    of_channels: Array  # thresholds, energies and weights at poles, of channels
    level: NDArray[np.int64]  # of nodes
    offset: NDArray[np.int64]  # how a channel falls with x: as a power of e^{-gap x}, or 3, by its threshold
    times: Array
    nodes: Array
    chosen: NDArray[np.bool_]
    second: NDArray[np.complex128]  # Legendre functions of the second kind
    rows: NDArray[np.int64]
    since: NDArray[np.int64]
    strides: NDArray[np.int64]

    @classmethod
    def of(cls, grid: Grids, finals_phi: int, finals_aprime: int) -> Work:
        """Return room for the largest window and all channels."""
        k, channels = grid.layout.u.shape[1], 3 + 2 * (finals_phi + 2) + finals_aprime + 2
        return cls(
            np.zeros((channels, k)), np.zeros((channels, k)), np.zeros((3, channels)),
            np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64),
            np.zeros((17, int(np.diff(grid.begin).max()))), np.zeros((5, k + 1)),
            np.zeros(max(finals_phi, finals_aprime) + 2, dtype=np.bool_), np.zeros(64, dtype=np.complex128),
            np.zeros(2, dtype=np.int64), np.zeros(1, dtype=np.int64), np.array([1, 2]),
        )  # fmt: skip


def supports(dark: DarkSector) -> bool:
    """Return whether there is compiled code for all that `dark` contains."""
    finals = (*dark.finals_aprime, *dark.finals_phi)
    return dark.current == "vector" and all(final.kind != UNKNOWN for final in finals)


def compiled(dark: DarkSector, x_end: float = X_END) -> Relic:
    """Return the abundance of n points, as `relic.relic` does with numpy."""
    columns = np.stack([np.asarray(getattr(dark, name), dtype=np.float64) for name in MASSES], axis=1)
    n = len(columns)
    out, clear = np.empty((5, n)), clearances(dark)
    phi, aprime = _finals(dark.finals_phi, n), _finals(dark.finals_aprime, n)
    todo = np.arange(n)
    for early in (False, True):
        if todo.size:
            found = grids(x_end, early=early)
            room = Work.of(found, len(dark.finals_phi), len(dark.finals_aprime))
            _points(todo, columns, clear, *phi, *aprime, found, early, room, out)
            todo = np.flatnonzero(out[4] == 0.0)
    return Relic(omega_h2(dark.m_eta, out[0]), out[1] * SIGMA_V_CM3_S, out[2], out[3] < 1.0)


def _finals(finals: Sequence[FinalState], n: int) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """Return kinds (f,), thresholds and `Channel.clear` of kinks there (f, n), parameters (n, f, 6)."""
    kinds = np.array([final.kind for final in finals], dtype=np.int64)
    thresholds, clear, parameters = (
        np.empty((len(finals), n)),
        np.empty((len(finals), n)),
        np.zeros((n, len(finals), 6)),
    )
    for i, final in enumerate(finals):
        thresholds[i] = final.threshold
        clear[i] = final.clear_of_kinks(final.threshold) if final.root else 0.0
        for k, values in enumerate(final.parameters):
            parameters[:, i, k] = values
    return kinds, thresholds, clear, parameters


@lru_cache(maxsize=8)
def grids(x_end: float = X_END, *, early: bool = False) -> Grids:
    """Return `windows.windows` as flat arrays."""
    found = windows(x_end, early=early)
    each = (*found.windows, found.coarse)
    x = np.concatenate([window.x for window in each])
    tail = np.concatenate(
        [np.append(np.zeros(2 * step.count + 1), step.tail) for step in found.steps]
        + [np.zeros(found.coarse.x.size)]
    )
    plasma, low, step = plasma_table()
    return Grids(
        x,
        np.log(x),
        1.0 / x,
        np.exp(-x),
        k2e(x),
        np.cumsum([0, *(window.x.size for window in each)]),
        np.array([step.count for step in found.steps]),
        tail,
        Layout.of(found.coarse),
        np.concatenate([window.kernel.ravel() for window in each]),
        _reach(found.coarse, each),
        *flat_tables(),
        plasma,
        low,
        step,
    )


def _reach(coarse: Nodes, each: Sequence[Nodes]) -> NDArray[np.int64]:
    """Return how many temperatures of each window have e^{-u x} above `NOTHING` (windows, k).

    Nodes go in pairs, of which the first, the lower one, decides; first cells count at all temperatures.
    """
    u = np.full(len(coarse.kernel), 1e-300)
    finest = coarse.levels[-1]
    u[finest.columns[1] :] = finest.u[finest.first.t.size :]
    limit = -np.log(NOTHING) / u
    return np.stack([np.searchsorted(window.x, limit) for window in each]).astype(np.int64)


@jit
def _numerators(
    pair: int, chosen: NDArray[np.bool_], poled: bool, point: Array, kinds: NDArray[np.int64],
    parameters: Array, grid: Grids, w: Array, widths: Array, other: Array, out: Array,
) -> None:  # fmt: skip
    """Fill `out` (k,) with the numerator, or without `poled` the rate, of the `chosen` processes of a pair.

    Pairs are 11 and 22 through phi' (0, 1) and 12 through A' (2). The processes are the final states of the
    mediator, then for a pair through phi' A'A' and phi'phi', for one through A' A'phi'.
    """
    m_1, delta, m_a, m_phi, w_a = point[0], point[1], point[2], point[3], point[4]
    w_phi, g, y_1, y_2, f = point[5], point[6], point[7], point[8], point[9]
    m_2, mean = m_1 + delta, m_1 + 0.5 * delta
    finals = kinds.size
    for j in range(w.size):
        widths[j] = 0.0
    for i in range(finals):
        if chosen[i]:
            add_width(kinds[i], parameters[i], grid.single, grid.loops, w, widths)
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
        for j in range(w.size):
            other[j] = 0.0
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
    others: Array, since: int, excess: Array,
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
    place = energy[energy.size - 1]
    for t in range(since, x.size):  # without a way out: so the compiler takes several at once
        found = size * exp((2.0 - threshold) * x[t])
        at_pole = peak * exp((2.0 - place) * x[t]) * x[t]
        excess[t] = max(found, at_pole) - NEGLIGIBLE * others[t] * x[t] * sqrt(x[t])
    largest = 0.0
    for t in range(since, x.size):
        largest = max(largest, excess[t])
    return largest > 0.0


@jit
def _average(
    gap: float, rows: NDArray[np.int64], weights: Array, firsts: Array, thresholds: Array, energies: Array,
    peaks: Array, level: NDArray[np.int64], offset: NDArray[np.int64], window: int, grid: Grids,
    kappa: Array, total: Array, buffer: Array,
) -> None:  # fmt: skip
    """Add the channels `rows[0]` to `rows[1]` to `total` (t,), and fill `kappa`."""
    low, high = grid.begin[window], grid.begin[window + 1]
    x, inverse = grid.x[low:high], grid.inverse[low:high]
    falling, one, two = buffer[0, : x.size], buffer[1, : x.size], buffer[2, : x.size]
    fill_kappa(gap, x, inverse, grid.k2[low:high], falling, kappa)
    layout, reach = grid.layout, grid.reach[window]
    rows_of_kernel, low_rows = reach.size, layout.first_t.size
    kernel = grid.kernel[rows_of_kernel * low : rows_of_kernel * high].reshape((rows_of_kernel, x.size))
    i, n = rows[0], rows[1]
    while i < n:
        k, columns = layout.size[level[i]], layout.columns[level[i]]
        if offset[i] == 3 or thresholds[i] > HIGHER:
            add_forbidden(
                weights[i, :k], firsts[i, :k], thresholds[i] > HIGHER, thresholds[i], x, inverse, kernel,
                reach, columns, low_rows, one, two, total,
            )  # fmt: skip
        elif (
            offset[i] == 0
            and i + 1 < n
            and offset[i + 1] == 2
            and thresholds[i + 1] <= HIGHER
            and level[i] == level[i + 1]
        ):
            product_of_two(
                weights[i, :k], weights[i + 1, :k], kernel, reach, columns, low_rows, one, two
            )  # fmt: skip
            for t in range(x.size):
                total[t] += one[t] + two[t] * falling[t] * falling[t]
            if peaks[i] != 0.0:
                add_peak(energies[i], peaks[i], x, inverse, total)
            i += 1
        else:
            product(weights[i, :k], kernel, reach, columns, low_rows, one)
            power = offset[i]
            for t in range(x.size):
                factor = 1.0 if power == 0 else falling[t]
                total[t] += one[t] * (factor if power < 2 else factor * factor)
        if peaks[i] != 0.0:
            add_peak(energies[i], peaks[i], x, inverse, total)
        i += 1


@jit
def _sigma_v(m: float, kappa: Array, total: Array, x: Array, out: Array) -> None:
    c = 1.0 / (8.0 * m**4)
    for t in range(x.size):
        out[t] = max(total[t] * x[t] * c / (kappa[t] * kappa[t]), FLOOR)


@jit
def _points(
    todo: NDArray[np.int64],
    columns: Array,
    clear_pairs: Array,
    kinds_phi: NDArray[np.int64],
    thresholds_phi: Array,
    clear_phi: Array,
    parameters_phi: Array,
    kinds_a: NDArray[np.int64],
    thresholds_a: Array,
    clear_a: Array,
    parameters_a: Array,
    grid: Grids,
    early: bool,
    work: Work,
    out: Array,
) -> None:
    """Fill `out` (5, n) of the points `todo`, one by one.

    It is the yield, <sigma v> and x at freeze-out, the largest b x, and 1 where a window holds the point.
    """
    n_windows = grid.length.size
    layout = grid.layout
    weights, firsts, of_channels = work.weights, work.firsts, work.of_channels
    thresholds, energies, peaks = of_channels[0], of_channels[1], of_channels[2]
    levels, offset = work.level, work.offset
    times = work.times
    kappa, total, sigma_v, a, ratio, b = times[0], times[1], times[2], times[3], times[4], times[5]
    ln_b, ln_ratio, total_c, others, buffer, steps = (
        times[6],
        times[7],
        times[8],
        times[9],
        times[10:13],
        times[13:],
    )
    w_buffer, e_buffer, n_buffer, widths, other_rates = (
        work.nodes[0], work.nodes[1], work.nodes[2], work.nodes[3], work.nodes[4]
    )  # fmt: skip
    chosen, second, rows, since, strides = work.chosen, work.second, work.rows, work.since, work.strides
    coarse_low, coarse_high = grid.begin[n_windows], grid.begin[n_windows + 1]
    x_coarse, ln_coarse = grid.x[coarse_low:coarse_high], grid.ln_x[coarse_low:coarse_high]
    inverse_coarse, fading_coarse = grid.inverse[coarse_low:coarse_high], grid.fading[coarse_low:coarse_high]
    n_coarse = x_coarse.size
    for i in todo:
        point = columns[i]
        m, delta, m_a, m_phi = point[0], point[1], point[2], point[3]
        gap = delta / m
        filled, opened = 0, 0
        for t in range(n_coarse):
            total_c[t] = 0.0
        since[0], solved = 0, True
        for forbidden in range(2):
            for pair in range(3):
                if pair < 2:
                    kinds, opens, kinks, parameters = (
                        kinds_phi, thresholds_phi, clear_phi, parameters_phi[i]
                    )  # fmt: skip
                    pole, width = m_phi, point[5]
                    rest = 2.0 * m if pair == 0 else 2.0 * (m + delta)
                    extra_1, extra_2 = 2.0 * m_a, 2.0 * m_phi
                else:
                    kinds, opens, kinks, parameters = kinds_a, thresholds_a, clear_a, parameters_a[i]
                    pole, width = m_a, point[4]
                    rest = 2.0 * (m + 0.5 * delta)
                    extra_1, extra_2 = np.inf, m_a + m_phi
                finals = kinds.size
                limit = (1.0 + 0.5 * REACH) * rest
                for process in range(finals + 2 if forbidden else 1):
                    poled = True
                    for k in range(chosen.size):
                        chosen[k] = False
                    if not forbidden:
                        any_open = False
                        for k in range(finals):
                            chosen[k] = opens[k, i] <= rest
                            any_open = any_open or chosen[k]
                        chosen[finals], chosen[finals + 1] = extra_1 <= rest, extra_2 <= rest
                        if not (any_open or chosen[finals] or chosen[finals + 1]):
                            continue
                        opening, clear = rest, clear_pairs[pair, i]
                    else:
                        if process < finals:
                            opening, clear = opens[process, i], kinks[process, i]
                        elif process == finals:
                            opening, clear = extra_1, m_a
                        else:
                            opening, clear, poled = extra_2, m_phi, False
                        clear = min(clear, opening - rest)
                        if not rest < opening < limit:
                            continue
                        chosen[process] = True
                    threshold = opening / m
                    m_pole = pole if poled else 0.0
                    if forbidden:
                        size = _SPREAD.size
                        for j in range(size):
                            e_buffer[j] = threshold + _SPREAD[j] / x_coarse[since[0]]
                        if poled:
                            e_buffer[size] = max(pole / m, threshold)
                            size += 1
                        for j in range(size):
                            w_buffer[j] = m * e_buffer[j]
                        _numerators(
                            pair, chosen, poled, point, kinds, parameters, grid, w_buffer[:size],
                            widths, other_rates, n_buffer[:size],
                        )  # fmt: skip
                        if not _relevant(
                            m, threshold, m_pole, width, e_buffer[:size], n_buffer[:size], x_coarse,
                            others, since[0], buffer[0],
                        ):  # fmt: skip
                            continue
                    at_pole, clear = 0.0, clear / m
                    mu = complex(0.0, 0.0)
                    if poled:
                        least = max(width, max(1e-16 * pole, 1e-6 * (opening - pole)))
                        mu = root(complex(pole**2, pole * least)) / m
                        clear = min(clear, abs(mu - threshold))
                    level = 0
                    while level < layout.limits.size and clear < layout.limits[level]:
                        level += 1
                    u = layout.u[level]
                    k_nodes = layout.size[level]
                    size = k_nodes
                    for j in range(k_nodes):
                        e_buffer[j] = threshold + u[j]
                    energies[filled] = threshold
                    if poled:
                        q = root(mu - threshold)
                        place, at_pole = pole_weights(q, layout, level, second, weights[filled, :k_nodes])
                        if at_pole != 0.0:
                            e_buffer[k_nodes] = threshold + place * place
                            energies[filled] = e_buffer[k_nodes]
                            size += 1
                    else:
                        for j in range(k_nodes):
                            weights[filled, j] = layout.weight[level, j]
                    for j in range(size):
                        w_buffer[j] = m * e_buffer[j]
                    _numerators(
                        pair, chosen, poled, point, kinds, parameters, grid, w_buffer[:size], widths,
                        other_rates, n_buffer[:size],
                    )  # fmt: skip
                    finish(m, mu, e_buffer[:k_nodes], n_buffer[:k_nodes], weights[filled, :k_nodes])
                    peaks[filled] = 0.0
                    if at_pole != 0.0:
                        other = e_buffer[k_nodes] + mu.real
                        peaks[filled] = n_buffer[k_nodes] / (other * other + mu.imag**2) / m**4 * at_pole
                    if threshold > 2.0:
                        for j in range(k_nodes):
                            base = 2.0 + u[j]
                            weights[filled, j] *= sqrt(base / e_buffer[j])
                        if threshold > HIGHER:
                            for j in range(k_nodes):
                                base = 2.0 + u[j]
                                correction = 0.375 * (1.0 / e_buffer[j] - 1.0 / base)
                                firsts[filled, j] = weights[filled, j] * correction
                    thresholds[filled] = threshold
                    levels[filled] = level
                    offset[filled] = 3
                    if not forbidden:
                        offset[filled] = 0 if pair == 0 else 3 - pair
                    filled += 1
            rows[0], rows[1] = opened, filled
            _average(
                gap, rows, weights, firsts, thresholds, energies, peaks, levels, offset,
                n_windows, grid, kappa[:n_coarse], total_c[:n_coarse], buffer,
            )  # fmt: skip
            opened = filled
            _sigma_v(m, kappa, total_c, x_coarse, sigma_v)
            rate_and_ratio(
                m, kappa, sigma_v, x_coarse, inverse_coarse, ln_coarse, grid.plasma, grid.plasma_low,
                grid.plasma_step, a, ratio,
            )  # fmt: skip
            since[0] = -1
            for t in range(n_coarse):
                if a[t] * ratio[t] * fading_coarse[t] >= FOLLOWS:
                    since[0] = t
            solved = early or since[0] >= 0
            since[0] = max(since[0], 0)
            for t in range(n_coarse):
                others[t] = total_c[t]
        rows[0] = 0
        window = min(since[0], n_windows - 1)
        while True:
            low, high = grid.begin[window], grid.begin[window + 1]
            x, ln_x = grid.x[low:high], grid.ln_x[low:high]
            count, size = grid.length[window], high - low
            for t in range(size):
                total[t] = 0.0
            _average(
                gap, rows, weights, firsts, thresholds, energies, peaks, levels, offset,
                window, grid, kappa[:size], total[:size], buffer,
            )  # fmt: skip
            _sigma_v(m, kappa, total, x, sigma_v)
            rate_and_ratio(
                m,
                kappa,
                sigma_v,
                x,
                grid.inverse[low:high],
                ln_x,
                grid.plasma,
                grid.plasma_low,
                grid.plasma_step,
                a,
                ratio,
            )
            edges, fading = 2 * count + 1, grid.fading[low:high]
            largest = 0.0
            for t in range(edges):
                rate = a[t] * ratio[t]
                b[t] = rate * fading[t]
                ln_b[t] = ln(rate) - x[t]
                ln_ratio[t] = ln(ratio[t])
                largest = max(largest, b[t] * x[t])
            start = 1.0
            if not (early and window == 0):
                change = ln_ratio[1] - ln_ratio[0]
                lag = 0.5 * (1.0 - change / (x[1] - x[0])) / b[0]
                start = lag + sqrt(1.0 + lag * lag)
            late, left = advance(b, ln_b, ln_ratio, x, count, strides[0], start, steps)
            if late < FROZEN:
                solved = early
                if early and window > 0:
                    window = 0
                    continue
            crude, _ = advance(b, ln_b, ln_ratio, x, count, strides[1], start, steps)
            y = late * exp(ln(late / crude) / 15.0) * ratio[edges - 1] * fading[edges - 1]
            after = 0.0
            for t in range(edges, size):
                after += a[t] * grid.tail[low + t]
            out[0, i] = 1.0 / (1.0 / y + after)
            out[1, i] = sigma_v[left]
            out[2, i] = x[left]
            out[3, i] = largest
            out[4, i] = 1.0 if solved else 0.0
            break
