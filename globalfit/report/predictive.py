"""The posterior predictive: what kept samples of a chain predict, each evaluated again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from globalfit.analysis.pulls import columns_at, paired
from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.likelihood import Prediction
from globalfit.null import null_log_likelihoods
from globalfit.report.data import Datum, Spectrum, measured, spectra

SAMPLES = 400
NULLS = 16  # draws over which ln L at the null has to stay the same
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)  # those of the summary
BESIDE = ("error_", "sm_", "theory_covariance")  # what stands beside an observable


class Pull(NamedTuple):
    """What a prediction misses a measured number by, in its errors: positive where it is too high.

    `null` is the same without new physics, where the likelihood or the model says what that is.
    """

    likelihood: str
    observable: str
    value: float
    null: float | None = None


@dataclass(frozen=True, eq=False)
class Predictive:
    """Predictions of the best sample and of kept samples.

    Attributes
    ----------
    best, draws : mapping of str to array
        Observables of the best sample, () or (bins,), and of the samples, (n,) or (n, bins).
    pulls : tuple of Pull
        What the best sample leaves, by the likelihoods' own account where they give one.
    null, ideal : mapping of str to float
        ln L without new physics, where a likelihood or the model says what that is, and the highest that any
        prediction could have, where a likelihood tells it.
    source : mapping of str to str
        The likelihood that predicts an observable.
    data : tuple of Datum
    spectra : tuple of Spectrum
    difference : float
        Largest difference between the ln L found now and that stored, over likelihoods and samples.
    """

    best: Mapping[str, Array]
    draws: Mapping[str, Array]
    pulls: tuple[Pull, ...]
    null: Mapping[str, float]
    ideal: Mapping[str, float]
    source: Mapping[str, str]
    data: tuple[Datum, ...]
    spectra: tuple[Spectrum, ...]
    difference: float

    @property
    def samples(self) -> int:
        """Number of samples evaluated."""
        return len(next(iter(self.draws.values()))) if self.draws else 0

    def quantiles(self, name: str) -> Array:
        """Return the quantiles `LEVELS` of an observable, (5,) or (5, bins)."""
        return np.quantile(self.draws[name], LEVELS, axis=0)

    def to_dict(self, *, intervals: bool = True) -> dict[str, Any]:
        """Return plain JSON types; without `intervals` (not converged) the best sample alone."""
        data = {(each.likelihood, each.observable): each for each in self.data}
        bins = {each.observable: each for each in self.spectra}
        found: dict[str, Any] = {"samples": self.samples, "observables": {}}
        for name, source in self.source.items():
            row: dict[str, Any] = {"likelihood": source, "best": self.best[name]}
            if intervals:
                row |= dict(
                    zip(("low95", "low68", "median", "high68", "high95"), self.quantiles(name), strict=True)
                )
            if (datum := data.get((source, name))) is not None:
                row["data"] = {"value": datum.value, "low": datum.interval[0], "high": datum.interval[1]}
                row["data"]["compared_with"] = datum.title
            if (spectrum := bins.get(name)) is not None:
                row["data"] = {"edges": spectrum.edges, "excess": spectrum.excess, "error": spectrum.error}
            found["observables"][name] = row
        plain: dict[str, Any] = strict(found)
        return plain


def predict(chain: Chain, fit: Fit, *, samples: int = SAMPLES, discard: int | None = None) -> Predictive:
    """Evaluate the likelihoods' predictions at the best and at evenly spaced kept samples of a chain.

    Parameters
    ----------
    chain : Chain
        The chain.
    fit : Fit
        That it was sampled from.
    samples : int
        How many at most.
    discard : int, optional
        Steps to leave out at the start; chosen from the chain by default.

    Raises
    ------
    ChainError
        If the fit has a parameter that the chain has not.
    LikelihoodError
        If a likelihood fails.
    """
    space, posterior = fit.posterior.space, fit.posterior
    missing = [name for name in space.names if name not in chain.names]
    if missing:
        raise ChainError(str(chain.path), f"has no parameter '{missing[0]}'", "sample the fit again")
    stored = [f"ll_{name}" for name in posterior.likelihoods]
    rows = rows_of(chain, (*space.names, *stored), samples, discard)
    values = np.column_stack([rows[name] for name in space.names])
    point = posterior.point(space.columns(space.walker(values)))
    columns = columns_at(posterior, chain.best())
    best: dict[str, Array] = {}
    draws: dict[str, Array] = {}
    left: list[Pull] = []
    ideal: dict[str, float] = {}
    source: dict[str, str] = {}
    data: list[Datum] = []
    curves: list[Spectrum] = []
    difference = 0.0
    for name, likelihood in posterior.likelihoods.items():
        prediction = posterior.predict(likelihood, point)
        gap = np.abs(posterior.score(likelihood, prediction, point) - rows[f"ll_{name}"])
        difference = max(difference, float(gap.max()))
        for key, found in prediction.items():
            if not key.startswith(BESIDE) and not math.isnan(float(np.sum(found))):
                best[key], draws[key], source[key] = found[0], found[1:], name
        known = {key: found for key, found in prediction.items() if key in best or key.startswith("error_")}
        numbers = measured(likelihood, known)
        first = {key: found[:1] for key, found in prediction.items()}
        own = paired(posterior, likelihood, columns, first)
        left += [
            Pull(name, each.observable, float(each.best), each.null) for each in own if each.best is not None
        ]
        left += [] if own else _pulls(first, numbers)
        if isinstance(top := getattr(likelihood, "ideal", None), int | float):
            ideal[name] = float(top)
        data += numbers
        curves += spectra(likelihood, known)
    nulls = null_log_likelihoods(posterior, draws=NULLS)
    null = {name: each.log_likelihood for name, each in nulls.items() if each.log_likelihood is not None}
    return Predictive(best, draws, tuple(left), null, ideal, source, tuple(data), tuple(curves), difference)


def _pulls(prediction: Prediction, numbers: list[Datum]) -> list[Pull]:
    """Return the pulls at one point of a likelihood that tells none, from its measured numbers."""
    found = []
    for each in numbers:
        names = [f"error_{each.observable}", f"error_ln_{each.observable}"]
        theory = next((float(prediction[name][0]) for name in names if name in prediction), 0.0)
        pull = each.pull(float(each.compared(prediction)[0]), theory)
        found.append(Pull(each.likelihood, each.title, pull))
    return found


def rows_of(chain: Chain, names: Sequence[str], most: int, discard: int | None) -> dict[str, Array]:
    """Return quantities at the best sample, first, and at `most` evenly spaced kept ones."""
    best, found = chain.best(), {}
    for name in names:
        kept = chain.get(name, discard=discard, thin=chain.stride)
        places = np.linspace(0, len(kept) - 1, min(len(kept), most)).astype(int)
        found[name] = np.concatenate([[best[name]], kept[places]])
    return found
