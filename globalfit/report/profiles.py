"""Profile likelihoods from what a chain found: the best sample of each bin, improved from there.

Components of the posterior that share nothing are looked at one by one: the highest likelihood of one does
not wait for a sample in which the others are at theirs as well. What this gives is a profile from below;
`globalfit profile` maximises each grid value until nothing improves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from globalfit.analysis.parts import Part, parts
from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.fit import Fit
from globalfit.inference.target import Target
from globalfit.posterior import Posterior

ROUNDS = 60  # of improvement; more change little
NEAR = 4  # bins in which a point looks for partners
Bins = Mapping[str, NDArray[np.intp]]


def profiles(
    chain: Chain, fit: Fit, bins: Bins, count: int, *, discard: int, rounds: int = ROUNDS, seed: int = 1
) -> dict[str, Array]:
    """Return the change of ln L from its maximum in bins of each parameter, all others being free.

    Informative priors (of nuisance parameters) count as measurements, as in `globalfit profile`.

    Parameters
    ----------
    chain : Chain
    fit : Fit
        That it was sampled from.
    bins : mapping of str to (n,)
        The bin of each sample of ``chain.get(name, discard=discard, thin=chain.stride)``, by parameter.
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
    for part in parts(posterior):
        kept = [posterior.likelihoods[name] for name in part.likelihoods]
        target = Target(Posterior(posterior.space, posterior.model, kept, posterior.constraints))
        found.update(_of_part(chain, part, target, bins, count, discard, middle, rounds, rng))
    return found


def _of_part(
    chain: Chain,
    part: Part,
    target: Target,
    bins: Bins,
    count: int,
    discard: int,
    middle: Array,
    rounds: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    names = list(target.posterior.space.names)
    columns = [names.index(name) for name in part.parameters]
    values = np.column_stack(
        [chain.get(name, discard=discard, thin=chain.stride) for name in part.parameters]
    )
    total = np.zeros(len(values))
    for name in part.likelihoods:
        total += chain.get(f"ll_{name}", discard=discard, thin=chain.stride)
    rows, fixed, places = [], [], []
    for k, name in enumerate(part.parameters):
        order = np.lexsort((total, bins[name]))  # by bin, the highest last
        last = np.flatnonzero(np.append(np.diff(bins[name][order]) != 0, True))
        rows.append(order[last])
        fixed.append(np.full(len(last), k))
        places.append(bins[name][order[last]])
    start = np.tile(middle, (sum(map(len, rows)), 1))
    start[:, columns] = values[np.concatenate(rows)]
    y, own = target.place(start), np.array(columns)[np.concatenate(fixed)]
    value = _improved(target, y, own, np.array(columns), rounds, rng)
    found, at = {}, 0
    top = float(value.max())
    for name, where in zip(part.parameters, places, strict=True):
        line = np.full(count, -np.inf)
        line[where] = value[at : at + len(where)] - top
        found[name], at = line, at + len(where)
    return found


def _improved(
    target: Target,
    y: Array,
    own: NDArray[np.intp],
    free: NDArray[np.intp],
    rounds: int,
    rng: np.random.Generator,
) -> Array:
    """Return the target at y (n, dim), improved with parameter `own` (n,) of each row kept; changes y.

    Rows of one parameter stand together, bin after bin. A row tries the place of a neighbour, or a step along
    the difference of two of them.
    """
    value, every = target(y), np.arange(len(y))
    first = _first(own)
    length = np.bincount(own, minlength=y.shape[1])[own]
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
    return value


def _first(own: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the first row of the run that each row stands in."""
    begins = np.flatnonzero(np.append(True, np.diff(own) != 0))
    return np.repeat(begins, np.diff(np.append(begins, len(own))))
