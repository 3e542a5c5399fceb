"""Simulation-based calibration: prior, likelihoods and sampler together have to return what went in.

A point is drawn from the prior, data are drawn from every likelihood at that point's prediction, and the fit
is done again with these data. Among draws of its posterior the true point has any rank equally often, for
every function of point and data (S. Talts et al., arXiv:1804.06788). Ranks of parameters alone do not see a
posterior that ignores the data; those of each experiment's ln L do (M. Modrak et al., arXiv:2211.02383).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import LikelihoodError, SamplingError
from globalfit.inference.uniformity import Ranks, Uniformity, holm
from globalfit.one_point import redrawn
from globalfit.posterior import Posterior
from globalfit.sampling.tempered import tempered_population

DRAWS = 99  # of each posterior; a rank is one of 100 values
PARTICLES = 1000
MOVES = 12  # a stage
LEVEL = 0.01  # family-wise: of calling a correct pipeline wrong
ROUNDS = 200

Kind = Literal["parameter", "prediction", "ln L"]
Analysed = Callable[[Posterior], Posterior]


@dataclass(frozen=True)
class Calibration:
    """Ranks of the truth among posterior draws, and whether they are uniform.

    Attributes
    ----------
    draws : int
        Posterior draws of each fit.
    ranks : dict
        {quantity: (n,) from 0 to draws}.
    kinds : dict
        What each quantity is: a parameter, a prediction, ln L of an experiment or of all.
    p_values : dict
        Of uniformity, each by itself.
    adjusted : dict
        The same for all quantities together (Holm); below `LEVEL` in any: not calibrated.
    coverage : dict
        {quantity: share of fits whose central 68 % and 95 % intervals hold the truth}.
    refused : float
        Share of prior draws at which the fit's own ln L is -inf (no prediction); they count as outside the
        prior.
    """

    seed: int
    draws: int
    ranks: dict[str, Ranks]
    kinds: dict[str, Kind]
    p_values: dict[str, float]
    adjusted: dict[str, float]
    coverage: dict[str, tuple[float, float]]
    refused: float

    @property
    def n(self) -> int:
        """Number of simulated data sets."""
        return len(next(iter(self.ranks.values())))

    @property
    def passed(self) -> bool:
        """Whether no quantity is off at the family-wise level."""
        return min(self.adjusted.values()) > LEVEL

    @property
    def worst(self) -> str:
        """The quantity with the smallest p value."""
        return min(self.p_values, key=lambda name: self.p_values[name])

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain JSON types."""
        return {
            "n": self.n,
            "seed": self.seed,
            "draws": self.draws,
            "passed": self.passed,
            "level": LEVEL,
            "refused": self.refused,
            "quantities": {
                name: {
                    "kind": self.kinds[name],
                    "p_value": self.p_values[name],
                    "p_value_adjusted": self.adjusted[name],
                    "coverage_68": self.coverage[name][0],
                    "coverage_95": self.coverage[name][1],
                    "ranks": ranks.tolist(),
                }
                for name, ranks in self.ranks.items()
            },
        }


def calibrate(
    posterior: Posterior,
    n: int = 200,
    *,
    seed: int = 1,
    draws: int = DRAWS,
    particles: int = PARTICLES,
    moves: int = MOVES,
    analysed: Analysed | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Calibration:
    """Simulate `n` data sets, fit each, and test the ranks of the truth.

    Parameters
    ----------
    posterior : Posterior
        Every likelihood needs `simulate`.
    n : int
        Data sets.
    seed : int
    draws : int
        Posterior draws taken from each fit.
    particles, moves : int
        Of the tempered sequential Monte Carlo that does the fits.
    analysed : callable, optional
        What is fitted instead of the posterior with the simulated data: a pipeline that is to be caught.
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    LikelihoodError
        If a likelihood cannot draw data; names it.
    SamplingError
        If no point of the prior has a prediction.
    """
    for likelihood in posterior.likelihoods.values():
        if getattr(likelihood, "simulate", None) is None:
            raise LikelihoodError(
                likelihood.name,
                "cannot draw data: it has no 'simulate'",
                "leave it out of the fit, or see docs/add-an-experiment.md",
            )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 7)))
    truth, refused = _truths(posterior, n, rng)
    predictions = posterior.evaluate(truth).predictions
    names, kinds = _quantities(posterior)
    ranks = np.empty((n, len(names)), dtype=np.int64)
    varies = np.zeros(len(names), dtype=np.bool_)
    for i in range(n):
        if progress is not None:
            progress("fits to simulated data", i, n)
        own = {
            name: {key: values[i : i + 1] for key, values in prediction.items()}
            for name, prediction in predictions.items()
        }
        simulated = Posterior(
            posterior.space,
            posterior.model,
            [redrawn(each, own[name], rng) for name, each in posterior.likelihoods.items()],
            posterior.constraints,
        )
        target = simulated if analysed is None else analysed(simulated)
        found = tempered_population(target, seed, ensemble=i + 1, particles=particles, moves=moves)
        chosen = found.coords[rng.choice(len(found.coords), size=draws, replace=False)]
        values = _values(simulated, np.concatenate([truth[i : i + 1], chosen]))
        ranks[i] = _rank(values, rng)
        varies |= np.nanmax(values, axis=0) > np.nanmin(values, axis=0)
    if progress is not None:
        progress("fits to simulated data", n, n)
    test = Uniformity(n, draws)
    kept = {name: ranks[:, j] for j, name in enumerate(names) if varies[j]}
    p_values = {name: test.p_value(each) for name, each in kept.items()}
    return Calibration(
        seed=seed,
        draws=draws,
        ranks=kept,
        kinds={name: kinds[name] for name in kept},
        p_values=p_values,
        adjusted=holm(p_values),
        coverage={name: (_coverage(r, draws, 0.68), _coverage(r, draws, 0.95)) for name, r in kept.items()},
        refused=refused,
    )


def _truths(posterior: Posterior, n: int, rng: np.random.Generator) -> tuple[Array, float]:
    """Return n points of the prior that have predictions, and the share of those that have none."""
    found = np.empty((0, posterior.space.dim))
    allowed = 0
    for _ in range(ROUNDS):
        theta = posterior.space.draw(n, rng)
        theta = theta[posterior.evaluate_prior(theta) > -np.inf]
        allowed += len(theta)
        found = np.concatenate([found, theta[posterior(theta) > -np.inf]])
        if len(found) >= n:
            return found[:n], 1.0 - len(found) / allowed
    raise SamplingError("calibrate", "hardly any point of the prior has a prediction", "check the priors")


def _quantities(posterior: Posterior) -> tuple[tuple[str, ...], dict[str, Kind]]:
    kinds: dict[str, Kind] = dict.fromkeys(posterior.space.names, "parameter")
    kinds |= {name: "prediction" for name in posterior.observables if name not in kinds}
    kinds |= {f"ll_{name}": "ln L" for name in posterior.likelihoods}
    if len(posterior.likelihoods) > 1:
        kinds["ll"] = "ln L"
    return tuple(kinds), kinds


def _values(simulated: Posterior, theta: Array) -> Array:
    """Return every quantity (n, quantities) at `theta` (n, dim), truth first."""
    evaluation = simulated.evaluate(theta)
    columns: dict[str, Array] = dict(simulated.space.columns(theta))
    for prediction in evaluation.predictions.values():
        columns |= {name: values for name, values in prediction.items() if name not in columns}
    columns |= {f"ll_{name}": values for name, values in evaluation.log_likelihoods.items()}
    columns["ll"] = evaluation.log_likelihood
    return np.column_stack([columns[name] for name in _quantities(simulated)[0]])


def _rank(values: Array, rng: np.random.Generator) -> Ranks:
    """Return the rank (quantities,) of the first row among the others; ties are decided by chance."""
    # A mutant's draw may lie where the true likelihood has no value: below everything.
    values = np.where(np.isnan(values), -np.inf, values)
    below = (values[1:] < values[0]).sum(axis=0)
    equal = (values[1:] == values[0]).sum(axis=0)
    ranks: Ranks = np.asarray(below + rng.integers(0, equal + 1), dtype=np.int64)
    return ranks


def _coverage(ranks: Ranks, draws: int, level: float) -> float:
    u = (ranks + 0.5) / (draws + 1.0)
    return float(np.mean(np.abs(u - 0.5) <= 0.5 * level))
