"""What pydantic finds wrong with a table, in one line of the user's own terms."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from globalfit.errors import FitError, did_you_mean

# How a table is written, for those who wrote something else in its place or nothing.
WRITTEN = {
    "model": "model = { name = 't3r-muon' }",
    "data": "data = { as_of = 2022-10-15 }",
    "parameters": "[parameters.NAME] for each parameter",
    "likelihoods": "[likelihoods.NAME] for each experiment",
    "constraints": "[constraints.NAME] for each constraint",
    "sampler": "[sampler] and its keys below",
    "prior": "prior = { shape = 'log-uniform', low = 1.0, high = 10.0 }",
    "target": "target = { ess = 10_000 }",
    "point": "point = { m_phi = 60.0 } with every sampled parameter",
    "coordinates": "coordinates = { m_phi = 'muon-g2-ridge' }",
}


def refusals(
    error: ValidationError, schema: type[BaseModel], table: Mapping[str, Any], where: str
) -> list[FitError]:
    """Return one problem for each place of `table` at which `error` found one."""
    found: dict[tuple[str, ...], FitError] = {}
    for details in error.errors():
        path = _path(details, table)
        if path not in found:  # a union reports once for each of its members
            found[path] = _refusal(details, path, schema, table, where)
    return list(found.values())


def place(where: str, tables: Sequence[str]) -> str:
    """Return `where` with a table of it: ``fit.toml [parameters.vev]``."""
    if not tables:
        return where
    name = ".".join(bare(table) for table in tables)
    return f"{where[:-1]}.{name}]" if where.endswith("]") else f"{where} [{name}]"


def bare(key: str) -> str:
    """Return a key as TOML writes it: quoted unless it is made of letters, digits, - and _."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def toml(value: object) -> str:
    """Return a value as TOML writes it, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _path(details: ErrorDetails, table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys that lead to a problem: those of pydantic's path that the file has."""
    path: list[str] = []
    current: object = table
    for part in details["loc"]:
        known = isinstance(current, Mapping) and part in current
        if not known and details["type"] != "missing":
            break
        path.append(str(part))
        current = current[part] if isinstance(current, Mapping) and known else None
    return tuple(path)


def _refusal(
    details: ErrorDetails,
    path: tuple[str, ...],
    schema: type[BaseModel],
    table: Mapping[str, Any],
    where: str,
) -> FitError:
    key = path[-1] if path else ""
    where = place(where, path[:-1])
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return FitError(where, f"'{key}' is missing", f"add {WRITTEN.get(key, 'it')}")
    if kind == "extra_forbidden":
        return FitError(where, f"unknown key '{key}'", did_you_mean(key, _known(schema, path[:-1])))
    given: Any = table
    for part in path:
        given = given[part]
    shown = f"'{key}' = {toml(given)}"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return FitError(where, f"{shown} is not a table", f"write {_written(path, given)}")
    if kind == "finite_number":
        return FitError(where, f"{shown} is not finite", "give a finite number")
    if kind == "literal_error":
        return FitError(where, f"{shown} is unknown", f"choose {context.get('expected', '')}")
    if kind.startswith(("float", "int", "decimal")):
        return FitError(where, *_not_a_number(shown, given, kind))
    if kind.startswith("date"):
        return FitError(where, f"{shown} is not a date", "write it as 2022-10-15, without quotes or time")
    if kind.startswith("string"):
        return FitError(where, f"{shown} is not a string", "put text in quotes")
    if kind.startswith("bool"):
        return FitError(where, f"{shown} is neither true nor false", "write one of the two, without quotes")
    if kind in ("list_type", "tuple_type", "set_type"):
        each = toml(given) if isinstance(given, str) else "'one', 'two'"
        return FitError(where, f"{shown} is not a list", f"write it as [{each}]")
    for bound, words in (
        ("greater_than_equal", "too small; give {ge} or more"),
        ("greater_than", "too small; give more than {gt}"),
        ("less_than_equal", "too large; give {le} or less"),
        ("less_than", "too large; give less than {lt:.4g}"),
    ):
        if kind == bound:
            problem, _, remedy = words.format(**context).partition("; ")
            return FitError(where, f"{shown} is {problem}", remedy)
    message = details["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return FitError(where, f"{shown} is wrong", f"it should be {message[:1].lower()}{message[1:]}")


def _not_a_number(shown: str, given: object, kind: str) -> tuple[str, str]:
    """Return what is wrong with a value that is no number, or no whole one, and what to do."""
    if isinstance(given, bool):
        return f"{shown} is not a number", "give a number"
    if isinstance(given, str):
        try:
            float(given)
        except ValueError:
            return f"{shown} is not a number", "give a number, without quotes"
        return f"{shown} is a string", "write the number without quotes"
    if isinstance(given, float) and kind.startswith("int"):
        remedy = f"write {given:.0f}" if given.is_integer() else "give a whole number"
        return f"{shown} is not a whole number", remedy
    return f"{shown} is not a number", "give a number"


def _written(path: tuple[str, ...], given: object) -> str:
    """Return how the table at `path` is written, with what the user gave where that is clear."""
    if path == ("model",) and isinstance(given, str):
        return f"model = {{ name = {toml(given)} }}"
    if path == ("likelihoods",) and isinstance(given, list) and given:
        return f"[likelihoods.{bare(str(given[0]))}]"
    if path[:-1] == ("parameters",):
        number = isinstance(given, int | float) and not isinstance(given, bool)
        below = f"fixed = {given}" if number else "prior, fixed or tied"
        return f"[parameters.{bare(path[-1])}] and below it {below}"
    if path[:-1] in (("likelihoods",), ("constraints",)):
        return f"[{path[0]}.{bare(path[-1])}]"
    return WRITTEN.get(path[-1], "{ key = value }")


def _known(schema: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Names of the fields at a place inside a schema."""
    current: Any = schema
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = field.annotation if field else None
        else:  # a table of tables, such as parameters
            inner = [each for each in getattr(current, "__args__", ()) if isinstance(each, type)]
            current = next((each for each in inner if issubclass(each, BaseModel)), None)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []
