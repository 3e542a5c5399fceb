"""A few shapes in energy that stand for the energy axis of kernels and fluxes.

Events are sum_E H(E) K(E). Kernels of all masses are smooth in energy, since decay and resolution smear them:
divided by a weight w(E) they lie close to the span of a few orthonormal shapes f_k(E). Fluxes add the next
few. Then events are sum_k h_k K_k with h_k = sum_E f_k H w and K_k = sum_E f_k K/w, up to the product of what
flux and kernel have outside the span. The weight w = sqrt(K/H) of typical K and H balances the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.grid import CENTRES
from globalfit.physics.beam.interpolation import Index, neighbours, stencil

FLOOR = 1e-3  # of the largest typical kernel and flux, below which the weight takes this


@dataclass(frozen=True)
class Basis:
    """Spectral shapes.

    Attributes
    ----------
    weight : array (89,)
        w(E), zero where kernels are not computed.
    shapes : array (k, 89)
        f_k(E), orthonormal.
    """

    weight: Array
    shapes: Array

    def project_flux(self, h: Array) -> Array:
        """Return the amplitudes (..., k) of fluxes (..., 89)."""
        return np.asarray((h * self.weight) @ self.shapes.T)

    def project_kernel(self, kernel: Array) -> Array:
        """Return K_k (..., k, bins) of kernels (..., 89, bins)."""
        seen = self.weight > 0.0
        over = np.where(seen, self.shapes / np.where(seen, self.weight, 1.0), 0.0)
        return np.asarray(np.einsum("ke,...eb->...kb", over, kernel))


def balance(kernel: Array, flux: Array, rows: Index) -> Array:
    """Return w (89,) from a typical kernel and flux (89,), between the first and last of `rows`."""
    k, h = (np.maximum(each / each.max(), FLOOR) for each in (kernel, flux))
    inside = (np.arange(k.size) >= rows[0]) & (np.arange(k.size) <= rows[-1])
    return np.where(inside, np.sqrt(k / h), 0.0)


def grid_matrix(rows: Index) -> Array:
    """Return the matrix (rows, 89) that takes values at some energy bins to the whole grid, 0 outside.

    Four-point Lagrange in the logarithm of the energy.
    """
    x = np.log(CENTRES)
    index, weights = neighbours(stencil(x[rows], x))
    matrix = np.zeros((len(rows), len(x)))
    np.add.at(matrix, (index, np.arange(len(x))[:, None]), weights)
    matrix[:, : rows[0]] = 0.0
    matrix[:, rows[-1] + 1 :] = 0.0
    return matrix


def find_basis(kernels: Array, fluxes: Array, weight: Array, of_kernels: int, of_fluxes: int) -> Basis:
    """Return the shapes that describe kernels (n, 89) best, then those of the rest of fluxes (m, 89)."""
    seen = weight > 0.0
    divided = np.where(seen, kernels / np.where(seen, weight, 1.0), 0.0)
    first = _leading(divided, of_kernels)
    times = fluxes * weight
    times = times / np.maximum(np.linalg.norm(times, axis=1, keepdims=True), 1e-300)
    second = _leading(times - (times @ first.T) @ first, of_fluxes)
    return Basis(weight, np.concatenate((first, second)))


def _leading(rows: Array, k: int) -> Array:
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(vectors[:, np.argsort(values)[::-1][:k]].T)
