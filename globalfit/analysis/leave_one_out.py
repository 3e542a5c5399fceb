"""What happens without an experiment: by reweighting where that is reliable, else by sampling anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from globalfit.analysis.draws import Draws
from globalfit.analysis.pareto import Weights, smoothed_weights
from globalfit.analysis.parts import Names, Part, Show, full_evidences, parts, sample_parts
from globalfit.arrays import strict
from globalfit.fit import Fit

MOST = 100_000  # draws of a chain: the medians of 20 000 were seen off by 0.026 of half a 68 % interval
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
    error_log_predictive : float or None
        Its standard error: of the mean weight, as if the draws were independent, or of the tempered runs.
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
    error_log_predictive: float | None = None
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
    workers: int | None = None,
    progress: Show = lambda stage, done, total: None,
) -> list[Without]:
    """Return the posterior without each experiment in turn.

    Parameters
    ----------
    draws : Draws
        With all experiments.
    fit : Fit, optional
        Whose posterior they are from; samples anew what cannot be reweighted.
    seed, particles, workers, progress
        Of the tempered runs; see `sample_parts`.

    Notes
    -----
    Weights are 1/L of the experiment; ln p(D_i | rest) = -ln <1/L_i>, or the difference of two ln Z. Only the
    component of the posterior that the experiment belongs to is sampled anew: the draws of all others stay.
    """
    names = list(draws.log_likelihoods)
    weights = {name: smoothed_weights(-draws.log_likelihoods[name]) for name in names}
    strong = [name for name in names if not weights[name].reliable]
    anew: dict[str, tuple[Part, Draws]] = {}
    evidences: dict[Part, tuple[float, float]] = {}
    if fit is not None and strong:
        anew, evidences = _sampled(draws, fit, strong, seed, particles, workers, progress)
    found = []
    for name in names:
        w = weights[name]
        share = w.ess / len(w.weights)
        if w.reliable:
            error = math.sqrt(max(1.0 / w.ess - 1.0 / len(w.weights), 0.0))
            found.append(_described(name, REWEIGHTED, w, share, draws, draws, (-w.log_mean, error)))
        elif name not in anew:
            found.append(Without(name, WANTED, w.k, share))
        else:
            part, other = anew[name]
            merged = Draws(
                {**draws.values, **{each: other.values[each] for each in part.parameters}},
                other.log_likelihoods,
            )
            gain = evidences[part][0] - float(other.log_evidence or 0.0)
            error = math.hypot(evidences[part][1], float(other.error_log_evidence or 0.0))
            found.append(_described(name, SAMPLED, w, share, draws, merged, (gain, error)))
    return found


def _sampled(
    draws: Draws,
    fit: Fit,
    strong: list[str],
    seed: int,
    particles: int,
    workers: int | None,
    progress: Show,
) -> tuple[dict[str, tuple[Part, Draws]], dict[Part, tuple[float, float]]]:
    """Return by experiment its part of the posterior, sampled without it, and ln Z of these parts."""
    every = parts(fit.posterior)
    home = {name: part for part in every for name in part.likelihoods}
    strong = [name for name in strong if name in home]  # what reads no parameter changes nothing
    affected = list(dict.fromkeys(home[name] for name in strong))
    asked, rest = full_evidences(fit.posterior, affected, draws.log_evidence)
    wanted: list[Names] = [home[name].without(name) for name in strong]
    wanted += [part.likelihoods for part in asked]
    done = sample_parts(fit, wanted, seed=seed, particles=particles, workers=workers, progress=progress)
    evidences = {part: evidence_of(done[part.likelihoods]) for part in asked}
    if rest is not None and draws.log_evidence is not None:
        idle = [name for name in fit.posterior.likelihoods if name not in home]
        known = sum(value for value, _ in evidences.values())
        known += sum(float(draws.log_likelihoods[name][0]) for name in idle)
        errors = [error for _, error in evidences.values()] + [draws.error_log_evidence or 0.0]
        evidences[rest] = draws.log_evidence - known, math.hypot(*errors)
    return {name: (home[name], done[home[name].without(name)]) for name in strong}, evidences


def evidence_of(draws: Draws) -> tuple[float, float]:
    """Return ln Z of a tempered run and its error."""
    return float(draws.log_evidence or 0.0), float(draws.error_log_evidence or 0.0)


def _described(
    name: str,
    route: str,
    weights: Weights,
    share: float,
    draws: Draws,
    other: Draws,
    predictive: tuple[float, float],
) -> Without:
    intervals, shifts = {}, {}
    for parameter in draws.values:
        low, median, high = draws.interval(parameter)
        left = other.interval(parameter, weights.weights if other is draws else None)
        intervals[parameter] = (float(left[0]), float(left[1]), float(left[2]))
        half = 0.5 * (high - low)
        shifts[parameter] = float((left[1] - median) / half) if half > 0.0 else math.nan
    return Without(name, route, weights.k, share, *predictive, intervals, shifts)
