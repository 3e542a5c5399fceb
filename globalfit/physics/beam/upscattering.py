"""Dark matter that scatters up on a nucleus by vector exchange, chi N -> chi' N.

L = g_chi chi'bar gamma^mu chi V_mu + h.c. + g_n Q Nbar gamma^mu N V_mu for Dirac chi, chi', N. Energies and
masses in MeV; everything at unit (charge x g_n x g_chi), without form factor.
"""

from __future__ import annotations

from math import pi

import numpy as np

from globalfit.arrays import Array


def squared_amplitude(
    t: Array,
    energy: Array,
    m_chi: Array | float,
    m_chi_prime: Array | float,
    m_mediator: Array | float,
    m_target: Array | float,
) -> Array:
    """Return the squared amplitude (no unit), averaged over initial and summed over final spins.

    2 [2 (w - m^2)(w - m'^2) - (2 M^2 + t)(m - m')^2 + 2 s t + t^2]/(t - m_V^2)^2 with w = s - M^2: the trace,
    written so that nothing cancels for a heavy target.
    """
    m_1, m_2, M = (np.asarray(m, dtype=np.float64) for m in (m_chi, m_chi_prime, m_target))
    w = 2.0 * M * energy + m_1**2
    bracket = (
        2.0 * (w - m_1**2) * (w - m_2**2) - (2.0 * M**2 + t) * (m_1 - m_2) ** 2 + 2.0 * (M**2 + w) * t + t**2
    )
    return np.asarray(2.0 * bracket / (t - np.asarray(m_mediator) ** 2) ** 2)


def differential_cross_section(
    t: Array,
    energy: Array,
    m_chi: Array | float,
    m_chi_prime: Array | float,
    m_mediator: Array | float,
    m_target: Array | float,
) -> Array:
    """Return d sigma/dt in MeV^-4 per unit coupling^2: |M|^2/(64 pi M^2 p^2), point target."""
    flux = 64.0 * pi * np.asarray(m_target) ** 2 * (energy**2 - np.asarray(m_chi) ** 2)
    return np.asarray(squared_amplitude(t, energy, m_chi, m_chi_prime, m_mediator, m_target) / flux)


def heavy_target_limit(t: Array, m_mediator: Array | float) -> Array:
    """Return d sigma/dt on an infinitely heavy target at high energy: 1/4 pi (t - m_V^2)^2."""
    return np.asarray(1.0 / (4.0 * pi * (t - np.asarray(m_mediator) ** 2) ** 2))
