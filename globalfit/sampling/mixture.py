"""Mixtures of multivariate t distributions, fitted to a population: independent proposals come from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globalfit.arrays import Array

FREEDOM = 8.0  # degrees of freedom: tails heavier than a posterior's, so that no point is hard to leave
HALO, SPAN = 0.2, 2.5  # share of each component that is wider, and by how much: sheets are not ellipsoids
BROAD = 0.03  # weight of one component as wide as the whole population
FLOOR = 1e-8  # least variance of a component, in units of the population's
ITERATIONS = 15
PER_COMPONENT = 4  # points for each number that a component has
MOST = 64  # components of one fit
LACKING = 0.15  # weight of what is fitted to the points that a mixture covers worst
FEWER = 30  # components of such a fit


@dataclass(frozen=True)
class Mixture:
    """A density in `dim` coordinates: components with a core and a halo `SPAN` times as wide.

    Attributes
    ----------
    weights : (k,)
    means : (k, dim)
    roots : (k, dim, dim)
        Lower Cholesky factors of the scale matrices of the cores.
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
        stretch[random.random_sample(n) < HALO] *= SPAN
        step: Array = np.einsum("nij,nj->ni", self.roots[which], normal)
        return np.asarray(self.means[which] + stretch[:, None] * step)

    def _terms(self, x: Array) -> Array:
        """Return ln (weight x density) (n, k) of each component."""
        dim = self.means.shape[1]
        norm = math.lgamma(0.5 * (FREEDOM + dim)) - math.lgamma(0.5 * FREEDOM)
        norm -= 0.5 * dim * math.log(FREEDOM * math.pi)
        volume = np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        with np.errstate(divide="ignore"):
            height = np.log(self.weights) - volume + norm
        squares, power = self._squares(x) / FREEDOM, -0.5 * (FREEDOM + dim)
        # Core and halo: (1 + s)^power ((1 - HALO) + HALO SPAN^-dim ratio^power).
        ratio = (1.0 + squares / SPAN**2) / (1.0 + squares)
        both = np.log((1.0 - HALO) + HALO * SPAN**-dim * ratio**power)
        return np.asarray(height + power * np.log1p(squares) + both)

    def _squares(self, x: Array) -> Array:
        """Return the squared Mahalanobis distances (n, k), as one product with the monomials of `x`."""
        middle, scale, forms = self._forms
        return np.maximum(_monomials((x - middle) / scale) @ forms, 0.0)

    @cached_property
    def _forms(self) -> tuple[Array, Array, Array]:
        """The distances as quadratic forms (monomials, k), about and in units of all components together."""
        middle = self.weights @ self.means
        variance = np.square(self.roots).sum(axis=2) + np.square(self.means - middle)
        scale = np.sqrt(self.weights @ variance)
        inverse = np.linalg.inv(self.roots / scale[:, None])
        precision = np.swapaxes(inverse, 1, 2) @ inverse
        means = (self.means - middle) / scale
        linear = np.einsum("kij,kj->ki", precision, means)
        constant = np.einsum("ki,ki->k", linear, means)
        i, j = np.tril_indices(means.shape[1])
        pairs = precision[:, i, j] * np.where(i == j, 1.0, 2.0)
        return middle, scale, np.vstack([pairs.T, -2.0 * linear.T, constant])


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
    n, dim = x.shape
    middle = x.mean(axis=0)
    spread = np.cov(x, rowvar=False).reshape(dim, dim)
    scale = np.sqrt(np.diagonal(spread))
    scale = np.where(scale > 0.0, scale, 1.0)
    y = (x - middle) / scale
    ridge = FLOOR * np.eye(dim)
    whole = spread / np.outer(scale, scale) + ridge
    pairs = (y[:, :, None] * y[:, None, :]).reshape(n, dim * dim)
    now = _seeds(y, components, rng, ridge)
    for _ in range(ITERATIONS):
        share, near = _shares(now, y)
        count = share.sum(axis=0)
        keep = count > dim + 2.0
        share, near, count = share[:, keep], near[:, keep], count[keep]
        total = near.sum(axis=0)
        means = near.T @ y / total[:, None]
        second = (near.T @ pairs).reshape(-1, dim, dim) / count[:, None, None]
        scatter = second - np.einsum("k,ki,kj->kij", total / count, means, means)
        now = Mixture(count / count.sum(), means, _root(scatter, ridge))
    weights = np.append((1.0 - BROAD) * now.weights, BROAD)
    means = np.vstack([now.means, np.zeros(dim)])
    roots = np.concatenate([now.roots, np.linalg.cholesky(whole)[None]])
    return Mixture(weights, middle + scale * means, scale[:, None] * roots)


def _shares(now: Mixture, y: Array) -> tuple[Array, Array]:
    """Return to which share each point belongs to each core (n, k), and that times how near it is."""
    dim = y.shape[1]
    squares = now._squares(y)
    volume = np.log(np.diagonal(now.roots, axis1=1, axis2=2)).sum(axis=1)
    terms = np.log(now.weights) - volume - 0.5 * (FREEDOM + dim) * np.log1p(squares / FREEDOM)
    share = np.exp(terms - terms.max(axis=1)[:, None])
    share /= share.sum(axis=1)[:, None]
    return share, share * (FREEDOM + dim) / (FREEDOM + squares)


def _monomials(y: Array) -> Array:
    """Return products, coordinates and one (n, m), in the order of `Mixture._forms`."""
    i, j = np.tril_indices(y.shape[1])
    return np.hstack([y[:, i] * y[:, j], y, np.ones((len(y), 1))])


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
