"""The plug-ins a fit file names: found, given their options, dated, and checked against double counting."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import numpy as np

from globalfit import likelihood as contract
from globalfit.admission import PLUGIN_NAME, admit, require
from globalfit.errors import FitError, GlobalfitError
from globalfit.likelihood import Likelihood
from globalfit.model import Model
from globalfit.parameters import Prior
from globalfit.posterior import Constraint
from globalfit.problems import Problems
from globalfit.refusals import toml
from globalfit.registry import Kind, load, load_file, names, source_hash
from globalfit.tables import FitTable, build


class PlugIns:
    """Makes the plug-ins of a fit file; `resolved` says in plain JSON what they became."""

    def __init__(self, table: FitTable, problems: Problems, as_of: datetime.date | None) -> None:
        self.table, self.problems, self.as_of = table, problems, as_of
        self.resolved: dict[str, Any] = {"model": {}, "likelihoods": {}, "constraints": {}}
        self.places: dict[str, str] = {}  # where each likelihood or constraint is named

    def model(self) -> Model:
        """Return the model with its options."""
        options = dict(self.table.model)
        where = self.problems.at("model")
        if "name" not in options:
            raise FitError(where, "'name' is missing", "add name = 't3r-muon', or see 'globalfit list'")
        name = options.pop("name")
        if not isinstance(name, str):
            raise FitError(where, f"'name' = {toml(name)} is not a string", "put the model's name in quotes")
        model: Model = build(self._class("model", name, where), options, where)
        require(model, "model", where)
        self.resolved["model"] = {"name": name, **options_of(model)}
        return model

    def likelihoods(self, more: tuple[str, ...]) -> list[Likelihood]:
        """Return the likelihoods of the file and `more`, plug-in names or ``file.py:Class``."""
        attempt, at = self.problems.attempt, self.problems.at
        wanted: list[tuple[str, Mapping[str, Any], str, Path | None]] = [
            (name, table, at("likelihoods", name), None) for name, table in self.table.likelihoods.items()
        ]
        for spec in more:
            wanted.append(("", {"class": spec}, f"--likelihood {spec}", Path.cwd()))
        likelihoods: list[Likelihood] = []
        for each in wanted:
            likelihood = attempt(self._likelihood, *each)
            if likelihood is not None and attempt(self._count_once, likelihood, each[2], likelihoods):
                likelihoods.append(likelihood)
        if not wanted:
            remedy = "add [likelihoods.muon-g2], or see 'globalfit list'"
            self.problems.refuse(at("likelihoods"), "there is none", remedy)
        return likelihoods

    def _count_once(self, likelihood: Likelihood, where: str, others: list[Likelihood]) -> bool:
        """Refuse a likelihood that uses data one of `others` uses; otherwise note where it is named."""
        for other in others:
            if other.name == likelihood.name:
                problem = f"likelihood '{other.name}' stands twice in the fit"
                raise FitError(where, problem, "remove one: its data must not count twice")
            for data in contract.data_ids(likelihood):
                if data in contract.data_ids(other):
                    problem = f"uses the data '{data}' that '{other.name}' uses"
                    raise FitError(where, problem, "remove one of the two: data must not count twice")
        self.places[likelihood.name] = where
        return True

    def _likelihood(self, name: str, table: Mapping[str, Any], where: str, base: Path | None) -> Likelihood:
        options = dict(table)
        spec = options.pop("class", name)
        if name and not re.fullmatch(PLUGIN_NAME, name):
            near = get_close_matches(name.lower(), names("likelihood"), n=1)
            remedy = f"did you mean '{near[0]}'?" if near else "use lower case, digits and '-'"
            raise FitError(where, f"'{name}' is not a plug-in name", remedy)
        cls = self._class("likelihood", spec, where, base)
        options |= _vintage(cls, options, self.as_of, where)
        likelihood = build(cls, options, where)
        admit(likelihood, names("likelihood") if ":" in spec else (), where)
        resolved = {"class": spec, **options_of(likelihood), "version": contract.version(likelihood)}
        if ":" in spec:
            resolved["class"] = spec.rpartition(":")[2]
            resolved["source"] = source_hash(cls)
        self.resolved["likelihoods"][likelihood.name] = resolved
        return cast("Likelihood", likelihood)

    def constraints(self) -> list[Constraint]:
        """Return the constraints."""
        tables = self.table.constraints.items()
        found = [self.problems.attempt(self._constraint, name, table) for name, table in tables]
        return [constraint for constraint in found if constraint is not None]

    def _constraint(self, name: str, table: Mapping[str, Any]) -> Constraint:
        where = self.problems.at("constraints", name)
        options = dict(table)
        cls = self._class("constraint", options.pop("class", name), where)
        constraint: Constraint = build(cls, options, where)
        require(constraint, "constraint", where)
        self.places[constraint.name] = where
        self.resolved["constraints"][name] = {"class": cls.__name__, **options_of(constraint)}
        return constraint

    def prior(self, table: Mapping[str, Any], where: str) -> Prior:
        """Return the prior that ``{ shape = ..., ... }`` describes."""
        options = dict(table)
        if "shape" not in options:
            raise FitError(where, "'shape' is missing", "add shape = 'uniform', or see 'globalfit list'")
        shape = options.pop("shape")
        if not isinstance(shape, str):
            raise FitError(
                where, f"'shape' = {toml(shape)} is not a string", "put the shape's name in quotes"
            )
        prior: Prior = build(self._class("prior", shape, where), options, where)
        require(prior, "prior", where)
        return prior

    def _class(self, kind: Kind, spec: object, where: str, base: Path | None = None) -> type[Any]:
        if not isinstance(spec, str):
            raise FitError(
                where, f"'class' = {toml(spec)} is not a string", "name a plug-in or 'file.py:Class'"
            )
        try:
            if ":" in spec or ".py" in spec:
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
    if not vintages:
        return {}
    if "measurement" not in getattr(cls, "__dataclass_fields__", {}):
        problem = f"class '{cls.__name__}' has 'vintages' but no field 'measurement'"
        raise FitError(where, problem, "add one of type str, with the newest as default")
    if not all(isinstance(date, datetime.date) for date in vintages.values()):
        problem = f"'vintages' of class '{cls.__name__}' holds values that are not dates"
        raise FitError(where, problem, "write {'name': date(2020, 1, 1)}")
    if as_of is None or "measurement" in options:
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
