"""Autocorrelation times of an ensemble: emcee's estimate, its error, and whether it has settled."""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from globalfit.arrays import Array

WINDOW = 5.0  # Sokal's c: the sum ends at the first lag of c autocorrelation times
CHUNK = 2_000_000  # numbers transformed at a time


def autocorrelation_times(samples: Array) -> Array:
    """Return the integrated autocorrelation time (quantities,) of `samples` (steps, walkers, quantities).

    Goodman & Weare's estimate with the walkers' autocorrelation functions averaged, as in emcee (Sokal's
    window, c = 5): equal to ``emcee.autocorr.integrated_time``, with all walkers transformed together. It is
    1 for a quantity that is the same everywhere, such as the ln posterior of a flat prior, and nan where one
    walker never moved.
    """
    return np.array([autocorrelation_time(samples[:, :, i]) for i in range(samples.shape[2])])


def autocorrelation_time(samples: Array, *, skip_constant: bool = False) -> float:
    """Return the integrated autocorrelation time of one quantity, `samples` (steps, walkers).

    Parameters
    ----------
    samples : (steps, walkers)
        The quantity.
    skip_constant : bool
        Leave out walkers along which the quantity is constant, instead of returning nan: a width below its
        threshold is zero for a walker that moves all the same.
    """
    if len(samples) < 4:
        return math.nan
    spread = np.ptp(samples, axis=0)
    if not spread.any():
        return 1.0 if np.ptp(samples[0]) == 0.0 or skip_constant else math.nan
    if not spread.all():
        if not skip_constant:
            return math.nan
        samples = samples[:, spread > 0.0]
    tau = 2.0 * np.cumsum(_correlation(samples)) - 1.0
    inside = np.arange(len(tau)) < WINDOW * tau
    end = len(tau) - 1 if inside.all() else int(np.argmin(inside))
    return float(tau[end])


def error_of_time(tau: float, steps: int, walkers: int) -> float:
    """Return the statistical error of `tau` from `steps` of independent `walkers`.

    Madras & Sokal, J. Stat. Phys. 50 (1988) 109: var(tau)/tau^2 = 2 (2 M + 1)/N with the window M = c tau.
    """
    return tau * math.sqrt(2.0 * (2.0 * WINDOW * tau + 1.0) / (steps * walkers))


def unbiased_time(tau: float, steps: int) -> float:
    """Return `tau` corrected for the mean of each walker being its own.

    U. Wolff, Comput. Phys. Commun. 156 (2004) 143, eq. 49: the sum over the window comes out low by
    (2 M + 1)/N.
    """
    return tau * (1.0 + (2.0 * WINDOW * tau + 1.0) / steps)


def _correlation(samples: Array) -> Array:
    """Return the autocorrelation function (steps,), averaged over the walkers, each about its own mean."""
    steps, walkers = samples.shape
    size = fft.next_fast_len(2 * steps, real=True)
    power = np.zeros(size // 2 + 1)
    columns = max(1, CHUNK // size)
    for first in range(0, walkers, columns):
        part = np.ascontiguousarray(samples[:, first : first + columns].T)
        part = part - part.mean(axis=1, keepdims=True)
        transformed = fft.rfft(part, size, axis=1)
        square = transformed.real**2 + transformed.imag**2
        power += (square / np.square(part).sum(axis=1, keepdims=True)).sum(axis=0)
    correlation: Array = fft.irfft(power / walkers, size)[:steps]
    return correlation
