"""The tables of a fit file as pydantic models; a plug-in's own dataclass fields are its schema."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from globalfit.errors import FitError, FitErrors, GlobalfitError, did_you_mean

T = TypeVar("T", bound=BaseModel)

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)
Table = dict[str, Any]


class DataTable(BaseModel):
    """``[data]``: which vintage of every measurement."""

    model_config = STRICT
    as_of: datetime.date | None = Field(default=None, description="use measurements known at this date")


class ParameterTable(BaseModel):
    """``[parameters.NAME]``: exactly one of prior, fixed and tied."""

    model_config = STRICT
    prior: Table | None = Field(default=None, description="{ shape = ..., and the fields of that shape }")
    fixed: float | None = Field(default=None, description="keep this value")
    tied: str | None = Field(default=None, description="equal to this other parameter")
    unit: str | None = Field(
        default=None, description="the parameter's unit, to be checked against the model's"
    )


class TargetTable(BaseModel):
    """``[sampler.target]``: when a run is finished."""

    model_config = STRICT
    ess: Annotated[int, Field(gt=0)] = Field(
        default=10_000, description="effective samples of the worst parameter"
    )


class SamplerTable(BaseModel):
    """``[sampler]``: how the posterior is sampled."""

    model_config = STRICT
    walkers: Annotated[int, Field(ge=4)] = Field(default=256, description="walkers of the ensemble; even")
    seed: Annotated[int, Field(ge=0, lt=2**128)] | None = Field(
        default=None, description="drawn and stored if absent"
    )
    steps: Annotated[int, Field(gt=0, le=10**9)] | None = Field(
        default=None, description="total steps per walker; the target is then ignored"
    )
    max_steps: Annotated[int, Field(gt=0, le=10**9)] = Field(
        default=100_000, description="stop here, not converged, if the target is not reached"
    )
    target: TargetTable = TargetTable(ess=10_000)
    start: Literal["prior", "point"] = Field(
        default="prior", description="draws of the prior, or around a point"
    )
    point: dict[str, float] = Field(default_factory=dict, description="the start for start = 'point'")
    coordinates: dict[str, str] = Field(
        default_factory=dict, description="{ parameter = coordinate } other than the prior's"
    )


class FitTable(BaseModel):
    """A fit file."""

    model_config = STRICT
    model: Table = Field(description="{ name = 't3r-muon', and the model's options }")
    data: DataTable = DataTable(as_of=None)
    parameters: dict[str, ParameterTable]
    likelihoods: dict[str, Table]
    constraints: dict[str, Table] = Field(default_factory=dict)
    sampler: SamplerTable = SamplerTable()
    unused: Literal["error", "allow"] = Field(default="error", description="parameters that nothing reads")


def read_table(schema: type[T], table: Mapping[str, Any], where: str) -> T:
    """Return `table` validated against `schema`.

    Raises
    ------
    FitErrors
        With one line per problem.
    """
    try:
        return schema.model_validate_json(json.dumps(table, default=_plain))
    except ValidationError as error:
        raise FitErrors([_problem(details, schema, where) for details in error.errors()]) from None


def fields_of(cls: type[Any]) -> type[BaseModel]:
    """Return the schema of a plug-in class: its dataclass fields."""
    fields: dict[str, Any] = {}
    if dataclasses.is_dataclass(cls):
        hints = get_type_hints(cls, include_extras=True)
        for field in dataclasses.fields(cls):
            if not field.init:
                continue
            if field.default is not dataclasses.MISSING:
                default = field.default
            elif field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            else:
                default = ...
            fields[field.name] = (hints[field.name], default)
    config = ConfigDict(**STRICT, arbitrary_types_allowed=True, title=cls.__name__)
    return create_model(cls.__name__, __config__=config, __doc__=cls.__doc__, **fields)


def build(cls: type[Any], table: Mapping[str, Any], where: str) -> Any:
    """Return an instance of plug-in class `cls` with the options of `table`.

    Raises
    ------
    FitErrors
        If a key is unknown or missing, a value has the wrong type, or the class refuses it.
    """
    validated = read_table(fields_of(cls), table, where)
    try:
        return cls(**{name: getattr(validated, name) for name in validated.model_fields_set})
    except GlobalfitError as error:
        problem = f"{error.where}: {error.problem}" if error.where else error.problem
        raise FitErrors([FitError(where, problem, error.remedy)]) from error
    except Exception as error:
        raise FitErrors([FitError(where, f"{type(error).__name__}: {error}", "see --debug")]) from error


def _plain(value: object) -> object:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in a fit file")


def _problem(details: ErrorDetails, schema: type[BaseModel], where: str) -> FitError:
    """One line for one of pydantic's findings."""
    path = [part for part in details["loc"] if isinstance(part, str)]
    key, given, context = path[-1] if path else "", details["input"], details.get("ctx", {})
    table = ".".join(path[:-1])
    if table:
        where = f"{where} [{table}]" if "[" not in where else f"{where[:-1]}.{table}]"
    kind = details["type"]
    shown = f"'{key}' = {given!r:.60}"
    if kind == "missing":
        return FitError(where, f"'{key}' is missing", "add it")
    if kind == "extra_forbidden":
        known = _known(schema, path[:-1])
        return FitError(where, f"unknown key '{key}'", did_you_mean(key, known))
    if isinstance(given, bool) and kind.startswith(("float", "int")):
        return FitError(where, f"'{key}' = {str(given).lower()} is not a number", "give a number")
    if isinstance(given, str) and kind.startswith(("float", "int")):
        return FitError(where, f"{shown} is a string", "write the number without quotes")
    if kind == "finite_number":
        return FitError(where, f"'{key}' is not finite", "give a finite number")
    if kind == "literal_error":
        return FitError(where, f"{shown} is unknown", f"choose {context.get('expected', '')}")
    message = details["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return FitError(where, f"{shown} is wrong", f"it should be {message[:1].lower()}{message[1:]}")


def _known(schema: type[BaseModel], path: list[str]) -> list[str]:
    """Names of the fields at a place inside a schema."""
    current: type[BaseModel] | None = schema
    for part in path:
        field = current.model_fields.get(part) if current else None
        annotation = field.annotation if field else None
        if annotation is None:
            if current is FitTable or current is None:
                return []
            continue
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            current = annotation
        else:  # a table of tables, such as parameters
            inner = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type)]
            current = next((a for a in inner if issubclass(a, BaseModel)), None)
    return list(current.model_fields) if current else []
