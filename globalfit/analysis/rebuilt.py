"""The fit of a chain, put together again from what the file says."""

from __future__ import annotations

import datetime
from pathlib import Path

from globalfit.chains.chain import Chain
from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.fitfile import read_fit
from globalfit.identity import differences
from globalfit.likelihood import Likelihood


def fit_of(chain: Chain, folder: Path | None = None) -> Fit:
    """Return the fit that a chain was sampled from.

    Parameters
    ----------
    chain : Chain
        A chain of `globalfit run`.
    folder : Path, optional
        Where loose plug-in files are looked for; the chain's folder by default.

    Raises
    ------
    ChainError
        If the file holds no fit, or plug-ins or data are no longer those of the chain.
    FitErrors
        If a plug-in is not there.
    """
    fit = _read(chain, (), folder)
    if more := _added(chain, fit):
        fit = _read(chain, more, folder)
    physics = {name: value for name, value in chain.resolved.items() if name != "sampler"}
    changed = differences(physics, {name: value for name, value in fit.resolved.items() if name != "sampler"})
    if changed:
        raise ChainError(
            str(chain.path),
            f"was sampled from another fit: {changed[0]}",
            "sample it again with what is there now",
        )
    return fit


def with_experiment(chain: Chain, experiment: str, folder: Path | None = None) -> tuple[Fit, Likelihood]:
    """Return the fit of a chain with one more likelihood, and that likelihood.

    Parameters
    ----------
    chain, folder
        See `fit_of`.
    experiment : str
        A plug-in's name or file.py:Class.

    Raises
    ------
    ChainError
        If the likelihood brings parameters of its own that the chain does not hold.
    FitErrors
        If it does not exist, needs what the model has not, or shares data with those of the chain.
    """
    fit = _read(chain, (*_added(chain, fit_of(chain, folder)), experiment), folder)
    known = {row["name"] for row in chain.likelihoods}
    (likelihood,) = [each for name, each in fit.posterior.likelihoods.items() if name not in known]
    extra = [name for name in fit.posterior.space.names if name not in chain.names]
    if extra:
        problem = f"has a parameter '{extra[0]}' that the chain has not sampled"
        raise ChainError(likelihood.name, problem, "add it to the fit and sample")
    return fit, likelihood


def _added(chain: Chain, fit: Fit) -> tuple[str, ...]:
    """Return the likelihoods that were given on the command line beside the fit file."""
    return tuple(row["name"] for row in chain.likelihoods if row["name"] not in fit.posterior.likelihoods)


def _read(chain: Chain, more: tuple[str, ...], folder: Path | None) -> Fit:
    if not chain.config:
        raise ChainError(str(chain.path), "does not say what was fitted", "use a file of 'globalfit run'")
    path = (folder or chain.path.parent) / f"{chain.path.stem}.toml"
    return read_fit(path, chain.config, more, datetime.date.fromisoformat(str(chain.attributes["as_of"])))
