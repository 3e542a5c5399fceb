"""The Boltzmann equation of one point, compiled: `boltzmann`, where the algorithm is explained.

Imported only where numba is to be used.
"""

from __future__ import annotations

from math import pi, sqrt

from globalfit.arrays import Array
from globalfit.physics.compiled_math import exp, jit, ln
from globalfit.physics.freeze_out.boltzmann import DEPARTURE, G_ETA, K2_SERIES, M_PLANCK

_A = sqrt(pi / 45.0) * M_PLANCK
_Y = 45.0 * G_ETA / (4.0 * pi**4)


@jit
def fill_kappa(gap: float, x: Array, inverse: Array, k2: Array, falling: Array, kappa: Array) -> None:
    """Fill e^{-gap x} and `boltzmann.effective_k2` (t,); `k2` is e^x K2(x), `inverse` 1/x."""
    r = 1.0 + gap
    for t in range(x.size):
        falling[t] = exp(-gap * x[t])
        u = inverse[t] / r
        series = K2_SERIES[8]
        series = series * u + K2_SERIES[7]
        series = series * u + K2_SERIES[6]
        series = series * u + K2_SERIES[5]
        series = series * u + K2_SERIES[4]
        series = series * u + K2_SERIES[3]
        series = series * u + K2_SERIES[2]
        series = series * u + K2_SERIES[1]
        series = series * u + K2_SERIES[0]
        kappa[t] = k2[t] + r * r * sqrt(0.5 * pi * u) * series * falling[t]


@jit
def rate_and_ratio(
    m: float, kappa: Array, sigma_v: Array, x: Array, inverse: Array, ln_x: Array, plasma: Array, low: float,
    step: float, a: Array, ratio: Array,
) -> None:  # fmt: skip
    """Fill A and Y_eq e^x (t,); `plasma` and its origin and step are `plasma_table`."""
    ln_m, entries, last = ln(m), 1.0 / step, plasma.shape[0] - 2
    for t in range(x.size):
        at = (ln_m - (ln_x[t] + low)) * entries
        i = min(max(int(at), 0), last)
        at = min(max(at - i, 0.0), 1.0)
        a[t] = (plasma[i, 0] + at * plasma[i, 1]) * sigma_v[t] * (_A * m) * inverse[t] * inverse[t]
        ratio[t] = kappa[t] * (_Y * x[t] * x[t]) / (plasma[i, 2] + at * plasma[i, 3])


@jit
def advance(
    b: Array, ln_b: Array, ln_ratio: Array, x: Array, count: int, stride: int, start: float, work: Array
) -> tuple[float, int]:
    """Return W after `count` steps of `stride` edges, and the first edge at which it is above `DEPARTURE`.

    `b`, `ln_b` and ln Y_eq e^x are (2 count + 1,), at edges and middles; `work` (4, count) is overwritten.
    """
    for i in range(count // stride):
        j = 2 * i * stride
        k = j + 2 * stride
        middle = b[j + stride]
        length = x[k] - x[j]
        c = 0.5 * (ln_ratio[j] - ln_ratio[k] + length)
        z = 0.5 * (ln_b[j] - ln_b[k])
        if abs(z) < 1e-4:
            z += 2e-4
        growth = exp(z)
        fall = 1.0 / growth
        cosh, sinhc = 0.5 * (growth + fall), 0.5 * (growth - fall) / z
        mean = length * sinhc * (2.0 * middle + sqrt(b[j] * b[k])) / 3.0
        skew = c * length * middle * (cosh - sinhc) / z
        omega = sqrt(max(c * c + (mean - skew) * (mean + skew), 1e-30))
        decay = exp(-2.0 * omega)
        th = 1.0 - omega * omega / 3.0
        if omega > 1e-3:
            th = (1.0 - decay) / ((1.0 + decay) * omega)
        c *= th
        work[0, i] = 1.0 + c
        work[1, i] = (mean + skew) * th
        work[2, i] = 1.0 - c
        work[3, i] = (mean - skew) * th
    w = start
    found = 0 if w > DEPARTURE else -1
    for i in range(count // stride):
        w = (w * work[0, i] + work[1, i]) / (work[2, i] + w * work[3, i])
        if found < 0 and w > DEPARTURE:
            found = 2 * (i + 1) * stride
    return w, max(found, 0)
