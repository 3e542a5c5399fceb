"""Toys: a model whose points are its parameters, and likelihoods of closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

from globalfit.model import Point
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.posterior import Posterior
from globalfit.statistics import gaussian, poisson


class Plain:
    """A model whose points are its parameters."""

    name = reference = "plain"
    parameters = derived = ()
    ranges = coordinates = MappingProxyType({})

    def point(self, columns):
        return Point(columns, self.name)


class Density:
    """A ln density of x (n, dim) as a likelihood."""

    reference = "none"

    def __init__(self, needs, function, name="density"):
        self.needs, self.function, self.name = tuple(needs), function, name

    def predict(self, point):
        return {f"x_{self.name}": np.column_stack([getattr(point, each) for each in self.needs])}

    def log_likelihood(self, prediction):
        return self.function(prediction[f"x_{self.name}"])


def space(priors, **more):
    return ParameterSpace([Parameter(name, prior=prior) for name, prior in priors.items()], **more)


def posterior(priors, function, constraints=()):
    return Posterior(space(priors), Plain(), [Density(priors, function)], constraints)


@dataclass(frozen=True)
class Moment:
    """A coupling over a mass, squared: like a magnetic moment."""

    observed: float = 1.0
    error: float = 0.3
    shift: float = 0.0

    name, reference, needs = "moment", "toy", ("g", "m")

    def predict(self, point):
        return {"moment": (point.g / point.m) ** 2 + self.shift * self.error}

    def log_likelihood(self, prediction):
        return gaussian(self.observed, prediction["moment"], self.error)

    def simulate(self, prediction, rng):
        return replace(self, observed=float(rng.normal(prediction["moment"][0], self.error)))

    def null(self, point):
        return {"moment": np.zeros(point.n)}


@dataclass(frozen=True)
class Count:
    """An excess that grows with the coupling, over a background."""

    observed: int = 8
    background: float = 5.0

    name, reference, needs = "count", "toy", ("g",)

    def predict(self, point):
        return {"events": 6.0 * point.g**2 + self.background}

    def log_likelihood(self, prediction):
        return poisson(self.observed, prediction["events"])

    def simulate(self, prediction, rng):
        return replace(self, observed=int(rng.poisson(prediction["events"][0])))


@dataclass(frozen=True)
class Band:
    """A band in the logarithm of g^2 / m: like a relic density."""

    observed: float = 0.0
    error: float = 0.4

    name, reference, needs = "band", "toy", ("g", "m")

    def predict(self, point):
        return {"abundance": 2.0 * np.log(point.g) - np.log(point.m)}

    def log_likelihood(self, prediction):
        return gaussian(self.observed, prediction["abundance"], self.error)

    def simulate(self, prediction, rng):
        return replace(self, observed=float(rng.normal(prediction["abundance"][0], self.error)))


@pytest.fixture(scope="session")
def toy():
    """What the tests of inference build with."""
    return SimpleNamespace(
        Plain=Plain, Density=Density, space=space, posterior=posterior, Moment=Moment, Count=Count, Band=Band
    )
