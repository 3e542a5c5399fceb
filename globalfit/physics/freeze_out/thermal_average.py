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
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import k1e

from globalfit.arrays import Array, Mask, readonly
from globalfit.physics.freeze_out.annihilation import Channel

Complex = NDArray[np.complex128]


def _k1_series() -> tuple[float, ...]:
    """Fit of e^u K1(u) sqrt(u) as a polynomial in 1/u, u >= 2, to 1e-8."""
    r = 0.25 * (1.0 + np.cos(np.pi * (np.arange(64) + 0.5) / 64))
    fit = np.polynomial.Chebyshev.fit(r, k1e(1.0 / r) / np.sqrt(r), 9, domain=[0.0, 0.5])
    return tuple(float(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef)


_K1_SERIES: Final = _k1_series()


@dataclass(frozen=True, eq=False)
class Cell:
    """Gauss-Legendre rule of a cell, with what integrates its interpolating polynomial against a pole.

    `matrix` (k, j) is -w_j (2k + 1) P_k(t_j): int l_j(t)/(t - c) dt = sum_k Q_k(c) matrix_kj. In the first
    cell of an even function, t_j > 0, k is even, and int l_j(t)/(t^2 - c^2) dt over (0, 1) has Q_k(c)/c
    instead.
    """

    t: Array
    weight: Array
    matrix: Array


@dataclass(frozen=True, eq=False)
class Nodes:
    """Nodes and weights in v, u = v^2, and the kernel between them and temperatures x.

    Parameters
    ----------
    x : array (t,)
        The temperatures x = m/T.
    first, cell : Cell
        Rules of the first cell, which reaches down to the threshold, and of all others.
    edges : array (cells,)
        v at the right edges of the cells; each is twice the one before.
    v : array (k,)
        The nodes.
    weight : array (k,)
        Weights of int du = int 2 v dv.
    kernel : array (k, t)
        K1e((2 + u) x) exp(-u x).
    """

    x: Array
    first: Cell
    cell: Cell
    edges: Array
    v: Array
    weight: Array
    kernel: Array
    u: Array  # v^2
    inverse: Array  # (powers, t): terms of the series of K1


@lru_cache(maxsize=16)
def nodes(
    x: tuple[float, ...], order: int = 9, first: int = 6, cells: int = 11, u_max: float = 36.0
) -> Nodes:
    """Return the nodes for temperatures `x`: `cells` up to `u_max`, of `order` nodes, the first of `first`."""
    temperatures = np.array(x)
    edges = np.sqrt(u_max) * 0.5 ** np.arange(cells - 1, -1, -1)
    low, cell = _even_cell(first), _cell(order)
    half = 0.5 * edges[:-1, None]
    v = np.concatenate([edges[0] * low.t, (half * (3.0 + cell.t)).ravel()])
    weight = np.concatenate([edges[0] * low.weight, (half * cell.weight).ravel()]) * 2.0 * v
    u = v**2
    kernel = k1e((2.0 + u[:, None]) * temperatures) * np.exp(-u[:, None] * temperatures)
    powers = np.arange(len(_K1_SERIES))[:, None]
    inverse = np.array(_K1_SERIES)[:, None] * temperatures ** (-powers - 0.5)
    return Nodes(
        readonly(temperatures), low, cell, readonly(edges), readonly(v), readonly(weight), readonly(kernel),
        readonly(u), readonly(inverse),
    )  # fmt: skip


def _cell(order: int) -> Cell:
    t, w = np.polynomial.legendre.leggauss(order)
    legendre = np.polynomial.legendre.legvander(t, order - 1)
    matrix = -(w[:, None] * legendre * (2.0 * np.arange(order) + 1.0)).T
    return Cell(readonly(t), readonly(w), readonly(matrix))


def _even_cell(half: int) -> Cell:
    full = _cell(2 * half)
    return Cell(full.t[half:], full.weight[half:], readonly(full.matrix[::2, half:]))


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
    weights, v_pole, at_pole = _pole_weights(q, grid)
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
    powers = np.arange(len(_K1_SERIES))
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


def _pole_weights(q: Complex, grid: Nodes) -> tuple[Array, Array, Array]:
    """Return weights (r, k) for int du h(u)/|u - q^2|^2, and place v (r,) and weight (r,) of an extra node.

    Near the pole h(u(v)) 2 v is interpolated in v: in the first cell as an even function by its nodes, in the
    others by the nodes, and by the pole's place too if it lies inside the cell.
    """
    v, edges, order, first = grid.v, grid.edges, grid.cell.t.size, grid.first.t.size
    square = q**2
    weights = grid.u - square.real[:, None]
    weights *= weights
    weights += square.imag[:, None] ** 2
    np.divide(grid.weight, weights, out=weights)
    v_pole, at_pole = np.ones(len(q)), np.zeros(len(q))

    rows = np.flatnonzero(np.abs(q) < 1.25 * edges[0])
    if rows.size:
        even = _even_pole(q[rows] / edges[0], grid.first)
        weights[rows, :first] = even * 2.0 * v[:first] / edges[0] ** 3

    # the cell of the pole and its neighbours, if the pole is inside their Bernstein ellipse of radius 4
    own = np.searchsorted(edges, q.real, side="right")  # 0 is the first cell
    cell = (own[:, None] + np.array([-1, 0, 1])).ravel()
    row = np.repeat(np.arange(len(q)), 3)
    known = (cell >= 1) & (cell < edges.size)
    cell, row = cell[known], row[known]
    half = 0.5 * edges[cell - 1]
    c = q[row] / half - 3.0
    near = np.abs(c + np.sqrt(c - 1.0) * np.sqrt(c + 1.0)) < 4.0
    cell, row, half, c = cell[near], row[near], half[near], c[near]
    inside = cell == own[row]
    c = np.where(inside, _off_nodes(c, grid.cell.t), c)
    inner, extra = _pole(c, inside, grid.cell)
    at = (first + (cell - 1) * order)[:, None] + np.arange(order)
    v_at = v[at]
    far = q[row, None]
    weights[row[:, None], at] = inner * (2.0 * v_at / ((v_at + far.real) ** 2 + far.imag**2)) / half[:, None]
    row, half = row[inside], half[inside]
    place = half * (c.real[inside] + 3.0)
    v_pole[row] = place
    at_pole[row] = extra / half * 2.0 * place / ((place + q.real[row]) ** 2 + q.imag[row] ** 2)
    return weights, v_pole, at_pole


def _off_nodes(c: Complex, t: Array) -> Complex:
    """Move poles that coincide with a node by 2e-7 of half the cell."""
    return np.where(np.abs(c.real[:, None] - t).min(axis=1) < 1e-7, c + 2e-7, c)


def _pole(c: Complex, inside: Mask, cell: Cell) -> tuple[Array, Array]:
    """Return weights (r, order) of int_{-1}^1 h(t)/|t - c|^2 dt; if `inside`, also of a node at Re c.

    1/|t - c|^2 = Im[1/(t - c)]/Im c and (t - Re c)/|t - c|^2 = Re[1/(t - c)].
    """
    order = cell.t.size
    second_kind = _legendre_q(c, order)
    weights = second_kind[:order].imag.T @ cell.matrix / c.imag[:, None]
    place = c.real[inside]
    weights[inside] = second_kind[:order, inside].real.T @ cell.matrix / (cell.t - place[:, None])
    return weights, -2.0 * second_kind[order, inside].imag / (c.imag[inside] * _legendre_p(place, order))


def _even_pole(c: Complex, cell: Cell) -> Array:
    """Return weights (r, first) of int_0^1 h(t)/|t^2 - c^2|^2 dt for an even h that vanishes at 0.

    h/t^2 is interpolated, and t^2/|t^2 - c^2|^2 = Im[c^2/(t^2 - c^2)]/Im c^2: well conditioned for a pole on
    threshold of any width.
    """
    order = 2 * cell.t.size
    second_kind = _legendre_q(c, order)[:order:2]
    return (second_kind * c).imag.T @ cell.matrix / ((c**2).imag[:, None] * cell.t**2)


def _legendre_q(c: Complex, order: int) -> Complex:
    """Return Q_k(c) (order + 1, r) for Im c > 0, by upward recurrence: stable near [-1, 1]."""
    q = np.empty((order + 1, len(c)), dtype=np.complex128)
    # ln (c + 1)/(c - 1), the argument from the product: exact for a pole close to the real axis
    argument = np.arctan2(-2.0 * c.imag, c.real**2 + c.imag**2 - 1.0)
    q[0] = 0.5 * (np.log(np.abs(c + 1.0) / np.abs(c - 1.0)) + 1j * argument)
    q[1] = c * q[0] - 1.0
    for k in range(1, order):
        q[k + 1] = ((2 * k + 1) / (k + 1)) * c * q[k] - (k / (k + 1)) * q[k - 1]
    return q


def _legendre_p(t: Array, order: int) -> Array:
    """Return P_order(t) (r,)."""
    before, now = np.ones_like(t), t
    for k in range(1, order):
        before, now = now, ((2 * k + 1) * t * now - k * before) / (k + 1)
    return now
