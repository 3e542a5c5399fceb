"""The fit of a chain with one more likelihood."""

from __future__ import annotations

import datetime
from pathlib import Path

from globalfit.chains.chain import Chain
from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.fitfile import read_fit
from globalfit.likelihood import Likelihood
from globalfit.stored import stored_fit


def fit_of(chain: Chain, path: Path | None = None) -> Fit:
    """Return the fit that a chain was sampled from; see `globalfit.stored.stored_fit`."""
    return stored_fit(chain, path)


def with_experiment(
    chain: Chain, experiment: str, path: Path | None = None, before: Fit | None = None
) -> tuple[Fit, Likelihood]:
    """Return the fit of a chain with one more likelihood, and that likelihood.

    Parameters
    ----------
    chain, path
        See `fit_of`.
    experiment : str
        A plug-in's name or file.py:Class.
    before : Fit, optional
        The fit of the chain, if it has been put together already.

    Raises
    ------
    ChainError
        If the likelihood brings parameters of its own that the chain does not hold.
    FitErrors
        If it does not exist, needs what the model has not, or shares data with those of the chain.
    """
    before = before or fit_of(chain, path)  # refuses what is not to be run
    assert before.recipe is not None
    recipe = before.recipe
    fit = read_fit(
        path or chain.path.with_suffix(".toml"),
        recipe.text,
        (*recipe.likelihoods, experiment),
        datetime.date.fromisoformat(str(chain.attributes["as_of"])),
    )
    known = {row["name"] for row in chain.likelihoods}
    (likelihood,) = [each for name, each in fit.posterior.likelihoods.items() if name not in known]
    extra = [name for name in fit.posterior.space.names if name not in chain.names]
    if extra:
        problem = f"has a parameter '{extra[0]}' that the chain has not sampled"
        raise ChainError(likelihood.name, problem, "add it to the fit and sample")
    return fit, likelihood
