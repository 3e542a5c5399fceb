"""The density of `miniboone_release.AppearanceDensity` in compiled code: imported only to use numba.

A Cholesky factor of 23 rows is too small for the library that numpy calls. Here eight points go through the
same steps together, number by number, which the compiler turns into vector instructions.
"""

from __future__ import annotations

from math import nan, sqrt
from typing import Final

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.compiled_math import jit, ln

LANES: Final = 8


def ln_density(signal: Array, quadratic: Array, linear: Array, constant: Array) -> Array:
    """Return -(r^T V^-1 r + ln det V)/2 (n,) for signals (n, k - 1); nan where V is not positive definite.

    V and r are made of the three matrices (k, k) as in `AppearanceDensity`.
    """
    k = len(constant)
    out = np.empty(len(signal))
    _fill(signal, quadratic, linear, constant, np.zeros((k, LANES)), np.empty((k, k, LANES)),
          np.empty((2, LANES)), out)  # fmt: skip
    return out


@jit
def _fill(
    signal: Array, quadratic: Array, linear: Array, constant: Array, s: Array, v: Array, sums: Array,
    out: Array,
) -> None:  # fmt: skip
    n, k = signal.shape[0], constant.shape[0]
    part, ln_det = sums[0], sums[1]
    for start in range(0, n, LANES):
        for lane in range(LANES):
            row = min(start + lane, n - 1)  # the last point fills what is left
            for i in range(k - 1):
                s[i, lane] = signal[row, i]
        for lane in range(LANES):
            ln_det[lane] = 0.0
        for i in range(k):
            for j in range(i + 1):
                q, a, b, c = quadratic[i, j], linear[i, j], linear[j, i], constant[i, j]
                for lane in range(LANES):
                    part[lane] = (s[i, lane] * q + b) * s[j, lane] + c + s[i, lane] * a
                if i == j:
                    for lane in range(LANES):
                        part[lane] += s[i, lane]
                for t in range(j):
                    for lane in range(LANES):
                        part[lane] -= v[i, t, lane] * v[j, t, lane]
                if j < i:
                    for lane in range(LANES):
                        v[i, j, lane] = part[lane] * v[j, j, lane]
                elif i < k - 1:
                    for lane in range(LANES):
                        square = part[lane] if part[lane] > 0.0 else nan
                        ln_det[lane] += ln(square)
                        v[i, i, lane] = 1.0 / sqrt(square)  # the inverse of the factor's diagonal
        for lane in range(LANES):
            part[lane] = ln_det[lane]
        for t in range(k - 1):
            for lane in range(LANES):
                part[lane] += v[k - 1, t, lane] * v[k - 1, t, lane]
        for lane in range(min(LANES, n - start)):
            out[start + lane] = -0.5 * part[lane]
