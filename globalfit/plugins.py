"""The plug-ins a fit file names: found, given their options, dated, and checked against double counting."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from globalfit import likelihood as contract
from globalfit.errors import FitError, GlobalfitError
from globalfit.likelihood import Likelihood
from globalfit.model import Model
from globalfit.parameters import Prior
from globalfit.posterior import Constraint
from globalfit.problems import Problems
from globalfit.registry import Kind, load, load_file, source_hash
from globalfit.tables import FitTable, build


class PlugIns:
    """Makes the plug-ins of a fit file; `resolved` says in plain JSON what they became."""

    def __init__(self, table: FitTable, problems: Problems, as_of: datetime.date | None) -> None:
        self.table, self.problems, self.as_of = table, problems, as_of
        self.resolved: dict[str, Any] = {"model": {}, "likelihoods": {}, "constraints": {}}

    def model(self) -> Model:
        """Return the model with its options."""
        options = dict(self.table.model)
        where = self.problems.at("model")
        if "name" not in options:
            raise FitError(where, "'name' is missing", "add name = 't3r-muon', or see 'globalfit list'")
        name = options.pop("name")
        if not isinstance(name, str):
            raise FitError(where, f"'name' = {name!r} is not a string", "quote the model's name")
        model: Model = build(self._class("model", name, where), options, where)
        self.resolved["model"] = {"name": name, **options_of(model)}
        return model

    def likelihoods(self, more: tuple[str, ...]) -> list[Likelihood]:
        """Return the likelihoods of the file and `more`, plug-in names or ``file.py:Class``."""
        tables = {**self.table.likelihoods, **{name: {} for name in more if ":" not in name}}
        attempt = self.problems.attempt
        found = [attempt(self._likelihood, name, table) for name, table in tables.items()]
        found += [attempt(self._likelihood, "", {"class": spec}, Path.cwd()) for spec in more if ":" in spec]
        likelihoods = [likelihood for likelihood in found if likelihood is not None]
        if not found:
            remedy = "add [likelihoods.muon-g2], or see 'globalfit list'"
            self.problems.refuse("likelihoods", "there is none", remedy)
        self._count_data_once(likelihoods)
        return likelihoods

    def _count_data_once(self, likelihoods: list[Likelihood]) -> None:
        owner: dict[str, str] = {}
        for likelihood in likelihoods:
            table = f"likelihoods.{likelihood.name}"
            if likelihood.name in owner.values():
                self.problems.refuse(table, "stands twice in the fit", "give it one table")
            for data in (likelihood.name, *contract.data_ids(likelihood)):
                if data in owner and owner[data] != likelihood.name:
                    problem = f"uses the data '{data}' that '{owner[data]}' uses"
                    self.problems.refuse(table, problem, "data must not count twice; remove one of the two")
                owner[data] = likelihood.name

    def _likelihood(self, name: str, table: Mapping[str, Any], base: Path | None = None) -> Likelihood:
        where = self.problems.at(f"likelihoods.{name}") if name else f"--likelihood {table['class']}"
        options = dict(table)
        spec = options.pop("class", name)
        if name and not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise FitError(where, f"'{name}' is not a plug-in name", "use lower case, digits and '-'")
        cls = self._class("likelihood", spec, where, base)
        options |= _vintage(cls, options, self.as_of, where)
        likelihood = build(cls, options, where)
        for member in ("name", "reference", "needs", "predict", "log_likelihood"):
            if not hasattr(likelihood, member):
                remedy = "see 'globalfit new-likelihood' for what one looks like"
                raise FitError(where, f"class '{cls.__name__}' has no '{member}'", remedy)
        resolved = {"class": spec, **options_of(likelihood), "version": contract.version(likelihood)}
        if ":" in str(spec):
            resolved["class"] = str(spec).rpartition(":")[2]
            resolved["source"] = source_hash(cls)
        self.resolved["likelihoods"][likelihood.name] = resolved
        return cast("Likelihood", likelihood)

    def constraints(self) -> list[Constraint]:
        """Return the constraints."""
        tables = self.table.constraints.items()
        found = [self.problems.attempt(self._constraint, name, table) for name, table in tables]
        return [constraint for constraint in found if constraint is not None]

    def _constraint(self, name: str, table: Mapping[str, Any]) -> Constraint:
        where = self.problems.at(f"constraints.{name}")
        options = dict(table)
        cls = self._class("constraint", options.pop("class", name), where)
        constraint: Constraint = build(cls, options, where)
        self.resolved["constraints"][name] = {"class": cls.__name__, **options_of(constraint)}
        return constraint

    def prior(self, table: Mapping[str, Any], where: str) -> Prior:
        """Return the prior that ``{ shape = ..., ... }`` describes."""
        options = dict(table)
        shape = options.pop("shape", None)
        if not isinstance(shape, str):
            raise FitError(where, "'shape' is missing", "add shape = 'uniform', or see 'globalfit list'")
        prior: Prior = build(self._class("prior", shape, where), options, where)
        return prior

    def _class(self, kind: Kind, spec: object, where: str, base: Path | None = None) -> type[Any]:
        if not isinstance(spec, str):
            raise FitError(where, f"'class' = {spec!r} is not a string", "name a plug-in or 'file.py:Class'")
        try:
            if ":" in spec:
                return load_file(spec, base or self.problems.path.parent, where)
            return load(kind, spec)
        except GlobalfitError as error:
            place = where if not error.where or error.where == where else f"{where} {error.where}"
            raise FitError(place, error.problem, error.remedy) from error


def _vintage(
    cls: type[Any], options: Mapping[str, Any], as_of: datetime.date | None, where: str
) -> dict[str, str]:
    """Return {'measurement': name} of the newest measurement at `as_of`, if the class follows dates."""
    vintages: Mapping[str, datetime.date] = getattr(cls, "vintages", {})
    if as_of is None or not vintages or "measurement" in options:
        return {}
    known = {name: date for name, date in vintages.items() if date <= as_of}
    if not known:
        first = min(vintages, key=lambda name: vintages[name])
        raise FitError(
            where,
            f"has no measurement as of {as_of}; the first is '{first}' of {vintages[first]}",
            "choose a later date, or name a measurement",
        )
    return {"measurement": max(known, key=lambda name: known[name])}


def options_of(plugin: object) -> dict[str, Any]:
    """Return the dataclass fields of a plug-in in plain JSON types."""
    if not dataclasses.is_dataclass(plugin) or isinstance(plugin, type):
        return {}
    return {f.name: _json(getattr(plugin, f.name)) for f in dataclasses.fields(plugin) if f.init}


def _json(value: object) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_json(item) for item in value]
    if dataclasses.is_dataclass(value):
        return options_of(value)
    return str(value)
