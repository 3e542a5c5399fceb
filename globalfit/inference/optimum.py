"""The best fit: many local searches from where a population is best, all generations in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array, Mask, strict
from globalfit.errors import SamplingError
from globalfit.inference.climb import climb
from globalfit.inference.target import Target
from globalfit.posterior import Posterior
from globalfit.sampling.tempered import tempered_population

STARTS = 12
PARTICLES = 1000  # of the population where no chain is given
MOVES = 12
AGREE = 0.01  # in ln L: searches that end within it of the best found the same maximum
FINE = 0.01  # steps of the second climb over those of the first
MIXED = 64  # points of the population whose spread is the first step of a search


@dataclass(frozen=True)
class Optimum:
    """The point with the highest likelihood.

    Attributes
    ----------
    values : dict
        {sampled parameter: physical value}.
    log_likelihood : float
        Sum over the experiments.
    log_likelihoods : dict
        Of each experiment.
    knowledge : float
        What informative priors (of nuisance parameters) subtract, at most 0; the sum of both is what was
        maximised.
    predictions : dict
        {scalar observable: value}.
    at_edge : tuple of str
        Parameters that ended at an edge of their prior.
    starts, converged, agreeing : int
        Searches; those that converged; those that ended within `AGREE` of the best.
    found : tuple of float
        What each search reached, best first.
    evaluations : int
    """

    values: dict[str, float]
    log_likelihood: float
    log_likelihoods: dict[str, float]
    knowledge: float
    predictions: dict[str, float]
    at_edge: tuple[str, ...]
    starts: int
    converged: int
    agreeing: int
    found: tuple[float, ...]
    evaluations: int

    @property
    def trusted(self) -> bool:
        """Whether at least two searches agree on the maximum."""
        return self.agreeing >= 2

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain JSON types."""
        found: dict[str, Any] = strict(dict(vars(self)))
        return found | {"trusted": self.trusted}


def optimum(
    posterior: Posterior,
    *,
    population: Array | None = None,
    starts: int = STARTS,
    seed: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Optimum:
    """Return the global maximum of the likelihood within priors and constraints.

    Parameters
    ----------
    posterior : Posterior
    population : array (n, dim), optional
        Physical values of points to start from, such as a chain's; a tempered population by default.
    starts : int
        Local searches, from good points far from each other.
    seed : int
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    SamplingError
        If the likelihood vanishes at all points of the population.
    """
    target = Target(posterior)
    if progress is not None:
        progress("population", 0, 2)
    if population is None:
        found = tempered_population(posterior, seed, particles=PARTICLES, moves=MOVES)
        population = posterior.space.physical(found.coords)
    y = target.place(population)
    value = target(y)
    if not (value > -np.inf).any():
        raise SamplingError("optimum", "ln L is -inf at all points it could start from", "check the fit")
    if progress is not None:
        progress("population", 1, 2)
    first, covariance = distant_starts(y, value, starts)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 11)))

    def objective(which: Any, points: Array) -> Array:
        return target(points.reshape(-1, target.dim)).reshape(points.shape[:2])

    broad = climb(objective, first, covariance, target.bounds, rng)
    # Once more in small steps: a start on a narrow peak may have been left by the first, broad steps.
    ends = climb(objective, broad.points, FINE**2 * covariance, target.bounds, rng)
    if progress is not None:
        progress("population", 2, 2)
    order = np.argsort(-ends.values, kind="stable")
    evaluations = len(y) + broad.evaluations + ends.evaluations
    return _told(target, ends.points[order], ends.values[order], ends.converged[order], evaluations)


def distant_starts(y: Array, value: Array, starts: int) -> tuple[Array, Array]:
    """Return good points (starts, dim) far from each other, and the covariance of points around each.

    Each next one has the highest value plus gain: 10 ln of its distance from those chosen before, in units
    of the population's spread, so that every mode is tried before any twice.
    """
    known = value > -np.inf
    y, value = y[known], value[known]
    spread = np.std(y, axis=0) + 1e-12
    chosen = [int(np.argmax(value))]
    distance = np.full(len(y), np.inf)
    while len(chosen) < min(starts, len(y)):
        distance = np.minimum(distance, np.linalg.norm((y - y[chosen[-1]]) / spread, axis=1))
        worth = value + 10.0 * np.log(np.minimum(distance, 3.0) + 1e-12)
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
    return y[chosen], np.stack([_around(y, y[i], spread) for i in chosen])


def _around(y: Array, centre: Array, spread: Array) -> Array:
    """Return the covariance (dim, dim) of the points nearest to a centre."""
    near = np.argsort(np.linalg.norm((y - centre) / spread, axis=1))[: max(MIXED, 4 * y.shape[1])]
    covariance = np.atleast_2d(np.cov(y[near].T)) if len(near) > 1 else np.zeros((y.shape[1],) * 2)
    return np.asarray(covariance + np.diag(1e-4 * spread**2 + 1e-16))


def _told(target: Target, points: Array, values: Array, converged: Mask, evaluations: int) -> Optimum:
    names = target.posterior.space.names
    evaluation = target.evaluate(points[:1])
    physical = target.physical(points[:1])[0]
    low, high = target.bounds
    edge = (points[0] <= low + 1e-6) | (points[0] >= high - 1e-6)
    predictions = {
        name: float(column[0])
        for prediction in evaluation.predictions.values()
        for name, column in prediction.items()
        if column.ndim == 1
    }
    return Optimum(
        values={name: float(x) for name, x in zip(names, physical, strict=True)},
        log_likelihood=float(evaluation.log_likelihood[0]),
        log_likelihoods={name: float(each[0]) for name, each in evaluation.log_likelihoods.items()},
        knowledge=float(target.knowledge(evaluation)[0]),
        predictions=predictions,
        at_edge=tuple(name for name, at in zip(names, edge, strict=True) if at),
        starts=len(values),
        converged=int(np.sum(converged)),
        agreeing=int(np.sum(values > values[0] - AGREE)),
        found=tuple(float(each) for each in values),
        evaluations=evaluations,
    )
