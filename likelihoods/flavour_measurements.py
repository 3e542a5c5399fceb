"""What the flavour likelihoods share: records of measurements, their density, the shipped forms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Likelihood, Prediction
from globalfit.likelihoods.measurements import record
from globalfit.physics.flavour.channels import Observable
from globalfit.physics.flavour.forms import FlavourForms
from globalfit.physics.flavour.observables import COVARIANCE, covariance_matrix, observables
from globalfit.physics.flavour.store import load_forms
from globalfit.physics.wilson import WilsonCoefficients, contact

LN_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_CANDIDATES = 4096  # for one draw of data
_WIDER = 1.3  # the Gaussian they come from over the measured errors


@dataclass(frozen=True, eq=False)
class Measurement:
    """Measured values with asymmetric errors and their correlation.

    Parameters
    ----------
    observables : tuple of str
    value, error_low, error_high : ndarray (k,)
    correlation : ndarray (k, k)
    variable_width : ndarray (k,) of bool
        Shape of each density: the error widens with the distance, or two half Gaussians.
    data : tuple of str
        What was seen; two measurements that share an entry share data.
    citation : str
    b0 : tuple of float or None
        BR(B0 -> mu mu), its error and its correlation with the first value, where published.
    """

    observables: tuple[str, ...]
    value: Array
    error_low: Array
    error_high: Array
    correlation: Array
    variable_width: Mask
    data: tuple[str, ...]
    citation: str
    b0: tuple[float, float, float] | None = None


@cache
def measurement(file: str, likelihood: str, name: str) -> Measurement:
    """Read the measurement `name` of a data file.

    Raises
    ------
    GlobalfitError
        If there is no such measurement.
    """
    found = record(file, name, likelihood)
    if "combines" in found:
        parts = [measurement(file, likelihood, each) for each in found["combines"]]
        return _combined(likelihood, name, parts)
    value = np.array(found["value"])
    return Measurement(
        tuple(found["observables"]),
        value,
        np.array([math.hypot(*parts) for parts in found["error_low"]]),
        np.array([math.hypot(*parts) for parts in found["error_high"]]),
        np.array(found.get("correlation", np.eye(len(value)))),
        np.full(len(value), found.get("shape") == "variable-width"),
        tuple(found["data"]),
        found["citation"],
        (found["b0_value"], found["b0_error"], found["b0_correlation"]) if "b0_value" in found else None,
    )


def check_combination(likelihood: str, names: Sequence[str], parts: Sequence[Measurement]) -> None:
    """Refuse measurements that share data.

    Raises
    ------
    GlobalfitError
        If two of them were made with the same data, as when one supersedes the other.
    """
    for i, first in enumerate(parts):
        for j in range(i):
            shared = sorted(set(first.data) & set(parts[j].data))
            if shared:
                raise GlobalfitError(
                    likelihood,
                    f"'{names[j]}' and '{names[i]}' share the data '{shared[0]}'",
                    "keep one of them",
                )


def _combined(likelihood: str, name: str, parts: Sequence[Measurement]) -> Measurement:
    check_combination(likelihood, [f"{name}, part {i + 1}" for i in range(len(parts))], parts)
    sizes = [len(each.value) for each in parts]
    correlation = np.zeros((sum(sizes), sum(sizes)))
    for each, end in zip(parts, np.cumsum(sizes), strict=True):
        correlation[end - len(each.value) : end, end - len(each.value) : end] = each.correlation
    return Measurement(
        tuple(observable for each in parts for observable in each.observables),
        np.concatenate([each.value for each in parts]),
        np.concatenate([each.error_low for each in parts]),
        np.concatenate([each.error_high for each in parts]),
        correlation,
        np.concatenate([each.variable_width for each in parts]),
        tuple(entry for each in parts for entry in each.data),
        "; ".join(each.citation for each in parts),
    )


def correlated_asymmetric_gaussian(
    value: Array,
    error_low: Array,
    error_high: Array,
    correlation: Array,
    predicted: Array,
    covariance_theory: Array,
    variable_width: Mask | None = None,
) -> Array:
    """Return the ln density (n,) of k correlated measurements with asymmetric errors.

    -z^T C^-1 z / 2 - ln det C / 2 - sum ln[(w_low + w_high) sqrt(2 pi) / 2], z_i = d_i / w_i(d_i) with the
    distance d_i = predicted_i - value_i. Theory errors are added to w_i in quadrature; C is the correlation
    of measured (mean of both sides) and theory errors together. Finite and continuous everywhere. Two half
    Gaussians have w = error_low or error_high by the side; with one observable that is `asymmetric_gaussian`,
    with equal errors `correlated_gaussian`. Where `variable_width`, the variance is linear above the value,
    w^2 = s_low s_high + (s_high - s_low) d (R. Barlow, physics/0406120), as in ratios whose denominator is
    the uncertain part, and 1/w^2 linear below it, where Barlow's form would end in a pole; both pass through
    the published errors.

    Parameters
    ----------
    value, error_low, error_high : ndarray (k,)
    correlation : ndarray (k, k)
        Of the measured errors.
    predicted : ndarray (n, k)
    covariance_theory : ndarray (n, k, k)
    variable_width : ndarray (k,) of bool, optional
    """
    theory = np.diagonal(covariance_theory, axis1=1, axis2=2)
    z = _standardised(value, error_low, error_high, predicted, theory, variable_width)
    mean = 0.5 * (np.sqrt(error_low**2 + theory) + np.sqrt(error_high**2 + theory))
    norm = -np.log(mean).sum(axis=1) - len(value) * LN_SQRT_2PI
    if len(value) == 1:
        return np.asarray(norm - 0.5 * z[:, 0] ** 2)
    width = 0.5 * (error_low + error_high)
    total = correlation * width[:, None] * width + covariance_theory
    scale = np.sqrt(np.diagonal(total, axis1=1, axis2=2))
    root = np.linalg.cholesky(total / (scale[:, :, None] * scale[:, None, :]))
    solved = np.linalg.solve(root, z[:, :, None])[:, :, 0]
    ln_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(norm - ln_det - 0.5 * (solved**2).sum(axis=1))


def _standardised(
    value: Array,
    error_low: Array,
    error_high: Array,
    predicted: Array,
    theory: Array,
    variable_width: Mask | None,
) -> Array:
    """Return z (n, k) of `correlated_asymmetric_gaussian` for theory variances `theory` (n, k)."""
    distance = predicted - value
    variance = np.where(distance > 0.0, error_high, error_low) ** 2
    if variable_width is not None and np.any(variable_width):
        product, slope = error_low * error_high, error_high - error_low
        above = product + slope * np.maximum(distance, 0.0)
        below = product**2 / (product - slope * error_high / error_low * np.minimum(distance, 0.0))
        variance = np.where(variable_width, np.where(distance > 0.0, above, below), variance)
    return np.asarray(distance / np.sqrt(variance + theory))


def pulls(measured: Measurement, wanted: Sequence[Observable], prediction: Prediction) -> dict[str, Array]:
    """Return {observable: (n,)}: prediction minus data in standard deviations, theory errors included.

    A second measurement of an observable is called ``<observable> (2)``.
    """
    names = [each.name for each in wanted]
    rows = [names.index(name) for name in measured.observables]
    theory = np.diagonal(covariance_matrix(prediction[COVARIANCE]), axis1=1, axis2=2)[:, rows]
    predicted = np.column_stack([prediction[name] for name in measured.observables])
    z = _standardised(
        measured.value,
        measured.error_low,
        measured.error_high,
        predicted,
        theory,
        measured.variable_width,
    )
    found: dict[str, Array] = {}
    for i, name in enumerate(measured.observables):
        earlier = measured.observables[:i].count(name)
        found[f"{name} ({earlier + 1})" if earlier else name] = z[:, i]
    return found


def highest(measured: Measurement) -> float:
    """Return the highest ln density that values of the observables, without theory error, can have."""
    distinct = list(dict.fromkeys(measured.observables))
    rows = [distinct.index(name) for name in measured.observables]
    weight = 4.0 / (measured.error_low + measured.error_high) ** 2
    total = np.bincount(rows, weight)
    start, scale = np.bincount(rows, weight * measured.value) / total, 1.0 / np.sqrt(total)
    zero = np.zeros((1, len(rows), len(rows)))

    def loss(shift: Array) -> float:
        values = start + scale * shift
        ln_density = correlated_asymmetric_gaussian(
            measured.value,
            measured.error_low,
            measured.error_high,
            measured.correlation,
            values[None, rows],
            zero,
            measured.variable_width,
        )
        return -float(ln_density[0])

    if len(distinct) == len(rows):
        return -loss(np.zeros(len(rows)))
    from scipy.optimize import minimize

    found = minimize(loss, np.zeros(len(distinct)), method="Nelder-Mead")
    return -float(found.fun)


def log_density(measured: Measurement, wanted: Sequence[Observable], prediction: Prediction) -> Array:
    """Return the ln density (n,) of `measured`, with the theory covariance of the prediction."""
    names = [each.name for each in wanted]
    rows = [names.index(name) for name in measured.observables]
    covariance = covariance_matrix(prediction[COVARIANCE])
    if rows != list(range(len(names))):
        covariance = covariance[:, rows][:, :, rows]
    predicted = np.column_stack([prediction[name] for name in measured.observables])
    return correlated_asymmetric_gaussian(
        measured.value,
        measured.error_low,
        measured.error_high,
        measured.correlation,
        predicted,
        covariance,
        measured.variable_width,
    )


def with_values(measured: Measurement, values: Sequence[float] | None, likelihood: str) -> Measurement:
    """Return `measured` with other values, those of BR(B0 -> mu mu) last where there are such.

    Raises
    ------
    GlobalfitError
        If there are not as many finite numbers as measured values.
    """
    if values is None:
        return measured
    k = len(measured.value)
    b0 = measured.b0
    wanted = (k,) if b0 is None else (k, k + 1)
    if len(values) not in wanted or not np.isfinite(values).all():
        raise GlobalfitError(likelihood, f"'values' = {list(values)}", f"give {k} finite numbers")
    if b0 is not None and len(values) > k:
        b0 = (float(values[k]), *b0[1:])
    return replace(measured, value=np.array(values[:k], dtype=np.float64), b0=b0)


def draw_values(
    errors: tuple[Array, Array],
    correlation: Array,
    predicted: Array,
    covariance_theory: Array,
    rng: np.random.Generator,
    variable_width: Mask | None = None,
) -> tuple[float, ...]:
    """Return k values drawn at a prediction from the density of `correlated_asymmetric_gaussian`.

    It is a function of the distances alone, and asymmetric: of candidates from a wider Gaussian one is
    chosen by the ratio of the densities.

    Parameters
    ----------
    errors : two ndarray (k,)
        Towards lower and higher values.
    correlation : ndarray (k, k)
    predicted : ndarray (k,)
    covariance_theory : ndarray (k, k)
    rng : Generator
    variable_width : ndarray (k,) of bool, optional
    """
    low, high = errors
    k = len(predicted)
    width = _WIDER * np.maximum(low, high)
    root = np.linalg.cholesky(correlation * width[:, None] * width + _WIDER**2 * covariance_theory)
    normal = rng.standard_normal((_CANDIDATES, k))
    distance = normal @ root.T
    ln_density = correlated_asymmetric_gaussian(
        np.zeros(k),
        low,
        high,
        correlation,
        -distance,  # predicted minus measured
        np.broadcast_to(covariance_theory, (_CANDIDATES, k, k)),
        variable_width,
    )
    ln_weight = ln_density + 0.5 * (normal**2).sum(axis=1)
    weight = np.exp(ln_weight - ln_weight.max())
    chosen = rng.choice(_CANDIDATES, p=weight / weight.sum())
    return tuple(float(each) for each in predicted + distance[chosen])


def simulated(
    measured: Measurement, wanted: Sequence[Observable], prediction: Prediction, rng: np.random.Generator
) -> tuple[float, ...]:
    """Return values (k,) of `measured` drawn at the prediction (n = 1), theory errors included."""
    names = [each.name for each in wanted]
    rows = [names.index(name) for name in measured.observables]
    return draw_values(
        (measured.error_low, measured.error_high),
        measured.correlation,
        np.array([prediction[name][0] for name in measured.observables]),
        covariance_matrix(prediction[COVARIANCE])[0][np.ix_(rows, rows)],
        rng,
        measured.variable_width,
    )


def shipped_forms() -> FlavourForms:
    """Return the forms that come with the package."""
    return load_forms(_forms_file())


@cache
def _forms_file() -> Path:  # to look for it takes longer than to evaluate a hundred points
    return Path(str(files("globalfit.likelihoods").joinpath("data", "flavour_forms.h5")))


def standard_model() -> WilsonCoefficients:
    """Return the Standard Model as one point."""
    zero = np.zeros(1)
    return contact(zero, zero, zero, zero, zero)


@cache
def standard_model_values(wanted: tuple[Observable, ...]) -> Mapping[str, float]:
    """Return the Standard Model values of observables."""
    found = observables(shipped_forms(), standard_model(), wanted, errors=False)
    return {name: float(values[0]) for name, values in found.items()}


def with_standard_model(prediction: dict[str, Array], wanted: tuple[Observable, ...]) -> dict[str, Array]:
    """Return the prediction with ``sm_<observable>`` (n,) beside each value."""
    n = len(next(iter(prediction.values())))
    return prediction | {
        "sm_" + name: np.full(n, value) for name, value in standard_model_values(wanted).items()
    }


def standard_model_pull(
    likelihoods: Sequence[Likelihood], predictions: Sequence[Prediction], standard: Sequence[Prediction]
) -> Array:
    """Return by how many sigma points are preferred to the Standard Model, (n,).

    sign(d) sqrt(2 |d|) with d = ln L - ln L_SM.
    `standard` are the predictions of the same likelihoods at one Standard Model point.
    """
    gain = sum(
        each.log_likelihood(here) - each.log_likelihood(there)
        for each, here, there in zip(likelihoods, predictions, standard, strict=True)
    )
    return np.asarray(np.sign(gain) * np.sqrt(2.0 * np.abs(gain)))
