"""Draws from a posterior, whether from a chain or from a tempered run, as columns by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from globalfit.analysis.pareto import DRAWS, quantiles
from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.chains.diagnostics import log_evidence
from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.posterior import Posterior

INTERVAL = np.array([0.15865525, 0.5, 0.84134475])  # median and central 68 %


@dataclass(frozen=True)
class Draws:
    """Draws (n,) of parameters in physical values and of every experiment's ln L.

    Attributes
    ----------
    values, log_likelihoods : mapping of str to (n,)
        By parameter, by likelihood.
    log_evidence, error_log_evidence : float or None
        If a tempered run made them, or if tempered runs were the starts of the chain.
    """

    values: Mapping[str, Array]
    log_likelihoods: Mapping[str, Array]
    log_evidence: float | None = None
    error_log_evidence: float | None = None

    @property
    def log_likelihood(self) -> Array:
        """Sum over the likelihoods (n,)."""
        return np.asarray(np.sum(list(self.log_likelihoods.values()), axis=0))

    def interval(self, name: str, weights: Array | None = None) -> Array:
        """Return (lower 68 %, median, upper 68 %) of a parameter."""
        values = self.values[name]
        weights = np.full(len(values), 1.0 / len(values)) if weights is None else weights
        return quantiles(values, weights, INTERVAL)


def of_chain(chain: Chain, most: int = DRAWS) -> Draws:
    """Return at most `most` evenly spaced kept draws of a chain.

    Raises
    ------
    ChainError
        If the chain holds no ln L of experiments, as a file of emcee does.
    """
    if not chain.likelihoods:
        raise ChainError(
            str(chain.path), "holds no ln L per experiment", "sample the fit with 'globalfit run'"
        )
    value, error = log_evidence(chain) or (None, None)
    return Draws(
        {name: column(chain, name, most) for name in chain.names},
        {row["name"]: column(chain, f"ll_{row['name']}", most) for row in chain.likelihoods},
        value,
        error,
    )


def column(chain: Chain, name: str, most: int = DRAWS) -> Array:
    """Return a stored quantity at the draws of `of_chain`."""
    values = chain.get(name)
    return np.asarray(values[np.linspace(0, len(values) - 1, min(len(values), most)).astype(int)])


def of_fit(fit: Fit, kept: Collection[str], seed: int, particles: int = 8000) -> Draws:
    """Sample the posterior of some of a fit's likelihoods by a tempered run.

    The parameters and constraints stay those of the fit; a parameter that only a left-out likelihood reads
    comes out as its prior.
    """
    from globalfit.sampling.tempered import (
        tempered_population,  # loads emcee, which readers of chains need not
    )

    whole = fit.posterior
    posterior = Posterior(
        whole.space, whole.model, [whole.likelihoods[name] for name in kept], whole.constraints
    )
    found = tempered_population(posterior, seed, particles=particles)
    physical = posterior.space.physical(found.coords)
    return Draws(
        {name: physical[:, i] for i, name in enumerate(posterior.space.names)},
        posterior.evaluate(found.coords).log_likelihoods,
        found.log_evidence,
        found.error_log_evidence,
    )
