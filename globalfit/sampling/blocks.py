"""Which parameters share a likelihood: components of the posterior, and what a move has to evaluate again.

A posterior whose parameters fall into sets that share no likelihood, constraint or coordinate is a product of
one density for each set. These components are sampled independently of each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Mask
from globalfit.posterior import Posterior

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Component:
    """Parameters connected by the likelihoods that read them.

    Attributes
    ----------
    parameters, likelihoods : (k,), (m,)
        Their places in the posterior.
    light : (l,)
        Those of the parameters that touch none of the component's costliest likelihoods, or none at all if
        there is no such distinction.
    cheap, dear : (c,), (d,)
        The likelihoods without the costliest, and these; all are cheap if there is no such distinction.
    """

    parameters: Index
    likelihoods: Index
    light: Index
    cheap: Index
    dear: Index


@dataclass(frozen=True)
class Blocks:
    """The structure of a posterior.

    Attributes
    ----------
    touches : (dim, likelihoods)
        Whether a likelihood can change when one walker coordinate moves.
    components : tuple of Component
        They share nothing; their union is all parameters and all likelihoods that react to one.
    idle : (m,)
        Likelihoods that react to no sampled parameter.
    levels : tuple of (m,)
        Likelihoods by cost, the cheapest first: a proposal that one level refuses is spared the next.
    """

    touches: Mask
    components: tuple[Component, ...]
    idle: Index
    levels: tuple[Index, ...]


def blocks(posterior: Posterior) -> Blocks:
    """Return the structure of a posterior, from `Posterior.reads`.

    The cost of a likelihood is its optional member ``cost``, microseconds a point; only the power of ten
    matters. It is declared, not measured, because the chain depends on it.
    """
    space, names = posterior.space, list(posterior.likelihoods)
    moved = [_moved(posterior, i) for i in range(space.dim)]
    reads = [posterior.reads[name] for name in names]
    touches = np.array([[bool(each & read) for read in reads] for each in moved], dtype=np.bool_)
    touches = touches.reshape(space.dim, len(names))
    ties = [posterior.reads[constraint.name] for constraint in posterior.constraints]
    bound = [[bool(each & read) for read in ties] for each in moved]
    linked = [[space.names[j] in each and j != i for j in range(space.dim)] for i, each in enumerate(moved)]
    links = np.hstack([touches, np.array(bound, dtype=np.bool_).reshape(space.dim, -1), np.array(linked)])
    links[:, -space.dim :] |= np.eye(space.dim, dtype=np.bool_)  # a coordinate's own column
    levels = _levels([float(getattr(each, "cost", 1.0)) for each in posterior.likelihoods.values()])
    found = []
    for group in _connected(links):
        theirs = np.flatnonzero(touches[group].any(axis=0))
        dear = [level for level in levels if np.isin(level, theirs).any()]
        costly = np.intersect1d(theirs, dear[-1]) if len(dear) > 1 else theirs[:0]
        light = group[~touches[np.ix_(group, costly)].any(axis=1)] if len(costly) else group[:0]
        found.append(Component(group, theirs, light, np.setdiff1d(theirs, costly), costly))
    return Blocks(touches, tuple(found), np.flatnonzero(~touches.any(axis=0)), levels)


def _moved(posterior: Posterior, i: int) -> set[str]:
    """Return the parameters whose physical values change with walker coordinate `i`."""
    space = posterior.space
    same = {**{name: name for name in space.names}, **space.tied}
    moved = {space.names[i]}
    while True:
        more = {
            name
            for name, coordinate in zip(space.names, space.coordinates, strict=True)
            if any(same.get(other, other) in moved for other in coordinate.reads)
        }
        if more <= moved:
            return moved | {name for name, other in space.tied.items() if other in moved}
        moved |= more


def _connected(links: NDArray[Any]) -> list[Index]:
    """Return the rows of `links` in groups that share a column, each ascending."""
    left, groups = set(range(len(links))), []
    while left:
        group = {min(left)}
        while more := {i for i in left - group if (links[i] & links[sorted(group)].any(axis=0)).any()}:
            group |= more
        left -= group
        groups.append(np.array(sorted(group), dtype=np.intp))
    return groups


def _levels(costs: list[float]) -> tuple[Index, ...]:
    power = np.array([math.floor(math.log10(max(cost, 1.0)) + 1e-9) for cost in costs], dtype=np.intp)
    return tuple(np.flatnonzero(power == each) for each in np.unique(power))
