"""Published limits as ln densities; reached as ``globalfit.statistics.<name>``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from globalfit.arrays import Array
from globalfit.gaussian import FAR, LN_SQRT_2PI, as_positive, as_predicted, bell


def upper_limit(
    limit: ArrayLike, predicted: ArrayLike, level: float = 0.9, best: float = 0.0, *, curve: bool = False
) -> Array:
    """Return the ln density of an upper limit whose counts are not known: a half-Gaussian.

    Constant up to `best`, then ``-z^2/2`` with ``z = (predicted - best)/error`` and the error chosen so that
    a quantity flat above `best` lies below `limit` with probability `level`:
    ``error = (limit - best)/z_level``, ``z_level = Phi^-1((1 + level)/2)``: 1.645 at 90 %, 1.960 at 95 %.
    For a Gaussian measurement that found exactly `best` this is also the CLs and the Feldman-Cousins limit.
    Value and slope are continuous at `best`.

    The constant is that of `gaussian`: the density, per unit of the observable, of a measurement
    ``best +- error`` at its maximum; predictions above `best` have exactly the likelihood of that
    measurement.

    Parameters
    ----------
    limit : float or array (n,)
        Published limit, in the unit of `predicted`.
    predicted : array (n,)
        Predictions.
    level : float
        Confidence or credibility of the limit, between 0 and 1.
    best : float
        Value the data prefer; 0 for a null result.
    curve : bool
        True for a limit read off a curve at the mass of each point. Then different points are compared with
        different data, and the likelihood ratio to the null result, 0 below `best`, is what may be
        compared between them: ``ln(sqrt(2 pi) error)`` is left out.

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If the shapes do not belong together, a limit is not above `best`, or `level` is not between 0 and 1.
    """
    x = as_predicted("upper_limit", best, predicted)
    above = as_positive("upper_limit", "limit - best", np.subtract(limit, best), x.shape)
    return _half_bell(x - best, above / _pull("upper_limit", level), curve)


def lower_limit(
    limit: ArrayLike, predicted: ArrayLike, level: float = 0.9, *, best: float, curve: bool = False
) -> Array:
    """Return the ln density of a lower limit: the mirror image of `upper_limit`, constant above `best`.

    A lower limit alone does not say how steeply the likelihood falls below it: `best`, the value the data
    prefer or the sensitivity, has to be given. A limit on a lifetime is better taken as an upper limit on
    the rate, whose `best` is 0.

    Parameters
    ----------
    limit : float or array (n,)
        Published limit, below `best`.
    predicted : array (n,)
        Predictions.
    level, best, curve
        As in `upper_limit`.

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If the shapes do not belong together, a limit is not below `best`, or `level` is not between 0 and 1.
    """
    x = as_predicted("lower_limit", best, predicted)
    below = as_positive("lower_limit", "best - limit", np.subtract(best, limit), x.shape)
    return _half_bell(best - x, below / _pull("lower_limit", level), curve)


def poisson_upper_limit(limit: ArrayLike, predicted: ArrayLike, level: float = 0.9) -> Array:
    """Return the ln probability of the zero events behind an upper limit of a background-free search.

    ``-N predicted/limit`` with ``N = -ln(1 - level)`` expected events at the limit: 2.303 at 90 %. Zero
    counts over no background are the one case in which a published limit alone fixes the likelihood. It is a
    probability of a count, 0 where nothing is predicted, and complete as it stands, for a limit curve too.

    Parameters
    ----------
    limit : float or array (n,)
        Published limit on a quantity the expected events are proportional to.
    predicted : array (n,)
        Predictions; a negative one counts as zero.
    level : float
        Confidence or credibility of the limit, between 0 and 1.

    Returns
    -------
    array (n,)

    Raises
    ------
    ValueError
        If the shapes do not belong together, a limit is not positive, or `level` is not between 0 and 1.
    """
    where = "poisson_upper_limit"
    x = as_predicted(where, 0.0, predicted)
    _pull(where, level)
    top = as_positive(where, "limit", limit, x.shape)
    with np.errstate(over="ignore"):
        fall: Array = np.log1p(-level) * np.maximum(x / top, 0.0)
    return np.maximum(fall, -(FAR**2))


def _half_bell(distance: Array, width: Array, curve: bool) -> Array:
    fall = bell(np.maximum(distance, 0.0), width)
    return fall if curve else fall - np.log(width) - LN_SQRT_2PI


def _pull(where: str, level: float) -> float:
    from scipy.special import ndtri  # here: the import costs more than all of globalfit

    if not 0.0 < level < 1.0:
        raise ValueError(f"{where}: 'level' must be between 0 and 1, not {level}")
    return float(ndtri(0.5 * (1.0 + level)))
