"""Partial widths of a light vector A' and a light scalar phi', in MeV.

Every function takes the mass of the decaying boson first: at sqrt(s) instead of the mass it is the
energy-dependent width. Arguments broadcast; below threshold a width is exactly zero. Formulas are derived in
docs/physics/model.md; hadronic inputs name their source.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.constants import ALPHA, E_CHARGE, F_PI, HBARC_MEV_M, M_D, M_OMEGA, M_PI, M_PI0, M_RHO, M_U

WIDTH_RHO = 147.8  # neutral rho(770) in e+e-, +-0.9, PDG average (listing of 2019)
WIDTH_OMEGA = 8.68  # +-0.13, PDG average


def vector_to_dirac_pair(m: Array, m_f: Array | float, g_v: Array, g_a: Array | float = 0.0) -> Array:
    """Return the width (n,) of A' -> f fbar for L = fbar gamma^mu (g_V + g_A gamma5) f A'_mu."""
    r = (m_f / m) ** 2
    beta2 = _open(1.0 - 4.0 * r)
    # g_V^2 (1 + 2 r) + g_A^2 (1 - 4 r)
    width = np.sqrt(beta2)
    width *= m
    return width * ((g_v**2 + g_a**2) / (12.0 * pi) + (g_v**2 - 2.0 * g_a**2) / (6.0 * pi) * r)


def vector_to_majorana_pair(m: Array, m_f: Array | float, g: Array) -> Array:
    """Return the width (n,) of A' -> psi psi for a Majorana psi, L = (g/2) psibar gamma^mu gamma5 psi A'_mu.

    The same as one charged Weyl field of coupling g: the sign of the current does not matter.
    """
    return g**2 / (24.0 * pi) * _beta3(m, m_f) * m


def vector_to_two_majorana(
    m: Array, m_1: Array | float, m_2: Array | float, g: Array, *, axial: bool = False
) -> Array:
    """Return the width (n,) of A' -> psi_1 psi_2, Majorana, L = i g psibar_1 gamma^mu psi_2 A'_mu.

    With `axial` it is L = g psibar_1 gamma^mu gamma5 psi_2 A'_mu: sum and difference of masses change places.
    """
    inverse = 1.0 / (m * m)
    plus, minus = (m_1 + m_2) ** 2 * inverse, (m_1 - m_2) ** 2 * inverse
    if axial:
        plus, minus = minus, plus
    closing, opening = _open(1.0 - plus), _open(1.0 - minus)
    width = np.sqrt(closing * opening)
    width *= opening
    width *= 1.0 + 0.5 * plus
    return width * (g**2 / (12.0 * pi) * m)


def vector_to_pi_pi(m: Array, g_u: Array, g_d: Array) -> Array:
    """Return the width (n,) of A' -> pi+ pi- for vector couplings to u and d: the pion carries g_u - g_d."""
    beta2 = _open(1.0 - 4.0 * (M_PI / m) ** 2)
    if not beta2.any():  # spares the form factor
        return (g_u - g_d) ** 2 * beta2
    return (g_u - g_d) ** 2 * m / (48.0 * pi) * beta2 * np.sqrt(beta2) * _abs2(pion_form_factor(m))


def vector_to_pi0_gamma(m: Array, g_u: Array, g_d: Array) -> Array:
    """Return the width (n,) of A' -> pi0 gamma for vector couplings to u and d.

    Anomaly with vector dominance: the isoscalar part of A' goes through omega, the isovector part through rho
    (S. Tulin, Phys. Rev. D 89 (2014) 114008, arXiv:1404.4370, for g_u = g_d = g_B/3).
    """
    isoscalar, isovector = 0.5 * (g_u + g_d), 0.5 * (g_u - g_d)
    phase_space = _cube(_open(1.0 - (M_PI0 / m) ** 2))
    if not phase_space.any():  # spares the form factor
        return isoscalar * phase_space
    s = (m / M_OMEGA) ** 2
    f_omega = 1.0 / (1.0 - s - 1j * WIDTH_OMEGA / M_OMEGA)
    amplitude = (
        E_CHARGE / (4.0 * pi**2 * F_PI) * (3.0 * isoscalar * f_omega + isovector * pion_form_factor(m))
    )
    return _abs2(amplitude) * _cube(m) / (96.0 * pi) * phase_space


def scalar_to_dirac_pair(m: Array, m_f: Array | float, y: Array) -> Array:
    """Return the width (n,) of phi' -> f fbar for L = -y fbar f phi'."""
    return y**2 / (8.0 * pi) * _beta3(m, m_f) * m


def scalar_to_majorana_pair(m: Array, m_f: Array | float, y: Array) -> Array:
    """Return the width (n,) of phi' -> psi psi for a Majorana fermion, L = -(1/2) y psibar psi phi'."""
    return y**2 / (16.0 * pi) * _beta3(m, m_f) * m


def scalar_to_two_majorana(m: Array, m_1: Array | float, m_2: Array | float, y: Array) -> Array:
    """Return the width (n,) of phi' -> psi_1 psi_2 for two Majorana fermions, L = -y psibar_1 psi_2 phi'."""
    inverse = 1.0 / (m * m)
    plus, minus = _open(1.0 - (m_1 + m_2) ** 2 * inverse), _open(1.0 - (m_1 - m_2) ** 2 * inverse)
    minus *= plus
    plus *= np.sqrt(minus)
    return plus * (y**2 / (8.0 * pi) * m)


def scalar_to_vectors(m: Array, m_v: Array, f: Array) -> Array:
    """Return the width (n,) of phi' -> A'A' where phi' gives A' its mass, L = (m_v^2/f) phi' A'A'."""
    x = (m_v / m) ** 2
    return _cube(m) / (32.0 * pi * f**2) * np.sqrt(_open(1.0 - 4.0 * x)) * (1.0 - 4.0 * x + 12.0 * x**2)


def scalar_to_photons(m: Array, loops: Mapping[float, Array]) -> Array:
    """Return the width (n,) of phi' -> gamma gamma through loops of charged fermions.

    Parameters
    ----------
    m : array (n,)
        Mass of phi' in MeV.
    loops : mapping of float to array (n,)
        {mass of the fermion in MeV: N_c Q^2 y/m_f in 1/MeV}. Fermions of equal mass are added by the caller.
    """
    amplitude: NDArray[np.complex128] = np.zeros(np.shape(m), dtype=np.complex128)
    for m_f, weight in loops.items():
        amplitude = amplitude + weight * fermion_loop(m, m_f)
    return ALPHA**2 * _cube(m) / (256.0 * pi**3) * _abs2(amplitude)


def scalar_to_pi_pi(m: Array, y_u: Array, y_d: Array, heavy: Array | float = 0.0) -> Array:
    """Return the width (n,) of phi' -> pi+ pi- and pi0 pi0 from the low-energy theorems, leading order.

    ``<pi pi| m_u ubar u + m_d dbar d |0> = m_pi^2``, and a heavy quark acts through gluons,
    ``<pi pi| m_Q Qbar Q |0> = (2/27)(s + m_pi^2)`` (Voloshin, Sov. J. Nucl. Phys. 44 (1986) 478).
    Pion rescattering, absent here, raises the width by a factor of a few towards 500 MeV.

    Parameters
    ----------
    m, y_u, y_d : array (n,)
        Mass of phi' in MeV; its couplings to u and d quarks.
    heavy : array (n,)
        Sum of y_Q/m_Q over heavy quarks, in 1/MeV.
    """
    amplitude = (y_u + y_d) / (M_U + M_D) * M_PI**2 + heavy * (2.0 / 27.0) * (m**2 + M_PI**2)
    charged, neutral = (
        np.sqrt(_open(1.0 - 4.0 * (M_PI / m) ** 2)),
        np.sqrt(_open(1.0 - 4.0 * (M_PI0 / m) ** 2)),
    )
    return amplitude**2 / (16.0 * pi * m) * (charged + 0.5 * neutral)


def fermion_loop(m: Array, m_f: float) -> NDArray[np.complex128]:
    """Return A_{1/2} (n,) of a fermion loop in phi' -> gamma gamma: 4/3 if heavy, complex above 2 m_f."""
    x = (np.asarray(m, dtype=np.float64) / (2.0 * m_f)) ** 2  # 1/tau
    # series: the closed form cancels to first order in x
    series = 4.0 / 3.0 * (1.0 + 7.0 / 30.0 * x + 2.0 / 21.0 * x**2 + 26.0 / 525.0 * x**3)
    small, above = x < 1e-3, x > 1.0
    arcsin2 = np.arcsin(np.sqrt(np.clip(x, 1e-3, 1.0))).astype(np.complex128) ** 2
    beta = np.sqrt(1.0 - 1.0 / np.where(above, x, 1.0))
    log = 2.0 * np.arctanh(np.where(above, beta, 0.0))  # ln (1 + beta)/(1 - beta)
    f = np.where(above, -0.25 * (log - 1j * pi) ** 2, arcsin2)
    tau = 1.0 / np.where(small, 1.0, x)
    return np.where(small, series, 2.0 * tau * (1.0 + (1.0 - tau) * f))


def pion_form_factor(m: Array) -> NDArray[np.complex128]:
    """Return the pion's vector form factor (n,) at s = m^2: one rho(770).

    Gounaris and Sakurai, Phys. Rev. Lett. 21 (1968) 244; 1 at s = 0. rho-omega mixing and the rho' states are
    left out: the rate at the rho comes out 17 % below 12 pi BR(rho -> e e)/m_rho^2.
    """
    s = np.asarray(m, dtype=np.float64) ** 2
    k2 = 0.25 * s - M_PI**2
    k_rho2 = 0.25 * M_RHO**2 - M_PI**2
    k_rho = np.sqrt(k_rho2)
    above = k2 > 0.0
    k = np.sqrt(np.where(above, k2, 0.0))
    h_rho = float(_h(np.array(M_RHO**2)))
    slope = h_rho * (1.0 / (8.0 * k_rho2) - 0.5 / M_RHO**2) + 0.5 / (pi * M_RHO**2)
    shift = WIDTH_RHO * M_RHO**2 / k_rho**3 * (k2 * (_h(s) - h_rho) + (M_RHO**2 - s) * k_rho2 * slope)
    width = WIDTH_RHO * _cube(k / k_rho) * M_RHO / np.sqrt(np.where(above, s, 1.0))
    d = (
        3.0 / pi * M_PI**2 / k_rho2 * np.log((M_RHO + 2.0 * k_rho) / (2.0 * M_PI))
        + M_RHO / (2.0 * pi * k_rho)
        - M_PI**2 * M_RHO / (pi * k_rho**3)
    )
    result: NDArray[np.complex128] = (M_RHO**2 + d * M_RHO * WIDTH_RHO) / (
        M_RHO**2 - s + shift - 1j * M_RHO * width
    )
    return result


def decay_length(width: Array) -> Array:
    """Return c tau (n,) in m of a width (n,) in MeV; inf where the width is zero."""
    length: Array = np.full(np.shape(width), np.inf)
    return np.divide(np.full_like(length, HBARC_MEV_M), width, out=length, where=width > 0.0)


def branching_ratio(partial: Array, total: Array) -> Array:
    """Return partial/total (n,); zero where the total width is zero."""
    return np.divide(partial, total, out=np.zeros(np.shape(total)), where=total > 0.0)


def _h(s: Array) -> Array:
    """Gounaris and Sakurai's h(s) = (v/pi) artanh v, v^2 = 1 - 4 m_pi^2/s, continued below threshold."""
    v2 = 1.0 - 4.0 * M_PI**2 / s
    v = np.sqrt(np.abs(v2))
    above = v2 > 0.0
    # below threshold artanh v - i pi/2, the part with the width, turns into -i arctan 1/|v|
    return v / pi * np.where(above, np.arctanh(np.where(above, v, 0.0)), np.arctan2(1.0, v))


def _open(phase_space: Array) -> Array:
    """Clip a phase-space factor to zero below threshold."""
    clipped: Array = np.maximum(phase_space, 0.0)
    return clipped


def _beta3(m: Array, m_f: Array | float) -> Array:
    """Return beta^3 of a pair of masses m_f at mass m."""
    beta2 = _open(1.0 - 4.0 * (m_f / m) ** 2)
    found: Array = beta2 * np.sqrt(beta2)
    return found


def _cube(values: Array) -> Array:
    """Return values^3: far cheaper than the general power of numpy."""
    return values * values * values


def _abs2(z: NDArray[np.complex128]) -> Array:
    square: Array = z.real**2 + z.imag**2
    return square
