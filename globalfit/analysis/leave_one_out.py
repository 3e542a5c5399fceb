"""What happens without an experiment: by reweighting where that is reliable, else by sampling anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from globalfit.analysis.draws import Draws, of_fit
from globalfit.analysis.pareto import Weights, smoothed_weights
from globalfit.arrays import strict
from globalfit.fit import Fit

REWEIGHTED, SAMPLED, WANTED = "reweighted", "sampled anew", "to be sampled anew"


@dataclass(frozen=True)
class Without:
    """The posterior without one experiment.

    Attributes
    ----------
    name : str
        The experiment left out.
    route : str
        "reweighted", "sampled anew", or "to be sampled anew" where no fit was given.
    k : float
        Pareto shape of the weights 1/L; reweighting needs k < 0.5.
    ess_share : float
        Effective share of the draws under these weights.
    log_predictive : float or None
        ln p(its data | all other data).
    intervals : mapping of str to (low, median, high)
        Central 68 % of every parameter; empty where it has to be sampled anew.
    shifts : mapping of str to float
        Change of the median over half the 68 % interval with all data.
    """

    name: str
    route: str
    k: float
    ess_share: float
    log_predictive: float | None = None
    intervals: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    shifts: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(
            {
                name: getattr(self, name)
                for name in self.__dataclass_fields__
                if name not in ("intervals", "shifts")
            }
            | {"intervals": {k: list(v) for k, v in self.intervals.items()}, "shifts": dict(self.shifts)}
        )
        return found


def leave_one_out(
    draws: Draws,
    fit: Fit | None = None,
    *,
    seed: int = 1,
    particles: int = 8000,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Without]:
    """Return the posterior without each experiment in turn.

    Parameters
    ----------
    draws : Draws
        With all experiments.
    fit : Fit, optional
        Whose posterior they are from; samples anew what cannot be reweighted.
    seed, particles : int
        Of the tempered runs.
    progress : callable
        Called as ``progress(experiment, done, total)``.

    Notes
    -----
    Weights are 1/L of the experiment; ln p(D_i | rest) = -ln <1/L_i>, or the difference of two ln Z.
    """
    found: list[Without] = []
    names = list(draws.log_likelihoods)
    whole: float | None = draws.log_evidence
    for done, name in enumerate(names):
        progress(name, done, len(names))
        weights = smoothed_weights(-draws.log_likelihoods[name])
        share = weights.ess / len(weights.weights)
        if weights.reliable:
            found.append(
                _described(name, REWEIGHTED, weights.k, share, draws, draws, weights, -weights.log_mean)
            )
        elif fit is None or len(names) == 1:
            found.append(Without(name, WANTED, weights.k, share))
        else:
            rest = [other for other in names if other != name]
            if whole is None:
                whole = of_fit(fit, names, seed, particles).log_evidence
            other = of_fit(fit, rest, seed, particles)
            gain = _difference(whole, other.log_evidence)
            found.append(_described(name, SAMPLED, weights.k, share, draws, other, None, gain))
    progress("", len(names), len(names))
    return found


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _described(
    name: str,
    route: str,
    k: float,
    share: float,
    draws: Draws,
    other: Draws,
    weights: Weights | None,
    log_predictive: float | None,
) -> Without:
    intervals, shifts = {}, {}
    for parameter in draws.values:
        low, median, high = draws.interval(parameter)
        left = other.interval(parameter, None if weights is None else weights.weights)
        intervals[parameter] = (float(left[0]), float(left[1]), float(left[2]))
        half = 0.5 * (high - low)
        shifts[parameter] = float((left[1] - median) / half) if half > 0.0 else math.nan
    return Without(name, route, k, share, log_predictive, intervals, shifts)
