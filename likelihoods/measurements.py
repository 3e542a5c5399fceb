"""Measured numbers with their citations, read from the data files; the dates from which each one stands."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from globalfit.errors import GlobalfitError, did_you_mean


@cache
def records(file: str) -> Mapping[str, Any]:
    """Return the content of a TOML file in ``data/``."""
    return tomllib.loads(files("globalfit.likelihoods").joinpath("data", file).read_text(encoding="utf-8"))


def record(file: str, likelihood: str, name: str) -> Mapping[str, Any]:
    """Return the measurement `name` of a data file.

    Raises
    ------
    GlobalfitError
        If there is no such measurement; names the likelihood that asks.
    """
    known = records(file)
    if name not in known:
        raise GlobalfitError(likelihood, f"no measurement named '{name}'", did_you_mean(name, known))
    found: Mapping[str, Any] = known[name]
    return found


class Vintages:
    """The measurements of a likelihood and their dates, read from the data file when first asked for."""

    def __set_name__(self, owner: Any, name: str) -> None:
        self._likelihood = owner.name

    def __get__(self, instance: object, owner: type | None = None) -> Mapping[str, date]:
        dates: Mapping[str, date] = records("vintages.toml")[self._likelihood]
        return dates
