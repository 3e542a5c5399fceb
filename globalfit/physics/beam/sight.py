"""Lines of sight from mesons to points in a detector, found once, and what a decay spectrum becomes there.

Of the energies E* in the meson's frame only those above E_c = m sqrt(1 + (p sin/M)^2) go to a given point,
and dN/dA has 1/sqrt(E*^2 - E_c^2) there. Energies are drawn evenly in that root, which takes the singularity
away: every meson counts and the sum is smooth in masses. With q the root, flat between q_0 and q_1,

    dN/dA = p^2 (q_1 - q_0)/(4 pi p* E* r^2)   for both   p = (beta cos E* +- q)/(gamma (1 - beta^2 cos^2)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import HBARC_MEV_M
from globalfit.physics.beam.geometry import Volume
from globalfit.physics.beam.mesons import MesonSample

# Steps of a lattice in five dimensions: further draws from the same sequence, equally well spread
# (M. Roberts' generalised golden ratio; any irrational numbers would do).
_GOLDEN = 1.1673039782614187
_SHIFTS = 1.0 / _GOLDEN ** np.arange(1, 6)


@dataclass(frozen=True, eq=False)
class Sight:
    """Mesons, each seen from `draws` points of a volume: all that does not depend on what they decay to."""

    sample: MesonSample
    volume: Volume
    draws: int

    @cached_property
    def u(self) -> Array:
        """Coordinates in (0, 1) that choose the energies (k,), k = draws x mesons."""
        return np.concatenate([self._drawn(k)[:, 3] for k in range(self.draws)])

    @cached_property
    def _path(self) -> tuple[Array, Array]:
        parts = []
        for k in range(self.draws):
            path = self.points(k) - self.sample.x
            r2 = np.einsum("ni,ni->n", path, path)
            parts.append((r2, np.einsum("ni,ni->n", path, self.sample.direction) / np.sqrt(r2)))
        r2, cosine = (np.concatenate(each) for each in zip(*parts, strict=True))
        return np.sqrt(r2), cosine

    def points(self, k: int) -> Array:
        """Return the points (n, 3) in the volume of draw `k`, one for each meson."""
        return self.volume.points(self._drawn(k)[:, :3])

    @property
    def r(self) -> Array:
        """Distances (k,) in m."""
        return self._path[0]

    @cached_property
    def gamma(self) -> Array:
        """Lorentz factors (k,)."""
        m = self.sample.meson.m
        return np.tile(np.hypot(self.sample.p, m) / m, self.draws)

    @cached_property
    def forward(self) -> Array:
        """Beta cos theta (k,)."""
        beta = self.sample.p / np.hypot(self.sample.p, self.sample.meson.m)
        return np.asarray(np.tile(beta, self.draws) * self._path[1])

    @cached_property
    def swing(self) -> Array:
        """(gamma beta sin theta)^2 (k,): E_c^2 = m^2 (1 + swing)."""
        cosine = self._path[1]
        return np.asarray(
            np.tile((self.sample.p / self.sample.meson.m) ** 2, self.draws) * (1.0 - cosine) * (1.0 + cosine)
        )

    @cached_property
    def weight(self) -> Array:
        """Decays per proton over 4 pi r^2 (k,), in 1/cm^2."""
        per_draw = np.tile(self.sample.weight / self.draws, self.draws)
        return np.asarray(per_draw * 1e-4 / (4.0 * np.pi * self.r**2))

    def _drawn(self, k: int) -> Array:
        return np.asarray(np.mod(self.sample.spare + k * _SHIFTS, 1.0))


def transfer(
    sight: Sight,
    m: float,
    low: float,
    high: float,
    nodes: int,
    edges: Array,
    *,
    loss: float = 0.0,
    powers: int = 0,
) -> Array:
    """Return the matrix T (1 + powers, nodes, bins) that takes a `Spectrum`'s density to a flux.

    The flux is density @ T[0], exact for what `Spectrum.at` interpolates. T[k] weights with (r/p)^k.

    Parameters
    ----------
    sight : Sight
    m, low, high : float
        Mass of the product, least and highest energy in the meson's frame, MeV.
    nodes : int
        Nodes of the spectrum.
    edges : array (bins + 1,)
        Of the energy in the laboratory, MeV.
    loss : float
        m Gamma in MeV^2: particles decay on the way with exp(-r m Gamma/(hbar c p)).
    powers : int
        How many powers of r/p in m/MeV.
    """
    bins = len(edges) - 1
    out = np.zeros((1 + powers, nodes * bins))
    use = m**2 * (1.0 + sight.swing) < high**2
    if high <= low or not use.any():
        return out.reshape(1 + powers, nodes, bins)
    gamma, forward, swing = sight.gamma[use], sight.forward[use], sight.swing[use]
    critical2 = m**2 * (1.0 + swing)
    first = np.sqrt(np.maximum(low**2 - critical2, 0.0))
    last = np.sqrt(np.maximum(high**2 - critical2, 0.0))
    root = first + (last - first) * sight.u[use]
    e_rest = np.sqrt(critical2 + root**2)
    p_rest = np.sqrt(np.maximum(e_rest**2 - m**2, 1e-300))
    density = sight.weight[use] * (last - first) / (p_rest * e_rest)
    place = np.arccos(np.clip(1.0 - 2.0 * (e_rest - low) / (high - low), -1.0, 1.0)) / np.pi * (nodes - 1)
    left = np.minimum(place.astype(np.int64), nodes - 2)
    share = place - left
    transverse = (1.0 + swing) / gamma**2  # 1 - beta^2 cos^2, without the cancellation
    r = sight.r[use]
    for sign in (1.0, -1.0):
        p = (forward * e_rest + sign * root) / (gamma * transverse)
        energy = e_rest / gamma + forward * p
        bin_ = np.searchsorted(edges, energy, side="right") - 1
        inside = (p > 0.0) & (bin_ >= 0) & (bin_ < bins)
        q, at = p[inside], left[inside] * bins + bin_[inside]
        weight, right = density[inside] * q**2, share[inside]
        slow = r[inside] / q
        if loss:
            weight = weight * np.exp(-loss / HBARC_MEV_M * slow)
        for k in range(1 + powers):
            out[k] += np.bincount(at, weights=weight * (1.0 - right), minlength=nodes * bins)
            out[k] += np.bincount(at + bins, weights=weight * right, minlength=nodes * bins)
            if k < powers:
                weight = weight * slow
    return out.reshape(1 + powers, nodes, bins)
