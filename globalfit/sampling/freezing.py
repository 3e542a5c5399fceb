"""Sources of proposals fitted to a population: those of its own moves, and the frozen ones of a chain."""

from __future__ import annotations

import numpy as np

from globalfit.posterior import Posterior
from globalfit.sampling.blocks import Component, Index, blocks
from globalfit.sampling.mixture_fit import follow
from globalfit.sampling.population import Population
from globalfit.sampling.proposal import Proposal
from globalfit.sampling.trial import Cloud
from globalfit.sampling.tries import Source, source

ROUNDS = 8  # that refine the mixture of a chain


def fitted(
    cloud: Cloud, component: Component, some: Index, rng: np.random.Generator, rounds: int, beta: float = 1.0
) -> Source:
    """Return a source of proposals for a component that follows some points of a cloud at `beta`."""
    x = cloud.coords[np.ix_(some, component.parameters)]
    log_prior, log_likelihoods = cloud.log_prior[some], cloud.log_likelihoods[some]
    density = log_prior + beta * log_likelihoods[:, component.likelihoods].sum(axis=1)
    return source(follow(x, density, rng, rounds), x, log_prior, log_likelihoods, component.cheap, beta)


def frozen_proposal(posterior: Posterior, population: Population) -> Proposal:
    """Return sources that follow a finished population, one for each component of the posterior."""
    names, every = posterior.space.names, np.arange(len(population.coords))
    cloud = Cloud(population.coords, population.log_prior, population.log_likelihoods)
    found = []
    for component in blocks(posterior).components:
        its = tuple(names[i] for i in component.parameters)
        found.append((its, fitted(cloud, component, every, np.random.default_rng(0), ROUNDS)))
    return Proposal(tuple(found))
