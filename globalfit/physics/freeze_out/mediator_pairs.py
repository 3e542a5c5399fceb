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

from math import pi

import numpy as np

from globalfit.arrays import Array


def to_aprime_aprime(sqrt_s: Array, m: Array, m_aprime: Array, g: Array, *, axial: bool = False) -> Array:
    """Return the rate w (n, k) in MeV^2 of eta eta -> A'A' by exchange of eta, without phi'."""
    s, p, k = _kinematics(sqrt_s, m, m_aprime, m_aprime)
    m2, M2 = m**2, m_aprime**2
    a = 0.5 * s - M2
    log, inverse = _angles(a, 2.0 * p * k)
    if axial:
        constant = 32.0 * (2.0 * m2 * (s - 4.0 * M2) / M2**2 - 1.0)
        c_1 = 8.0 * (
            4.0 * M2**2 - 16.0 * M2 * m2 - 12.0 * m2 * s + s**2
            + 4.0 * m2 * s * (4.0 * m2 + s) / M2 - 4.0 * (m2 * s / M2) ** 2
        )  # fmt: skip
        c_2 = -32.0 * (4.0 * m2 - M2) ** 2
    else:
        constant = np.full_like(s, -32.0)
        c_1 = 8.0 * (4.0 * M2**2 - 8.0 * M2 * m2 - 8.0 * m2**2 + 4.0 * m2 * s + s**2)
        c_2 = -32.0 * (M2 + 2.0 * m2) ** 2
    return _rate(p, k, g**4 * (constant + c_1 * log / a + c_2 * inverse), identical=True)


def aprime_aprime_interference(
    sqrt_s: Array, m: Array, m_aprime: Array, g: Array, y: Array, f: Array, *, axial: bool = False
) -> Array:
    """Return N_int (n, k) in MeV^4: the interference of eta and phi' exchange is N_int (s - M_phi^2)/|D|^2.

    The square of the phi' amplitude is the width of phi' -> A'A'.
    """
    s, p, k = _kinematics(sqrt_s, m, m_aprime, m_aprime)
    m2, M2 = m**2, m_aprime**2
    log, _ = _angles(0.5 * s - M2, 2.0 * p * k)
    if axial:
        total = (4.0 * M2**2 - 2.0 * M2 * s + s**2) - log * (
            m2 * s**2 - 4.0 * M2 * m2 * s + 8.0 * M2**2 * m2 - 2.0 * M2**3
        )
        total = 16.0 * m / M2**2 * total
    else:
        total = 32.0 * m * (2.0 - (s - M2 - 2.0 * m2) * log)
    return _rate(p, k, -(g**2) * (2.0 * y * M2 / f) * total, identical=True)


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
    s, p, k = _kinematics(sqrt_s, m, m_aprime, m_aprime)
    M2 = m_aprime**2
    square = (2.0 * y / f) ** 2 * (s - 4.0 * m**2) * (12.0 * M2**2 - 4.0 * M2 * s + s**2)
    interference = aprime_aprime_interference(sqrt_s, m, m_aprime, g, y, f, axial=axial)
    return _rate(p, k, square, identical=True) + interference * (s - m_phi**2)


def to_phi_phi(sqrt_s: Array, m: Array, m_phi: Array, y: Array, f: Array) -> Array:
    """Return the rate w (n, k) in MeV^2 of eta eta -> phi'phi', with phi'* -> phi'phi'; never on the pole."""
    s, p, k = _kinematics(sqrt_s, m, m_phi, m_phi)
    m2, M2 = m**2, m_phi**2
    a = 0.5 * s - M2
    log, inverse = _angles(a, 2.0 * p * k)
    exchange = (
        -16.0
        + 2.0 * (6.0 * M2**2 - 16.0 * M2 * m2 - 4.0 * M2 * s - 32.0 * m2**2 + 16.0 * m2 * s + s**2) * log / a
        - 8.0 * (4.0 * m2 - M2) ** 2 * inverse
    )
    interference = -8.0 * m * (4.0 + (2.0 * M2 - 8.0 * m2 + s) * log)
    cubic = 3.0 * M2 / (f * (s - M2))  # times y: the amplitude of phi'* -> phi'phi'
    total = y**4 * exchange + y**3 * cubic * interference + (y * cubic) ** 2 * 4.0 * (s - 4.0 * m2)
    return _rate(p, k, total, identical=True)


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
    s, p, k = _kinematics(sqrt_s, m, m_aprime, m_phi)
    m2, M2, F2 = m**2, m_aprime**2, m_phi**2
    a = 0.5 * (s - M2 - F2)  # the same for both exchanges
    log, inverse = _angles(a, 2.0 * p * k)
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
    return _rate(p, k, g**2 * total, identical=False)


def _kinematics(sqrt_s: Array, m: Array, m_3: Array, m_4: Array) -> tuple[Array, Array, Array]:
    """Return s, the initial and the final momentum."""
    s = sqrt_s**2
    p2 = 0.25 * (sqrt_s - 2.0 * m) * (sqrt_s + 2.0 * m)
    plus, minus = m_3 + m_4, m_3 - m_4
    k2 = 0.25 * (sqrt_s - plus) * (sqrt_s + plus) * (s - minus**2) / s
    return s, np.sqrt(np.maximum(p2, 0.0)), np.sqrt(np.maximum(k2, 0.0))


def _angles(a: Array, b: Array) -> tuple[Array, Array]:
    """Return L = ln[(a + b)/(a - b)]/b and J = 1/(a^2 - b^2)."""
    ratio = b / a
    small = ratio < 1e-4
    safe = np.where(small, 0.5, ratio)
    log = 2.0 / a * np.where(small, 1.0 + ratio**2 / 3.0, np.arctanh(safe) / safe)
    return log, 1.0 / ((a - b) * (a + b))


def _rate(p: Array, k: Array, integral: Array, *, identical: bool) -> Array:
    return p * k * integral / (32.0 * pi if identical else 16.0 * pi)
