"""Mixtures fitted to the points of a population."""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.sampling.mixture import (
    FREEDOM,
    TINY,
    Mixture,
    log_volumes,
    monomials,
    pieces,
    power_law,
    quadratic_forms,
)

BROAD = 0.03  # weight of one component as wide as the whole population
FLOOR = 1e-8  # least variance of a component, in units of the population's
ITERATIONS = 15
PER_COMPONENT = 4  # points for each number that a component has
MOST = 64  # components of one fit
LACKING = 0.15  # weight of what is fitted to the points that a mixture covers worst
FEWER = 30  # components of such a fit


def follow(x: Array, log_density: Array, rng: np.random.Generator, rounds: int) -> Mixture:
    """Return a mixture that follows points `x` (n, dim) and leaves few of them uncovered.

    How long a chain of independent proposals stays at a point is the ratio of the density there to that of
    the mixture. A fit makes the mean of its logarithm small; `rounds` of fits to the points weighted by that
    ratio then add components where it is largest.

    Parameters
    ----------
    log_density : (n,)
        ln of the density that the points follow, up to a constant.
    """
    mixture = fit_mixture(x, components_for(len(x), x.shape[1]), rng)
    for _ in range(rounds):
        log_ratio = log_density - mixture.log_density(x)
        weight = np.exp(log_ratio - log_ratio.max())
        places = (np.arange(len(x)) + rng.random()) / len(x)
        chosen = np.searchsorted(np.cumsum(weight) / weight.sum(), places).clip(max=len(x) - 1)
        components = min(FEWER, components_for(len(np.unique(chosen)), x.shape[1]))
        more = fit_mixture(x[chosen], components, rng)
        weights = np.append((1.0 - LACKING) * mixture.weights, LACKING * more.weights)
        mixture = Mixture(
            weights, np.vstack([mixture.means, more.means]), np.concatenate([mixture.roots, more.roots])
        )
    return mixture


def components_for(points: int, dim: int) -> int:
    """Return how many components a mixture fitted to so many points can have."""
    numbers = 1 + dim + dim * (dim + 1) // 2
    return int(np.clip(points // (PER_COMPONENT * numbers), 1, MOST))


def fit_mixture(x: Array, components: int, rng: np.random.Generator) -> Mixture:
    """Return a mixture with the likelihood of the points `x` (n, dim) as high as it gets.

    Expectation and maximisation for t components of fixed freedom (D. Peel, G. J. McLachlan, Stat. Comput. 10
    (2000) 339) from seeds that keep their distance (k-means++), then one broad component.
    """
    dim = x.shape[1]
    middle = x.mean(axis=0)
    spread = np.cov(x, rowvar=False).reshape(dim, dim)
    scale = np.sqrt(np.diagonal(spread))
    scale = np.where(scale > 0.0, scale, 1.0)
    y = (x - middle) / scale
    ridge = FLOOR * np.eye(dim)
    whole = spread / np.outer(scale, scale) + ridge
    table = monomials(y)
    now = _seeds(y, components, rng, ridge)
    for _ in range(ITERATIONS):
        now = _improved(now, table, ridge)
    weights = np.append((1.0 - BROAD) * now.weights, BROAD)
    means = np.vstack([now.means, np.zeros(dim)])
    roots = np.concatenate([now.roots, np.linalg.cholesky(whole)[None]])
    return Mixture(weights, middle + scale * means, scale[:, None] * roots)


def _improved(now: Mixture, table: Array, ridge: Array) -> Mixture:
    """Return the cores (halos are left out) after one round on points with the monomials `table` (n, m)."""
    k, dim = now.means.shape
    forms = quadratic_forms(now.means, now.roots)
    height = np.log(now.weights) - log_volumes(now.roots)
    height -= height.max()
    count, moments = np.zeros(k), np.zeros((k, table.shape[1]))
    for rows in pieces(len(table)):
        squares = np.maximum(table[rows] @ forms, 0.0)
        share = power_law(squares, dim)
        share *= np.exp(height)
        far = np.flatnonzero(share.sum(axis=1) < TINY)
        if len(far):
            terms = height - 0.5 * (FREEDOM + dim) * np.log1p(squares[far] / FREEDOM)
            share[far] = np.exp(terms - terms.max(axis=1)[:, None])
        share /= share.sum(axis=1)[:, None]
        count += share.sum(axis=0)
        squares += FREEDOM
        share /= squares
        moments += share.T @ table[rows]
    moments *= FREEDOM + dim  # points count the more the nearer they are
    keep = count > dim + 2.0
    count, moments = count[keep], moments[keep]
    i, j = np.tril_indices(dim)
    second = np.empty((len(count), dim, dim))
    second[:, i, j] = second[:, j, i] = moments[:, : len(i)] / count[:, None]
    total = moments[:, -1]
    means = moments[:, len(i) : -1] / total[:, None]
    scatter = second - np.einsum("k,ki,kj->kij", total / count, means, means)
    return Mixture(count / count.sum(), means, _root(scatter, ridge))


def _root(scatter: Array, ridge: Array) -> Array:
    """Return Cholesky factors of covariances that rounding may have made indefinite."""
    values, vectors = np.linalg.eigh(scatter + ridge)
    values = np.maximum(values, ridge[0, 0])
    return np.linalg.cholesky(np.einsum("kij,kj,klj->kil", vectors, values, vectors))


def _seeds(y: Array, components: int, rng: np.random.Generator, ridge: Array) -> Mixture:
    n, dim = y.shape
    chosen = [int(rng.integers(n))]
    nearest = np.square(y - y[chosen[0]]).sum(axis=1)
    owner = np.zeros(n, dtype=np.intp)
    while len(chosen) < components and nearest.max() > 0.0:
        chosen.append(int(np.searchsorted(np.cumsum(nearest), rng.random() * nearest.sum()).clip(max=n - 1)))
        distance = np.square(y - y[chosen[-1]]).sum(axis=1)
        closer = distance < nearest
        owner[closer], nearest = len(chosen) - 1, np.minimum(nearest, distance)
    k = len(chosen)
    count = np.bincount(owner, minlength=k).astype(np.float64)
    size = np.bincount(owner, weights=nearest, minlength=k) / np.maximum(count, 1.0) / dim
    size = np.maximum(size, max(float(nearest.mean()) / dim, ridge[0, 0]))
    roots = np.sqrt(size)[:, None, None] * np.eye(dim)
    return Mixture((count + 1.0) / (n + k), y[chosen], roots)
