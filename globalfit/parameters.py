"""Parameters, the prior protocol, and the space that walkers move in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from globalfit.arrays import Array, as_points
from globalfit.coordinates import Coordinate, coordinate_for
from globalfit.errors import GlobalfitError

Scale = Literal["linear", "log", "signed-log"]


@runtime_checkable
class Prior(Protocol):
    """A normalised one-dimensional density.

    `scale` names the coordinate in which walkers move: ``"linear"``, ``"log"`` (x > 0), or ``"signed-log"``
    (both signs, a gap around zero; the prior then has the attribute ``low``, the edge of the gap).
    """

    @property
    def scale(self) -> Scale:
        """Coordinate in which walkers move."""
        ...

    def log_density(self, x: Array) -> Array:
        """Return the natural logarithm of the density at `x` (n,); -inf outside the support and at nan."""
        ...

    def quantile(self, u: Array) -> Array:
        """Return the x (n,) below which lies the probability `u` (n,) in [0, 1]."""
        ...


@dataclass(frozen=True)
class Quantity:
    """A named number with its unit and LaTeX label (no dollar signs)."""

    name: str
    unit: str = ""
    label: str = ""


@dataclass(frozen=True)
class Parameter(Quantity):
    """A parameter of a model or a nuisance parameter of a likelihood.

    `prior` is what a fit uses that does not name the parameter: a `Fixed` default of a model, the published
    uncertainty of a nuisance; None where the fit has to say.
    """

    prior: Prior | None = None


class Transformed(NamedTuple):
    """Walker coordinates turned into physics: columns (n,), and two log densities (n,)."""

    columns: dict[str, Array]
    log_prior: Array  # with respect to the walker coordinates
    log_jacobian: Array  # ln |d physical / d coordinates|


class ParameterSpace:
    """The sampled parameters in order, with those that are fixed or tied to another.

    Parameters
    ----------
    sampled : sequence of Parameter
        Each with a prior.
    fixed : mapping of str to float
        Parameters that keep one value.
    tied : mapping of str to str
        Parameters that equal another one.
    coordinates : mapping of str to Coordinate
        Coordinates other than the one the prior's scale asks for. They never change the posterior.

    Raises
    ------
    GlobalfitError
        If a name stands twice, a prior is missing, or a tie or coordinate refers to an unknown parameter.
    """

    def __init__(
        self,
        sampled: Sequence[Parameter],
        fixed: Mapping[str, float] | None = None,
        tied: Mapping[str, str] | None = None,
        coordinates: Mapping[str, Coordinate] | None = None,
    ) -> None:
        self.sampled = tuple(sampled)
        self.fixed = dict(fixed or {})
        self.tied = dict(tied or {})
        self.names = tuple(parameter.name for parameter in self.sampled)
        self.dim = len(self.names)
        every = [*self.names, *self.fixed, *self.tied]
        for name in every:
            if every.count(name) > 1:
                raise GlobalfitError(name, "the parameter is given twice", "keep one of the two")
        for name, other in self.tied.items():
            if other not in self.names and other not in self.fixed:
                raise GlobalfitError(
                    name, f"tied to '{other}', which is neither sampled nor fixed", "tie to one that is"
                )
        self._same = tuple(
            (name, *(tied for tied, other in self.tied.items() if other == name)) for name in self.names
        )
        self.priors: tuple[Prior, ...] = tuple(_prior_of(parameter) for parameter in self.sampled)
        chosen = dict(coordinates or {})
        for name in chosen:
            if name not in self.names:
                raise GlobalfitError(name, "has a coordinate but is not sampled", "give it a prior")
        self.coordinates: tuple[Coordinate, ...] = tuple(
            chosen.get(name) or coordinate_for(prior)
            for name, prior in zip(self.names, self.priors, strict=True)
        )
        self._columns = tuple(every)  # the sampled ones first: messages name points in this order
        self._order = _order(
            self.names, self.coordinates, {name: self.tied.get(name, name) for name in every}
        )
        self._scales: tuple[Coordinate, ...] = tuple(coordinate_for(prior) for prior in self.priors)

    def transform(self, theta: Array) -> Transformed:
        """Return physical columns, log prior and log Jacobian of walker coordinates `theta` (n, dim)."""
        theta = as_points(theta, self.dim)
        n = len(theta)
        columns = self._given(n)
        log_prior = np.zeros(n)
        log_jacobian = np.zeros(n)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for i in self._order:
                x, log_slope = self.coordinates[i].to_physical(theta[:, i], columns)
                for name in self._same[i]:
                    columns[name] = x
                log_jacobian += log_slope
                log_prior += self.priors[i].log_density(x)
            log_prior += log_jacobian
        log_prior[~(log_prior < np.inf)] = -np.inf  # a coordinate outside its range gives nan
        ordered = {name: columns[name] for name in self._columns}
        return Transformed(ordered, log_prior, log_jacobian)

    def columns(self, theta: Array) -> dict[str, Array]:
        """Return {name: (n,)} physical values of all parameters, the fixed and tied ones included."""
        return self.transform(theta).columns

    def log_prior(self, theta: Array) -> Array:
        """Return ln prior (n,) with respect to the walker coordinates (Jacobian included)."""
        return self.transform(theta).log_prior

    def log_jacobian(self, theta: Array) -> Array:
        """Return ln |d physical / d coordinates| (n,); subtract it to get densities of physical values."""
        return self.transform(theta).log_jacobian

    def physical(self, theta: Array) -> Array:
        """Return the physical values (n, dim) of the sampled parameters at walker coordinates `theta`."""
        columns = self.columns(theta)
        return np.column_stack([columns[name] for name in self.names])

    def walker(self, values: Array) -> Array:
        """Return walker coordinates (n, dim) of physical values (n, dim): the inverse of `physical`."""
        values = as_points(values, self.dim)
        columns = self._given(len(values))
        columns |= {name: values[:, i] for i, same in enumerate(self._same) for name in same}
        return np.column_stack(
            [coordinate.from_physical(values[:, i], columns) for i, coordinate in enumerate(self.coordinates)]
        )

    def scaled(self, values: Array) -> Array:
        """Return physical values (..., dim) in the coordinates of their priors' scales."""
        columns = [scale.from_physical(values[..., i], {}) for i, scale in enumerate(self._scales)]
        return np.stack(columns, axis=-1)

    def log_density(self, values: Array) -> Array:
        """Return ln prior (n,) of physical values (n, dim), with respect to them (no Jacobian)."""
        values = as_points(values, self.dim)
        terms = (prior.log_density(values[:, i]) for i, prior in enumerate(self.priors))
        return sum(terms, np.zeros(len(values)))

    def from_unit_cube(self, u: Array) -> Array:
        """Return walker coordinates (n, dim) of points `u` (n, dim) in the unit cube."""
        u = as_points(u, self.dim)
        return self.walker(np.column_stack([prior.quantile(u[:, i]) for i, prior in enumerate(self.priors)]))

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Return walker coordinates (n, dim) of `n` draws from the prior."""
        return self.from_unit_cube(rng.random((n, self.dim)))

    def _given(self, n: int) -> dict[str, Array]:
        """Return the columns (n,) that do not depend on a sampled parameter."""
        columns = {name: np.full(n, value) for name, value in self.fixed.items()}
        return columns | {name: columns[other] for name, other in self.tied.items() if other in columns}


def _prior_of(parameter: Parameter) -> Prior:
    if parameter.prior is None:
        raise GlobalfitError(parameter.name, "has no prior", "give it one, or a fixed value")
    return parameter.prior


def _order(
    names: Sequence[str], coordinates: Sequence[Coordinate], known: Mapping[str, str]
) -> tuple[int, ...]:
    """Order in which coordinates can be inverted: each after those whose values it reads.

    `known` says for every parameter whose value it takes: its own, or that of the one it is tied to.
    """
    for name, coordinate in zip(names, coordinates, strict=True):
        for other in coordinate.reads:
            if other not in known:
                problem = f"its coordinate reads '{other}', which the fit does not have"
                raise GlobalfitError(name, problem, f"add [parameters.{other}]")
    reads = [{known[other] for other in coordinate.reads} for coordinate in coordinates]
    order: list[int] = []
    while len(order) < len(names):
        waiting = {names[i] for i in range(len(names)) if i not in order}
        ready = [i for i in range(len(names)) if names[i] in waiting and waiting.isdisjoint(reads[i])]
        if not ready:
            problem = "their coordinates read each other in a circle"
            raise GlobalfitError(", ".join(sorted(waiting)), problem, "leave one of them out")
        order += ready
    return tuple(order)
