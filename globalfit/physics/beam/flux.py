"""Flux of a meson's decay products through a detector: the boosted decay, without rejection.

A meson that decays isotropically at x into a particle of rest energy E* sends through a point y
    dN/dA = p^2 / (4 pi p* gamma |p - beta E cos|) / |y - x|^2
with p a root of gamma (E - beta p cos) = E*; both roots count. At rest this is 1/(4 pi |y - x|^2).
"""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import HBARC_MEV_M
from globalfit.physics.beam.geometry import Volume
from globalfit.physics.beam.grid import EDGES
from globalfit.physics.beam.mesons import MesonSample
from globalfit.physics.beam.spectrum import Line, Spectrum

# Steps of a lattice in five dimensions: further draws from the same sequence, equally well spread
# (M. Roberts' generalised golden ratio; any irrational numbers would do).
_GOLDEN = 1.1673039782614187
_SHIFTS = 1.0 / _GOLDEN ** np.arange(1, 6)

FEW = 2  # spectra; more of them share one histogram


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
) -> Array:
    """Return the flux H (..., bins) of a decay product through a detector, averaged over its volume.

    Particles per cm^2 per proton on target per bin, before any loss on the way (`survive`).

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
    """
    leading = np.shape(spectrum.br)
    if isinstance(spectrum, Spectrum) and np.prod(leading, dtype=int) > FEW:
        return _flux_of_nodes(sample, volume, spectrum, draws, edges)
    parts = []
    for k in range(draws):
        u = np.mod(sample.spare + k * _SHIFTS, 1.0)
        y = volume.points(u[:, :3])
        if isinstance(spectrum, Line):
            e_rest, measure = np.full(len(u), spectrum.energy), np.ones(len(u))
            entries = np.broadcast_to(spectrum.br, (len(u), *leading))
        else:
            e_rest, measure = _energies(sample, y, spectrum, u[:, 3])
            entries = spectrum.at(e_rest)
        energy, density = arrival(sample, y, spectrum.m, e_rest)
        density = density * (sample.weight * measure * (1e-4 / draws))  # 1/m^2 -> 1/cm^2
        h = _histogram(energy, density, entries.reshape(len(u), -1), edges)
        parts.append(h.reshape(*leading, edges.size - 1))
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


def _flux_of_nodes(
    sample: MesonSample, volume: Volume, spectrum: Spectrum, draws: int, edges: Array
) -> Array:
    """`flux` of many spectra over the same nodes: one histogram for each node, then their sums."""
    nodes, bins = spectrum.density.shape[-1], edges.size - 1
    if spectrum.high <= spectrum.low:
        return np.zeros((*spectrum.density.shape[:-1], bins))
    total = np.zeros(bins * nodes)
    for k in range(draws):
        u = np.mod(sample.spare + k * _SHIFTS, 1.0)
        y = volume.points(u[:, :3])
        e_rest, measure = _energies(sample, y, spectrum, u[:, 3])
        energy, density = arrival(sample, y, spectrum.m, e_rest)
        density = density * (sample.weight * measure * (1e-4 / draws))  # 1/m^2 -> 1/cm^2
        left, share = spectrum.place(e_rest)
        place = np.searchsorted(edges, energy, side="right") - 1
        inside = (place >= 0) & (place < bins) & (density > 0.0)
        for branch in range(2):
            use = inside[branch]
            at, weight = place[branch, use] * nodes + left[use], density[branch, use]
            total += np.bincount(at, weights=weight * (1.0 - share[use]), minlength=total.size)
            total += np.bincount(at + 1, weights=weight * share[use], minlength=total.size)
    return np.asarray(spectrum.density @ total.reshape(bins, nodes).T)


def _energies(sample: MesonSample, y: Array, spectrum: Spectrum, u: Array) -> tuple[Array, Array]:
    """Rest energies (n,) that can reach y, and dE*/du (n,).

    Only E* above E_c = m sqrt(1 + (p sin/M)^2) goes that way, and dN/dA has 1/sqrt(E*^2 - E_c^2): flat in
    this root, what is summed is finite at the edge of the cone and no meson is wasted.
    """
    path = y - sample.x
    r2 = np.einsum("ni,ni->n", path, path)
    along = np.einsum("ni,ni->n", path, sample.direction)
    sine2 = np.maximum(1.0 - along**2 / r2, 0.0)
    critical2 = spectrum.m**2 * (1.0 + (sample.p / sample.meson.m) ** 2 * sine2)
    first = np.sqrt(np.maximum(spectrum.low**2 - critical2, 0.0))
    last = np.sqrt(np.maximum(spectrum.high**2 - critical2, 0.0))
    root = first + (last - first) * u
    e_rest = np.sqrt(critical2 + root**2)
    return e_rest, (last - first) * root / e_rest


def survive(h: Array, energies: Array, m: Array | float, width: Array | float, distance: float) -> Array:
    """Return the flux that reaches the detector: h exp(-L m Gamma/(hbar c p)).

    Parameters
    ----------
    h : array (..., bins)
        Flux at the detector without decays.
    energies : array (bins,)
        Energies in MeV, the centres of the bins.
    m, width : float or array (..., 1)
        Mass and total width of the particle in MeV.
    distance : float
        Way from source to detector in m.
    """
    p = np.sqrt(np.maximum(np.asarray(energies) ** 2 - np.asarray(m) ** 2, 1e-30))
    return np.asarray(h * np.exp(-distance * m * width / (HBARC_MEV_M * p)))


def _histogram(energy: Array, density: Array, columns: Array, edges: Array) -> Array:
    """Histograms (k, bins) of both roots (2, n), with weights density (2, n) times columns (n, k)."""
    bins = edges.size - 1
    place = np.searchsorted(edges, energy, side="right") - 1
    inside = (place >= 0) & (place < bins) & (density > 0.0)
    out = np.zeros((columns.shape[1], bins))
    for branch in range(2):
        use = inside[branch]
        if not use.any():
            continue
        at, weight = place[branch, use], density[branch, use]
        for k in range(columns.shape[1]):
            out[k] += np.bincount(at, weights=weight * columns[use, k], minlength=bins)
    return out
