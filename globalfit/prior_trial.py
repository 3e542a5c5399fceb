"""The contract of a prior as a function; reached as ``globalfit.testing.check_prior``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.coordinates import coordinate_for
from globalfit.parameters import Prior
from globalfit.trial import ContractError, Finding, Outcome, as_shape, call, quoted, report

_TOLERANCE = 1e-10  # relative difference allowed between a batch and single values


def check_prior(prior: Prior) -> list[Finding]:
    """Test a prior against its contract.

    Its density integrates, between quantiles of neighbouring probabilities, to their difference (hence to 1,
    and the quantile inverts the distribution function); it is zero outside the support and at nan; batches
    agree with single values. The integrals are done in the coordinate that `scale` names. A prior with a
    single value has no density to test.
    """
    return report(type(prior).__name__, _prior_checks(prior))


def _prior_checks(prior: Prior) -> Iterator[Outcome]:
    missing = [member for member in ("scale", "log_density", "quantile") if not hasattr(prior, member)]
    problem = f"has no {quoted(missing)}" if missing else ""
    if not problem and prior.scale not in ("linear", "log", "signed-log"):
        problem = f"scale '{prior.scale}' is not 'linear', 'log' or 'signed-log'"
    if not problem and prior.scale == "signed-log" and not hasattr(prior, "low"):
        problem = "scale 'signed-log' needs the attribute 'low', the edge of the gap"
    yield "protocol", "has all members of a prior", problem
    if problem:
        return
    u = np.linspace(0.0, 1.0, 513)
    u[0], u[-1] = 1e-9, 1.0 - 1e-9  # the ends themselves may be infinite
    try:
        x = as_shape("quantile", call("quantile", prior.quantile, readonly(u), ""), u.size, (1,), True)
        if np.all(x == x[0]):
            yield "density", f"has the single value {x[0]:g}, no density to test", ""
            return
        good = "quantile rises with the probability"
        problem = "" if np.all(np.diff(x) > 0.0) else "quantile does not rise with the probability everywhere"
        yield "quantile", good, problem
        if problem:
            return
        yield (
            "density",
            "density integrates to the probability between quantiles",
            _density_problem(prior, u, x),
        )
        yield "support", "density is zero outside the support and at nan", _support_problem(prior)
        yield "batch", "a batch agrees with single values", _prior_batch_problem(prior, x)
    except ContractError as error:
        yield "evaluation", "", str(error)


def _log_density(prior: Prior, x: Array) -> Array:
    return as_shape(
        "log_density", call("log_density", prior.log_density, readonly(x), ""), x.size, (1,), True
    )


def _density_problem(prior: Prior, u: Array, x: Array) -> str:
    coordinate = coordinate_for(prior)
    edges = coordinate.from_physical(x, {})
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = 0.5 * np.diff(edges)
    t = (0.5 * (edges[1:] + edges[:-1]))[:, None] + half[:, None] * nodes
    physical, ln_slope = coordinate.to_physical(t.ravel(), {})
    ln_density = _log_density(prior, physical)
    if np.isnan(ln_density).any() or (ln_density == np.inf).any():
        return f"log_density is not a number at {physical[~(ln_density < np.inf)][0]:g}"
    probability = half * (np.exp(ln_density + ln_slope).reshape(t.shape) @ weights)
    wrong = np.abs(probability - np.diff(u)) > 1e-6 * np.diff(u) + 1e-10
    if not wrong.any():
        return ""
    i = int(np.argmax(wrong))
    return (
        f"density integrates to {probability.sum():.8g} in all and to {probability[i]:.8g} between the "
        f"quantiles of {u[i]:.6g} and {u[i + 1]:.6g} ({x[i]:g} to {x[i + 1]:g}); "
        f"these should be 1 and {u[i + 1] - u[i]:.8g}"
    )


def _support_problem(prior: Prior) -> str:
    ends = np.asarray(prior.quantile(np.array([0.0, 1.0])), dtype=np.float64)
    if np.isnan(ends).any():
        return (
            f"quantile is {ends[0]} at 0 and {ends[1]} at 1; return the ends of the support, infinite or not"
        )
    step = 1e-6 * np.maximum(np.abs(ends), 1e-12)
    beyond = np.array([ends[0] - step[0], ends[1] + step[1]])
    probes = np.array([*beyond[np.isfinite(ends)], np.nan])
    wrong = _log_density(prior, probes) != -np.inf
    return f"log_density is not -inf at {probes[wrong][0]:g}, outside the support" if wrong.any() else ""


def _prior_batch_problem(prior: Prior, x: Array) -> str:
    singly = np.concatenate([_log_density(prior, x[i : i + 1]) for i in range(0, x.size, 16)])
    if np.allclose(_log_density(prior, x)[::16], singly, rtol=_TOLERANCE, atol=0.0):
        return ""
    return "log_density of a value depends on the others in its batch"
