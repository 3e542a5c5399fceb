"""The tables of a fit file as pydantic models; a plug-in's own dataclass fields are its schema."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from globalfit.errors import FitError, FitErrors, GlobalfitError
from globalfit.refusals import refusals

T = TypeVar("T", bound=BaseModel)

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)
Table = dict[str, Any]
TEMPERED_ENSEMBLES = 4


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
    walkers: Annotated[int, Field(ge=4, le=1_000_000)] = Field(
        default=256, description="walkers of the ensemble; even"
    )
    ensembles: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="independent ensembles, each from its own start; 4 if that is tempered"
    )
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
    start: Literal["prior", "tempered", "point"] = Field(
        default="tempered",
        description="a tempered population, which finds every mode; draws of the prior; around a point",
    )
    particles: Annotated[int, Field(ge=100, le=10**7)] = Field(
        default=8000, description="of a tempered start; fewer may lose a mode"
    )
    point: dict[str, float] = Field(default_factory=dict, description="the start for start = 'point'")
    coordinates: dict[str, str] = Field(
        default_factory=dict, description="{ parameter = coordinate } other than the prior's"
    )

    @model_validator(mode="before")
    @classmethod
    def _ensembles_of_a_tempered_start(cls, given: Any) -> Any:
        """Repeat a tempered start: it is judged by how its repeats agree."""
        if isinstance(given, dict) and given.get("start", "tempered") == "tempered":
            return {"ensembles": TEMPERED_ENSEMBLES} | given
        return given


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
        raise FitErrors(refusals(error, schema, table, where)) from None


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
    config = ConfigDict(**STRICT, arbitrary_types_allowed=True, protected_namespaces=(), title=cls.__name__)
    return create_model(cls.__name__, __config__=config, __doc__=cls.__doc__, **fields)


def build(cls: type[Any], table: Mapping[str, Any], where: str) -> Any:
    """Return an instance of plug-in class `cls` with the options of `table`.

    Raises
    ------
    FitErrors
        If a key is unknown or missing, a value has the wrong type, or the class refuses it.
    """
    try:
        schema = fields_of(cls)
    except Exception as error:
        problem = f"the fields of class '{cls.__name__}' cannot be read: {error}"
        raise FitErrors(
            [FitError(where, problem, "import the types they name at the top of its file")]
        ) from error
    validated = read_table(schema, table, where)
    try:
        return cls(**{name: getattr(validated, name) for name in validated.model_fields_set})
    except GlobalfitError as error:
        told = error.where in ("", getattr(cls, "name", ""))  # the place says it already
        problem = error.problem if told else f"{error.where}: {error.problem}"
        raise FitErrors([FitError(where, problem, error.remedy)]) from error
    except Exception as error:
        problem = f"class '{cls.__name__}' raised {type(error).__name__}: {error}"
        raise FitErrors([FitError(where, problem, "see --debug")]) from error


def _plain(value: object) -> object:
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in a fit file")
