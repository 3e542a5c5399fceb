"""Which parameters do it: the price of taking each one back, and how far the data narrow its prior."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.chains.diagnostics import evidence_of, prior_quantile
from globalfit.null import null_evidence
from globalfit.posterior import Posterior

QUANTILES = (0.05, 0.5, 0.95)  # of its prior, where a parameter without a null value is taken to
BINS = 50  # of the prior's quantile, for the information of one parameter
MOST = 20_000  # draws


@dataclass(frozen=True)
class Lever:
    """One parameter: what it is needed for.

    Attributes
    ----------
    parameter : str
    best : float
        At the best sample.
    to : str
        Where it was taken: "its null value 0", or "5, 50, 95 % of its prior".
    losses : mapping of str to float
        By experiment: ln L at the best point minus ln L with this parameter taken there and all others kept;
        the largest where it was taken to several places. inf where ln L is -inf there.
    information : float
        Kullback-Leibler divergence of its marginal posterior from its prior, nats.
    width_ratio : float
        Length of the central 68 % in quantiles of the prior, over 0.68.
    """

    parameter: str
    best: float
    to: str
    losses: Mapping[str, float]
    information: float
    width_ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(dict(vars(self)) | {"losses": dict(self.losses)})
        return found


@dataclass(frozen=True)
class Price:
    """How much of the prior the explanation needs.

    Attributes
    ----------
    information : float
        Kullback-Leibler divergence of the posterior from the prior, nats: the posterior holds about
        exp(-information) of the prior's volume.
    exact : bool
        True if it is <ln L> - ln Z; else it is a lower bound from the marginals and the covariance.
    log_evidence : float or None
        ln Z, if a tempered run told it.
    log_occam : float or None
        ln Z minus the highest ln L: what prior volume takes from the best fit.
    log_bayes : float or None
        ln of the Bayes factor against the null, of the experiments that have one.
    """

    information: float
    exact: bool = False
    log_evidence: float | None = None
    log_occam: float | None = None
    log_bayes: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(dict(vars(self)))
        return found


def levers(chain: Chain, posterior: Posterior | None, places: Mapping[str, Array]) -> tuple[Lever, ...]:
    """Return every sampled parameter of a chain.

    Parameters
    ----------
    chain : Chain
    posterior : Posterior or None
        Without it there are no losses.
    places : mapping of str to (n,)
        Draws in quantiles of the priors: `prior_places`.
    """
    best = chain.best()
    taken = {} if posterior is None else _losses(posterior, best)
    found = []
    for name, u in places.items():
        low, high = np.quantile(u, [0.16, 0.84])
        to, losses = taken.get(name, ("", {}))
        found.append(Lever(name, best[name], to, losses, information(u), float(high - low) / 0.68))
    return tuple(found)


def prior_places(chain: Chain, discard: int | None = None) -> dict[str, Array]:
    """Return at most 20 000 evenly spaced draws of every parameter, in quantiles of its prior."""
    found = {}
    for name in chain.names:
        values = chain.get(name, discard=discard, thin=chain.stride)
        values = values[np.linspace(0, len(values) - 1, min(len(values), MOST)).astype(int)]
        found[name] = np.clip(prior_quantile(chain, name, values), 0.0, 1.0)
    return found


def information(u: Array) -> float:
    """Return the Kullback-Leibler divergence from the prior of draws (n,) in its quantiles, nats.

    Of a histogram of 50 bins, less its bias (occupied bins - 1)/(2 n); what is narrower than a bin counts as
    a bin: at most ln 50.
    """
    share = np.histogram(u, bins=BINS, range=(0.0, 1.0))[0] / len(u)
    seen = share[share > 0.0]
    return max(float(seen @ np.log(seen * BINS)) - (len(seen) - 1) / (2 * len(u)), 0.0)


def price(
    chain: Chain,
    places: Mapping[str, Array],
    mean: float,
    highest: float,
    evidence: tuple[float, float | None] | None = None,
) -> Price:
    """Return what a posterior takes of its prior.

    Parameters
    ----------
    chain : Chain
        Whose tempered starts may have left ln Z.
    places : mapping of str to (n,)
        See `prior_places`.
    mean, highest : float
        Ln L of all experiments together: posterior mean, and at the best sample.
    evidence : (float, float or None), optional
        ln Z and ln Bayes factor; by default ln Z of the chain's tempered starts, beside ln Z without new
        physics if the chain stores that of every experiment.
    """
    if evidence is not None:
        return Price(mean - evidence[0], True, evidence[0], evidence[0] - highest, evidence[1])
    values = [float(row["log_evidence"]) for row in evidence_of(chain)]
    if values:
        top = max(values)
        log_z = top + math.log(sum(math.exp(each - top) for each in values) / len(values))
        null = null_evidence(chain.nulls)
        return Price(mean - log_z, True, log_z, log_z - highest, None if null is None else log_z - null)
    return Price(lower_bound(list(places.values())))


def lower_bound(places: Sequence[Array]) -> float:
    """Return a lower bound on the information of draws (n,) of each parameter in quantiles of its prior.

    The larger of two: the sum of the parameters' own (what they share only adds), and that of the Gaussian of
    the same covariance, -ln det(2 pi e Sigma)/2, which no density of this covariance falls below.
    """
    alone = sum(information(u) for u in places)
    covariance = np.atleast_2d(np.cov(np.stack(places)))
    sign, ln_det = np.linalg.slogdet(2.0 * math.pi * math.e * covariance)
    return max(alone, -0.5 * float(ln_det)) if sign > 0 else alone


def _losses(posterior: Posterior, best: Mapping[str, float]) -> dict[str, tuple[str, dict[str, float]]]:
    """Return for each parameter where it was taken and what each experiment lost by it: one batch."""
    space = posterior.space
    null = getattr(posterior.model, "null", {})
    steps: list[tuple[str, float]] = []
    for name, prior in zip(space.names, space.priors, strict=True):
        values = [float(null[name])] if name in null else prior.quantile(np.array(QUANTILES)).tolist()
        steps += [(name, value) for value in values]
    rows = len(steps) + 1
    columns = {name: np.full(rows, best[name]) for name in space.names}
    for i, (name, value) in enumerate(steps, start=1):
        columns[name][i] = value
    columns |= {name: np.full(rows, value) for name, value in space.fixed.items()}
    columns |= {name: columns[other].copy() for name, other in space.tied.items()}
    point = posterior.point(columns)
    found: dict[str, tuple[str, dict[str, float]]] = {}
    for name in space.names:
        percent = ", ".join(f"{100 * each:.0f}" for each in QUANTILES)
        said = f"its null value {null[name]:g}" if name in null else f"{percent} % of its prior"
        found[name] = said, {}
    for each, likelihood in posterior.likelihoods.items():
        ln_l = posterior.score(likelihood, posterior.predict(likelihood, point), point)
        for i, (name, _) in enumerate(steps, start=1):
            losses = found[name][1]
            losses[each] = max(losses.get(each, -math.inf), float(ln_l[0] - ln_l[i]))
    return found
