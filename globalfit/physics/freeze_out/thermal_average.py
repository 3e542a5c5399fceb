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

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.freeze_out.annihilation import Channel
from globalfit.physics.freeze_out.nodes import K1_SERIES, Nodes
from globalfit.physics.freeze_out.poles import pole_weights


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
        total[channel.points] += _integral(m[channel.points], channel, grid)
    return total * grid.x / (8.0 * m[:, None] ** 4 * kappa**2)


def _integral(m: Array, channel: Channel, grid: Nodes) -> Array:
    """Return e^{2x} int de w K1((2 + e) x) (r, t) of one channel."""
    threshold = channel.threshold / m
    energy = threshold[:, None] + grid.u  # sqrt s/m
    resonance = channel.resonance
    if resonance is None:
        weights = channel.rate(m[:, None] * energy) * grid.weight
        return _transform(weights, threshold, energy, grid)
    mu = (
        np.sqrt(resonance.mass**2 - 1j * resonance.mass * np.maximum(resonance.width, 1e-16 * resonance.mass))
        / m
    )
    q = np.sqrt(mu.conj() - threshold)  # the pole in v, above the real axis
    weights, v_pole, at_pole = pole_weights(q, grid)
    energy_pole = threshold + v_pole**2
    with_pole = np.concatenate([energy, energy_pole[:, None]], axis=1)
    smooth = channel.rate(m[:, None] * with_pole)
    other = with_pole + mu.real[:, None]  # |sqrt s + mu|^2
    other *= other
    other += mu.imag[:, None] ** 2
    smooth /= other
    smooth /= m[:, None] ** 4
    weights *= smooth[:, :-1]
    result = _transform(weights, threshold, energy, grid)
    hit = np.flatnonzero(at_pole)
    if hit.size:
        e = energy_pole[hit]
        peak = smooth[hit, -1] * at_pole[hit]
        result[hit] += np.exp((2.0 - e)[:, None] * grid.x) * _k1e(peak, e, grid)
    return result


def _k1e(factor: Array, e: Array, grid: Nodes) -> Array:
    """Return factor e^{ex} K1(e x) (r, t), e (r,) >= 2, x >= 1: 1/sqrt(u) times a polynomial in 1/u."""
    powers = np.arange(len(K1_SERIES))
    return (factor[:, None] * e[:, None] ** (-powers - 0.5)) @ grid.inverse


def _transform(weights: Array, threshold: Array, energy: Array, grid: Nodes) -> Array:
    """Return sum_j weights_j e^{2x} K1(energy_j x) (r, t).

    Above the threshold of the lightest pair the kernel is that at the threshold times a ratio of Bessel
    functions, expanded in 1/x.
    """
    above = threshold > 2.0
    if not above.any():
        return weights @ grid.kernel
    base = 2.0 + grid.u
    weights = weights * np.sqrt(base / energy)
    result = weights @ grid.kernel
    rows = np.flatnonzero(threshold > 2.002)  # else the rest is below 2e-5 at x = 8
    if rows.size:
        first = 0.375 * (1.0 / energy[rows] - 1.0 / base)
        result[rows] += (weights[rows] * first) @ grid.kernel / grid.x
        at = 1.0 / threshold[rows, None]  # the second order at the threshold
        second = -0.1171875 * (at**2 - 0.25) - 0.1875 * 0.375 * (at - 0.5)
        result[rows] *= 1.0 + second / grid.x**2
    result *= np.exp((2.0 - threshold)[:, None] * grid.x)
    return result
