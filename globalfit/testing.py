"""The plug-in contracts as functions, for ``globalfit test-likelihood`` and the tests of plug-in authors."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np

from globalfit.arrays import Array, Columns, readonly
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Likelihood, nuisances, published
from globalfit.model import Model, probe
from globalfit.prior_trial import check_prior
from globalfit.trial import (
    ContractError,
    Finding,
    Outcome,
    Result,
    Trial,
    as_shape,
    call,
    difference,
    quoted,
    report,
    size,
)

__all__ = ["Finding", "check_likelihood", "check_prior"]

_MEMBERS = ("name", "reference", "needs", "predict", "log_likelihood")
_TOLERANCE = 1e-10  # relative difference allowed between a batch and one point at a time


def check_likelihood(
    likelihood: Likelihood,
    model: Model,
    *,
    points: int = 64,
    seed: int = 0,
    columns: Columns | None = None,
) -> list[Finding]:
    """Test a likelihood against its contract on points of a model.

    Parameters
    ----------
    likelihood, model
        The plug-ins, as a fit would have them.
    points : int
        Number of points drawn from the priors of parameters that `columns` lacks, where it has none.
    seed : int
        Seed of these draws.
    columns : mapping of str to array (n,), optional
        Parameter values: draws from the fit's priors that fulfil its constraints. Parameters of the model and
        nuisance parameters of the likelihood that are not in it are drawn from their own priors.

    Returns
    -------
    list of Finding
        One for each check made; a check that others need (``"protocol"``, ``"quantities"``, ``"columns"``,
        ``"evaluation"``) ends the list where it fails. The last one states the time per point.
    """
    name = str(getattr(likelihood, "name", type(likelihood).__name__))
    return report(name, _checks(likelihood, model, points, seed, columns))


def _checks(
    likelihood: Likelihood, model: Model, points: int, seed: int, columns: Columns | None
) -> Iterator[Outcome]:
    problem = _protocol_problem(likelihood)
    yield "protocol", "has all members of a likelihood", problem
    if problem:
        return
    extra = tuple(parameter.name for parameter in nuisances(likelihood))
    problem = _quantity_problem(likelihood, model, extra)
    yield "quantities", f"model '{model.name}' has all it needs", problem
    if problem:
        return
    values, problem = _draw(likelihood, model, points, seed, columns or {})
    yield "columns", f"{size(values)} points drawn", problem
    if problem:
        return
    n = size(values)

    batched = bool(getattr(likelihood, "batched", True))
    run = Trial(likelihood, model, values)
    try:
        together = run.all_points() if batched else run.one_by_one()
    except ContractError as error:
        yield "evaluation", "", _batch_remedy(run, error) if batched else str(error)
        return
    yield "evaluation", f"predict and log_likelihood take {n} points", ""

    yield "nan", "ln likelihood is a number or -inf", _nan_problem(together, values)
    yield "finite", f"ln likelihood is finite at all {n} points", _finite_problem(together[1], values)
    yield "deterministic", "two calls agree exactly", _repeat_problem(run, batched, together)
    if batched:
        good = f"one point at a time agrees with the batch to {_TOLERANCE:g}"
        yield "batch", good, _batch_problem(run, together, values)
    else:
        yield "batch", "takes one point at a time, as it declares; a batch would be faster", ""

    allowed = {*likelihood.needs, *extra}
    undeclared = sorted(run.read - allowed)
    yield (
        "reads",
        "reads only what it declares",
        f"reads {quoted(undeclared)} without declaring it; add to 'needs'" if undeclared else "",
    )
    unread = sorted(set(likelihood.needs) - run.read)
    yield (
        "needs",
        "reads all of 'needs'",
        f"declares {quoted(unread)} in 'needs' but never reads it; remove it" if unread else "",
    )
    idle = sorted(set(extra) - run.read)
    yield (
        "parameters",
        f"reads its {len(extra)} nuisance parameters",
        f"declares the nuisance parameter {quoted(idle)} but never reads it; remove it" if idle else "",
    )
    numbers = published(likelihood)
    yield "published", f"reproduces {len(numbers)} published numbers", _published_problem(likelihood)
    yield "time", run.timing(batched), ""


def _protocol_problem(likelihood: Likelihood) -> str:
    missing = []
    for member in _MEMBERS:
        try:
            getattr(likelihood, member)
        except AttributeError:
            missing.append(member)
        except Exception as error:
            return f"'{member}' raises {type(error).__name__}: {error}"
    if missing:
        return f"has no {quoted(missing)}; a likelihood has {quoted(_MEMBERS)}"
    for member in ("name", "reference"):
        if not isinstance(getattr(likelihood, member), str) or not getattr(likelihood, member):
            return f"'{member}' must be text and not empty"
    for member in ("predict", "log_likelihood"):
        if not callable(getattr(likelihood, member)):
            return f"'{member}' must be a method"
    needs: object = likelihood.needs
    if not isinstance(needs, tuple) or not all(isinstance(each, str) for each in needs):
        return "'needs' must be a tuple of names; a single one is written ('m_aprime',)"
    return ""


def _quantity_problem(likelihood: Likelihood, model: Model, extra: tuple[str, ...]) -> str:
    missing = []
    for need in likelihood.needs:
        try:
            probe(model, (need,), extra)
        except GlobalfitError as error:
            missing.append(f"'{need}' ({error.problem})" if f"'{need}'" not in error.problem else f"'{need}'")
        except Exception as error:
            return f"model '{model.name}' raises {type(error).__name__} in '{need}': {error}"
    return f"needs {', '.join(missing)}, which model '{model.name}' lacks" if missing else ""


def _draw(
    likelihood: Likelihood, model: Model, points: int, seed: int, given: Columns
) -> tuple[dict[str, Array], str]:
    """Return columns of all parameters given or with a prior, and what is missing among those read."""
    values = {name: np.asarray(each, dtype=np.float64) for name, each in given.items()}
    n = size(values) if values else points
    if n < 1 or any(each.shape != (n,) for each in values.values()):
        return values, f"'columns' must be arrays of one shape (n,), n >= 1; drawing {points} points"
    rng = np.random.default_rng(seed)
    extra = nuisances(likelihood)
    for parameter in (*model.parameters, *extra):
        if parameter.name not in values and parameter.prior is not None:
            values[parameter.name] = np.asarray(parameter.prior.quantile(rng.random(n)), dtype=np.float64)
    names = tuple(parameter.name for parameter in extra)
    wanted = set(names).union(*probe(model, likelihood.needs, names).values())
    missing = sorted(wanted - values.keys())
    return values, f"{quoted(missing)} has no prior to draw from; give it in 'columns'" if missing else ""


def _batch_remedy(run: Trial, error: ContractError) -> str:
    try:
        run.one_by_one()
    except ContractError:
        return str(error)
    return f"{error}; single points work: vectorise it, or declare 'batched = False'"


def _nan_problem(result: Result, columns: Columns) -> str:
    prediction, values = result
    wrong = np.isnan(values) | (values == np.inf)
    if not wrong.any():
        return ""
    i = int(np.argmax(wrong))
    nan = [key for key, each in prediction.items() if np.isnan(each[i]).any()]
    also = f", where the prediction {quoted(nan)} is nan" if nan else ""
    return (
        f"log_likelihood is {values[i]} at {_place(columns, i)}{also} ({wrong.sum()} of {values.size} points)"
    )


def _finite_problem(values: Array, columns: Columns) -> str:
    empty = values == -np.inf
    if not empty.any():
        return ""
    i = int(np.argmax(empty))
    return (
        f"log_likelihood is -inf at {empty.sum()} of {values.size} points of the prior, first at "
        f"{_place(columns, i)}; let it fall steadily instead, or narrow the prior"
    )


def _repeat_problem(run: Trial, batched: bool, first: Result) -> str:
    try:
        second = run.all_points() if batched else run.one_by_one()
    except ContractError as error:
        return f"a second call fails: {error}"
    what = difference(first, second, 0.0)
    return (
        f"{what[0]} differs between two calls with the same points; remove random numbers and state"
        if what
        else ""
    )


def _batch_problem(run: Trial, together: Result, columns: Columns) -> str:
    try:
        singly = run.one_by_one()
    except ContractError as error:
        return f"takes a batch but not a single point: {error}"
    what = difference(together, singly, _TOLERANCE)
    if not what:
        return ""
    return f"{what[0]} of a point depends on the others in its batch, first at {_place(columns, what[1])}"


def _published_problem(likelihood: Likelihood) -> str:
    for number in published(likelihood):
        prediction = MappingProxyType(
            {
                key: readonly(np.asarray(values, dtype=np.float64)[None])
                for key, values in number.prediction.items()
            }
        )
        try:
            result = call("log_likelihood", likelihood.log_likelihood, prediction, "")
            value = float(as_shape("log_likelihood", result, 1, (1,), strict=False)[0])
        except ContractError as error:
            return f"published number of {number.reference}: {error}"
        if not abs(value - number.log_likelihood) <= number.tolerance:
            return (
                f"published ln likelihood {number.log_likelihood:.10g} of {number.reference} is not "
                f"reproduced: {value:.10g}, tolerance {number.tolerance:g}"
            )
    return ""


def _place(columns: Columns, i: int) -> str:
    return ", ".join(f"{name} = {values[i]:g}" for name, values in columns.items())
