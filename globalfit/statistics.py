"""Ln densities of measurements, for a batch of points.

Each function returns the complete natural logarithm (n,) of the density of what was observed, for predictions
with the point axis first: every normalisation is in, so that differences between models and between theory
errors mean something. Tails are finite everywhere except where a count has probability zero. A nan in a
prediction stays nan. ``docs/statistics.md`` says which function belongs to which published number.
"""

from __future__ import annotations

from globalfit.gaussian import asymmetric_gaussian, correlated_gaussian, gaussian
from globalfit.limits import lower_limit, poisson_upper_limit, upper_limit
from globalfit.poisson import poisson, poisson_with_background

__all__ = [
    "asymmetric_gaussian",
    "correlated_gaussian",
    "gaussian",
    "lower_limit",
    "poisson",
    "poisson_upper_limit",
    "poisson_with_background",
    "upper_limit",
]
