"""The null: ln L of each experiment without new physics, what a Bayes factor against it is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit import likelihood as contract
from globalfit.arrays import Array
from globalfit.likelihood import Likelihood
from globalfit.model import probe
from globalfit.one_point import OnePointAtATime
from globalfit.posterior import Posterior

DRAWS = 4096  # of the nuisance parameters' priors
SAME = 1e-6  # ln L at the null may vary so much with the parameters it should not depend on


@dataclass(frozen=True)
class Null:
    """One likelihood at the null.

    Attributes
    ----------
    log_likelihood : float or None
        With the likelihood's nuisance parameters at the medians of their priors; None if it has no null.
    log_evidence : float or None
        ln of the mean likelihood over these priors: what to compare an evidence with. Nuisance parameters
        that two likelihoods share are averaged over in each by itself.
    reason : str
        Why there is none.
    """

    log_likelihood: float | None
    log_evidence: float | None
    reason: str = ""


def null_log_likelihoods(posterior: Posterior, *, draws: int = DRAWS, seed: int = 0) -> dict[str, Null]:
    """Return {likelihood: ln L without new physics}.

    A likelihood's own `null` is used, else the parameter values in `Model.null` where it reads one of them.

    Parameters
    ----------
    posterior : Posterior
    draws, seed : int
        Draws of nuisance parameters for `Null.log_evidence`.

    Raises
    ------
    LikelihoodError
        If a likelihood breaks its contract at the null.
    """
    space = posterior.space
    theta = space.draw(draws, np.random.default_rng(seed))
    theta = theta[np.isfinite(theta).all(axis=1)]
    columns = space.columns(np.concatenate([space.from_unit_cube(np.full((1, space.dim), 0.5)), theta]))
    return {name: _null(posterior, likelihood, columns) for name, likelihood in posterior.likelihoods.items()}


def to_rows(nulls: dict[str, Null]) -> list[dict[str, Any]]:
    """Return nulls as rows of a table, nan where there is none."""
    return [
        {
            "name": name,
            "log_likelihood": math.nan if each.log_likelihood is None else each.log_likelihood,
            "log_evidence": math.nan if each.log_evidence is None else each.log_evidence,
            "reason": each.reason,
        }
        for name, each in nulls.items()
    ]


def from_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Null]:
    """Return the nulls that `to_rows` wrote; nothing for a chain that does not store them."""

    def number(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    return {
        row["name"]: Null(number(row["log_likelihood"]), number(row["log_evidence"]), row["reason"])
        for row in rows
    }


def null_evidence(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return ln Z without new physics of all experiments of a chain; None unless each has a null."""
    found = [null.log_evidence for null in from_rows(rows).values()]
    return sum(each for each in found if each is not None) if found and None not in found else None


def _null(posterior: Posterior, likelihood: Likelihood, columns: dict[str, Array]) -> Null:
    model = posterior.model
    own = tuple(parameter.name for parameter in contract.nuisances(likelihood))
    varied = [name for name in own if name in posterior.space.names]
    if not varied:
        columns = {name: values[:64] for name, values in columns.items()}
    given = {k: np.full_like(columns[k], v) for k, v in getattr(model, "null", {}).items() if k in columns}
    null = None if isinstance(likelihood, OnePointAtATime) else getattr(likelihood, "null", None)
    if null is not None:
        point = posterior.point(dict(columns))
        ln_l = posterior.score(likelihood, null(point), point)
    elif given and set().union(*probe(model, tuple(likelihood.needs), own).values()) & set(given):
        point = posterior.point({**columns, **given})
        ln_l = posterior.score(likelihood, posterior.predict(likelihood, point), point)
    else:
        return Null(None, None, f"it has no 'null', and model '{model.name}' none for what it reads")
    if not varied:
        if not np.ptp(ln_l[ln_l > -math.inf]) <= SAME if (ln_l > -math.inf).any() else False:
            return Null(None, None, "its ln L at the null depends on parameters that are no nuisances")
        return Null(float(ln_l[0]), float(ln_l[0]))
    top = ln_l[1:].max()
    mean = float(top + np.log(np.mean(np.exp(ln_l[1:] - top)))) if top > -math.inf else -math.inf
    return Null(float(ln_l[0]), mean)
