"""Processor time per point of the MiniBooNE likelihood against the 38 x 38 form, in one run on one thread.

Run from the top of a checkout: ``OPENBLAS_NUM_THREADS=1 python benchmarks/miniboone.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import process_time

import numpy as np
from machine import write

from globalfit.arrays import Array
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.likelihoods.miniboone_release import Release
from globalfit.physics.compiled_code import numba_is_installed
from globalfit.statistics import correlated_gaussian

ELECTRON = np.r_[0:11, 19:30]


def with_38_bins(release: Release) -> Callable[[Array], Array]:
    """Return the same ln density from batches of the full covariance."""
    rows = np.zeros((38, 60))
    for row, column in ((0, 0), (19, 30)):
        rows[row : row + 11, column : column + 11] = np.eye(11)
        rows[row : row + 11, column + 11 : column + 22] = np.eye(11)
        rows[row + 11 : row + 19, column + 22 : column + 30] = np.eye(8)
    fixed = np.zeros(60)
    fixed[np.r_[11:22, 41:52]] = release.background
    fixed[np.r_[22:30, 52:60]] = release.muon_prediction
    observed = np.zeros(38)
    observed[ELECTRON] = release.data
    observed[np.r_[11:19, 30:38]] = release.muon_data

    def ln_density(signal: Array) -> Array:
        prediction = np.tile(fixed, (len(signal), 1))
        prediction[:, np.r_[0:11, 30:41]] = signal
        full = release.fraction * prediction[:, :, None] * prediction[:, None, :]
        covariance = rows @ full @ rows.T
        covariance[:, ELECTRON, ELECTRON] += signal
        return correlated_gaussian(observed, prediction @ rows.T, covariance)

    return ln_density


def microseconds(function: Callable[[Array], Array], signal: Array) -> float:
    """Return the shortest of nine times per point."""
    times = []
    for _ in range(9):
        begin = process_time()
        function(signal)
        times.append(process_time() - begin)
    return 1e6 * min(times) / len(signal)


def main() -> None:
    """Measure, print and keep the figures."""
    engines = ("numpy", "numba") if numba_is_installed() else ("numpy",)
    likelihoods = {engine: MiniBooNE(engine=engine) for engine in engines}  # type: ignore[arg-type]
    full = with_38_bins(likelihoods["numpy"].release)

    def reduced(signal: Array, engine: str) -> Array:
        prediction = {"signal_nu": signal[:, :11], "signal_nubar": signal[:, 11:]}
        return likelihoods[engine].log_likelihood(prediction)

    rng = np.random.default_rng(1)
    rows = []
    for n in (1, 16, 256, 4096):
        signal = rng.random((n, 22)) * 60.0
        slow = microseconds(full, signal)
        row: dict[str, float] = {"points": n, "38 bins us/point": round(slow, 2)}
        for engine in engines:
            fast = microseconds(partial(reduced, engine=engine), signal)
            row |= {f"{engine} us/point": round(fast, 2), f"{engine} faster by": round(slow / fast, 1)}
            row[f"{engine} largest difference"] = float(np.abs(reduced(signal, engine) - full(signal)).max())
        rows.append(row)
    write("miniboone", {"batches": rows})


if __name__ == "__main__":
    main()
