from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from globalfit.fit import Fit
from globalfit.model import Point
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.posterior import Posterior
from globalfit.sampling.stopping import LOG_POSTERIOR, assess
from globalfit.tables import SamplerTable, TargetTable


class Plain:
    """A model whose points are its parameters."""

    name, reference, derived, coordinates, ranges = "plain", "none", (), {}, {}

    def __init__(self, names):
        self.parameters = tuple(Parameter(name) for name in names)

    def point(self, columns):
        return Point(columns, self.name)


class Density:
    """A ln density of x (n, dim) as a likelihood."""

    name, reference = "density", "none"

    def __init__(self, names, function):
        self.needs, self.function = tuple(names), function

    def predict(self, point):
        return {"x": np.column_stack([getattr(point, name) for name in self.needs])}

    def log_likelihood(self, prediction):
        return self.function(prediction["x"])


def make_posterior(priors, function=None, **more):
    names = [f"x{i}" for i in range(len(priors))]
    space = ParameterSpace([Parameter(n, prior=p) for n, p in zip(names, priors, strict=True)], **more)
    return Posterior(space, Plain(names), [Density(names, function)] if function else [])


class MemoryStore:
    """A chain in memory."""

    def __init__(self, fit):
        self.fit, self.states, self.seed, self.reasons = fit, {}, None, []
        self.ensembles = range(fit.sampler.ensembles)
        self.parts, self.populations = {k: [] for k in self.ensembles}, {}

    @property
    def blocks(self):
        (only,) = self.parts.values()
        return only

    @property
    def steps(self):
        return min((state.step for state in self.states.values()), default=0)

    def samples(self, ensemble=None):
        numbers = self.ensembles if ensemble is None else [ensemble]
        steps = self.steps if ensemble is None else None
        return np.hstack([self.one(k)[:steps] for k in numbers])

    def one(self, ensemble):
        log_prob = np.concatenate([b.log_prob for b in self.parts[ensemble]])
        return np.dstack([self.fit.posterior.space.scaled(self.values(ensemble)), log_prob])

    def values(self, ensemble=0):
        return np.concatenate([block.values for block in self.parts[ensemble]])

    def keep(self, population, seed, ensemble, seconds_left):
        self.populations[ensemble], self.seed = population, seed

    def begin(self, state, seed, ensemble=0):
        self.states[ensemble], self.seed = state, seed

    def append(self, block, state, ensemble=0):
        self.parts[ensemble].append(block)
        self.states[ensemble] = state

    def judge(self):
        walkers = [len(self.states[k].coords) for k in self.ensembles]
        names = (*self.fit.posterior.space.names, LOG_POSTERIOR)
        return assess(self.samples(), names, ensemble=np.repeat(np.arange(len(walkers)), walkers))

    def finish(self, reason):
        self.reasons.append(reason)


def make_fit(posterior, ess=1000, **sampler):
    settings = {"walkers": 64, "seed": 1, "start": "prior"} | sampler
    table = SamplerTable(target=TargetTable(ess=ess), **settings)
    priors = zip(posterior.space.names, posterior.space.priors, strict=True)
    resolved = {
        "sampler": table.model_dump(mode="json"),
        "parameters": {n: {"prior": {"shape": type(p).__name__} | asdict(p)} for n, p in priors},
        "likelihoods": {name: {"class": "density"} for name in posterior.likelihoods},
    }
    return Fit(Path("x.toml"), "", posterior, table, datetime.date(2025, 1, 1), resolved, {})


@pytest.fixture
def toy():
    """What the tests of sampling build with: posterior(priors, function), fit(posterior), store(fit)."""
    return SimpleNamespace(posterior=make_posterior, fit=make_fit, store=MemoryStore)
