"""Flux of a meson's decay products through a detector: the boosted decay, without rejection.

A meson that decays isotropically at x into a particle of rest energy E* sends through a point y
    dN/dA = p^2 / (4 pi p* gamma |p - beta E cos|) / |y - x|^2
with p a root of gamma (E - beta p cos) = E*; both roots count. At rest this is 1/(4 pi |y - x|^2).
"""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.geometry import Volume
from globalfit.physics.beam.grid import EDGES, into_bins
from globalfit.physics.beam.mesons import MesonSample
from globalfit.physics.beam.sight import Sight, transfer
from globalfit.physics.beam.spectrum import Line, Spectrum


def arrival(sample: MesonSample, y: Array, m: float, e_rest: Array) -> tuple[Array, Array]:
    """Return laboratory energies (2, n) in MeV and dN/dA (2, n) in 1/m^2 per decay, for both roots.

    Parameters
    ----------
    sample : MesonSample
        n mesons at their decay points.
    y : array (n, 3)
        Points in the detector, m.
    m : float
        Mass of the particle in MeV.
    e_rest : array (n,)
        Its energy in the meson's rest frame, MeV.
    """
    path = y - sample.x
    r2 = np.einsum("ni,ni->n", path, path)
    cosine = np.einsum("ni,ni->n", path, sample.direction) / np.sqrt(r2)
    gamma = np.hypot(sample.p, sample.meson.m) / sample.meson.m
    beta = sample.p / np.hypot(sample.p, sample.meson.m)
    p_rest = np.sqrt(np.maximum(e_rest**2 - m**2, 0.0))
    forward = beta * cosine
    # 1 - beta^2 cos^2, without the cancellation
    transverse = 1.0 / gamma**2 + beta**2 * (1.0 - cosine) * (1.0 + cosine)
    square = (e_rest / gamma) ** 2 - m**2 * transverse
    root = np.sqrt(np.maximum(square, 0.0))
    p = (forward * e_rest / gamma + np.array([[1.0], [-1.0]]) * root) / transverse
    energy = e_rest / gamma + forward * p
    open_ = (square > 0.0) & (p > 0.0) & (p_rest > 0.0)
    bottom = np.where(open_, 4.0 * np.pi * p_rest * gamma * root * r2, 1.0)
    return energy, np.where(open_, p**2 / bottom, 0.0)


def flux(
    sample: MesonSample,
    volume: Volume,
    spectrum: Line | Spectrum,
    draws: int = 4,
    edges: Array = EDGES,
    loss: float = 0.0,
) -> Array:
    """Return the flux H (..., bins) of a decay product through a detector, averaged over its volume.

    Particles per cm^2 per proton on target per bin.

    Parameters
    ----------
    sample : MesonSample
        Mesons at their decay points, decays per proton on target.
    volume : Volume
        Where the flux is wanted.
    spectrum : Line or Spectrum
        Energies in the meson's frame; its entries give the leading axes.
    draws : int
        Energies and detector points for each meson.
    edges : array (bins + 1,)
        Of the bins, MeV.
    loss : float
        m Gamma in MeV^2 of a particle that decays on its way (`events.survival`); only of a `Spectrum`.
    """
    sight = Sight(sample, volume, draws)
    if isinstance(spectrum, Spectrum):
        nodes = spectrum.density.shape[-1]
        made = transfer(sight, spectrum.m, spectrum.low, spectrum.high, nodes, edges, loss=loss)
        return np.asarray(spectrum.density @ made[0])
    h = np.zeros(edges.size - 1)
    for k in range(draws):
        y = sight.points(k)
        energy, density = arrival(sample, y, spectrum.m, np.full(len(y), spectrum.energy))
        for branch in range(2):
            h += into_bins(energy[branch], density[branch] * sample.weight * (1e-4 / draws), edges)
    return np.asarray(np.asarray(spectrum.br)[..., None] * h)
