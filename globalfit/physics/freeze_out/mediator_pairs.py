"""eta eta -> A'A', A'phi', phi'phi': t and u channels with their s channel, integrated over the angle.

The sums over spins and polarisations (unitary gauge) are those of a pair of mass m that exchanges a fermion
of mass m: L = i g eta1 gamma^mu eta2 A'_mu - (1/2) y_i eta_i eta_i phi' + (M_A^2/f) phi' A'A' +
(M_A^2/2f^2) phi'^2 A'A' - (M_phi^2/2f) phi'^3, or with axial=True L = -(g/2) eta_i gamma^mu gamma5 eta_i
A'_mu in place of the vector current. For eta_1 eta_2, m is the mean mass. Terms of relative order delta/m
are left out: in "hybrid" nothing compensates the part of them that grows like (delta sqrt s/M_A^2)^2.

With p, k the initial and final momenta, the integral over cos theta of the sum over spins and polarisations
is

    I = c_0 + c_1 L + c_2 J,   L = ln[(a + b)/(a - b)]/b,   J = 1/(a^2 - b^2),   b = 2 p k,

a the propagator at 90 degrees; the rate is w = p k I/(16 pi), halved for identical final particles. Every
function is compared with traces of explicit Dirac matrices in tests/physics/test_mediator_pairs.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from globalfit.arrays import Array


def to_aprime_aprime(sqrt_s: Array, m: Array, m_aprime: Array, g: Array, *, axial: bool = False) -> Array:
    """Return the rate w (n, k) in MeV^2 of eta eta -> A'A' by exchange of eta, without phi'."""
    pair = _Pair.of(sqrt_s, m, m_aprime, m_aprime)
    return _rate(pair, _exchange_to_aprimes(pair, m, m_aprime, g, axial=axial), identical=True)


def aprime_aprime_interference(
    sqrt_s: Array, m: Array, m_aprime: Array, g: Array, y: Array, f: Array, *, axial: bool = False
) -> Array:
    """Return N_int (n, k) in MeV^4: the interference of eta and phi' exchange is N_int (s - M_phi^2)/|D|^2.

    The square of the phi' amplitude is the width of phi' -> A'A'.
    """
    pair = _Pair.of(sqrt_s, m, m_aprime, m_aprime)
    return _rate(pair, _interference_to_aprimes(pair, m, m_aprime, g, y, f, axial=axial), identical=True)


def through_phi_to_aprime_aprime(
    sqrt_s: Array,
    m: Array,
    m_aprime: Array,
    m_phi: Array,
    g: Array,
    y: Array,
    f: Array,
    *,
    axial: bool = False,
) -> Array:
    """Return N (n, k) in MeV^6 of eta eta -> phi'* -> A'A' and its interference with the exchange of eta.

    The rate is N/|s - M_phi^2 + i M_phi Gamma|^2; N may be negative off the pole.
    """
    pair = _Pair.of(sqrt_s, m, m_aprime, m_aprime)
    return _rate(pair, _through_phi(pair, m, m_aprime, m_phi, g, y, f, axial=axial), identical=True)


def all_to_aprime_aprime(
    sqrt_s: Array,
    m: Array,
    m_aprime: Array,
    m_phi: Array,
    g: Array,
    y: Array,
    f: Array,
    inverse_propagator: Array,
    *,
    axial: bool = False,
) -> Array:
    """Return N (n, k) in MeV^6 of eta eta -> A'A', all amplitudes: the rate is N/`inverse_propagator`.

    That is |s - M_phi^2 + i M_phi Gamma|^2 (n, k).
    """
    pair = _Pair.of(sqrt_s, m, m_aprime, m_aprime)
    total = _exchange_to_aprimes(pair, m, m_aprime, g, axial=axial)
    total *= inverse_propagator
    total += _through_phi(pair, m, m_aprime, m_phi, g, y, f, axial=axial)
    return _rate(pair, total, identical=True)


def to_phi_phi(sqrt_s: Array, m: Array, m_phi: Array, y: Array, f: Array) -> Array:
    """Return the rate w (n, k) in MeV^2 of eta eta -> phi'phi', with phi'* -> phi'phi'; never on the pole."""
    pair = _Pair.of(sqrt_s, m, m_phi, m_phi)
    s, log = pair.s, pair.log
    m2, M2 = m**2, m_phi**2
    exchange = s + (16.0 * m2 - 4.0 * M2)
    exchange *= s
    exchange += 6.0 * M2**2 - 16.0 * M2 * m2 - 32.0 * m2**2
    exchange *= log
    exchange /= pair.a
    exchange -= 4.0 * (4.0 * m2 - M2) ** 2 * pair.inverse
    exchange -= 8.0
    exchange *= 2.0 * y**4
    interference = s + (2.0 * M2 - 8.0 * m2)
    interference *= log
    interference += 4.0
    interference *= -8.0 * m * y**3
    cubic = 3.0 * M2 / f / (s - M2)  # times y: the amplitude of phi'* -> phi'phi'
    strahlung = s - 4.0 * m2
    strahlung *= 4.0 * y**2
    strahlung *= cubic
    interference += strahlung
    interference *= cubic
    exchange += interference
    return _rate(pair, exchange, identical=True)


def to_aprime_phi(
    sqrt_s: Array,
    m: Array,
    m_aprime: Array,
    m_phi: Array,
    g: Array,
    y_1: Array,
    y_2: Array,
    f: Array,
    *,
    axial: bool = False,
) -> Array:
    """Return the rate w (n, k) in MeV^2 of eta_1 eta_2 -> A'phi', or if axial eta_i eta_i -> A'phi'."""
    pair = _Pair.of(sqrt_s, m, m_aprime, m_phi)
    s, a, log, inverse = pair.s, pair.a, pair.log, pair.inverse
    m2, M2, F2 = m**2, m_aprime**2, m_phi**2
    squares, cross = y_1**2 + y_2**2, y_1 * y_2
    strahlung = 2.0 * M2 / (f * (s - M2))  # over g: the amplitude of A'* -> A'phi'
    s_squared = (s + M2 - F2) ** 2 + 8.0 * M2 * s
    if axial:
        shared = (
            m2 * (s - F2) ** 2 - 2.0 * M2 * m2 * (F2 + 3.0 * s) + M2**2 * (m2 - F2)
            + F2 * M2 * s + 16.0 * M2 * m2**2
        )  # fmt: skip
        square = (
            4.0 * (s - 2.0 * M2 - 4.0 * m2) / M2
            + 4.0 * (s - F2 - M2 + 8.0 * m2) * log
            - 8.0 * (4.0 * m2 - F2) * (4.0 * m2 - M2) * inverse
        )
        product = 8.0 * (s - 2.0 * M2 + 4.0 * m2) / M2 - 8.0 * shared / (M2 * a) * log
        linear = (
            -8.0 * m / M2**2
            * (
                s * (s - F2 - M2) + 4.0 * M2**2
                - log * (m2 * (s - F2) ** 2 - M2 * (2.0 * m2 * (F2 + s) - F2 * s)
                         + M2**2 * (9.0 * m2 - F2 - s) - M2**3)
            )
        )  # fmt: skip
        spin_0 = 12.0 * m2 * (s - M2) ** 2 * ((s - F2) ** 2 - 2.0 * M2 * (s + F2) + M2**2) / (3.0 * M2**3 * s)
        strahlung_squared = 2.0 * (s - 4.0 * m2) * s_squared / (3.0 * M2 * s) + spin_0
    else:
        square = (
            4.0 * (s - 2.0 * M2 - 4.0 * m2) / M2
            + 4.0 * (s - F2 - M2 - 4.0 * m2) * log
            + 8.0 * (4.0 * m2 - F2) * (M2 + 2.0 * m2) * inverse
        )
        shared = F2 * (M2 + 4.0 * m2 - s) - 6.0 * M2 * m2 - 8.0 * m2**2 + 2.0 * m2 * s
        product = -8.0 * (s - 2.0 * M2 - 4.0 * m2) / M2 - 8.0 * shared / a * log
        linear = 8.0 * m * (2.0 - (s + M2 + 4.0 * m2 - 2.0 * F2) * log)
        strahlung_squared = 2.0 * (s + 2.0 * m2) * s_squared / (3.0 * M2 * s)
    total = (
        squares * square + cross * product + (y_1 + y_2) * strahlung * linear
        + strahlung**2 * strahlung_squared
    )  # fmt: skip
    return _rate(pair, g**2 * total, identical=False)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Kinematics (n, k) of a pair of mediators: s, p k, and the angular integrals of `a` and b = 2 p k."""

    s: Array
    p_k: Array
    a: Array  # the propagator at 90 degrees, the same for both exchanges
    log: Array  # L
    inverse: Array  # J

    @classmethod
    def of(cls, sqrt_s: Array, m: Array, m_3: Array, m_4: Array) -> _Pair:
        s = sqrt_s * sqrt_s
        # 16 p^2 k^2
        product = (sqrt_s - 2.0 * m) * (sqrt_s + 2.0 * m)
        plus = m_3 + m_4
        product *= sqrt_s - plus
        product *= sqrt_s + plus
        if m_3 is not m_4:
            product *= 1.0 - (m_3 - m_4) ** 2 / s
        np.maximum(product, 0.0, out=product)
        b = np.sqrt(product, out=product)
        b *= 0.5
        a = s - (m_3**2 + m_4**2)
        a *= 0.5
        # a ratio of zero has the limit L = 2/a
        ratio = np.maximum(b / a, 1e-9)
        log = np.arctanh(ratio)
        log /= ratio
        log *= 2.0
        log /= a
        inverse = (a - b) * (a + b)
        np.divide(1.0, inverse, out=inverse)
        return cls(s, 0.5 * b, a, log, inverse)


def _exchange_to_aprimes(pair: _Pair, m: Array, m_aprime: Array, g: Array, *, axial: bool) -> Array:
    """Return the integral I (n, k) of eta exchange alone."""
    s, m2, M2 = pair.s, m**2, m_aprime**2
    if axial:
        constant = 32.0 * (2.0 * m2 * (s - 4.0 * M2) / M2**2 - 1.0)
        c_1 = 8.0 * (
            4.0 * M2**2 - 16.0 * M2 * m2 - 12.0 * m2 * s + s**2
            + 4.0 * m2 * s * (4.0 * m2 + s) / M2 - 4.0 * (m2 * s / M2) ** 2
        )  # fmt: skip
        c_2 = -32.0 * (4.0 * m2 - M2) ** 2
        found: Array = g**4 * (constant + c_1 * pair.log / pair.a + c_2 * pair.inverse)
        return found
    total = s + 4.0 * m2
    total *= s
    total += 4.0 * M2**2 - 8.0 * M2 * m2 - 8.0 * m2**2
    total *= pair.log
    total /= pair.a
    total -= (4.0 * (M2 + 2.0 * m2) ** 2) * pair.inverse
    total -= 4.0
    total *= 8.0 * g**4
    return total


def _interference_to_aprimes(
    pair: _Pair, m: Array, m_aprime: Array, g: Array, y: Array, f: Array, *, axial: bool
) -> Array:
    """Return the integral (n, k) of the interference of eta and phi' exchange over (s - M_phi^2)/|D|^2."""
    s, log, m2, M2 = pair.s, pair.log, m**2, m_aprime**2
    factor = -(g**2) * (2.0 * y * M2 / f)
    if axial:
        total = (4.0 * M2**2 - 2.0 * M2 * s + s**2) - log * (
            m2 * s**2 - 4.0 * M2 * m2 * s + 8.0 * M2**2 * m2 - 2.0 * M2**3
        )
        found: Array = factor * 16.0 * m / M2**2 * total
        return found
    total = (M2 + 2.0 * m2) - s
    total *= log
    total += 2.0
    total *= 32.0 * m * factor
    return total


def _through_phi(
    pair: _Pair, m: Array, m_aprime: Array, m_phi: Array, g: Array, y: Array, f: Array, *, axial: bool
) -> Array:
    """Return the integral (n, k) of phi' exchange and its interference, times |D|^2."""
    s, M2 = pair.s, m_aprime**2
    total = _interference_to_aprimes(pair, m, m_aprime, g, y, f, axial=axial)
    total *= s - m_phi**2
    square = s - 4.0 * M2
    square *= s
    square += 12.0 * M2**2
    square *= s - 4.0 * m**2
    square *= (2.0 * y / f) ** 2
    total += square
    return total


def _rate(pair: _Pair, integral: Array, *, identical: bool) -> Array:
    integral *= pair.p_k
    integral *= 1.0 / (32.0 * pi) if identical else 1.0 / (16.0 * pi)
    return integral
