"""Putting a fit together: its parameters, what reads them, its coordinates and its start, all checked."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias

import numpy as np

from globalfit import likelihood as contract
from globalfit.coordinates import Coordinate
from globalfit.errors import FitError, FitErrors, GlobalfitError, did_you_mean
from globalfit.fit import Fit
from globalfit.likelihood import Likelihood
from globalfit.model import Model, probe
from globalfit.one_point import OnePointAtATime, as_batched
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.plugins import PlugIns, options_of
from globalfit.posterior import Constraint, Posterior
from globalfit.problems import Problems
from globalfit.scope import check_limits, check_scope
from globalfit.settings import check_settings
from globalfit.tables import FitTable, ParameterTable
from globalfit.ties import check_ties
from globalfit.variants import option_that_adds

# What a fit says of a parameter: its prior, its value, or the parameter it equals.
Given: TypeAlias = Parameter | float | str


def assemble(
    path: Path, text: str, table: FitTable, more: Sequence[str] = (), as_of: datetime.date | None = None
) -> Fit:
    """Return the fit that a validated table describes.

    Parameters
    ----------
    path, text : Path, str
        The fit file and its content.
    table : FitTable
        The content, validated.
    more : sequence of str
        Likelihoods beside those of the table.
    as_of : datetime.date, optional
        Overrides the table's.

    Raises
    ------
    FitErrors
        With all problems together.
    """
    problems = Problems(path)
    as_of = as_of or table.data.as_of
    plugins = PlugIns(table, problems, as_of)
    model = problems.attempt(plugins.model)
    likelihoods = plugins.likelihoods(tuple(more))
    constraints = plugins.constraints()
    if model is None:
        raise FitErrors(problems.found)
    parameters = _Parameters(table, plugins, model, likelihoods, constraints)
    problems.stop()
    space = parameters.space()
    sampled = {parameter.name: parameter for parameter in space.sampled}
    remarks = check_scope(sampled, space.fixed, model.ranges, problems)
    if limits := getattr(model, "limits", None):
        remarks += check_limits(sampled, space.fixed, limits(space.fixed), problems)
    check_settings(table.sampler, space, problems)
    problems.stop()
    trial = model.point(space.columns(space.draw(3, np.random.default_rng(0))))
    batched = [as_batched(likelihood, trial) for likelihood in likelihoods]
    notes = [
        f"{model.name}: {note}"
        for name, note in getattr(model, "notes", {}).items()
        if name in parameters.given and name not in parameters.defaults
    ]
    slow = [
        f"{likelihood.name}: takes one point at a time, which is slow"
        for likelihood in batched
        if isinstance(likelihood, OnePointAtATime)
    ]
    resolved = plugins.resolved | {
        "parameters": parameters.resolved(),
        # a chain's columns and blobs stand in this order
        "order": {"sampled": list(space.names), "likelihoods": [each.name for each in likelihoods]},
        "sampler": table.sampler.model_dump(mode="json"),
    }
    return Fit(
        path=path,
        text=text,
        posterior=Posterior(space, model, batched, constraints),
        sampler=table.sampler,
        as_of=as_of or datetime.date.today(),
        resolved=resolved,
        defaults=parameters.defaults,
        warnings=(*notes, *remarks, *slow),
    )


class _Parameters:
    """The parameters of a fit: given by the file, or by a default; each read by something."""

    def __init__(
        self,
        table: FitTable,
        plugins: PlugIns,
        model: Model,
        likelihoods: Sequence[Likelihood],
        constraints: Sequence[Constraint],
    ) -> None:
        self.table, self.plugins, self.model, self.problems = table, plugins, model, plugins.problems
        self.known = {parameter.name: parameter for parameter in model.parameters}
        self.nuisances: dict[str, Parameter] = {}
        for likelihood in likelihoods:
            self._add_nuisances(likelihood)
        self.known |= self.nuisances
        self.given: dict[str, Given] = {}
        self.defaults: dict[str, str] = {}
        for name, entry in table.parameters.items():
            if name not in self.known:
                option = option_that_adds(model, name)
                remedy = f"set {option} in [model]" if option else did_you_mean(name, self.known)
                self.problems.refuse(self.problems.at("parameters"), f"unknown parameter '{name}'", remedy)
            elif (value := self.problems.attempt(self._given, self.known[name], entry)) is not None:
                self.given[name] = value
        self._check_use([*likelihoods, *constraints])
        check_ties(self.given, self.known, table.parameters, self.problems)

    def _add_nuisances(self, likelihood: Likelihood) -> None:
        where = self.plugins.places[likelihood.name]
        for parameter in contract.nuisances(likelihood):
            if parameter.name in self.known:
                problem = f"its nuisance parameter '{parameter.name}' is a parameter of '{self.model.name}'"
                self.problems.refuse(where, problem, "rename it in the likelihood")
            elif self.nuisances.get(parameter.name, parameter) != parameter:
                problem = f"its nuisance parameter '{parameter.name}' differs from another likelihood's"
                self.problems.refuse(where, problem, "rename it, or declare it alike in both")
            else:
                self.nuisances[parameter.name] = parameter

    def _given(self, declared: Parameter, entry: ParameterTable) -> Given:
        where = self.problems.at("parameters", declared.name)
        if entry.unit is not None and entry.unit != declared.unit:
            raise FitError(
                where,
                f"unit '{entry.unit}' given, but '{declared.name}' is in '{declared.unit}'",
                f"write its values in {declared.unit or 'no unit'}",
            )
        said = [key for key in ("prior", "fixed", "tied") if getattr(entry, key) is not None]
        if len(said) != 1:
            problem = f"both '{said[0]}' and '{said[1]}' are given" if said else "has neither prior nor value"
            raise FitError(where, problem, "give one of prior, fixed and tied")
        if entry.fixed is not None:
            return entry.fixed
        if entry.tied is not None:
            return entry.tied
        place = self.problems.at("parameters", declared.name, "prior")
        prior = self.plugins.prior(entry.prior or {}, place)
        value = getattr(prior, "value", None)
        return float(value) if value is not None else dataclasses.replace(declared, prior=prior)

    def _check_use(self, readers: Sequence[Likelihood | Constraint]) -> None:
        """Add defaults; refuse parameters that nothing reads, and readers that lack a parameter."""
        read = {reader.name: names for reader in readers if (names := self._read(reader)) is not None}
        used = {name for names in read.values() for name in names}
        used |= {other for other in self.given.values() if isinstance(other, str)}
        everything_known = len(read) == len(readers) and not self.problems.found
        if self.table.unused == "error" and everything_known:
            for name in self.given:
                if name not in used:
                    remedy = "remove it, or set unused = 'allow'"
                    place = self.problems.at("parameters", name)
                    self.problems.refuse(place, "nothing in this fit reads it", remedy)
        for name, parameter in self.known.items():
            idle = name in self.nuisances and name not in used
            if name in self.table.parameters or parameter.prior is None or idle:
                continue
            value = getattr(parameter.prior, "value", None)
            self.given[name] = parameter if value is None else float(value)
            self.defaults[name] = str(parameter.prior) if value is None else f"{value:g}"
        for reader, names in read.items():
            for name in sorted(names - set(self.given) - set(self.table.parameters)):
                problem = f"'{name}' is missing, which '{reader}' needs"
                place = self.problems.at("parameters")
                self.problems.refuse(place, problem, f"add [parameters.{name}]")

    def _read(self, reader: Likelihood | Constraint) -> set[str] | None:
        """Return the parameters that a likelihood or constraint reads."""
        own = {parameter.name for parameter in getattr(reader, "parameters", ())}
        for need in reader.needs:
            try:
                own |= probe(self.model, (need,), tuple(self.nuisances))[need]
            except GlobalfitError:
                every = (*self.known, *(quantity.name for quantity in self.model.derived))
                near = get_close_matches(need, every, n=1, cutoff=0.85)
                remedy = f"did you mean '{near[0]}'?" if near else "choose a model that has it"
                problem = f"reads '{need}', which model '{self.model.name}' does not have"
                self.problems.refuse(self.plugins.places[reader.name], problem, remedy)
                return None
        return own

    def space(self) -> ParameterSpace:
        """Return the parameter space, in the order of the file."""
        sampled = [value for value in self.given.values() if isinstance(value, Parameter)]
        fixed = {name: value for name, value in self.given.items() if isinstance(value, float)}
        tied = {name: value for name, value in self.given.items() if isinstance(value, str)}
        if not sampled:
            raise FitErrors([FitError(self.problems.at("parameters"), "none is sampled", "give one a prior")])
        try:
            return ParameterSpace(sampled, fixed, tied, self._coordinates())
        except GlobalfitError as error:
            where = error.where if "[" in error.where else self.problems.at("parameters", error.where)
            raise FitErrors([FitError(where, error.problem, error.remedy)]) from None

    def _coordinates(self) -> dict[str, Coordinate]:
        chosen: dict[str, Coordinate] = {}
        for name, choice in self.table.sampler.coordinates.items():
            where = self.problems.at("sampler", "coordinates")
            sampled = [each for each, value in self.given.items() if isinstance(value, Parameter)]
            if name not in sampled:
                remedy = "give it a prior" if name in self.given else did_you_mean(name, sampled)
                raise FitError(where, f"'{name}' is not sampled", remedy)
            offered = self.model.coordinates.get(name, {})
            if not offered:
                problem = f"model '{self.model.name}' offers no coordinate for '{name}'"
                raise FitError(where, problem, "remove it")
            if choice not in offered:
                problem = f"'{name}' has no coordinate '{choice}'"
                raise FitError(where, problem, did_you_mean(choice, offered))
            chosen[name] = offered[choice]
        return chosen

    def resolved(self) -> dict[str, object]:
        """Return {name: prior, value or tie} in plain JSON types."""
        found: dict[str, object] = {}
        for name, value in self.given.items():
            if isinstance(value, Parameter):
                found[name] = {"prior": {"shape": type(value.prior).__name__, **options_of(value.prior)}}
            else:
                found[name] = {"fixed" if isinstance(value, float) else "tied": value}
        return found
