"""Mixtures of multivariate t distributions, fitted to a population: independent proposals come from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array

FREEDOM = 8.0  # degrees of freedom: tails heavier than a posterior's, so that no point is hard to leave
BROAD = 0.03  # weight of one component as wide as the whole population
FLOOR = 1e-8  # least variance of a component, in units of the population's
ITERATIONS = 15


@dataclass(frozen=True)
class Mixture:
    """A density in `dim` coordinates.

    Attributes
    ----------
    weights : (k,)
    means : (k, dim)
    roots : (k, dim, dim)
        Lower Cholesky factors of the scale matrices.
    """

    weights: Array
    means: Array
    roots: Array

    def log_density(self, x: Array) -> Array:
        """Return the normalised ln density (n,) at `x` (n, dim)."""
        return _logsumexp(self._terms(x))

    def draw(self, n: int, random: np.random.RandomState) -> Array:
        """Return `n` draws (n, dim)."""
        dim = self.means.shape[1]
        which = np.searchsorted(np.cumsum(self.weights), random.random_sample(n)).clip(
            max=len(self.weights) - 1
        )
        normal = random.standard_normal((n, dim))
        stretch = np.sqrt(FREEDOM / random.chisquare(FREEDOM, n))
        step: Array = np.einsum("nij,nj->ni", self.roots[which], normal)
        return np.asarray(self.means[which] + stretch[:, None] * step)

    def _terms(self, x: Array) -> Array:
        """Return ln (weight x density) (n, k) of each component."""
        dim = self.means.shape[1]
        norm = math.lgamma(0.5 * (FREEDOM + dim)) - math.lgamma(0.5 * FREEDOM)
        norm -= 0.5 * dim * math.log(FREEDOM * math.pi)
        squares = self._squares(x)
        volume = np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        with np.errstate(divide="ignore"):
            height = np.log(self.weights) - volume + norm
        return np.asarray(height - 0.5 * (FREEDOM + dim) * np.log1p(squares / FREEDOM))

    def _squares(self, x: Array) -> Array:
        """Return the squared Mahalanobis distances (n, k)."""
        k, dim = self.means.shape
        inverse = np.linalg.inv(self.roots)
        flat = inverse.reshape(k * dim, dim)
        offset = np.einsum("kij,kj->ki", inverse, self.means).reshape(k * dim)
        scaled = (x @ flat.T - offset).reshape(len(x), k, dim)
        return np.asarray(np.einsum("nki,nki->nk", scaled, scaled))


def fit_mixture(x: Array, components: int, rng: np.random.Generator) -> Mixture:
    """Return a mixture that follows the points `x` (n, dim).

    Expectation and maximisation for t components of fixed freedom (D. Peel, G. J. McLachlan, Stat. Comput. 10
    (2000) 339) from seeds that keep their distance (k-means++), then one broad component.
    """
    n, dim = x.shape
    middle = x.mean(axis=0)
    spread = np.cov(x, rowvar=False).reshape(dim, dim)
    scale = np.sqrt(np.diagonal(spread))
    scale = np.where(scale > 0.0, scale, 1.0)
    y = (x - middle) / scale
    ridge = FLOOR * np.eye(dim)
    whole = spread / np.outer(scale, scale) + ridge
    now = _seeds(y, components, rng, ridge)
    for _ in range(ITERATIONS):
        terms = now._terms(y)
        share = np.exp(terms - _logsumexp(terms)[:, None])
        near = share * (FREEDOM + dim) / (FREEDOM + now._squares(y))
        count = share.sum(axis=0)
        keep = count > dim + 2.0
        share, near, count = share[:, keep], near[:, keep], count[keep]
        total = near.sum(axis=0)
        means = near.T @ y / total[:, None]
        pairs = (y[:, :, None] * y[:, None, :]).reshape(n, dim * dim)
        second = (near.T @ pairs).reshape(-1, dim, dim) / count[:, None, None]
        scatter = second - np.einsum("k,ki,kj->kij", total / count, means, means)
        now = Mixture(count / count.sum(), means, _root(scatter, ridge))
    weights = np.append((1.0 - BROAD) * now.weights, BROAD)
    means = np.vstack([now.means, np.zeros(dim)])
    roots = np.concatenate([now.roots, np.linalg.cholesky(whole)[None]])
    return Mixture(weights, middle + scale * means, scale[:, None] * roots)


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


def _logsumexp(terms: Array) -> Array:
    top = terms.max(axis=1)
    return np.asarray(top + np.log(np.exp(terms - top[:, None]).sum(axis=1)))
