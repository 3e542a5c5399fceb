"""Many local maxima at once: evolution strategies with adapted covariance, side by side.

One generation of every search is evaluated in one batch. N. Hansen, arXiv:1604.00772 (the CMA evolution
strategy); it needs no gradient, follows thin curved ridges, and does not mind regions without a value.
Samples outside the bounds are moved onto them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, Mask

GENERATIONS = 1000
TOLERANCE = 1e-5  # in ln L, within the last generations
PATIENCE = 10  # generations without gain, together with a spread below the tolerance
Index = NDArray[np.intp]

# ln L (k, n) of points y (k, n, dim) of the searches with these numbers (k,)
Objective = Callable[[Index, Array], Array]


@dataclass(frozen=True)
class Summits:
    """Where each search ended.

    Attributes
    ----------
    points : (searches, dim)
    values : (searches,)
    converged : (searches,) of bool
    evaluations : int
    """

    points: Array
    values: Array
    converged: Mask
    evaluations: int


def climb(
    objective: Objective,
    start: Array,
    covariance: Array,
    bounds: tuple[Array, Array],
    rng: np.random.Generator,
    *,
    generations: int = GENERATIONS,
    tolerance: float = TOLERANCE,
) -> Summits:
    """Climb from each start to a maximum.

    Parameters
    ----------
    objective : callable
        Evaluates a generation of all searches that still run.
    start : array (searches, dim)
    covariance : array (searches, dim, dim)
        Of the first generation.
    bounds : two arrays (dim,)
    rng : Generator
    generations : int
        At most.
    tolerance : float
        A search ends when its generations differ by less in ln L and gain nothing.
    """
    searches, dim = start.shape
    every = np.arange(searches)
    best = np.clip(start, *bounds)
    values = objective(every, best[:, None, :])[:, 0]
    if dim == 0:
        return Summits(best, values, np.ones(searches, dtype=np.bool_), searches)
    settings = _Settings.of(dim)
    state = _State.begin(best, covariance)
    idle = np.zeros(searches, dtype=np.int64)
    converged = np.zeros(searches, dtype=np.bool_)
    evaluations = searches
    active = every
    for _ in range(generations):
        y = state.sample(settings, rng)
        y = np.clip(y, *bounds)
        found = objective(active, y)
        evaluations += found.size
        order = np.argsort(-np.where(np.isnan(found), -np.inf, found), axis=1, kind="stable")
        ranked = np.take_along_axis(found, order, axis=1)
        chosen = np.take_along_axis(y, order[:, : settings.parents, None], axis=1)
        state.update(chosen, settings)
        with np.errstate(invalid="ignore"):
            gain = ranked[:, 0] - values[active]
            flat = (ranked[:, 0] - ranked[:, -1] < tolerance) & (gain < tolerance)
        better = ranked[:, 0] > values[active]
        best[active[better]] = chosen[better, 0]
        values[active[better]] = ranked[better, 0]
        idle[active] = np.where(flat, idle[active] + 1, 0)
        done = (idle[active] >= PATIENCE) | ~(state.sigma > 1e-14)
        converged[active[done]] = values[active[done]] > -np.inf
        if done.any():
            state, active = state.take(~done), active[~done]
        if len(active) == 0:
            break
    return Summits(best, values, converged, evaluations)


@dataclass(frozen=True)
class _Settings:
    """Constants of the strategy for one dimension (Hansen, table 1)."""

    size: int
    parents: int
    weights: Array
    effective: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    length: float  # mean length of a standard normal vector

    @classmethod
    def of(cls, dim: int) -> _Settings:
        size = max(8, 4 + int(3.0 * math.log(dim)))
        parents = size // 2
        raw = math.log((size + 1) / 2.0) - np.log(np.arange(1, parents + 1))
        weights = raw / raw.sum()
        effective = float(1.0 / np.square(weights).sum())
        c_sigma = (effective + 2.0) / (dim + effective + 5.0)
        c_1 = 2.0 / ((dim + 1.3) ** 2 + effective)
        return cls(
            size=size,
            parents=parents,
            weights=weights,
            effective=effective,
            c_sigma=c_sigma,
            d_sigma=1.0 + c_sigma + 2.0 * max(0.0, math.sqrt((effective - 1.0) / (dim + 1.0)) - 1.0),
            c_c=(4.0 + effective / dim) / (dim + 4.0 + 2.0 * effective / dim),
            c_1=c_1,
            c_mu=min(1.0 - c_1, 2.0 * (effective - 2.0 + 1.0 / effective) / ((dim + 2.0) ** 2 + effective)),
            length=math.sqrt(dim) * (1.0 - 1.0 / (4.0 * dim) + 1.0 / (21.0 * dim**2)),
        )


@dataclass
class _State:
    """Mean, step, covariance and evolution paths of the searches that still run."""

    mean: Array
    sigma: Array
    covariance: Array
    path_sigma: Array
    path_c: Array
    generation: Array
    basis: Array
    lengths: Array

    @classmethod
    def begin(cls, mean: Array, covariance: Array) -> _State:
        n, dim = mean.shape
        zero = np.zeros((n, dim))
        state = cls(
            mean.copy(), np.ones(n), covariance.copy(), zero, zero, np.zeros(n), covariance, np.ones((n, dim))
        )
        state._decompose()
        return state

    def _decompose(self) -> None:
        values, self.basis = np.linalg.eigh(0.5 * (self.covariance + np.swapaxes(self.covariance, 1, 2)))
        floor = 1e-14 * values[:, -1:] + 1e-300
        self.lengths = np.sqrt(np.maximum(values, floor))

    def take(self, kept: Any) -> _State:
        """Return the searches that go on."""
        return _State(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))

    def sample(self, settings: _Settings, rng: np.random.Generator) -> Array:
        """Return one generation (searches, size, dim)."""
        z = rng.standard_normal((len(self.mean), settings.size, self.mean.shape[1])) * self.lengths[:, None]
        step = np.einsum("nij,nkj->nki", self.basis, z)
        return np.asarray(self.mean[:, None] + self.sigma[:, None, None] * step)

    def update(self, chosen: Array, settings: _Settings) -> None:
        """Move towards the parents (searches, parents, dim), best first."""
        steps = (chosen - self.mean[:, None]) / self.sigma[:, None, None]
        mean = np.einsum("p,npi->ni", settings.weights, steps)
        self.mean = self.mean + self.sigma[:, None] * mean
        white = np.einsum("nji,nj->ni", self.basis, mean) / self.lengths
        white = np.einsum("nij,nj->ni", self.basis, white)
        c = settings.c_sigma
        self.path_sigma = (1 - c) * self.path_sigma + math.sqrt(c * (2 - c) * settings.effective) * white
        self.generation = self.generation + 1.0
        length = np.linalg.norm(self.path_sigma, axis=1)
        dim = self.mean.shape[1]
        expected = np.sqrt(1.0 - (1.0 - c) ** (2.0 * self.generation)) * settings.length
        slow = (length / expected < 1.4 + 2.0 / (dim + 1.0)).astype(np.float64)
        c_c = settings.c_c
        kick = math.sqrt(c_c * (2 - c_c) * settings.effective)
        self.path_c = (1 - c_c) * self.path_c + slow[:, None] * kick * mean
        rank_one = self.path_c[:, :, None] * self.path_c[:, None, :]
        rank_one += ((1.0 - slow) * c_c * (2 - c_c))[:, None, None] * self.covariance
        rank_mu = np.einsum("p,npi,npj->nij", settings.weights, steps, steps)
        keep = 1.0 - settings.c_1 - settings.c_mu
        self.covariance = keep * self.covariance + settings.c_1 * rank_one + settings.c_mu * rank_mu
        growth = (c / settings.d_sigma) * (length / settings.length - 1.0)
        self.sigma = self.sigma * np.exp(np.minimum(growth, 1.0))
        self._decompose()
