"""Putting a fit together: plug-ins, vintages, parameters and what reads them, all checked."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from globalfit import likelihood as contract
from globalfit.coordinates import Coordinate
from globalfit.errors import FitError, FitErrors, GlobalfitError, did_you_mean
from globalfit.fit import Fit
from globalfit.likelihood import Likelihood
from globalfit.model import Model, probe
from globalfit.one_point import OnePointAtATime, as_batched
from globalfit.parameters import Parameter, ParameterSpace, Prior
from globalfit.posterior import Constraint, Posterior
from globalfit.registry import Kind, load, load_file, source_hash
from globalfit.tables import FitTable, ParameterTable, build

T = TypeVar("T")


class Assembly:
    """One fit file on its way to a Fit; problems are collected and raised together at the end."""

    def __init__(
        self,
        path: Path,
        text: str,
        table: FitTable,
        more_likelihoods: tuple[str, ...],
        as_of: datetime.date | None,
    ) -> None:
        self.path, self.text, self.table, self.more = path, text, table, more_likelihoods
        self.as_of = as_of or table.data.as_of
        self.problems: list[GlobalfitError] = []
        self.resolved: dict[str, Any] = {}
        self.warnings: list[str] = []

    def fit(self) -> Fit:
        """Return the fit, or raise all problems together."""
        model = self._try(self._model)
        likelihoods = self._likelihoods()
        constraints = self._constraints()
        if model is not None:
            given = self._given(model, likelihoods)
            self._stop_if_wrong()
            space, defaults = self._space(model, likelihoods, constraints, given)
            self._stop_if_wrong()
            return self._fit(model, likelihoods, constraints, cast("ParameterSpace", space), defaults)
        raise FitErrors(self.problems)

    # -- plug-ins -----------------------------------------------------------------------------------------

    def _model(self) -> Model:
        options = dict(self.table.model)
        where = self._at("model")
        if "name" not in options:
            raise FitError(where, "'name' is missing", "add name = 't3r-muon', or see 'globalfit list'")
        name = options.pop("name")
        if not isinstance(name, str):
            raise FitError(where, f"'name' = {name!r} is not a string", "quote the model's name")
        model: Model = build(self._class("model", name, where), options, where)
        self.resolved["model"] = {"name": name, **_options(model)}
        self.warnings += [f"{name}: {note}" for note in getattr(model, "notes", ())]
        return model

    def _likelihoods(self) -> list[Likelihood]:
        tables = {**self.table.likelihoods, **{name: {} for name in self.more if ":" not in name}}
        found = [self._try(self._likelihood, name, table) for name, table in tables.items()]
        for spec in self.more:
            if ":" in spec:
                found.append(self._try(self._likelihood, "", {"class": spec}, Path.cwd()))
        likelihoods = [likelihood for likelihood in found if likelihood is not None]
        if not tables and not self.more:
            self._refuse("likelihoods", "there is none", "add [likelihoods.muon-g2], or see 'globalfit list'")
        owner: dict[str, str] = {}
        for likelihood in likelihoods:
            for data in contract.data_ids(likelihood):
                if data in owner:
                    self._refuse(
                        f"likelihoods.{likelihood.name}",
                        f"uses the data '{data}' that '{owner[data]}' uses",
                        "data must not count twice; remove one of the two",
                    )
                owner[data] = likelihood.name
        return likelihoods

    def _likelihood(self, name: str, table: Mapping[str, Any], base: Path | None = None) -> Likelihood:
        where = self._at(f"likelihoods.{name}") if name else f"--likelihood {table['class']}"
        options = dict(table)
        spec = options.pop("class", name)
        if name and not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise FitError(where, f"'{name}' is not a plug-in name", "use lower case, digits and '-'")
        cls = self._class("likelihood", spec, where, base)
        chosen = _vintage(cls, options, self.as_of, where)
        likelihood = build(cls, options | chosen, where)
        for member in ("name", "needs", "predict", "log_likelihood"):
            if not hasattr(likelihood, member):
                raise FitError(
                    where, f"class '{cls.__name__}' has no '{member}'", "see 'globalfit new-likelihood'"
                )
        resolved = {"class": spec, **_options(likelihood), "version": contract.version(likelihood)}
        if ":" in str(spec):
            resolved["source"] = source_hash(cls)
        self.resolved.setdefault("likelihoods", {})[likelihood.name] = resolved
        return cast("Likelihood", likelihood)

    def _constraints(self) -> list[Constraint]:
        def one(name: str, table: Mapping[str, Any]) -> Constraint:
            where = self._at(f"constraints.{name}")
            options = dict(table)
            cls = self._class("constraint", options.pop("class", name), where)
            constraint: Constraint = build(cls, options, where)
            self.resolved.setdefault("constraints", {})[name] = {
                "class": cls.__name__,
                **_options(constraint),
            }
            return constraint

        found = [self._try(one, name, table) for name, table in self.table.constraints.items()]
        return [constraint for constraint in found if constraint is not None]

    def _class(self, kind: Kind, spec: object, where: str, base: Path | None = None) -> type[Any]:
        if not isinstance(spec, str):
            raise FitError(where, f"'class' = {spec!r} is not a string", "name a plug-in or 'file.py:Class'")
        try:
            if ":" in spec:
                return load_file(spec, base or self.path.parent, where)
            return load(kind, spec)
        except GlobalfitError as error:
            raise FitError(error.where or where, error.problem, error.remedy) from error

    # -- parameters ---------------------------------------------------------------------------------------

    def _given(self, model: Model, likelihoods: list[Likelihood]) -> dict[str, Parameter | float | str]:
        """Return what the file says of each parameter: a prior, a value, or another's name."""
        known = {parameter.name: parameter for parameter in model.parameters}
        for likelihood in likelihoods:
            known |= {parameter.name: parameter for parameter in contract.nuisances(likelihood)}
        self.known = known
        given: dict[str, Parameter | float | str] = {}
        for name, table in self.table.parameters.items():
            if name not in known:
                self._refuse("parameters", f"unknown parameter '{name}'", did_you_mean(name, known))
                continue
            value = self._try(self._parameter, known[name], table)
            if value is not None:
                given[name] = value
        return given

    def _parameter(self, declared: Parameter, table: ParameterTable) -> Parameter | float | str:
        where = self._at(f"parameters.{declared.name}")
        if table.unit is not None and table.unit != declared.unit:
            raise FitError(
                where,
                f"unit '{table.unit}' given, but '{declared.name}' is in '{declared.unit}'",
                f"write its values in {declared.unit or 'no unit'}",
            )
        said = [key for key in ("prior", "fixed", "tied") if getattr(table, key) is not None]
        if len(said) != 1:
            problem = f"both '{said[0]}' and '{said[1]}' are given" if said else "says nothing"
            raise FitError(where, problem, "give one of prior, fixed and tied")
        if table.fixed is not None:
            return table.fixed
        if table.tied is not None:
            return table.tied
        prior = self._prior(dict(table.prior or {}), f"{where[:-1]}.prior]")
        value = getattr(prior, "value", None)
        return float(value) if value is not None else dataclasses.replace(declared, prior=prior)

    def _prior(self, options: dict[str, Any], where: str) -> Prior:
        shape = options.pop("shape", None)
        if not isinstance(shape, str):
            raise FitError(where, "'shape' is missing", "add shape = 'uniform', or see 'globalfit list'")
        prior: Prior = build(self._class("prior", shape, where), options, where)
        return prior

    def _space(
        self,
        model: Model,
        likelihoods: list[Likelihood],
        constraints: list[Constraint],
        given: dict[str, Parameter | float | str],
    ) -> tuple[ParameterSpace | None, dict[str, str]]:
        read = self._read(model, likelihoods, constraints)
        used = {name for names in read.values() for name in names}
        used |= {other for other in given.values() if isinstance(other, str)}
        if self.table.unused == "error":
            for name in given:
                if name not in used:
                    self._refuse(
                        f"parameters.{name}",
                        "nothing in this fit reads it",
                        "remove it, or set unused = 'allow'",
                    )
        defaults: dict[str, str] = {}
        for name, parameter in self.known.items():
            nuisance_unread = name not in used and parameter not in model.parameters
            if name in given or parameter.prior is None or nuisance_unread:
                continue
            value = getattr(parameter.prior, "value", None)
            given[name] = parameter if value is None else float(value)
            defaults[name] = str(parameter.prior) if value is None else f"{value:g}"
        for reader, names in read.items():
            for name in sorted(names - set(given)):
                self._refuse(
                    "parameters", f"'{name}' is missing, which '{reader}' needs", f"add [parameters.{name}]"
                )
        space = self._try(self._make_space, model, given)
        if space is not None and space.dim == 0:
            self._refuse("parameters", "none is sampled", "give at least one a prior")
        return space, defaults

    def _make_space(self, model: Model, given: dict[str, Parameter | float | str]) -> ParameterSpace:
        sampled = [value for value in given.values() if isinstance(value, Parameter)]
        fixed = {name: value for name, value in given.items() if isinstance(value, float)}
        tied = {name: value for name, value in given.items() if isinstance(value, str)}
        coordinates: dict[str, Coordinate] = {}
        for name, choice in self.table.sampler.coordinates.items():
            offered = model.coordinates.get(name, {})
            if choice not in offered:
                where = self._at("sampler.coordinates")
                raise FitError(where, f"'{name}' has no coordinate '{choice}'", did_you_mean(choice, offered))
            coordinates[name] = offered[choice]
        self.resolved["parameters"] = {
            **{p.name: {"prior": _described(p.prior)} for p in sampled},
            **{name: {"fixed": value} for name, value in fixed.items()},
            **{name: {"tied": other} for name, other in tied.items()},
        }
        try:
            return ParameterSpace(sampled, fixed, tied, coordinates)
        except GlobalfitError as error:
            raise FitError(self._at(f"parameters.{error.where}"), error.problem, error.remedy) from None

    def _read(
        self, model: Model, likelihoods: list[Likelihood], constraints: list[Constraint]
    ) -> dict[str, set[str]]:
        """Return the parameters that each likelihood and constraint reads."""
        extra = tuple(name for name in self.known if name not in {p.name for p in model.parameters})
        read: dict[str, set[str]] = {}
        readers: list[Likelihood | Constraint] = [*likelihoods, *constraints]
        for reader in readers:
            try:
                found = probe(model, tuple(reader.needs), extra)
            except GlobalfitError as error:
                self.problems.append(
                    FitError(str(self.path), f"'{reader.name}' cannot be used: {error.where} {error.problem}")
                )
                continue
            names = {name for names in found.values() for name in names}
            read[reader.name] = names | {p.name for p in getattr(reader, "parameters", ())}
        return read

    # -- the whole ----------------------------------------------------------------------------------------

    def _fit(
        self,
        model: Model,
        likelihoods: list[Likelihood],
        constraints: list[Constraint],
        space: ParameterSpace,
        defaults: dict[str, str],
    ) -> Fit:
        settings = self.table.sampler
        if settings.walkers % 2:
            self._refuse("sampler", f"'walkers' = {settings.walkers} is odd", "give an even number")
        elif settings.walkers < 2 * space.dim:
            self._refuse(
                "sampler",
                f"'walkers' = {settings.walkers} is too few for {space.dim} sampled parameters",
                f"give at least {2 * space.dim}",
            )
        self._start_point(space)
        self._stop_if_wrong()
        trial = model.point(space.columns(space.draw(3, np.random.default_rng(0))))
        batched = [as_batched(likelihood, trial) for likelihood in likelihoods]
        for likelihood in batched:
            if isinstance(likelihood, OnePointAtATime):
                self.warnings.append(f"{likelihood.name}: takes one point at a time, which is slow")
        self.resolved["sampler"] = settings.model_dump(mode="json")
        return Fit(
            path=self.path,
            text=self.text,
            posterior=Posterior(space, model, batched, constraints),
            sampler=settings,
            as_of=self.as_of or datetime.date.today(),
            resolved=self.resolved,
            defaults=defaults,
            warnings=tuple(self.warnings),
        )

    def _start_point(self, space: ParameterSpace) -> None:
        settings = self.table.sampler
        if settings.start == "prior":
            if settings.point:
                self._refuse("sampler", "'point' is given, but start = 'prior'", "set start = 'point'")
            return
        for name in settings.point:
            if name not in space.names:
                self._refuse("sampler.point", f"'{name}' is not sampled", did_you_mean(name, space.names))
        missing = [name for name in space.names if name not in settings.point]
        if missing:
            self._refuse("sampler.point", f"'{missing[0]}' is missing", "name every sampled parameter")
            return
        for name, prior in zip(space.names, space.priors, strict=True):
            value = settings.point[name]
            if not prior.log_density(np.array([value]))[0] > -np.inf:
                self._refuse("sampler.point", f"'{name}' = {value:g} is outside its prior", "move it inside")

    def _at(self, table: str) -> str:
        return f"{self.path} [{table}]"

    def _refuse(self, table: str, problem: str, remedy: str) -> None:
        self.problems.append(FitError(self._at(table), problem, remedy))

    def _try(self, work: Callable[..., T], *arguments: Any) -> T | None:
        try:
            return work(*arguments)
        except FitErrors as errors:
            self.problems += errors.problems
        except GlobalfitError as error:
            self.problems.append(error)
        return None

    def _stop_if_wrong(self) -> None:
        if self.problems:
            raise FitErrors(self.problems)


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


def _options(plugin: object) -> dict[str, Any]:
    """Return the dataclass fields of a plug-in in plain JSON types."""
    if not dataclasses.is_dataclass(plugin) or isinstance(plugin, type):
        return {}
    return {f.name: _json(getattr(plugin, f.name)) for f in dataclasses.fields(plugin) if f.init}


def _described(prior: Prior | None) -> dict[str, Any]:
    return {"shape": type(prior).__name__, **_options(prior)}


def _json(value: object) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_json(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _options(value)
    return str(value)
