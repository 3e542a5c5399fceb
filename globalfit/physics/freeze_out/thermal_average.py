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

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.freeze_out.annihilation import Channel, Resonance
from globalfit.physics.freeze_out.nodes import K1_SERIES, Level, Nodes
from globalfit.physics.freeze_out.poles import pole_weights


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A channel's rate at the nodes, for r points: all that its thermal average needs.

    Parameters
    ----------
    threshold : array (r,)
        e_0, sqrt s/m at the threshold.
    weights : array (r, k)
        Rate times the weight of each node.
    first : array (r, k) or None
        First order in 1/x of the kernel above the threshold of the lightest pair over that at it, times
        `weights`.
    energy, peak : array (r,)
        sqrt s/m and weight of the node at a pole; `peak` is zero without one.
    """

    threshold: Array
    weights: Array
    first: Array | None
    energy: Array
    peak: Array

    def take(self, rows: slice | NDArray[np.intp]) -> Spectrum:
        """Return that of the points in `rows`."""
        first = None if self.first is None else self.first[rows]
        return Spectrum(
            self.threshold[rows], self.weights[rows], first, self.energy[rows], self.peak[rows]
        )  # fmt: skip


def joined(spectra: Sequence[Spectrum]) -> Spectrum:
    """Return several spectra at the same nodes as one, row after row."""
    first = None
    if any(each.first is not None for each in spectra):
        first = np.concatenate(
            [np.zeros_like(each.weights) if each.first is None else each.first for each in spectra]
        )
    return Spectrum(
        np.concatenate([each.threshold for each in spectra]),
        np.concatenate([each.weights for each in spectra]),
        first,
        np.concatenate([each.energy for each in spectra]),
        np.concatenate([each.peak for each in spectra]),
    )


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
    return total * x / (8.0 * m[:, None] ** 4 * kappa**2)


def spectrum(m: Array, channel: Channel, grid: Nodes) -> Spectrum:
    """Return the rate of a channel at the nodes of `grid`, whatever its temperatures; m (r,)."""
    threshold, resonance = channel.threshold / m, channel.resonance
    mu = None if resonance is None else _pole(m, channel.threshold, resonance)
    if len(grid.levels) == 1:
        return _at_level(m, threshold, channel, mu, grid.levels[0])
    clear = np.zeros_like(m) if channel.clear is None else channel.clear / m
    if mu is not None:
        clear = np.minimum(clear, np.abs(mu - threshold))
    own = grid.level_of(clear)
    shape = len(m), len(grid.kernel)
    weights = np.zeros(shape)
    first: Array | None = None
    energy, peak = threshold.copy(), np.zeros(len(m))
    for i in np.flatnonzero(np.bincount(own)).tolist():
        level, rows = grid.levels[i], np.flatnonzero(own == i)
        part = _at_level(
            m[rows], threshold[rows], channel.take(rows), None if mu is None else mu[rows], level
        )
        level.spread(part.weights, rows, weights)
        if part.first is not None:
            first = np.zeros(shape) if first is None else first
            level.spread(part.first, rows, first)
        energy[rows], peak[rows] = part.energy, part.peak
    return Spectrum(threshold, weights, first, energy, peak)


def _pole(m: Array, threshold: Array, resonance: Resonance) -> NDArray[np.complex128]:
    """Return mu/m (r,), above the real axis."""
    # narrower than this below the threshold changes |D|^2 by 1e-12, and Im[...]/Im q would only cancel
    least = np.maximum(1e-16 * resonance.mass, 1e-6 * (threshold - resonance.mass))
    width = np.maximum(resonance.width, least)
    return np.asarray(np.sqrt(resonance.mass**2 + 1j * resonance.mass * width) / m, dtype=np.complex128)


def _at_level(
    m: Array, threshold: Array, channel: Channel, mu: NDArray[np.complex128] | None, level: Level
) -> Spectrum:
    energy = threshold[:, None] + level.u  # sqrt s/m
    energy_pole, peak = threshold, np.zeros(len(m))
    if mu is None:
        weights = channel.rate(m[:, None] * energy) * level.weight
    else:
        weights, v_pole, at_pole = pole_weights(np.sqrt(mu - threshold), level)
        energy_pole = threshold + v_pole**2
        with_pole = np.concatenate([energy, energy_pole[:, None]], axis=1)
        smooth = channel.rate(m[:, None] * with_pole)
        other = with_pole + mu.real[:, None]  # |sqrt s + mu|^2
        other *= other
        other += mu.imag[:, None] ** 2
        smooth /= other
        smooth /= m[:, None] ** 4
        weights *= smooth[:, :-1]
        peak = smooth[:, -1] * at_pole
    first = None
    if (threshold > 2.0).any():
        # the kernel is that at the threshold of the lightest pair times a ratio of Bessel functions
        base = 2.0 + level.u
        weights *= np.sqrt(base / energy)
        if (threshold > HIGHER).any():
            first = weights * (0.375 * (1.0 / energy - 1.0 / base))
            first[threshold <= HIGHER] = 0.0
    return Spectrum(threshold, weights, first, energy_pole, peak)


ALL = slice(None)
NONE = np.empty(0, dtype=np.intp)
HIGHER = 2.002  # thresholds below it need no more than the leading order: the rest is below 2e-5 at x = 8


def laplace(found: Spectrum, grid: Nodes) -> Array:
    """Return e^{2x} int de w K1((2 + e) x) (r, t) of one channel at x = grid.x."""
    result = found.weights @ grid.kernel
    threshold = found.threshold
    high = np.flatnonzero(threshold > HIGHER) if found.first is not None else NONE
    if high.size:
        rows: slice | NDArray[np.intp] = ALL if high.size == len(threshold) else high
        assert found.first is not None
        at = 1.0 / threshold[rows]  # the second order at the threshold
        second = -0.1171875 * (at**2 - 0.25) - 0.1875 * 0.375 * (at - 0.5)
        part = found.first[rows] @ grid.kernel
        part /= grid.x
        part += result[rows]
        part *= 1.0 + second[:, None] / grid.x**2
        result[rows] = part
    above = np.flatnonzero(threshold > 2.0)
    if above.size:
        rows = ALL if above.size == len(threshold) else above
        result[rows] *= np.exp((2.0 - threshold[rows])[:, None] * grid.x)
    hit = np.flatnonzero(found.peak)
    if hit.size:
        e = found.energy[hit]
        result[hit] += np.exp((2.0 - e)[:, None] * grid.x) * _k1e(found.peak[hit], e, grid)
    return result


def _k1e(factor: Array, e: Array, grid: Nodes) -> Array:
    """Return factor e^{ex} K1(e x) (r, t), e (r,) >= 2, x >= 1: 1/sqrt(u) times a polynomial in 1/u."""
    powers = np.arange(len(K1_SERIES))
    return (factor[:, None] * e[:, None] ** (-powers - 0.5)) @ grid.inverse
