"""The posterior predictive: what kept samples of a chain predict, each evaluated again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.report.data import Datum, Spectrum, measured, spectra

SAMPLES = 400
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)  # those of the summary
BESIDE = ("error_", "sm_", "theory_covariance")  # what stands beside an observable


@dataclass(frozen=True, eq=False)
class Predictive:
    """Predictions of the best sample and of kept samples.

    Attributes
    ----------
    best, draws : mapping of str to array
        Observables of the best sample, () or (bins,), and of the samples, (n,) or (n, bins).
    theory : mapping of str to float
        Theory errors at the best sample, as the likelihoods' ``error_<observable>`` or ``error_ln_``.
    source : mapping of str to str
        The likelihood that predicts an observable.
    data : tuple of Datum
    spectra : tuple of Spectrum
    difference : float
        Largest difference between the ln L found now and that stored, over likelihoods and samples.
    """

    best: Mapping[str, Array]
    draws: Mapping[str, Array]
    theory: Mapping[str, float]
    source: Mapping[str, str]
    data: tuple[Datum, ...]
    spectra: tuple[Spectrum, ...]
    difference: float

    @property
    def samples(self) -> int:
        """Number of samples evaluated."""
        return len(next(iter(self.draws.values()))) if self.draws else 0

    def pulls(self) -> list[tuple[Datum, float, float]]:
        """Return each measured number with the best sample's prediction and its pull."""
        found = []
        for each in self.data:
            predicted = float(each.compared(self.best))
            found.append((each, predicted, each.pull(predicted, self.theory.get(each.observable, 0.0))))
        return found

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
                row |= dict(zip(("low95", "low68", "median", "high68", "high95"), self.quantiles(name), strict=True))
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
    rows = _rows(chain, (*space.names, *stored), samples, discard)
    values = np.column_stack([rows[name] for name in space.names])
    point = posterior.point(space.columns(space.walker(values)))
    best: dict[str, Array] = {}
    draws: dict[str, Array] = {}
    theory: dict[str, float] = {}
    source: dict[str, str] = {}
    data: list[Datum] = []
    curves: list[Spectrum] = []
    difference = 0.0
    for name, likelihood in posterior.likelihoods.items():
        prediction = posterior.predict(likelihood, point)
        gap = np.abs(posterior.score(likelihood, prediction, point) - rows[f"ll_{name}"])
        difference = max(difference, float(gap.max()))
        for key, found in prediction.items():
            if key.startswith("error_"):
                theory[key.removeprefix("error_").removeprefix("ln_")] = float(np.max(found[0]))
            if not key.startswith(BESIDE) and not math.isnan(float(np.sum(found))):
                best[key], draws[key], source[key] = found[0], found[1:], name
        known = {key: found for key, found in prediction.items() if key in best or key.startswith("error_")}
        data += measured(likelihood, known)
        curves += spectra(likelihood, known)
    return Predictive(best, draws, theory, source, tuple(data), tuple(curves), difference)


def _rows(chain: Chain, names: tuple[str, ...], most: int, discard: int | None) -> dict[str, Array]:
    """Return quantities at the best sample, first, and at `most` evenly spaced kept ones."""
    best, found = chain.best(), {}
    for name in names:
        kept = chain.get(name, discard=discard, thin=chain.stride)
        places = np.linspace(0, len(kept) - 1, min(len(kept), most)).astype(int)
        found[name] = np.concatenate([[best[name]], kept[places]])
    return found
