"""Counting experiments: ln probabilities of an observed count, complete with ln n!.

Everything here is reached as ``globalfit.statistics.<name>``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from globalfit.arrays import Array, readonly
from globalfit.gaussian import LN_SQRT_2PI

Shape: TypeAlias = Literal["gamma", "truncated-normal", "log-normal"]

_DROP = 42.0  # an integrand is followed down to exp(-42) = 6e-19 of its maximum
_NODES, _WEIGHTS = (readonly(values) for values in np.polynomial.legendre.leggauss(64))
_BLOCK = 1 << 20  # elements of the largest temporary array


def poisson(observed: ArrayLike, expected: ArrayLike) -> Array:
    """Return the ln probability (n,) of observed counts, ``k ln(mu) - mu - ln k!``.

    One count: `observed` is a float and `expected` has shape (n,). Independent bins: `observed` has shape
    (bins,) and `expected` (n, bins); the result is the sum over the last axis. The two forms are never
    guessed from one another: a spectrum for one point has shape (1, bins).

    Parameters
    ----------
    observed : float or array (bins,)
        Counts k; a fractional count (an Asimov data set, a digitised histogram) is taken with
        ln Gamma(k + 1).
    expected : array (n,) or (n, bins)
        Expected counts mu. A bin with mu = 0 and k = 0 contributes 0. The probability is zero, and the result
        -inf, where mu < 0, where mu = 0 with k > 0, and where mu is infinite: give every bin its background.
        nan stays nan.

    Raises
    ------
    ValueError
        If the shapes do not belong together or a count is negative or not finite.
    """
    k = np.asarray(observed, dtype=np.float64)
    mu = np.asarray(expected, dtype=np.float64)
    if not np.all((k >= 0.0) & (k < np.inf)):
        raise ValueError("poisson: 'observed' must be finite and not negative")
    if not ((k.ndim == 0 and mu.ndim == 1) or (k.ndim == 1 and mu.ndim == 2 and mu.shape[1] == k.size)):
        raise ValueError(
            f"poisson: 'observed' of shape {k.shape} and 'expected' of shape {mu.shape} given; "
            "() with (n,) or (bins,) with (n, bins) is needed"
        )
    ln_p = _ln_poisson(k, mu)
    return ln_p if mu.ndim == 1 else ln_p.sum(axis=1)


def poisson_with_background(
    observed: float,
    signal: ArrayLike,
    background: ArrayLike,
    error_background: ArrayLike,
    shape: Shape = "gamma",
) -> Array:
    """Return the ln probability (n,) of a count over a background known to within an error.

    The marginal ``int db p(b) Poisson(k | s + b)``. Signal and background counts are independent, so it is
    the sum over the number j of background counts of ``Poisson(k - j | s)`` times
    ``m_j = int db p(b) Poisson(j | b)``: positive terms only, added in logarithms. For a gamma density m_j is
    the negative binomial distribution, in closed form; for the other two it is an integral over one peak
    (the integrand is log-concave in the standard variable), done by Gauss-Legendre quadrature on both sides
    of its maximum. It does not depend on the signal, so that a fixed background costs one sum a point.

    Parameters
    ----------
    observed : float
        The count k, a whole number.
    signal : array (n,)
        Expected signal counts s; the result is -inf where s < 0 or infinite, nan where it is nan.
    background, error_background : float or array (n,)
        What the background density p(b) is made of; with an error of 0 it is a single value.
    shape : {"gamma", "truncated-normal", "log-normal"}
        * ``"gamma"``: mean `background`, standard deviation `error_background`; what a sideband or a finite
          simulated sample gives.
        * ``"truncated-normal"``: a Gaussian of this centre and width cut off at b = 0 and normalised there.
        * ``"log-normal"``: median `background` and 84.1 % quantile `background` + `error_background`, that
          is ln b has the width ln(1 + error/background); what a scale factor with an uncertainty gives.

    Raises
    ------
    ValueError
        If `observed` is not a whole number, a background or its error is negative or not finite, a background
        of zero has an error (only ``"truncated-normal"`` allows that), or the shapes do not belong together.
    """
    if shape not in get_args(Shape):
        raise ValueError(f"poisson_with_background: unknown shape '{shape}'; known: {get_args(Shape)}")
    if not (0.0 <= observed < np.inf and float(observed).is_integer()):
        raise ValueError(f"poisson_with_background: 'observed' must be a whole number, not {observed}")
    k = int(observed)
    s = np.asarray(signal, dtype=np.float64)
    b = np.asarray(background, dtype=np.float64)
    error = np.asarray(error_background, dtype=np.float64)
    if s.ndim != 1 or any(values.shape not in ((), s.shape) for values in (b, error)):
        raise ValueError(
            f"poisson_with_background: 'signal', 'background', 'error_background' of shapes {s.shape}, "
            f"{b.shape}, {error.shape} given; (n,) and twice () or (n,) is needed"
        )
    if not np.all((b >= 0.0) & (b < np.inf) & (error >= 0.0) & (error < np.inf)):
        raise ValueError("poisson_with_background: a background or its error is negative or not finite")
    if shape != "truncated-normal" and np.any((b == 0.0) & (error > 0.0)):
        raise ValueError(f"poisson_with_background: '{shape}' needs a background above zero, or no error")
    if b.ndim == error.ndim == 0:
        counts = _fixed_background(k, float(b), float(error), shape)
        return _blockwise(lambda i: _add_signal(s[i], counts), s.size, k + 1)
    b, error = np.broadcast_to(b, s.shape), np.broadcast_to(error, s.shape)
    each = (k + 1) * (1 if shape == "gamma" else _NODES.size)
    return _blockwise(lambda i: _add_signal(s[i], _background_counts(k, b[i], error[i], shape)), s.size, each)


def _blockwise(function: Callable[[slice], Array], n: int, each: int) -> Array:
    """Evaluate `function` of a slice over n points with at most `_BLOCK` elements a slice."""
    step = max(1, _BLOCK // each)
    return np.concatenate([function(slice(i, i + step)) for i in range(0, n, step)] or [np.empty(0)])


def _ln_poisson(k: Array, mu: Array) -> Array:
    """Ln Poisson(k | mu), broadcast; relative to its maximum at mu = k, which keeps large counts exact."""
    from scipy.special import gammaln, xlogy  # here: the import costs more than all of globalfit

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Stirling's series of ln k! above 32, where it is exact to rounding and free of cancellation
        inverse = 1.0 / np.maximum(k, 32.0)
        series = inverse * (1.0 / 12.0 - inverse**2 * (1.0 / 360.0 - inverse**2 / 1260.0))
        small = np.minimum(k, 32.0)
        peak = np.where(
            k > 32.0,
            -LN_SQRT_2PI + 0.5 * np.log(inverse) - series,
            xlogy(small, small) - small - gammaln(small + 1.0),
        )
        ratio = (mu - k) / k
        near = np.abs(ratio) < 0.5
        fall = np.where(near, k * (ratio - np.log1p(np.where(near, ratio, 0.0))), mu - k - xlogy(k, mu / k))
        ln_p = peak - np.where(k == 0.0, mu, fall)
    ln_p = np.where((mu < 0.0) | (mu == np.inf), -np.inf, ln_p)
    return np.where(np.isnan(mu), np.nan, ln_p)


def _add_signal(s: Array, counts: Array) -> Array:
    """Ln of the sum over j of Poisson(k - j | s) exp(counts_j), for s (n,), counts (k + 1,) or (n, k + 1)."""
    from scipy.special import gammaln

    i = np.arange(counts.shape[-1])[::-1]  # signal counts k - j
    with np.errstate(invalid="ignore"):
        ln_s = np.log(np.maximum(s, np.finfo(np.float64).tiny))  # at s = 0 only i = 0 counts, as it must
        terms = ln_s[:, None] * i + (counts - gammaln(i + 1.0))
        top = terms.max(axis=1)
        ln_p = top + np.log(np.exp(terms - top[:, None]).sum(axis=1)) - s
    return np.where((s < 0.0) | (s == np.inf), -np.inf, ln_p)


@lru_cache(maxsize=128)
def _fixed_background(k: int, b: float, error: float, shape: Shape) -> Array:
    """Ln m_j (k + 1,) of a background that is the same at all points."""
    return readonly(_background_counts(k, np.array([b]), np.array([error]), shape)[0])


def _background_counts(k: int, b: Array, error: Array, shape: Shape) -> Array:
    """Ln m_j (n, k + 1): the probability of j = 0..k background counts, for b and error (n,)."""
    j = np.arange(k + 1.0)
    b, error = b[:, None], error[:, None]
    known = (error <= 1e-12 * b)[:, 0]  # changes ln m_j by less than (1e-12 j)^2
    if known.all():
        return _ln_poisson(j, b)
    if known.any():
        out = np.empty((b.size, k + 1))
        out[known] = _ln_poisson(j, b[known])
        out[~known] = _background_counts(k, b[~known, 0], error[~known, 0], shape)
        return out
    if shape == "gamma":
        # m_(j+1) / m_j = (b^2 + j error^2) / ((j + 1) (b + error^2)): no difference of large ln Gamma
        relative = np.minimum(error / b, 1e150)
        spread = relative * error  # variance over mean
        start = -np.log1p(spread) / relative**2
        steps = np.log((b + j[:-1] * spread) / ((j[:-1] + 1.0) * (1.0 + spread)))
        return np.cumsum(np.concatenate([start, steps], axis=1), axis=1)
    return _mixture(j, b, error, shape)


def _mixture(counts: Array, background: Array, error: Array, shape: Shape) -> Array:
    """Ln of int dx phi(x) Poisson(j | b(x)) over the standard variable x: (n, k + 1) for j (k + 1,).

    ``b(x) = b + error x`` above x = -b/error, or ``b(x) = b exp(width x)``. In both the second derivative of
    the ln integrand is at most -1, so that it has one maximum (given below in closed form) and has fallen by
    `_DROP` within sqrt(2 _DROP) of it.
    """
    from scipy.special import log_ndtr, wrightomega

    j, b, error = counts[:, None], background[:, :, None], error[:, :, None]  # (k + 1, 1), (n, 1, 1)
    width = np.log1p(error / b) if shape == "log-normal" else error

    def ln_integrand(x: Array) -> Array:
        rate = b * np.exp(width * x) if shape == "log-normal" else np.maximum(b + width * x, 0.0)
        return _ln_poisson(j, rate) - 0.5 * x**2

    if shape == "log-normal":
        first, ln_norm = np.full_like(b, -np.inf), np.zeros_like(b)
        # the maximum is where x + width b(x) = width j; Wright's omega solves omega + ln omega = z
        mode = width * j - wrightomega(np.log(width**2 * b) + width**2 * j) / width
    else:
        first, ln_norm = -b / error, log_ndtr(b / error)
        shift = b - error**2
        root = np.sqrt(shift**2 + 4.0 * error**2 * j)
        with np.errstate(invalid="ignore", divide="ignore"):
            at_mode = np.where(shift > 0.0, 0.5 * (shift + root), 2.0 * error**2 * j / (root - shift))
        mode = np.maximum((np.where(j + shift.clip(0.0) > 0.0, at_mode, 0.0) - b) / error, first)

    top = ln_integrand(mode)
    total = np.zeros_like(mode[..., 0])
    for side in (-1.0, 1.0):
        inside, outside = mode, mode + side * np.sqrt(2.0 * _DROP)
        if side < 0.0:
            outside = np.maximum(outside, first)
        for _ in range(20):  # bisection for the point where the integrand has fallen by _DROP
            middle = 0.5 * (inside + outside)
            fallen = ln_integrand(middle) < top - _DROP
            inside, outside = np.where(fallen, inside, middle), np.where(fallen, middle, outside)
        half = 0.5 * np.abs(outside - mode)
        nodes = mode + side * half * (1.0 + _NODES)
        total += half[..., 0] * (np.exp(ln_integrand(nodes) - top) @ _WEIGHTS)
    return top[..., 0] + np.log(total) - LN_SQRT_2PI - ln_norm[..., 0]
