"""Importance weights that say whether they can be trusted: Pareto-smoothed importance sampling.

A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry, J. Mach. Learn. Res. 25 (2024) 72, arXiv:1507.02646;
the tail is fitted as in J. Zhang, M. A. Stephens, Technometrics 51 (2009) 316.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array

RELIABLE = 0.5  # the variance of the weights is finite below
DRAWS = 20_000  # enough for any quantile; more only costs time


@dataclass(frozen=True)
class Weights:
    """Normalised weights of n draws.

    Attributes
    ----------
    weights : (n,)
        They add up to one.
    k : float
        Shape of the Pareto tail; the weights are reliable below 0.5.
    ess : float
        Effective number of the draws, 1/sum w^2, had they been independent.
    log_mean : float
        ln of the mean weight before normalisation: a ratio of evidences.
    """

    weights: Array
    k: float
    ess: float
    log_mean: float

    @property
    def reliable(self) -> bool:
        """Whether k is below 0.5."""
        return self.k < RELIABLE


def smoothed_weights(log_ratios: Array) -> Weights:
    """Return Pareto-smoothed weights for importance ratios exp(`log_ratios`) (n,).

    -inf is a weight of zero. With fewer than 25 draws, or if all ratios in the tail are equal, nothing is
    smoothed; k is then inf (too few) or -inf (bounded weights).
    """
    n = len(log_ratios)
    top = float(np.max(log_ratios))
    ratios = np.exp(log_ratios - top)
    count = min(n // 5, math.ceil(3.0 * math.sqrt(n)))
    k = math.inf
    if count >= 5:
        order = np.argsort(ratios)
        tail = order[-count:]
        cut = ratios[order[-count - 1]]
        excess = ratios[tail] - cut
        if excess[-1] <= 1e-12 * ratios[tail[-1]]:
            k = -math.inf
        else:
            excess = np.maximum(excess, 1e-12 * excess[-1])
            k, sigma = generalised_pareto(excess)
            places = (np.arange(count) + 0.5) / count
            quantile = sigma * (np.expm1(-k * np.log1p(-places)) / k if k else -np.log1p(-places))
            ratios[tail] = np.minimum(cut + quantile, 1.0)
    total = float(ratios.sum())
    weights = ratios / total
    return Weights(weights, k, 1.0 / float(np.square(weights).sum()), top + math.log(total / n))


def generalised_pareto(excess: Array) -> tuple[float, float]:
    """Return shape k and scale of a generalised Pareto distribution, from sorted positive values (m,).

    The profile posterior mean of Zhang and Stephens, k drawn towards 0.5 as if by ten more values.
    """
    m = len(excess)
    grid = 30 + int(math.sqrt(m))
    theta = 1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    theta = theta / (3.0 * excess[max(m // 4 - 1, 0)]) + 1.0 / excess[-1]
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = m * (np.log(-theta / shape) - shape - 1.0)
    weight = np.exp(profile - profile.max())
    best = float((theta * weight).sum() / weight.sum())
    k = float(np.log1p(-best * excess).mean())
    return (m * k + 5.0) / (m + 10.0), -k / best


def quantiles(values: Array, weights: Array, at: Array) -> Array:
    """Return the quantiles `at` of weighted draws (n,)."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    middle = cumulative - 0.5 * weights[order]
    return np.interp(at, middle / cumulative[-1], values[order])
