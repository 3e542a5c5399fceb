"""Energies of a particle in the rest frame of the meson it comes from: lines, three-body spectra, cascades.

A spectrum is sampled, not binned: at the same low-discrepancy points the result is smooth in all masses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from globalfit.arrays import Array


class RestSpectrum(Protocol):
    """Anything that can be sampled: `m` is the particle's mass in MeV."""

    @property
    def m(self) -> float:
        """Mass in MeV."""

    def sample(self, u: Array) -> tuple[Array, Array]:
        """Return energies (n,) in MeV and weights (n, ...) from u (n, 2); the mean weight is the BR."""


@dataclass(frozen=True)
class Line:
    """A two-body decay: one energy, in MeV; `br` (...) particles per decay."""

    m: float
    energy: float
    br: Array

    def sample(self, u: Array) -> tuple[Array, Array]:
        """See `RestSpectrum`."""
        br = np.asarray(self.br, dtype=np.float64)
        return np.full(len(u), self.energy), np.broadcast_to(br, (len(u), *br.shape))


@dataclass(frozen=True)
class Spectrum:
    """A three-body spectrum: E(u) = low + (high - low)(1 - cos pi u)/2 and density (..., nodes) = dBR/du.

    The nodes are evenly spaced in u from 0 to 1; dBR/du vanishes smoothly at both ends, so that few nodes do.
    Negative entries are interference terms.
    """

    m: float
    low: float
    high: float
    density: Array

    @property
    def br(self) -> Array:
        """Branching ratio (...), per unit coupling squared."""
        return np.asarray(np.trapezoid(self.density, dx=1.0 / (self.density.shape[-1] - 1), axis=-1))

    @property
    def energies(self) -> Array:
        """Energies (nodes,) in MeV."""
        u = np.linspace(0.0, 1.0, self.density.shape[-1])
        return np.asarray(self.low + 0.5 * (self.high - self.low) * (1.0 - np.cos(np.pi * u)))

    def sample(self, u: Array) -> tuple[Array, Array]:
        """See `RestSpectrum`; density is interpolated between its nodes."""
        first = u[:, 0]
        energy = self.low + 0.5 * (self.high - self.low) * (1.0 - np.cos(np.pi * first))
        position = first * (self.density.shape[-1] - 1)
        left = np.minimum(position.astype(np.int64), self.density.shape[-1] - 2)
        share = position - left
        nodes = np.moveaxis(self.density, -1, 0)
        shape = (-1,) + (1,) * (nodes.ndim - 1)
        share = share.reshape(shape)
        return energy, (1.0 - share) * nodes[left] + share * nodes[left + 1]


@dataclass(frozen=True)
class Cascade:
    """V -> chi chibar of a vector with spectrum `vector`: the spectrum of chi, two per V, BR(V -> chi chi) = 1.

    With `polarised` the last axis of the vector's weights is (transverse, longitudinal): in V's frame
    dGamma/dcos is 1 - beta^2 sin^2/2 and 1 - beta^2 cos^2, angles to V's flight in the meson's frame.
    Otherwise V decays isotropically.
    """

    vector: RestSpectrum
    m: float
    polarised: bool = False

    def sample(self, u: Array) -> tuple[Array, Array]:
        """See `RestSpectrum`."""
        e_v, weight = self.vector.sample(u)
        m_v = self.vector.m
        p_v = np.sqrt(np.maximum(e_v**2 - m_v**2, 0.0))
        p = np.sqrt(max(0.25 * m_v**2 - self.m**2, 0.0))
        cosine = 2.0 * u[:, 1] - 1.0
        energy = 0.5 * e_v + p * p_v / m_v * cosine
        factor = np.full((len(u),) + (1,) * (weight.ndim - 1), 2.0)
        if self.polarised:
            beta2 = 4.0 * p**2 / m_v**2
            transverse = (1.0 - 0.5 * beta2 * (1.0 - cosine**2)) / (1.0 - beta2 / 3.0)
            longitudinal = (1.0 - beta2 * cosine**2) / (1.0 - beta2 / 3.0)
            shape = np.stack((transverse, longitudinal), axis=-1)
            factor = factor * shape.reshape(len(u), *(1,) * (weight.ndim - 2), 2)
        return energy, factor * weight
