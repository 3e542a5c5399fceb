"""Rank-normalised convergence diagnostics over independent ensembles: split R-hat, bulk and tail ESS.

A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Buerkner, Bayesian Analysis 16 (2021) 667,
arXiv:1903.08008.

The "chains" of that paper are the ensembles here. Walkers of one ensemble propose along each other's
differences, so that they are not independent: R-hat with walkers as chains says 1.01 while whole ensembles
sit in different modes. Samples have shape (ensembles, steps, walkers); all draws of an ensemble make one
chain, whose autocorrelation is that of its walkers about the ensemble's mean. With one walker an ensemble
all numbers are those of the paper.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft
from scipy.special import ndtri

from globalfit.arrays import Array

DRAWS = 40_000  # draws ranked at most: steps are left out evenly beyond (R-hat needs moments alone)
WALKERS = 16  # walkers of each ensemble whose autocorrelation is computed
TAILS = (0.05, 0.95)


def rank_normalise(values: Array) -> Array:
    """Return the normal scores of the ranks of all `values`, in their shape: Blom's (r - 3/8)/(n + 1/4)."""
    # As scipy.stats.rankdata, whose package takes half a second to load: equal values share their mean rank.
    _, place, count = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - 0.5 * (count - 1)
    scores: Array = ndtri((ranks - 0.375) / (values.size + 0.25))[place].reshape(values.shape)
    return scores


def split_rhat(samples: Array) -> float:
    """Return the rank-normalised split R-hat of `samples` (ensembles, steps, walkers).

    The larger of that of the values and that of their distances from the median, which sees scales that
    differ. Each ensemble is cut into halves; with one ensemble they alone are compared. It is 1 for a
    constant and nan for fewer than four steps.
    """
    if samples.shape[1] < 4:
        return math.nan
    halves = _halves(thinned(samples))
    if np.ptp(halves) == 0.0:
        return 1.0
    folded = np.abs(halves - np.median(halves))
    return max(_rhat(rank_normalise(halves)), _rhat(rank_normalise(folded)))


def bulk_ess(samples: Array) -> float:
    """Return the effective samples of the rank-normalised `samples` (ensembles, steps, walkers)."""
    if samples.shape[1] < 8:
        return math.nan
    some = _some_walkers(samples)
    return effective_samples(rank_normalise(_halves(some))) * float(samples.shape[2] / some.shape[2])


def tail_ess(samples: Array) -> float:
    """Return the fewer effective samples of the two shares below the 5 and the 95 % quantile."""
    if samples.shape[1] < 8:
        return math.nan
    quantiles = np.quantile(thinned(samples), TAILS)
    some = _some_walkers(samples)
    fewest = min(effective_samples(np.less_equal(_halves(some), q).astype(np.float64)) for q in quantiles)
    return fewest * float(samples.shape[2] / some.shape[2])


def effective_samples(chains: Array) -> float:
    """Return the effective samples of the mean of `chains` (chains, steps, walkers), chains independent.

    The autocorrelation combines the variance within and between chains (eq. 10 of the paper), summed over
    Geyer's initial monotone sequence. A constant counts all its draws.
    """
    count, steps, walkers = chains.shape
    if np.ptp(chains) == 0.0:
        return float(chains.size)
    covariance = np.mean([_covariance(chain) for chain in chains], axis=0)
    draws = steps * walkers
    within = covariance[0] * draws / (draws - 1.0)
    total = covariance[0]
    if count > 1:
        total = total + np.var(chains.mean(axis=(1, 2)), ddof=1)
    rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    pairs = rho[: steps // 2 * 2].reshape(-1, 2).sum(axis=1)
    pairs = pairs[: max(1, len(pairs) - 1)]  # the last lags are averages over a handful of steps
    end = int(np.argmax(pairs < 0.0)) if (pairs < 0.0).any() else len(pairs)
    tau = -1.0 + 2.0 * float(np.minimum.accumulate(pairs[:end]).sum())
    if end < len(pairs):
        tau += max(float(rho[2 * end]), 0.0)
    return float(chains.size / max(tau, 1.0 / math.log10(chains.size)))


def thinned(samples: Array, most: int = DRAWS) -> Array:
    """Return `samples` (ensembles, steps, walkers) with steps left out evenly, `most` draws at most."""
    step = math.ceil(samples.size / most)
    return samples[:, ::step]


def _some_walkers(samples: Array) -> Array:
    walkers = samples.shape[2]
    return samples[:, :, np.linspace(0, walkers - 1, min(WALKERS, walkers)).astype(int)]


def _halves(samples: Array) -> Array:
    """Return (2 ensembles, steps/2, walkers); the middle one of an odd number of steps is left out."""
    half = samples.shape[1] // 2
    return np.concatenate([samples[:, :half], samples[:, -half:]])


def _rhat(chains: Array) -> float:
    draws = chains[0].size
    flat = chains.reshape(len(chains), draws)
    within = float(np.mean(np.var(flat, axis=1, ddof=1)))
    between = float(np.var(flat.mean(axis=1), ddof=1))
    if not np.ptp(flat, axis=1).any():  # every half is constant, at different values
        return math.inf
    return math.sqrt((draws - 1.0) / draws + between / within)


def _covariance(chain: Array) -> Array:
    """Return the autocovariance (steps,) of `chain` (steps, walkers), mean over its walkers."""
    steps = len(chain)
    size = fft.next_fast_len(2 * steps, real=True)
    transformed = fft.rfft((chain - chain.mean()).T, size, axis=1)
    power = np.mean(transformed.real**2 + transformed.imag**2, axis=0)
    covariance: Array = fft.irfft(power, size)[:steps] / steps
    return covariance
