"""Profile likelihoods from what a chain found: the best sample of each bin, improved from there.

Components of the posterior that share nothing are looked at one by one: the highest likelihood of one does
not wait for a sample in which the others are at theirs as well. What this gives is a profile from below;
`globalfit profile` maximises each grid value until nothing improves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.fit import Fit
from globalfit.inference.target import Target
from globalfit.posterior import Posterior
from globalfit.sampling.blocks import Component, blocks

ROUNDS = 60  # of improvement; more change little
PASSES = 3  # in which the rounds come; between them what was found for one parameter serves the others
NEAR = 4  # bins in which a point looks for partners
Index: TypeAlias = NDArray[np.intp]
Where: TypeAlias = Mapping[str, Callable[[Array], Index]]


def profiles(
    chain: Chain, fit: Fit, where: Where, count: int, *, discard: int, rounds: int = ROUNDS, seed: int = 1
) -> dict[str, Array]:
    """Return the change of ln L from its maximum in bins of each parameter, all others being free.

    Informative priors (of nuisance parameters) count as measurements, as in `globalfit profile`.

    Parameters
    ----------
    chain : Chain
    fit : Fit
        That it was sampled from.
    where : mapping of str to callable
        By parameter: the bins (n,) of physical values (n,).
    count : int
        Number of bins.
    discard : int
        Steps to leave out.
    rounds : int
        How often each point is tried to be improved.

    Returns
    -------
    dict of str to (count,)
        At most 0; -inf in bins without a sample.
    """
    posterior, rng = fit.posterior, np.random.default_rng([seed, 17])
    best, found = chain.best(), {}
    middle = np.array([best[name] for name in posterior.space.names])
    likelihoods = list(posterior.likelihoods.values())
    for part in blocks(posterior).components:
        kept = [likelihoods[i] for i in part.likelihoods]
        target = Target(Posterior(posterior.space, posterior.model, kept, posterior.constraints))
        found.update(_of_part(chain, part, target, where, count, discard, middle, rounds, rng))
    return found


def _of_part(
    chain: Chain,
    part: Component,
    target: Target,
    where: Where,
    count: int,
    discard: int,
    middle: Array,
    rounds: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    columns = np.array(part.parameters)
    names = [target.posterior.space.names[i] for i in columns]
    values = np.column_stack([chain.get(name, discard=discard, thin=chain.stride) for name in names])
    total = np.zeros(len(values))
    for name in target.posterior.likelihoods:
        total += chain.get(f"ll_{name}", discard=discard, thin=chain.stride)
    rows, own, places = _highest(names, values, total, where)
    start = np.tile(middle, (len(rows), 1))
    start[:, columns] = values[rows]
    y = target.place(start)
    value = target(y)
    for _ in range(PASSES):
        _improve(target, y, value, columns[own], columns, rounds // PASSES, rng)
        rows, own, places = _highest(names, target.physical(y)[:, columns], value, where)
        y, value = y[rows], value[rows]
    found, top = {}, float(value.max())
    for k, name in enumerate(names):
        found[name] = np.full(count, -np.inf)
        found[name][places[own == k]] = value[own == k] - top
    return found


def _highest(names: Sequence[str], values: Array, total: Array, where: Where) -> tuple[Index, Index, Index]:
    """Return the highest of some points in each bin of each parameter: row, parameter, bin."""
    rows, own, places = [], [], []
    order = np.argsort(total)
    for k, name in enumerate(names):
        bins = where[name](values[:, k])
        last = np.full(bins.max() + 1, -1)
        last[bins[order]] = order  # the highest of a bin is written last
        filled = np.flatnonzero(last >= 0)
        rows.append(last[filled])
        own.append(np.full(len(filled), k))
        places.append(filled)
    return np.concatenate(rows), np.concatenate(own), np.concatenate(places)


def _improve(
    target: Target, y: Array, value: Array, own: Index, free: Index, rounds: int, rng: np.random.Generator
) -> None:
    """Improve the target's `value` at y (n, dim), in place, with parameter `own` (n,) of each row kept.

    Rows of one parameter stand together, bin after bin. A row tries the place of a neighbour, or a step along
    the difference of two of them.
    """
    every = np.arange(len(y))
    begins = np.flatnonzero(np.append(True, np.diff(own) != 0))
    sizes = np.diff(np.append(begins, len(own)))
    first, length = np.repeat(begins, sizes), np.repeat(sizes, sizes)
    for _ in range(rounds):
        one, two, three = (
            first + np.clip(every - first + rng.integers(-NEAR, NEAR + 1, len(y)), 0, length - 1)
            for _ in range(3)
        )
        scale = np.exp(rng.normal(-0.7, 0.9, len(y)))[:, None]
        origin = np.where(rng.random(len(y)) < 0.4, one, every)
        trial = y.copy()
        trial[:, free] = y[np.ix_(origin, free)] + scale * (y[np.ix_(two, free)] - y[np.ix_(three, free)])
        trial[every, own] = y[every, own]
        trial = np.clip(trial, *target.bounds)
        new = target(trial)
        better = new > value
        y[better], value[better] = trial[better], new[better]
