"""K+ -> pi+ A' and K+ -> pi+ phi' for right-handed light quarks, leading order of the octet Lagrangian.

With M(K+ -> pi+ A') = G_8 F^2 g_R eps.(p_K + p_pi) X/(m_K^2 - m_pi^2), X = k_u (m_K^2 - m_pi^2) +
k_d m_K^2 - k_s m_pi^2 for charges k, and M(K+ -> pi+ phi') = 2 G_8 F^2 (m_K^2 V_pi - m_pi^2 V_K)/
(m_K^2 - m_pi^2), V_pi = m_pi^2/f, V_K = m_pi^2 m_u/((m_u + m_d) f). For (-1, 1, 0), X is m_pi^2: an accident
of the leading order, where the next order may be ten times as large. phi' has no such cancellation.
"""

from __future__ import annotations

from math import pi

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import F_PI, M_D, M_K, M_PI, M_U

G_8 = 9.0e-12  # MeV^-2; gives BR(K_S -> pi+ pi-) = 0.64, measured 0.69
WIDTH_K = 5.317e-14  # MeV, K+, from the lifetime of 12.38 ns, PDG
CHARGES = (-1.0, 1.0, 0.0)  # of u_R, d_R, s_R under g_R = m_A'/f


def br_k_pi_aprime(m_aprime: Array, f: Array, charges: tuple[float, float, float] = CHARGES) -> Array:
    """Return BR(K+ -> pi+ A') (n,) for masses and f = kappa V (n,) in MeV; zero where closed."""
    k_u, k_d, k_s = charges
    x = k_u * (M_K**2 - M_PI**2) + k_d * M_K**2 - k_s * M_PI**2
    triangle = _triangle(m_aprime)
    # g_R^2 sum |eps.(p_K + p_pi)|^2 = (m_A'/f)^2 lambda/m_A'^2
    squared = (G_8 * F_PI**2 * x / (M_K**2 - M_PI**2)) ** 2 * triangle / f**2
    return _branching_ratio(squared, triangle)


def br_k_pi_phi(m_phi: Array, f: Array) -> Array:
    """Return BR(K+ -> pi+ phi') (n,), phi' coupled to u and d by m_q/f; zero where closed."""
    v_pi, v_k = M_PI**2 / f, M_PI**2 * M_U / ((M_U + M_D) * f)
    amplitude = 2.0 * G_8 * F_PI**2 * (M_K**2 * v_pi - M_PI**2 * v_k) / (M_K**2 - M_PI**2)
    return _branching_ratio(amplitude**2, _triangle(m_phi))


def _triangle(m: Array) -> Array:
    """Lambda(m_K^2, m_pi^2, m^2), zero where closed."""
    open_ = np.asarray(m) < M_K - M_PI
    return np.where(open_, (M_K**2 - (M_PI + m) ** 2) * (M_K**2 - (M_PI - m) ** 2), 0.0)


def _branching_ratio(squared: Array, triangle: Array) -> Array:
    momentum = np.sqrt(triangle) / (2.0 * M_K)
    return np.asarray(squared * momentum / (8.0 * pi * M_K**2) / WIDTH_K)
