"""Reading the data files of the likelihoods: records (TOML), tables and matrices (CSV), dates."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.errors import GlobalfitError, did_you_mean


def record(file: str, name: str, likelihood: str) -> Mapping[str, Any]:
    """Return the record of the measurement `name` in ``data/<file>``, for a likelihood named in errors.

    Raises
    ------
    GlobalfitError
        If there is no such measurement.
    """
    known = _toml(file)
    if name not in known:
        raise GlobalfitError(likelihood, f"no measurement named '{name}'", did_you_mean(str(name), known))
    found: Mapping[str, Any] = known[name]
    return found


@cache
def table(file: str) -> Mapping[str, Array]:
    """Return the columns of ``data/<file>``: ``#`` comments, a line of names, numbers."""
    names, *rows = _lines(file)
    values = np.array([[float(cell) for cell in row.split(",")] for row in rows])
    columns = zip(names.split(","), values.T, strict=True)
    return MappingProxyType({name: readonly(np.ascontiguousarray(column)) for name, column in columns})


@cache
def matrix(file: str) -> Array:
    """Return the matrix in ``data/<file>``: ``#`` comments, then its rows."""
    return readonly([[float(cell) for cell in row.split(",")] for row in _lines(file)])


class Recorded:
    """What likelihoods share whose numbers stand in one record: the record, its citation, its data."""

    name: ClassVar[str]
    file: ClassVar[str]
    measurement: str

    @property
    def _record(self) -> Mapping[str, Any]:
        return record(self.file, self.measurement, self.name)

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        return str(self._record["citation"])

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data."""
        return tuple(self._record["data"])


class Vintages:
    """The measurements of a likelihood and their dates, from ``data/vintages.toml`` when first asked for."""

    def __get__(self, instance: object, owner: type[Any]) -> Mapping[str, date]:
        dates: Mapping[str, date] = _toml("vintages.toml")[owner.name]
        return dates


@cache
def _toml(file: str) -> Mapping[str, Any]:
    return tomllib.loads(_text(file))


def _lines(file: str) -> list[str]:
    return [line for line in _text(file).splitlines() if line and not line.startswith("#")]


def _text(file: str) -> str:
    return files("globalfit.likelihoods").joinpath("data", file).read_text(encoding="utf-8")
