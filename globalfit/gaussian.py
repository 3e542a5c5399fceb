"""Gaussian ln densities of measured values; reached as ``globalfit.statistics.<name>``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from globalfit.arrays import Array

LN_SQRT_2PI = 0.9189385332046727
FAR = 1e150  # pulls beyond this are cut, so that their square is finite


def gaussian(observed: float, predicted: ArrayLike, error: ArrayLike) -> Array:
    """Return ``-z^2/2 - ln(sqrt(2 pi) error)`` with ``z = (predicted - observed)/error``.

    Parameters
    ----------
    observed : float
        Measured value.
    predicted : array (n,)
        Predictions, in the unit of `observed`; the density is per this unit.
    error : float or array (n,)
        Standard deviation; add a theory error in quadrature before.

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If the shapes do not belong together or an error is not positive and finite.
    """
    x = as_predicted("gaussian", observed, predicted)
    width = as_positive("gaussian", "error", error, x.shape)
    return bell(x - observed, width) - np.log(width) - LN_SQRT_2PI


def asymmetric_gaussian(
    observed: float,
    error_low: float,
    error_high: float,
    predicted: ArrayLike,
    error_theory: ArrayLike = 0.0,
) -> Array:
    """Return the two-piece Gaussian ln density of ``observed +error_high -error_low``.

    ``-z^2/2 - ln(sqrt(2 pi) (w_low + w_high)/2)``, ``z = (predicted - observed)/w``; w is w_high for a
    prediction above the measured value and w_low below it, each with the theory error added in quadrature.
    Value and slope are continuous at the maximum, the tails are parabolas, and without a theory error it has
    fallen by 1/2 at ``observed - error_low`` and ``observed + error_high``. At fixed widths it integrates
    to 1, over `observed` as over `predicted`. Equal errors give `gaussian`.

    Barlow's forms with a variable width (physics/0406120) pass through the same three points but break down
    outside: the variance that is linear in the prediction reaches zero at
    ``observed - error_low error_high/(error_high - error_low)``.

    Adding in quadrature side by side is not the convolution with a Gaussian theory error: at fixed prediction
    that would also shift the mean. For ``+1.5 -1.0`` ln L differs by up to 0.014 with a theory error of
    0.3 and 0.09 with 1.0, within two units of the maximum.

    Parameters
    ----------
    observed : float
        Measured value.
    error_low, error_high : float
        Magnitudes of the errors towards lower and higher values of the quantity.
    predicted : array (n,)
        Predictions, in the unit of `observed`; the density is per this unit.
    error_theory : float or array (n,)
        Error of the prediction; 0 for none.

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If the shapes do not belong together, an error is not positive and finite, or a theory error is
        negative.
    """
    where = "asymmetric_gaussian"
    x = as_predicted(where, observed, predicted)
    theory = as_positive(where, "error_theory", error_theory, x.shape, zero=True)
    low = np.hypot(as_positive(where, "error_low", error_low, ()), theory)
    high = np.hypot(as_positive(where, "error_high", error_high, ()), theory)
    return bell(x - observed, np.where(x > observed, high, low)) - np.log(0.5 * (low + high)) - LN_SQRT_2PI


def correlated_gaussian(observed: ArrayLike, predicted: ArrayLike, covariance: ArrayLike) -> Array:
    """Return the ln density of several correlated measurements, ``-(r^T V^-1 r + ln det(2 pi V))/2``.

    Parameters
    ----------
    observed : array (k,)
        Measured values.
    predicted : array (n, k)
        Predictions; r = predicted - observed.
    covariance : array (k, k) or (n, k, k)
        Covariance V of the measurements, with that of the theory added; per point if it depends on the point.

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If the shapes do not belong together or a covariance is not finite, symmetric and positive definite.
    """
    where = "correlated_gaussian"
    y = np.asarray(observed, dtype=np.float64)
    x = np.asarray(predicted, dtype=np.float64)
    cov = np.asarray(covariance, dtype=np.float64)
    k = y.size
    if y.ndim != 1 or x.ndim != 2 or x.shape[1] != k or cov.shape not in ((k, k), (len(x), k, k)):
        raise ValueError(
            f"{where}: 'observed', 'predicted', 'covariance' of shapes {y.shape}, {x.shape}, "
            f"{cov.shape} given; "
            "(k,), (n, k) and (k, k) or (n, k, k) are needed"
        )
    if not np.all(np.isfinite(y)):
        raise ValueError(f"{where}: 'observed' must be finite")
    scale = np.sqrt(np.abs(np.diagonal(cov, axis1=-2, axis2=-1)))
    unit = scale[..., :, None] * scale[..., None, :]  # so that the test does not depend on the units
    if not np.all(np.abs(cov - np.swapaxes(cov, -1, -2)) <= 1e-9 * unit):
        raise ValueError(
            f"{where}: 'covariance' is not symmetric or not finite; give V, not its Cholesky factor"
        )
    try:
        root = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise ValueError(_not_definite(where, cov)) from None
    residual = np.clip(x - y, -FAR, FAR)
    with np.errstate(over="ignore"):
        if cov.ndim == 2:
            z = np.linalg.solve(root, residual.T).T
        else:
            z = np.linalg.solve(root, residual[:, :, None])[:, :, 0]
        z = np.clip(z, -FAR, FAR)
    ln_det = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    ln_density: Array = -0.5 * (z**2).sum(axis=1) - ln_det - k * LN_SQRT_2PI
    return ln_density


def bell(distance: Array, width: Array) -> Array:
    """Return -z^2/2 for ``z = distance/width``, finite at any distance."""
    with np.errstate(over="ignore"):
        z: Array = np.clip(distance / width, -FAR, FAR)
    return -0.5 * z**2


def as_predicted(where: str, observed: float, predicted: ArrayLike) -> Array:
    """Check a scalar measurement and return its predictions (n,)."""
    values = np.asarray(predicted, dtype=np.float64)
    if np.ndim(observed) != 0 or not np.isfinite(observed):
        raise ValueError(f"{where}: the measured value must be one finite number, not {observed!r}")
    if values.ndim != 1:
        raise ValueError(f"{where}: 'predicted' has shape {values.shape}; (n,) is needed")
    return values


def as_positive(
    where: str, name: str, values: ArrayLike, shape: tuple[int, ...], *, zero: bool = False
) -> Array:
    """Return `values`, () or of `shape`, after a check that they are positive (or `zero`) and finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), shape):
        raise ValueError(f"{where}: '{name}' has shape {array.shape}; () or {shape} is needed")
    bad = ~(((array >= 0.0) if zero else (array > 0.0)) & (array < np.inf))
    if np.any(bad):
        first = int(np.argmax(bad))
        place = f" at point {first}" if array.ndim else ""
        kind = "not negative" if zero else "positive"
        raise ValueError(f"{where}: '{name}' must be finite and {kind}, not {array.flat[first]:g}{place}")
    return array


def _not_definite(where: str, covariance: Array) -> str:
    lowest = np.linalg.eigvalsh(covariance)[..., 0]
    place = f" at point {int(np.argmin(lowest))}" if covariance.ndim == 3 else ""
    return (
        f"{where}: 'covariance' is not positive definite{place} (lowest eigenvalue {lowest.min():.3g}); "
        "check its correlations, or add the theory error to its diagonal"
    )
