"""What a best fit maximises: ln L in coordinates in which every prior is about one unit wide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globalfit.arrays import Array
from globalfit.coordinates import coordinate_for
from globalfit.parameters import ParameterSpace
from globalfit.posterior import Evaluation, Posterior

EDGE = 1e-9  # how far from an edge, in units of the width: rounding of exp(ln x) must not cross it


@dataclass(frozen=True, eq=False)
class Target:
    """ln L plus what informative priors say, as a function of points y (n, dim).

    y is linear in x, or in ln x where the prior is logarithmic, and runs from 0 to 1 over a bounded prior.
    Flat priors only bound. Any other prior (a normal or log-normal nuisance parameter) is knowledge from
    elsewhere, an auxiliary measurement: the ln of its density in that coordinate, relative to its maximum,
    is added.
    """

    posterior: Posterior

    @cached_property
    def _plain(self) -> Posterior:
        """The posterior in the coordinates of the priors' scales, whatever the walkers move in."""
        given, space = self.posterior, self.posterior.space
        plain = ParameterSpace(space.sampled, space.fixed, space.tied)
        return Posterior(plain, given.model, list(given.likelihoods.values()), given.constraints)

    @cached_property
    def _ends(self) -> tuple[Array, Array, Array, Array]:
        """Lower and upper end of each coordinate, and the 16 and 84 % quantiles of its prior."""
        u = np.array([0.0, 1.0, 0.16, 0.84])
        with np.errstate(divide="ignore"):  # ln of the end of a log-normal prior
            columns = [
                coordinate_for(prior).from_physical(np.asarray(prior.quantile(u)), {})
                for prior in self.posterior.space.priors
            ]
        low, high, left, right = np.transpose(columns)
        return low, high, left, right

    @cached_property
    def _origin(self) -> Array:
        low, high, left, _ = self._ends
        return np.where(np.isfinite(low) & np.isfinite(high), low, left)

    @cached_property
    def _unit(self) -> Array:
        low, high, left, right = self._ends
        return np.where(np.isfinite(low) & np.isfinite(high), high - low, right - left)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest y (dim,); infinite where a prior does not end."""
        low, high, _, _ = self._ends
        return (low - self._origin) / self._unit + EDGE, (high - self._origin) / self._unit - EDGE

    @cached_property
    def _peak(self) -> float:
        """The largest ln prior density in these coordinates."""
        total = 0.0
        u = np.linspace(0.0, 1.0, 4001)[1:-1]
        for prior in self.posterior.space.priors:
            coordinate = coordinate_for(prior)
            t = coordinate.from_physical(np.asarray(prior.quantile(u)), {})
            x, slope = coordinate.to_physical(t, {})
            total += float(np.max(prior.log_density(x) + slope))
        return total

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return self.posterior.space.dim

    def place(self, values: Array) -> Array:
        """Return y (n, dim) of physical values (n, dim), moved inside the bounds."""
        y = (self.posterior.space.scaled(values) - self._origin) / self._unit
        return np.clip(y, *self.bounds)

    def physical(self, y: Array) -> Array:
        """Return the physical values (n, dim) at y (n, dim)."""
        return self._plain.space.physical(self._origin + self._unit * y)

    def evaluate(self, y: Array) -> Evaluation:
        """Evaluate the posterior at y (n, dim)."""
        return self._plain.evaluate(self._origin + self._unit * y)

    def knowledge(self, evaluation: Evaluation) -> Array:
        """Return what informative priors contribute (n,), at most 0; -inf outside prior and constraints."""
        return evaluation.log_prior - self._peak

    def __call__(self, y: Array) -> Array:
        """Return ln L + knowledge (n,); -inf outside."""
        evaluation = self.evaluate(y)
        inside = evaluation.log_prior > -np.inf
        return np.where(inside, evaluation.log_likelihood + self.knowledge(evaluation), -np.inf)
