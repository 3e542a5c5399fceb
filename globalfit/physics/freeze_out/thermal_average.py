r"""Thermal averages <sigma v>(x), x = m/T, of many points at many temperatures at once.

With sqrt s = m (2 + e) the relativistic average (P. Gondolo, G. Gelmini, Nucl. Phys. B 360 (1991) 145, eq.
3.8; co-annihilation: J. Edsjo, P. Gondolo, Phys. Rev. D 56 (1997) 1879) is a Laplace transform of the rate
w,

    <sigma v>(x) = x / (8 m^4 kappa(x)^2) int de w(e) K1((2 + e) x),   kappa = sum_i (m_i/m)^2 K2(m_i x/m),

whose kernel does not depend on the point. So w is evaluated once, at fixed nodes, and all temperatures
follow from a matrix product. The nodes lie in e = e_0 + v^2 with e_0 the threshold, in cells of v that
double in length, Gauss-Legendre in each: powers of the momentum near any threshold are polynomials in v,
and a branch point or a pole anywhere near the threshold is resolved at its own scale.

A pole is integrated exactly. 1/|s - M^2 + i M Gamma|^2 = 1/(|sqrt s - mu|^2 |sqrt s + mu|^2), mu^2 = M^2 -
i M Gamma, for any width; in the cells near it the smooth factor, kernel included, is interpolated by a
polynomial through the nodes and through the point of the pole itself, and the polynomial times 1/|v - q|^2
is integrated in closed form by Legendre functions of the second kind, int P_k(t)/(t - c) dt = -2 Q_k(c). A
width of 1e-12 M costs what one of 0.3 M does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.freeze_out.annihilation import Channel, Resonance
from globalfit.physics.freeze_out.elementary import exp, inverse_powers
from globalfit.physics.freeze_out.nodes import K1_SERIES, Nodes
from globalfit.physics.freeze_out.poles import pole_weights


@dataclass(frozen=True, eq=False)
class Rows:
    """Rates at the nodes of one level, for r points: all that their thermal average needs.

    Parameters
    ----------
    level : int
        Of the nodes.
    threshold : array (r,)
        e_0, sqrt s/m at the threshold.
    weights : array (r, k)
        Rate times the weight of each node.
    first : array (r, k) or None
        First order in 1/x of the kernel above the threshold of the lightest pair over that at it, times
        `weights`; only where the threshold is above `HIGHER`.
    energy, peak : array (r,)
        sqrt s/m and weight of the node at a pole; `peak` is zero without one.
    """

    level: int
    threshold: Array
    weights: Array
    first: Array | None
    energy: Array
    peak: Array

    def between(self, low: int, high: int) -> Rows:
        """Return the rows from `low` to `high`."""
        return Rows(self.level, *(None if a is None else a[low:high] for a in self._arrays))  # type: ignore[arg-type]

    @property
    def _arrays(self) -> tuple[Array | None, ...]:
        return self.threshold, self.weights, self.first, self.energy, self.peak

    @classmethod
    def placed(cls, parts: Sequence[Rows], places: NDArray[np.intp]) -> Rows:
        """Return parts of one level as one, their rows at `places` (all rows)."""
        cuts = np.cumsum([0, *(each.threshold.size for each in parts)])
        found: list[Array | None] = []
        for each in zip(*(part._arrays for part in parts), strict=True):
            shape = next((a.shape[1:] for a in each if a is not None), None)
            whole = None if shape is None else np.empty((len(places), *shape))
            for (low, high), values in zip(pairwise(cuts.tolist()), each, strict=True):
                if whole is not None and values is not None:
                    whole[places[low:high]] = values
            found.append(whole)
        return cls(parts[0].level, *found)  # type: ignore[arg-type]


#: Rates of a channel, level by level: which of its points (q,), rising, and their rows.
Spectrum: TypeAlias = list[tuple[NDArray[np.intp], Rows]]


def thermal_average(m: Array, kappa: Array, channels: Sequence[Channel], grid: Nodes) -> Array:
    """Return <sigma v> (n, t) in MeV^-2 at x = m/T = grid.x, m the mass of the lightest particle.

    Parameters
    ----------
    m : array (n,)
        Mass of the lightest particle in MeV.
    kappa : array (n, t)
        e^x sum_i (m_i/m)^2 K2(m_i x/m) of the particles that annihilate together.
    channels : sequence of Channel
        Their rates are sums over ordered pairs; those with one threshold may share a channel.
    """
    total = np.zeros((len(m), grid.x.size))
    for channel in channels:
        channel.add(laplace(spectrum(m[channel.points], channel, grid), grid), total)
    return normalised(m, kappa, total, grid.x)


def normalised(m: Array, kappa: Array, total: Array, x: Array) -> Array:
    """Return <sigma v> (n, t) from the sum of `laplace` over all channels (n, t)."""
    found = kappa * kappa
    np.divide(total, found, out=found)
    found *= x
    found *= 0.125 / m[:, None] ** 4
    return found


def spectrum(m: Array, channel: Channel, grid: Nodes) -> Spectrum:
    """Return the rate of a channel at the nodes of `grid`, whatever its temperatures; m (r,)."""
    threshold, resonance = channel.threshold / m, channel.resonance
    mu = None if resonance is None else _pole(m, channel.threshold, resonance)
    if len(grid.levels) == 1:
        return [(np.arange(len(m)), _at_level(m, threshold, channel, mu, 0, grid))]
    clear = np.zeros_like(m) if channel.clear is None else channel.clear / m
    if mu is not None:
        clear = np.minimum(clear, np.abs(mu - threshold))
    own = grid.level_of(clear)
    found = []
    for i in np.flatnonzero(np.bincount(own)).tolist():
        rows = np.flatnonzero(own == i)
        part = _at_level(
            m[rows], threshold[rows], channel.take(rows), None if mu is None else mu[rows], i, grid
        )
        found.append((rows, part))
    return found


def _pole(m: Array, threshold: Array, resonance: Resonance) -> NDArray[np.complex128]:
    """Return mu/m (r,), above the real axis."""
    # narrower than this below the threshold changes |D|^2 by 1e-12, and Im[...]/Im q would only cancel
    least = np.maximum(1e-16 * resonance.mass, 1e-6 * (threshold - resonance.mass))
    width = np.maximum(resonance.width, least)
    return np.asarray(np.sqrt(resonance.mass**2 + 1j * resonance.mass * width) / m, dtype=np.complex128)


def _at_level(
    m: Array,
    threshold: Array,
    channel: Channel,
    mu: NDArray[np.complex128] | None,
    which: int,
    grid: Nodes,
) -> Rows:
    level = grid.levels[which]
    k, pole = level.u.size, mu is not None
    # sqrt s/m at the nodes, and at the pole
    all_energies = np.empty((len(m), k + pole))
    energy = all_energies[:, :k]
    np.add(threshold[:, None], level.u, out=energy)
    energy_pole, peak = threshold, np.zeros(len(m))
    if mu is None:
        weights = channel.rate(m[:, None] * energy)
        weights *= level.weight
    else:
        weights, v_pole, at_pole = pole_weights(np.sqrt(mu - threshold), level)
        energy_pole = threshold + v_pole**2
        all_energies[:, k] = energy_pole
        smooth = channel.rate(m[:, None] * all_energies)
        other = all_energies + mu.real[:, None]  # |sqrt s + mu|^2
        other *= other
        other += mu.imag[:, None] ** 2
        other *= (m**4)[:, None]
        smooth /= other
        weights *= smooth[:, :k]
        peak = smooth[:, k] * at_pole
    first = None
    if (threshold > 2.0).any():
        # the kernel is that at the threshold of the lightest pair times a ratio of Bessel functions
        base = 2.0 + level.u
        ratio = base / energy
        if (threshold > HIGHER).any():
            first = ratio - 1.0
            first *= 0.375 / base
        weights *= np.sqrt(ratio, out=ratio)
        if first is not None:
            first *= weights
    return Rows(which, threshold, weights, first, energy_pole, peak)


ALL = slice(None)
NONE = np.empty(0, dtype=np.intp)
HIGHER = 2.002  # thresholds below it need no more than the leading order: the rest is below 2e-5 at x = 8


def laplace(found: Spectrum, grid: Nodes) -> Array:
    """Return e^{2x} int de w K1((2 + e) x) (r, t) of one channel at x = grid.x."""
    if len(found) == 1:
        return of_rows(found[0][1], grid)
    result = np.empty((sum(len(rows) for rows, _ in found), grid.x.size))
    for rows, part in found:
        result[rows] = of_rows(part, grid)
    return result


def of_rows(found: Rows, grid: Nodes) -> Array:
    """Return e^{2x} int de w K1((2 + e) x) (r, t) of rows of one level."""
    kernel, threshold = grid.kernels[found.level], found.threshold
    result: Array = found.weights @ kernel
    high = np.flatnonzero(threshold > HIGHER) if found.first is not None else NONE
    if high.size:
        rows: slice | NDArray[np.intp] = ALL if high.size == len(threshold) else high
        assert found.first is not None
        at = 1.0 / threshold[rows]  # the second order at the threshold
        second = -0.1171875 * (at**2 - 0.25) - 0.1875 * 0.375 * (at - 0.5)
        part = found.first[rows] @ kernel
        part *= 1.0 / grid.x
        part += result[rows]
        factor = second[:, None] * grid.x**-2
        factor += 1.0
        part *= factor
        result[rows] = part
    if (threshold > 2.0).any():
        result *= exp((2.0 - threshold)[:, None] * grid.x)
    hit = np.flatnonzero(found.peak)
    if hit.size:
        e = found.energy[hit]
        peaks = exp((2.0 - e)[:, None] * grid.x)
        peaks *= _k1e(found.peak[hit], e, grid)
        result[hit] += peaks
    return result


def _k1e(factor: Array, e: Array, grid: Nodes) -> Array:
    """Return factor e^{ex} K1(e x) (r, t), e (r,) >= 2, x >= 1: 1/sqrt(u) times a polynomial in 1/u."""
    return (factor[:, None] * inverse_powers(e, 0.5, len(K1_SERIES))) @ grid.inverse
