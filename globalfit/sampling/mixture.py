"""Mixtures of multivariate t distributions: independent proposals come from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globalfit.arrays import Array

FREEDOM = 8  # degrees of freedom: tails heavier than a posterior's, so that no point is hard to leave
HALO, SPAN = 0.2, 2.5  # share of each component that is wider, and by how much: sheets are not ellipsoids
ROWS = 512  # points at a time, so that their tables stay in the processor's cache
TINY = 1e-250  # a density, in units of the highest component, that is summed up in logarithms instead


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
        found = np.empty(len(x))
        for rows in pieces(len(x)):
            found[rows] = self._log_sum(self._squares(x[rows]))
        return found

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

    def _log_sum(self, squares: Array) -> Array:
        """Return ln of the density (n,) from the squared distances (n, k) to the components."""
        dim = self.means.shape[1]
        top = self._heights.max()
        core = power_law(squares, dim)
        halo = power_law(squares / SPAN**2, dim)
        core *= 1.0 - HALO
        halo *= HALO * SPAN**-dim
        core += halo
        total = core @ np.exp(self._heights - top)
        far = np.flatnonzero(total < TINY)
        total[far] = 1.0
        found = top + np.log(total)
        if len(far):
            found[far] = _logsumexp(self._terms(squares[far]))
        return np.asarray(found)

    def _terms(self, squares: Array) -> Array:
        """Return ln (weight x density) (n, k) of each component, however small it is."""
        dim = self.means.shape[1]
        power = -0.5 * (FREEDOM + dim)
        squares = squares / FREEDOM
        # Core and halo: (1 + s)^power ((1 - HALO) + HALO SPAN^-dim ratio^power).
        ratio = (1.0 + squares / SPAN**2) / (1.0 + squares)
        both = np.log((1.0 - HALO) + HALO * SPAN**-dim * ratio**power)
        return np.asarray(self._heights + power * np.log1p(squares) + both)

    @cached_property
    def _heights(self) -> Array:
        """Ln of weight x density (k,) of the cores at their centres, as if there were no halo."""
        dim = self.means.shape[1]
        norm = math.lgamma(0.5 * (FREEDOM + dim)) - math.lgamma(0.5 * FREEDOM)
        norm -= 0.5 * dim * math.log(FREEDOM * math.pi)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.weights) - log_volumes(self.roots) + norm)

    def _squares(self, x: Array) -> Array:
        """Return the squared Mahalanobis distances (n, k), as one product with the monomials of `x`."""
        middle, scale, forms = self._forms
        return np.maximum(monomials((x - middle) / scale) @ forms, 0.0)

    @cached_property
    def _forms(self) -> tuple[Array, Array, Array]:
        """The distances as quadratic forms, about and in units of all components together."""
        middle = self.weights @ self.means
        variance = np.square(self.roots).sum(axis=2) + np.square(self.means - middle)
        scale = np.sqrt(self.weights @ variance)
        return middle, scale, quadratic_forms((self.means - middle) / scale, self.roots / scale[:, None])


def quadratic_forms(means: Array, roots: Array) -> Array:
    """Return the coefficients (m, k) of squared Mahalanobis distances in `monomials`."""
    inverse = np.linalg.inv(roots)
    precision = np.swapaxes(inverse, 1, 2) @ inverse
    linear = np.einsum("kij,kj->ki", precision, means)
    constant = np.einsum("ki,ki->k", linear, means)
    i, j = np.tril_indices(means.shape[1])
    pairs = precision[:, i, j] * np.where(i == j, 1.0, 2.0)
    return np.vstack([pairs.T, -2.0 * linear.T, constant])


def monomials(y: Array) -> Array:
    """Return products, coordinates and one (n, m) of `y` (n, dim)."""
    i, j = np.tril_indices(y.shape[1])
    return np.hstack([y[:, i] * y[:, j], y, np.ones((len(y), 1))])


def power_law(squares: Array, dim: int) -> Array:
    """Return (1 + squares / FREEDOM)^(-(FREEDOM + dim) / 2): products cost less than logarithms do."""
    base = squares * (1.0 / FREEDOM)
    base += 1.0
    np.reciprocal(base, out=base)
    whole, half = divmod(FREEDOM + dim, 2)
    found = np.sqrt(base) if half else np.ones_like(base)
    while whole:
        if whole % 2:
            found *= base
        whole //= 2
        if whole:
            base *= base
    return found


def log_volumes(roots: Array) -> Array:
    """Return ln of the determinants (k,) of triangular matrices."""
    return np.asarray(np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1))


def pieces(n: int) -> list[slice]:
    """Return slices of at most `ROWS` that cover `n` points."""
    return [slice(low, min(low + ROWS, n)) for low in range(0, n, ROWS)]


def _logsumexp(terms: Array) -> Array:
    top = terms.max(axis=1)
    return np.asarray(top + np.log(np.exp(terms - top[:, None]).sum(axis=1)))
