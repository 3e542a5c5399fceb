"""Energies of a particle in the rest frame of its meson: lines, three-body spectra, cascades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array


@dataclass(frozen=True)
class Line:
    """A two-body decay: mass and energy in MeV, `br` (...) particles per decay."""

    m: float
    energy: float
    br: Array


@dataclass(frozen=True)
class Spectrum:
    """A continuous spectrum: dBR/dE (..., nodes) in 1/MeV at E(u) = low + (high - low)(1 - cos pi u)/2.

    The nodes are evenly spaced in u from 0 to 1, dense at both ends; between them dBR/dE is linear in u.
    Negative entries are interference terms.
    """

    m: float
    low: float
    high: float
    density: Array

    @property
    def br(self) -> Array:
        """Branching ratio (...), per unit coupling squared."""
        u = np.linspace(0.0, 1.0, self.density.shape[-1])
        slope = 0.5 * np.pi * (self.high - self.low) * np.sin(np.pi * u)
        return np.asarray(np.trapezoid(self.density * slope, u, axis=-1))

    @property
    def energies(self) -> Array:
        """Energies (nodes,) in MeV."""
        return cosine_nodes(self.low, self.high, self.density.shape[-1])

    def at(self, energy: Array) -> Array:
        """Return dBR/dE (n, ...) at energies (n,) in MeV; zero outside."""
        if self.high <= self.low:
            return np.zeros((energy.size, *self.density.shape[:-1]))
        inside = (energy >= self.low) & (energy <= self.high)
        left, above = self.place(energy)
        nodes = np.moveaxis(self.density, -1, 0)
        shape = (-1,) + (1,) * (nodes.ndim - 1)
        share, open_ = above.reshape(shape), inside.reshape(shape)
        return np.where(open_, (1.0 - share) * nodes[left] + share * nodes[left + 1], 0.0)

    def place(self, energy: Array) -> tuple[NDArray[np.int64], Array]:
        """Return the node below each energy (n,) and how far it is towards the next, 0 to 1."""
        cosine = 1.0 - 2.0 * (energy - self.low) / (self.high - self.low)
        position = np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi * (self.density.shape[-1] - 1)
        left = np.minimum(position.astype(np.int64), self.density.shape[-1] - 2)
        return left, position - left


def cosine_nodes(low: float, high: float, n: int) -> Array:
    """Return n energies from low to high, evenly spaced in u of `Spectrum`."""
    return low + 0.5 * (high - low) * (1.0 - np.cos(np.pi * np.linspace(0.0, 1.0, n)))


def cascade(vector: Line | Spectrum, m: float, *, polarised: bool = False, nodes: int = 193) -> Spectrum:
    """Return the spectrum of chi and chibar, two per V, from V -> chi chibar with branching ratio one.

    With rapidities y of V in the meson's frame and eta of chi, eta_0 that of chi in V's frame,
    dBR/dE = (m_V/p_0) int dy dBR/dE_V over |eta - eta_0| < y < eta + eta_0: chi fills a box in energy.

    Parameters
    ----------
    vector : Line or Spectrum
        V in the meson's frame.
    m : float
        Mass of chi in MeV, above zero and below half of V's.
    polarised : bool
        The last axis of the vector's entries is (transverse, longitudinal): in V's frame dGamma/dcos is
        1 - beta^2 sin^2/2 and 1 - beta^2 cos^2, angles to V's flight. Otherwise V decays isotropically.
    """
    m_v, leading = vector.m, np.shape(vector.br)
    if 2.0 * m >= m_v:
        return Spectrum(m, m, m, np.zeros((*leading, nodes)))
    eta_0 = np.arccosh(0.5 * m_v / m)
    p_0 = m * np.sinh(eta_0)
    if isinstance(vector, Line):
        p_v = np.sqrt(vector.energy**2 - m_v**2)
        middle, half = 0.5 * vector.energy, p_0 * p_v / m_v
        energy = cosine_nodes(middle - half, middle + half, nodes)
        shape = _angular((energy - middle) / half, m, m_v) if polarised else np.ones(nodes)
        return Spectrum(m, middle - half, middle + half, vector.br[..., None] * shape / half)
    y_max = np.arccosh(max(vector.high / m_v, 1.0))
    low, high = m * np.cosh(max(eta_0 - y_max, 0.0)), m * np.cosh(eta_0 + y_max)
    energy = cosine_nodes(low, high, nodes)
    eta = np.arccosh(np.maximum(energy / m, 1.0))
    start, stop = np.abs(eta - eta_0), np.minimum(eta + eta_0, y_max)
    t, w = np.polynomial.legendre.leggauss(48)
    half_width = 0.5 * np.maximum(stop - start, 0.0)[:, None]
    y = start[:, None] + half_width * (1.0 + t)
    e_v = m_v * np.cosh(y)
    value = np.moveaxis(vector.at(e_v.ravel()), 0, -1).reshape(*leading, *e_v.shape)
    if polarised:
        cosine = (energy[:, None] - 0.5 * e_v) / (p_0 * np.sinh(np.maximum(y, 1e-12)))
        value = value * _angular(np.clip(cosine, -1.0, 1.0), m, m_v)
    return Spectrum(m, low, high, m_v / p_0 * (value * half_width * w).sum(-1))


def _angular(cosine: Array, m: float, m_v: float) -> Array:
    """Angular distributions (2, ...) of chi from transverse and longitudinal V, of mean one."""
    beta2 = 1.0 - 4.0 * m**2 / m_v**2
    shapes = (1.0 - 0.5 * beta2 * (1.0 - cosine**2), 1.0 - beta2 * cosine**2)
    return np.stack(shapes) / (1.0 - beta2 / 3.0)
