"""Ln L of each experiment at the best point, without new physics and at its ideal, and the pulls there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit import likelihood as contract
from globalfit.arrays import Array, Columns, strict
from globalfit.chains.chain import Chain
from globalfit.errors import GlobalfitError
from globalfit.fit import Fit
from globalfit.likelihood import Likelihood, Prediction
from globalfit.null import Null, from_rows, null_log_likelihoods
from globalfit.posterior import Posterior

CLOSE = 1e-5  # to which ln L of the plug-ins has to reproduce what the chain stores


@dataclass(frozen=True)
class Pull:
    """An observable: the prediction, and by how many sigma prediction and data differ.

    Attributes
    ----------
    observable : str
    predicted : float or None
        At the best point; None for a spectrum.
    best, null : float or None
        (prediction - data)/sigma, theory errors included, at the best point and without new physics.
    """

    observable: str
    predicted: float | None
    best: float
    null: float | None


@dataclass(frozen=True)
class Experiment:
    """One experiment of a fit.

    Attributes
    ----------
    name : str
    best, mean : float
        Ln L at the best sample, and its posterior mean.
    null : float or None
        Ln L without new physics, its nuisance parameters at the medians of their priors.
    ideal : float or None
        The highest ln L of any prediction without theory error; None if the likelihood does not say.
    pulls : tuple of Pull
    reason : str
        Why there is no null.
    """

    name: str
    best: float
    mean: float
    null: float | None = None
    ideal: float | None = None
    pulls: tuple[Pull, ...] = ()
    reason: str = ""

    @property
    def gain(self) -> float | None:
        """Ln L at the best point minus ln L without new physics."""
        return None if self.null is None else self.best - self.null

    @property
    def ideal_gain(self) -> float | None:
        """What a perfect prediction would gain."""
        return None if self.null is None or self.ideal is None else self.ideal - self.null

    @property
    def share(self) -> float | None:
        """The share of the ideal gain that the best point has; None where there is nothing to gain."""
        if self.gain is None or self.ideal_gain is None or self.ideal_gain <= 0.5:
            return None
        return self.gain / self.ideal_gain

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        own = {key: getattr(self, key) for key in ("name", "best", "mean", "null", "ideal", "reason")}
        own |= {key: getattr(self, key) for key in ("gain", "ideal_gain", "share")}
        found: dict[str, Any] = strict(own | {"pulls": [dict(vars(each)) for each in self.pulls]})
        return found


@dataclass(frozen=True)
class BestPoint:
    """Every experiment of a chain at its best sample.

    Attributes
    ----------
    experiments : tuple of Experiment
    problem : str
        Why there are no ideals and pulls (of older chains: no nulls): the plug-ins are not here, or others.
    """

    experiments: tuple[Experiment, ...]
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"experiments": [each.to_dict() for each in self.experiments], "problem": self.problem}


def stored(chain: Chain, discard: int | None = None) -> tuple[Experiment, ...]:
    """Return what the chain file alone says: ln L at the best sample, its mean, and without new physics."""
    best = chain.best()
    names = [str(row["name"]) for row in chain.likelihoods]
    kept = {name: chain.get(f"ll_{name}", discard=discard, thin=chain.stride) for name in names}
    nulls = from_rows(chain.nulls)
    found = []
    for name in names:
        null = nulls.get(name, Null(None, None))
        mean = float(kept[name].mean())
        found.append(Experiment(name, best[f"ll_{name}"], mean, null.log_likelihood, reason=null.reason))
    return tuple(found)


def best_point(chain: Chain, fit: Fit | None = None, discard: int | None = None) -> BestPoint:
    """Return every experiment at the best sample of a chain.

    Parameters
    ----------
    chain : Chain
    fit : Fit, optional
        The fit it was sampled from. By default it is put together from the chain file; loose plug-in files
        are not run for that, and without the plug-ins of the chain only the stored ln L are returned, with
        the reason in `BestPoint.problem`.
    discard : int, optional
        Steps left out of the means.
    """
    known = stored(chain, discard)
    if not known:
        return BestPoint(())
    try:
        if fit is None:
            from globalfit.stored import stored_fit

            fit = stored_fit(chain)
        posterior = fit.posterior
        columns = columns_at(posterior, chain.best())
        point = posterior.point(dict(columns))
        nulls = null_log_likelihoods(posterior)
        found = []
        for each in known:
            likelihood = posterior.likelihoods[each.name]
            prediction = posterior.predict(likelihood, point)
            again = float(posterior.score(likelihood, prediction, point)[0])
            if abs(again - each.best) > CLOSE * max(1.0, abs(each.best)):
                problem = (
                    f"ln L of {each.name} at the best point is {again:.6g} now, {each.best:.6g} in the file"
                )
                return BestPoint(known, problem)
            found.append(_experiment(each, posterior, likelihood, columns, prediction, nulls[each.name]))
    except GlobalfitError as error:
        return BestPoint(known, str(error).splitlines()[0])
    return BestPoint(tuple(found))


def columns_at(posterior: Posterior, values: Mapping[str, float]) -> Columns:
    """Return all parameters (1,) at physical values of the sampled ones."""
    space = posterior.space
    sampled = {name: np.array([values[name]]) for name in space.names}
    fixed = {name: np.array([value]) for name, value in space.fixed.items()}
    return sampled | fixed | {name: (sampled | fixed)[other].copy() for name, other in space.tied.items()}


def null_prediction(posterior: Posterior, likelihood: Likelihood, columns: Columns) -> Prediction | None:
    """Return the prediction (1,) without new physics, nuisance parameters at the medians of their priors.

    None if there is none; all other parameters are as in `columns`.
    """
    space = posterior.space
    middle = space.columns(space.from_unit_cube(np.full((1, space.dim), 0.5)))
    columns = {**columns} | {name: middle[name] for name in nuisance_names(posterior) & middle.keys()}
    own = getattr(likelihood, "null", None)
    if own is not None:
        prediction: Prediction = own(posterior.point(dict(columns)))
        return prediction
    values = {k: v for k, v in getattr(posterior.model, "null", {}).items() if k in columns}
    reads = posterior.reads.get(likelihood.name)
    if not values or (reads is not None and not reads & set(values)):
        return None
    point = posterior.point({**columns, **{k: np.full_like(columns[k], v) for k, v in values.items()}})
    return posterior.predict(likelihood, point)


def pulls_of(likelihood: Likelihood, prediction: Prediction | None) -> dict[str, Array]:
    """Return {observable: (n,)} of a likelihood that offers pulls, else nothing."""
    offered = getattr(likelihood, "pulls", None)
    return {} if offered is None or prediction is None else dict(offered(prediction))


def paired(
    posterior: Posterior, likelihood: Likelihood, columns: Columns, prediction: Prediction
) -> tuple[Pull, ...]:
    """Return the pulls at one point beside those without new physics."""
    null = pulls_of(likelihood, null_prediction(posterior, likelihood, columns))
    return tuple(
        Pull(
            name, _scalar(prediction, name), float(values[0]), float(null[name][0]) if name in null else None
        )
        for name, values in pulls_of(likelihood, prediction).items()
    )


def _experiment(
    each: Experiment,
    posterior: Posterior,
    likelihood: Likelihood,
    columns: Columns,
    prediction: Prediction,
    null: Null,
) -> Experiment:
    ideal = getattr(likelihood, "ideal", None)
    return Experiment(
        each.name,
        each.best,
        each.mean,
        null.log_likelihood,
        None if ideal is None else float(ideal),
        paired(posterior, likelihood, columns, prediction),
        null.reason,
    )


def _scalar(prediction: Prediction, name: str) -> float | None:
    values = prediction.get(name.partition(" (")[0])
    if values is None or np.ndim(values) != 1 or not math.isfinite(values[0]):
        return None
    return float(values[0])


def nuisance_names(posterior: Posterior) -> set[str]:
    """Return the nuisance parameters of all likelihoods."""
    likelihoods = posterior.likelihoods.values()
    return {parameter.name for each in likelihoods for parameter in contract.nuisances(each)}
