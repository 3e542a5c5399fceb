r"""Thermal averages <sigma v>(x), x = m/T, of many points at many temperatures at once.

With sqrt s = m (2 + e) the relativistic average (P. Gondolo, G. Gelmini, Nucl. Phys. B 360 (1991) 145, eq. 3.8;
co-annihilation: J. Edsjo, P. Gondolo, Phys. Rev. D 56 (1997) 1879) is a Laplace transform of the rate w,

    <sigma v>(x) = x / (8 m^4 kappa(x)^2) int de w(e) K1((2 + e) x),   kappa = sum_i (m_i/m)^2 K2(m_i x/m),

whose kernel does not depend on the point. So w is evaluated once, at fixed nodes, and all temperatures follow
from a matrix product. The nodes lie in e = e_0 + v^2 with e_0 the threshold, in cells of v that double in length,
Gauss-Legendre in each: powers of the momentum near any threshold are polynomials in v, and a branch point or a
pole anywhere near the threshold is resolved at its own scale.

A pole is integrated exactly. 1/|s - M^2 + i M Gamma|^2 = 1/(|sqrt s - mu|^2 |sqrt s + mu|^2), mu^2 = M^2 - i M Gamma,
for any width; in the cells near it the smooth factor, kernel included, is interpolated by a polynomial through the
nodes and through the point of the pole itself, and the polynomial times 1/|v - q|^2 is integrated in closed form by
Legendre functions of the second kind, int P_k(t)/(t - c) dt = -2 Q_k(c). A width of 1e-12 M costs what one of 0.3 M does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import k1e

from globalfit.arrays import Array, readonly
from globalfit.physics.freeze_out.annihilation import Channel

Complex = NDArray[np.complex128]

# K1(u) e^u sqrt(2u/pi) = 1 + 3/(8u) - ..., as a polynomial in 1/u good to 2e-6 for u > 6 and 2e-3 for u > 2
_ASYMPTOTIC = (1.0, 0.375, -0.1171875, 0.1025390625)


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes and weights in v, u = v^2, and the kernel between them and temperatures x.

    Parameters
    ----------
    x : array (t,)
        The temperatures x = m/T.
    order, first : int
        Gauss-Legendre points per cell, and in the first cell, which reaches down to the threshold.
    edges : array (cells,)
        v at the right edges of the cells; each is twice the one before.
    """

    x: Array
    order: int
    first: int
    edges: Array
    v: Array  # (k,)
    weight: Array  # (k,), of int du = int 2 v dv
    kernel: Array  # (k, t): K1e((2 + u) x) exp(-u x)

    @property
    def u(self) -> Array:
        """Energies above threshold (k,) in units of m."""
        return self.v**2


@lru_cache(maxsize=16)
def nodes(x: tuple[float, ...], order: int = 7, first: int = 6, cells: int = 12, u_max: float = 36.0) -> Nodes:
    """Return the nodes for temperatures `x`, from the threshold to `u_max` above it."""
    temperatures = np.array(x)
    edges = np.sqrt(u_max) * 0.5 ** np.arange(cells - 1, -1, -1)
    t, w = np.polynomial.legendre.leggauss(order)
    t_first, w_first = np.polynomial.legendre.leggauss(2 * first)
    half = 0.5 * edges[:-1, None]
    v = np.concatenate([edges[0] * t_first[first:], (half * (3.0 + t)).ravel()])
    weight = np.concatenate([edges[0] * w_first[first:], (half * w).ravel()]) * 2.0 * v
    u = v[:, None] ** 2
    kernel = k1e((2.0 + u) * temperatures) * np.exp(-u * temperatures)
    return Nodes(
        readonly(temperatures), order, first, readonly(edges), readonly(v), readonly(weight), readonly(kernel)
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
    mu = np.sqrt(resonance.mass**2 - 1j * resonance.mass * np.maximum(resonance.width, 1e-16 * resonance.mass)) / m
    q = np.sqrt(mu.conj() - threshold)  # the pole in v, above the real axis
    weights, v_pole, at_pole = _pole_weights(q, grid)
    energy_pole = threshold + v_pole**2
    with_pole = np.concatenate([energy, energy_pole[:, None]], axis=1)
    smooth = channel.rate(m[:, None] * with_pole) / ((with_pole + mu.real[:, None]) ** 2 + mu.imag[:, None] ** 2)
    smooth /= m[:, None] ** 4
    result = _transform(smooth[:, :-1] * weights, threshold, energy, grid)
    hit = np.flatnonzero(at_pole)
    if hit.size:
        x, e = grid.x, energy_pole[hit, None]
        peak = (smooth[hit, -1] * at_pole[hit])[:, None]
        result[hit] += peak * np.exp((2.0 - e) * x) * _k1e(e * x)
    return result


def _transform(weights: Array, threshold: Array, energy: Array, grid: Nodes) -> Array:
    """Return sum_j weights_j e^{2x} K1(energy_j x) (r, t).

    Above the threshold of the pair the kernel is that at the threshold times a ratio of Bessel functions,
    expanded in 1/x.
    """
    above = threshold > 2.0
    if not above.any():
        return weights @ grid.kernel
    base = 2.0 + grid.u
    weights = weights * np.sqrt(base / energy)
    first, second, _ = _ratio(1.0 / energy, 1.0 / base)
    result = weights @ grid.kernel + (weights * first) @ grid.kernel / grid.x
    result += (weights * second) @ grid.kernel / grid.x**2
    result *= np.exp((2.0 - threshold)[:, None] * grid.x)
    return result


def _ratio(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Coefficients of 1/x, 1/x^2 in P(a/x)/P(b/x), P the asymptotic series of K1."""
    _, p_1, p_2, p_3 = _ASYMPTOTIC
    first = p_1 * (a - b)
    second = p_2 * (a**2 - b**2) - p_1 * b * first
    return first, second, p_3 * (a**3 - b**3)


def _k1e(u: Array) -> Array:
    """Return e^u K1(u): its asymptotic series where that is good to 1e-6, else the function itself."""
    r = 1.0 / u
    series = np.sqrt(0.5 * np.pi * r) * (
        1.0 + r * (0.375 - r * (0.1171875 - r * (0.1025390625 - r * (0.144195556640625 - r * 0.2775764465332))))
    )
    low = u < 12.0
    if low.any():
        series[low] = k1e(u[low])
    return series


def _pole_weights(q: Complex, grid: Nodes) -> tuple[Array, Array, Array]:
    """Return weights (r, k) for int du h(u)/|u - q^2|^2, and place v (r,) and weight (r,) of an extra node.

    Near the pole h(u(v)) 2 v is interpolated in v: in the first cell as an even function by its nodes, in the
    others by the nodes, and by the pole's place too if it lies inside the cell.
    """
    v, edges, order = grid.v, grid.edges, grid.order
    square = q**2
    weights = grid.weight / ((grid.u - square.real[:, None]) ** 2 + square.imag[:, None] ** 2)
    v_pole, at_pole = np.ones(len(q)), np.zeros(len(q))
    rows = np.flatnonzero(np.abs(q) < 1.25 * edges[0])
    if rows.size:
        weights[rows, : grid.first] = _first_cell(q[rows] / edges[0], grid) * 2.0 * v[: grid.first] / edges[0] ** 3
    t, _ = np.polynomial.legendre.leggauss(order)
    cell = np.searchsorted(edges, q.real, side="right")  # 0 is the first cell
    for shift in (-1, 0, 1):
        index = cell + shift
        rows = np.flatnonzero((index >= 1) & (index < edges.size))
        if not rows.size:
            continue
        half = 0.5 * edges[index[rows] - 1]
        c = q[rows] / half - 3.0
        near = np.abs(c + np.sqrt(c - 1.0) * np.sqrt(c + 1.0)) < 4.0
        rows, half, c = rows[near], half[near], c[near]
        if not rows.size:
            continue
        if shift == 0:
            c = _off_nodes(c, t)
        inner, extra = _cell(c, order, inside=shift == 0)
        left = grid.first + (index[rows] - 1) * order
        at = left[:, None] + np.arange(order)
        v_at = v[at]
        weights[rows[:, None], at] = (
            inner / half[:, None] * 2.0 * v_at
            / ((v_at + q.real[rows, None]) ** 2 + q.imag[rows, None] ** 2)
        )  # fmt: skip
        if shift == 0:
            place = half * (c.real + 3.0)
            v_pole[rows] = place
            at_pole[rows] = extra / half * 2.0 * place / ((place + q.real[rows]) ** 2 + q.imag[rows] ** 2)
    return weights, v_pole, at_pole


def _off_nodes(c: Complex, t: Array) -> Complex:
    """Move poles that coincide with a node by 1e-7 of the cell."""
    distance = c.real[:, None] - t
    hit = np.abs(distance).min(axis=1) < 1e-7
    return np.where(hit, c + 2e-7, c)


def _cell(c: Complex, order: int, *, inside: bool) -> tuple[Array, Array]:
    """Return weights (r, order), and that of an extra node at Re c, of int_{-1}^1 h(t)/|t - c|^2 dt."""
    t, w = np.polynomial.legendre.leggauss(order)
    second_kind = _legendre_q(c, order)
    legendre = np.polynomial.legendre.legvander(t, order - 1)  # (order, order), P_k(t_j)
    # int l_j(t)/(t - c) dt = -w_j sum_k (2k + 1) P_k(t_j) Q_k(c)
    matrix = -(w[:, None] * legendre * (2.0 * np.arange(order) + 1.0)).T
    if not inside:
        return (second_kind[:, :order].imag @ matrix) / c.imag[:, None], np.zeros(len(c))
    weights = (second_kind[:, :order].real @ matrix) / (t - c.real[:, None])
    at_pole = np.polynomial.legendre.legval(c.real, np.eye(order + 1)[order])
    return weights, -2.0 * second_kind[:, order].imag / (c.imag * at_pole)


def _first_cell(c: Complex, grid: Nodes) -> Array:
    """Return weights (r, first) of int_0^1 h(t)/|t^2 - c^2|^2 dt for an even h, at the positive nodes."""
    order = 2 * grid.first
    t, w = np.polynomial.legendre.leggauss(order)
    t, w = t[grid.first :], w[grid.first :]
    second_kind = _legendre_q(c, order)[:, 0:order:2]
    legendre = np.polynomial.legendre.legvander(t, order - 1)[:, 0:order:2]
    # int P_k(t)/(t^2 - c^2) dt = -(2/c) Q_k(c) for even k
    matrix = -(w[:, None] * legendre * (2.0 * np.arange(0, order, 2) + 1.0)).T
    square = c**2
    return (second_kind / c[:, None]).imag @ matrix / square.imag[:, None]


def _legendre_q(c: Complex, order: int) -> Complex:
    """Return Q_k(c) (r, order + 1) for Im c > 0, by upward recurrence: stable near [-1, 1]."""
    q = np.empty((len(c), order + 1), dtype=np.complex128)
    # ln (c + 1)/(c - 1), the argument from its own product: exact for a pole close to the real axis
    size = c.real**2 + c.imag**2
    argument = np.arctan2(-2.0 * c.imag, size - 1.0)
    q[:, 0] = 0.5 * (np.log(np.abs(c + 1.0) / np.abs(c - 1.0)) + 1j * argument)
    q[:, 1] = c * q[:, 0] - 1.0
    for k in range(1, order):
        q[:, k + 1] = ((2 * k + 1) * c * q[:, k] - k * q[:, k - 1]) / (k + 1)
    return q
