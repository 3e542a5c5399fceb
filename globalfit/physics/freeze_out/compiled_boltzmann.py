"""The Boltzmann equation of one point, compiled: `boltzmann`, where the algorithm is explained.

Imported only where numba is to be used.
"""

from __future__ import annotations

from math import exp, log, pi, sqrt, tanh

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.freeze_out.boltzmann import DEPARTURE, G_ETA, K2_SERIES, M_PLANCK
from globalfit.physics.freeze_out.compiled_rates import jit

_K2 = np.array(K2_SERIES)
_A = sqrt(pi / 45.0) * M_PLANCK
_Y = 45.0 * G_ETA / (4.0 * pi**4)


@jit
def k2e(u: float) -> float:
    """Return e^u K2(u) for u >= 1."""
    r = 1.0 / u
    series = _K2[_K2.size - 1]
    for k in range(_K2.size - 2, -1, -1):
        series = series * r + _K2[k]
    value: float = sqrt(0.5 * pi * r) * series
    return value


@jit
def rate_and_ratio(
    m: float, kappa: Array, sigma_v: Array, x: Array, ln_x: Array, plasma: Array, low: float, step: float,
    a: Array, ratio: Array,
) -> None:  # fmt: skip
    """Fill A and Y_eq e^x (t,); `plasma` (entries, 2) is g*^{1/2} and h, ln T from `low` by `step`."""
    ln_m, inverse, last = log(m), 1.0 / step, plasma.shape[0] - 1
    for t in range(x.size):
        at = (ln_m - (ln_x[t] + low)) * inverse + 0.5
        i = min(max(int(at), 0), last)
        a[t] = plasma[i, 0] * sigma_v[t] * (_A / x[t] ** 2 * m)
        ratio[t] = kappa[t] * (_Y * x[t] ** 2) / plasma[i, 1]


@jit
def advance(b: Array, ratio: Array, x: Array, count: int, stride: int, start: float) -> tuple[float, int]:
    """Return W after `count` steps of `stride` edges, and the first edge at which it is above `DEPARTURE`."""
    w = start
    found = 0 if w > DEPARTURE else -1
    for i in range(0, count, stride):
        j, k = 2 * i, 2 * (i + stride)
        middle = b[j + stride]
        length = x[k] - x[j]
        c = 0.5 * (log(ratio[j] / ratio[k]) + length)
        z = 0.5 * log(b[j] / b[k])
        if abs(z) < 1e-4:
            z += 2e-4
        growth = exp(z)
        cosh, sinhc = 0.5 * (growth + 1.0 / growth), 0.5 * (growth - 1.0 / growth) / z
        mean = length * sinhc * (2.0 * middle + sqrt(b[j] * b[k])) / 3.0
        skew = c * length * middle * (cosh - sinhc) / z
        omega = sqrt(max(c * c + (mean - skew) * (mean + skew), 1e-30))
        th = tanh(omega) / omega
        c *= th
        w = (w * (1.0 + c) + (mean + skew) * th) / (1.0 - c + w * (mean - skew) * th)
        if found < 0 and w > DEPARTURE:
            found = 2 * (i + stride)
    return w, max(found, 0)
