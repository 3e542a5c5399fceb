"""Observables and ln L at given points, inside the prior or not: what ``globalfit eval`` prints."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from globalfit import likelihood as contract
from globalfit.arrays import Array, strict
from globalfit.errors import FitError, GlobalfitError, did_you_mean
from globalfit.fit import Fit
from globalfit.model import probe

BATCH = 4096

Record = dict[str, Any]


def parse_assignments(fit: Fit, assignments: Sequence[str]) -> dict[str, float]:
    """Return {parameter: value} of ``name=value`` words.

    Raises
    ------
    FitError
        If a word is not of that form, the value is not a number, or the fit has no such parameter.
    """
    values: dict[str, float] = {}
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals:
            raise FitError(
                "eval", f"'{word}' is not of the form name=value", "write for example m_aprime=100"
            )
        _known(fit, name, "eval")
        if name in values:
            raise FitError("eval", f"'{name}' is given twice", "keep one of the two")
        values[name] = _number(text, f"eval {name}")
    return values


def evaluate_point(fit: Fit, values: Mapping[str, float]) -> Record:
    """Return parameters, derived quantities, ln L and observables at one point.

    Raises
    ------
    FitError
        If a sampled parameter is missing; names all that are.
    """
    _complete(fit, values, "eval")
    return _records(fit, {name: np.array([value]) for name, value in values.items()}, 1)[0]


def evaluate_file(fit: Fit, path: Path, values: Mapping[str, float]) -> Iterator[Record]:
    """Yield one record per row of a CSV file with a header of parameter names and ``#`` comments.

    A row that fails yields ``{"error": ...}``; `values` are the same for all rows.

    Raises
    ------
    FitError
        Before the first record: if the file cannot be read, a column is unknown, or a sampled parameter is
        missing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise FitError(str(path), f"cannot be read: {problem}", "give a CSV file") from None
    said = {i: line for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")}
    try:
        rows = list(zip(said, csv.reader(said.values()), strict=False))
    except csv.Error as error:
        raise FitError(str(path), f"is not CSV: {error}", "give a CSV file") from None
    if not rows:
        raise FitError(str(path), "has no header", "the first line names the parameters")
    header = [name.strip() for name in rows[0][1]]
    for name in header:
        _known(fit, name, str(path))
        if header.count(name) > 1 or name in values:
            raise FitError(str(path), f"'{name}' is given twice", "keep one of the two")
    _complete(fit, {**dict.fromkeys(header, 0.0), **values}, str(path))
    return _rows(fit, path, header, rows[1:], values)


def _rows(
    fit: Fit, path: Path, header: list[str], rows: list[tuple[int, list[str]]], values: Mapping[str, float]
) -> Iterator[Record]:
    for begin in range(0, len(rows), BATCH):
        parsed: list[list[float] | GlobalfitError] = [
            _parsed(row, header, f"{path} line {i}") for i, row in rows[begin : begin + BATCH]
        ]
        good = np.array([row for row in parsed if isinstance(row, list)], dtype=np.float64)
        records = iter(_safe_records(fit, header, good.reshape(-1, len(header)), values))
        for row in parsed:
            yield {"error": str(row)} if isinstance(row, GlobalfitError) else next(records)


def _safe_records(fit: Fit, header: list[str], table: Array, values: Mapping[str, float]) -> list[Record]:
    """Evaluate all rows together; if that fails, one by one to find those that do."""
    n = len(table)
    columns = {name: table[:, i].copy() for i, name in enumerate(header)}
    columns |= {name: np.full(n, value) for name, value in values.items()}
    if n == 0:
        return []
    try:
        return _records(fit, columns, n)
    except GlobalfitError as error:
        if n == 1:
            return [{"error": str(error)}]
        return [record for i in range(n) for record in _safe_records(fit, header, table[i : i + 1], values)]


def _records(fit: Fit, given: Mapping[str, Array], n: int) -> list[Record]:
    posterior, space = fit.posterior, fit.posterior.space
    columns: dict[str, Array] = {name: np.array(given[name]) for name in space.names}
    columns |= {name: np.full(n, value) for name, value in space.fixed.items()}
    columns |= {name: np.array(values) for name, values in given.items()}
    columns |= {name: columns[other] for name, other in space.tied.items() if name not in given}
    with np.errstate(all="ignore"):
        point = posterior.point(columns)
        log_prior = space.log_density(np.column_stack([columns[name] for name in space.names]))
        for constraint in posterior.constraints:
            log_prior = np.where(constraint.allows(point), log_prior, -np.inf)
        total = log_prior.copy()
        found: dict[str, tuple[Array, Mapping[str, Array]]] = {}
        for name, likelihood in posterior.likelihoods.items():
            prediction = posterior.predict(likelihood, point)
            found[name] = (posterior.score(likelihood, prediction, point), prediction)
            total = total + found[name][0]
        derived = {q.name: getattr(point, q.name) for q in posterior.computable}
        derived |= _pulls(fit, columns, {name: values for name, (values, _) in found.items()})
    return [
        {
            "parameters": {name: strict(values[i]) for name, values in columns.items()},
            "derived": {name: strict(values[i]) for name, values in derived.items()},
            "likelihoods": {
                name: {
                    "ln_likelihood": strict(values[i]),
                    "observables": {key: strict(column[i]) for key, column in prediction.items()},
                }
                for name, (values, prediction) in found.items()
            },
            "ln_prior": strict(log_prior[i]),
            "ln_posterior": strict(total[i]),
        }
        for i in range(n)
    ]


def _pulls(fit: Fit, columns: Mapping[str, Array], log_likelihoods: Mapping[str, Array]) -> dict[str, Array]:
    """Return ``sm_pull`` (n,): by how many sigma the data prefer the points to the model's null.

    sign(d) sqrt(2 |d|), d the gain in ln L of the likelihoods that read a parameter of `Model.null`.
    """
    posterior = fit.posterior
    null = {
        k: np.full_like(columns[k], v)
        for k, v in getattr(posterior.model, "null", {}).items()
        if k in columns
    }
    if not null:
        return {}
    point = posterior.point({**columns, **null})
    gain = np.zeros(point.n)
    for name, likelihood in posterior.likelihoods.items():
        extra = tuple(parameter.name for parameter in contract.nuisances(likelihood))
        reads = set().union(*probe(posterior.model, tuple(likelihood.needs), extra).values())
        if reads & set(null):
            there = posterior.score(likelihood, posterior.predict(likelihood, point), point)
            gain += log_likelihoods[name] - there
    return {"sm_pull": np.sign(gain) * np.sqrt(2.0 * np.abs(gain))}


def _known(fit: Fit, name: str, where: str) -> None:
    space = fit.posterior.space
    known = (*space.names, *space.fixed, *space.tied)
    if name not in known:
        if name in (parameter.name for parameter in fit.posterior.model.parameters):
            remedy = f"nothing in it reads it; add [parameters.{name}] and unused = 'allow' to have it"
            raise FitError(where, f"the fit does not have '{name}'", remedy)
        raise FitError(where, f"unknown parameter '{name}'", did_you_mean(name, known))


def _complete(fit: Fit, values: Mapping[str, float], where: str) -> None:
    missing = [f"'{name}'" for name in fit.posterior.space.names if name not in values]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        remedy = "give every sampled parameter as name=value"
        raise FitError(where, f"{', '.join(missing)} {verb} missing", remedy)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise FitError(where, f"'{text}' is not a number", "give a number") from None
    if not math.isfinite(value):
        raise FitError(where, f"'{text}' is not finite", "give a finite number")
    return value


def _parsed(row: list[str], header: list[str], where: str) -> list[float] | GlobalfitError:
    if len(row) != len(header):
        return FitError(where, f"has {len(row)} values for {len(header)} columns", "correct the row")
    try:
        return [_number(text, f"{where}, {name}") for name, text in zip(header, row, strict=True)]
    except FitError as error:
        return error
