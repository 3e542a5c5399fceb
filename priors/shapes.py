"""Prior shapes: normalised one-dimensional densities with exact quantiles.

The fields of a shape are the keys of a fit file's ``prior = { shape = "...", ... }``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, log, pi, sqrt
from typing import ClassVar

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.parameters import Scale

_LN_SQRT_2PI = 0.5 * log(2.0 * pi)


@dataclass(frozen=True)
class Uniform:
    """Flat between `low` and `high`."""

    low: float
    high: float

    scale: ClassVar[Scale] = "linear"

    def __post_init__(self) -> None:
        _finite(low=self.low, high=self.high)
        _ordered(self.low, self.high)

    def log_density(self, x: Array) -> Array:
        """Return ln density (n,) at `x` (n,); -inf outside."""
        inside = (x >= self.low) & (x <= self.high)
        return np.where(inside, -log(self.high - self.low), -inf)

    def quantile(self, u: Array) -> Array:
        """Return x (n,) of the cumulative probability `u` (n,)."""
        return np.clip(self.low + u * (self.high - self.low), self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """Flat in ln x between `low` > 0 and `high`."""

    low: float
    high: float

    scale: ClassVar[Scale] = "log"

    def __post_init__(self) -> None:
        _finite(low=self.low, high=self.high)
        _positive(low=self.low)
        _ordered(self.low, self.high)

    def log_density(self, x: Array) -> Array:
        """Return ln density (n,) at `x` (n,), per unit x; -inf outside."""
        inside = (x >= self.low) & (x <= self.high)
        norm = log(_log_ratio(self.high, self.low))
        return np.where(inside, -np.log(np.where(inside, x, 1.0)) - norm, -inf)

    def quantile(self, u: Array) -> Array:
        """Return x (n,) of the cumulative probability `u` (n,)."""
        half = np.exp(0.5 * u * _log_ratio(self.high, self.low))  # the whole may overflow
        return np.clip(self.low * half * half, self.low, self.high)


@dataclass(frozen=True)
class SignedLogUniform:
    """Flat in ln|x| for `low` < |x| < `high`, both signs equally probable."""

    low: float
    high: float

    scale: ClassVar[Scale] = "signed-log"

    def __post_init__(self) -> None:
        _finite(low=self.low, high=self.high)
        _positive(low=self.low)
        _ordered(self.low, self.high)

    def log_density(self, x: Array) -> Array:
        """Return ln density (n,) at `x` (n,), per unit x; -inf outside and in the gap."""
        size = np.abs(x)
        inside = (size >= self.low) & (size <= self.high)
        norm = log(2.0 * _log_ratio(self.high, self.low))
        return np.where(inside, -np.log(np.where(inside, size, 1.0)) - norm, -inf)

    def quantile(self, u: Array) -> Array:
        """Return x (n,) of the cumulative probability `u` (n,)."""
        sign = np.where(u <= 0.5, -1.0, 1.0)
        half = np.exp(np.abs(u - 0.5) * _log_ratio(self.high, self.low))  # the whole may overflow
        size = self.low * half * half
        return sign * np.clip(size, self.low, self.high)


@dataclass(frozen=True)
class Normal:
    """Gaussian of `mean` and standard deviation `sigma`."""

    mean: float
    sigma: float

    scale: ClassVar[Scale] = "linear"

    def __post_init__(self) -> None:
        _finite(mean=self.mean, sigma=self.sigma)
        _positive(sigma=self.sigma)

    def log_density(self, x: Array) -> Array:
        """Return ln density (n,) at `x` (n,)."""
        z = (x - self.mean) / self.sigma
        return _no_nan(-0.5 * z**2 - log(self.sigma) - _LN_SQRT_2PI)

    def quantile(self, u: Array) -> Array:
        """Return x (n,) of the cumulative probability `u` (n,)."""
        from scipy.special import ndtri

        return np.asarray(self.mean + self.sigma * ndtri(u), dtype=np.float64)


@dataclass(frozen=True)
class LogNormal:
    """Gaussian in ln x around ln `median`, with the standard deviation `sigma` of ln x."""

    median: float
    sigma: float

    scale: ClassVar[Scale] = "log"

    def __post_init__(self) -> None:
        _finite(median=self.median, sigma=self.sigma)
        _positive(median=self.median, sigma=self.sigma)

    def log_density(self, x: Array) -> Array:
        """Return ln density (n,) at `x` (n,), per unit x; -inf at x <= 0."""
        inside = (x > 0.0) & (x < inf)
        ln_x = np.log(np.where(inside, x, 1.0))
        z = (ln_x - log(self.median)) / self.sigma
        return np.where(inside, -0.5 * z**2 - ln_x - log(self.sigma) - _LN_SQRT_2PI, -inf)

    def quantile(self, u: Array) -> Array:
        """Return x (n,) of the cumulative probability `u` (n,)."""
        from scipy.special import ndtri

        return np.asarray(self.median * np.exp(self.sigma * ndtri(u)), dtype=np.float64)


@dataclass(frozen=True)
class TruncatedNormal:
    """Gaussian of `mean` and `sigma`, cut at `low` and `high` (None: no cut) and normalised again."""

    mean: float
    sigma: float
    low: float | None = None
    high: float | None = None

    scale: ClassVar[Scale] = "linear"

    def __post_init__(self) -> None:
        given = {name: x for name, x in (("low", self.low), ("high", self.high)) if x is not None}
        _finite(mean=self.mean, sigma=self.sigma, **given)
        _positive(sigma=self.sigma)
        if self.low is not None and self.high is not None:
            _ordered(self.low, self.high)

    def log_density(self, x: Array) -> Array:
        """Return ln density (n,) at `x` (n,); -inf outside."""
        a, b = self._edges()
        # the Gaussian falls away from its mean: measure it against its value at the nearest edge, so that
        # nothing underflows however far out the interval lies
        near = a if a > 0.0 else (b if b < 0.0 else 0.0)
        with np.errstate(invalid="ignore"):
            z = (x - self.mean) / self.sigma
            inside = (x >= (-inf if self.low is None else self.low)) & (
                x <= (inf if self.high is None else self.high)
            )
        z = np.where(inside, z, near)
        height = 0.5 * (near - z) * (near + z) - _LN_SQRT_2PI - log(self.sigma)
        return np.where(inside, height - log(_scaled_mass(a, b)), -inf)

    def quantile(self, u: Array) -> Array:
        """Return x (n,) of the cumulative probability `u` (n,)."""
        from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

        a, b = self._edges()
        with np.errstate(divide="ignore"):
            if a > 0.0:
                z = -ndtri_exp(np.logaddexp(np.log1p(-u) + log_ndtr(-a), np.log(u) + log_ndtr(-b)))
            elif b < 0.0:
                z = ndtri_exp(np.logaddexp(np.log1p(-u) + log_ndtr(a), np.log(u) + log_ndtr(b)))
            else:
                below = (1.0 - u) * ndtr(a) + u * ndtr(b)
                above = (1.0 - u) * ndtr(-a) + u * ndtr(-b)
                z = np.where(below < above, ndtri(below), -ndtri(above))
        x = self.mean + self.sigma * z
        low = -inf if self.low is None else self.low
        high = inf if self.high is None else self.high
        return np.asarray(np.clip(x, low, high), dtype=np.float64)

    def _edges(self) -> tuple[float, float]:
        a = -inf if self.low is None else (self.low - self.mean) / self.sigma
        b = inf if self.high is None else (self.high - self.mean) / self.sigma
        return a, b


@dataclass(frozen=True)
class Fixed:
    """One declared value: not a density, a default."""

    value: float

    scale: ClassVar[Scale] = "linear"

    def __post_init__(self) -> None:
        _finite(value=self.value)

    def log_density(self, x: Array) -> Array:
        """Return 0 where `x` (n,) is the value, -inf elsewhere."""
        return np.where(x == self.value, 0.0, -inf)

    def quantile(self, u: Array) -> Array:
        """Return the value for every `u` (n,)."""
        return np.full(np.shape(u), float(self.value))


def _log_ratio(high: float, low: float) -> float:
    """Return ln(high/low), also where the ratio is beyond the largest float."""
    ratio = high / low
    return log(ratio) if ratio < inf else log(high) - log(low)


def _scaled_mass(a: float, b: float) -> float:
    """Probability of a < z < b for a unit Gaussian, over exp(-z0^2/2) at the edge z0 nearest to zero."""
    from scipy.special import erf, erfcx

    if b < 0.0:
        a, b = -b, -a
    if a <= 0.0:
        return float(0.5 * (erf(b / sqrt(2.0)) - erf(a / sqrt(2.0))))
    far = 0.0 if b == inf else float(np.exp(-0.5 * (b - a) * (b + a)) * erfcx(b / sqrt(2.0)))
    return 0.5 * (float(erfcx(a / sqrt(2.0))) - far)


def _no_nan(values: Array) -> Array:
    return np.where(np.isnan(values), -inf, values)


def _finite(**values: float) -> None:
    for name, value in values.items():
        if not isfinite(value):
            raise GlobalfitError("", f"'{name}' = {value} is not finite", "give a number")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0.0:
            raise GlobalfitError("", f"'{name}' = {value} is not positive", "give a number above 0")


def _ordered(low: float, high: float) -> None:
    if not low < high:
        raise GlobalfitError("", f"'low' = {low} is not below 'high' = {high}", "swap or correct them")
