"""Independent proposals of a step, drawn from a mixture and evaluated together: fewer, larger calls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.posterior import Posterior
from globalfit.sampling.blocks import Component, Index
from globalfit.sampling.mixture import Mixture
from globalfit.sampling.trial import Cloud, Trial

COMMON = 0.1  # share of a population whose weight by the cheap likelihoods is below `Source.common`


@dataclass(frozen=True)
class Source:
    """Where independent proposals of a component come from.

    Attributes
    ----------
    mixture : Mixture
    common : float
        ln weight, by prior, cheap likelihoods and mixture, that most points of the posterior have. A proposal
        with less is judged by that before its costly likelihoods are evaluated; one with more is not.
    """

    mixture: Mixture
    common: float = math.inf


def source(
    mixture: Mixture, coords: Array, log_prior: Array, log_likelihoods: Array, cheap: Index, beta: float = 1.0
) -> Source:
    """Return a source for points `coords` (n, k) with these densities; `cheap` are places of likelihoods."""
    weight = log_prior + beta * log_likelihoods[:, cheap].sum(axis=1) - mixture.log_density(coords)
    return Source(mixture, float(np.quantile(weight, COMMON)))


def attempt(
    posterior: Posterior,
    component: Component,
    cloud: Cloud,
    here: Index,
    source: Source,
    tries: int,
    random: np.random.RandomState,
    *,
    beta: float = 1.0,
) -> Mask:
    """Make `tries` independent Metropolis-Hastings updates of a component at points `here` (m,) of a cloud.

    A proposal takes two verdicts, min(1, r) each with r(x, y) = 1/r(y, x), as in `trial.decide`. With w the
    density by cheap likelihoods alone over that of the mixture, the first is of min(w, c), the second of all
    the rest. So costly likelihoods are spared what can hardly be accepted, and nothing is lost elsewhere.
    Verdicts on w and then on the costly ones would lose much: the mixture follows their product, not w.

    Proposals do not depend on where a point is: all are drawn and evaluated first, then their verdicts follow
    one after the other. Costly likelihoods are spared what the first verdict refuses from wherever the point
    may then be.

    Returns
    -------
    (m,)
        Whether the point moved.
    """
    n, columns, mixture = len(here), component.parameters, source.mixture
    proposed = np.tile(cloud.coords[here], (tries, 1))
    proposed[:, columns] = mixture.draw(tries * n, random)
    chance = np.log1p(-random.random_sample((2, tries, n)))
    trial, names = Trial(posterior, proposed), list(posterior.likelihoods)
    asked = np.flatnonzero(trial.log_prior > -np.inf)
    found = np.tile(cloud.log_likelihoods[here], (tries, 1))
    now = _split(
        cloud.log_prior[here] - mixture.log_density(cloud.coords[np.ix_(here, columns)]),
        beta * cloud.log_likelihoods[here], component, source.common,
    )  # fmt: skip
    there = np.full((2, tries * n), -np.inf)
    if len(asked):
        for k in component.cheap:
            found[asked, k] = trial.log_likelihood(names[k], asked)
        weight = trial.log_prior[asked] - mixture.log_density(proposed[np.ix_(asked, columns)])
        there[0, asked] = _split(weight, beta * found[asked], component, source.common)[0]
        first = there[0].reshape(tries, n)
        # The place that a proposal is easiest accepted from: where the point is, or a proposal before it.
        possible = np.vstack([now[:1], np.where(first > -np.inf, first, np.inf)])[:-1]
        chosen = (chance[0] < first - np.minimum.accumulate(possible, axis=0)).reshape(-1)[asked]
        asked, weight = asked[chosen], weight[chosen]
    if len(asked):
        for k in component.dear:
            found[asked, k] = trial.log_likelihood(names[k], asked)
        there[1, asked] = _split(weight, beta * found[asked], component, source.common)[1]
    place = _verdicts(now, there.reshape(2, tries, n), chance)
    moved = place >= 0
    yes = (place * n + np.arange(n))[moved]
    order = np.argsort(yes)  # a trial looks its rows up in ascending order
    trial.take(cloud, here[moved][order], yes[order], found)
    return moved


def _split(weight: Array, log_likelihoods: Array, component: Component, common: float) -> Array:
    """Return what the two verdicts compare (2, n); `weight` is ln prior - ln mixture."""
    with np.errstate(invalid="ignore"):
        cheap = weight + log_likelihoods[:, component.cheap].sum(axis=1)
        low = np.minimum(cheap, common)
        rest = np.where(cheap > -np.inf, cheap - low, 0.0) + log_likelihoods[:, component.dear].sum(axis=1)
    return np.array([low, rest])


def _verdicts(now: Array, there: Array, chance: Array) -> Index:
    """Return the proposal (m,) at which each point ends, -1 for those that stay."""
    place = np.full(now.shape[1], -1)
    with np.errstate(invalid="ignore"):
        for t in range(there.shape[1]):
            yes = np.all((there[:, t] > -np.inf) & (chance[:, t] < there[:, t] - now), axis=0)
            place[yes] = t
            now = np.where(yes, there[:, t], now)
    return place
