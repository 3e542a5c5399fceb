"""The excited state's decay chi' -> chi e+ e-: through an on-shell vector, or a virtual one.

All decays are isotropic and unpolarised, so the invariant mass q of the pair and its momentum in the
laboratory say all that a detector needs (`Response.one_ring` has the leptons). Energies and masses in MeV.
"""

from __future__ import annotations

from math import pi

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_E
from globalfit.errors import GlobalfitError


def on_shell(m_chi: float, m_chi_prime: float, m_vector: float) -> bool:
    """Return whether chi' -> chi V and V -> e+ e- are both open."""
    return m_chi_prime - m_chi > m_vector > 2.0 * M_E


def require_on_shell(m_chi: float, m_chi_prime: float, m_vector: float) -> None:
    """Raise a GlobalfitError unless chi' -> chi V -> chi e+ e- is open on shell."""
    if not on_shell(m_chi, m_chi_prime, m_vector):
        raise GlobalfitError(
            "chi' decay",
            f"a vector of {m_vector:g} MeV is not on shell for m_chi' - m_chi = {m_chi_prime - m_chi:g} MeV",
            "leave 'm_on_shell' out or change the masses",
        )


def pair_mass_density(q2: Array, m_chi: float, m_chi_prime: float, m_vector: float) -> Array:
    """Return d Gamma/dq^2 in 1/MeV of chi' -> chi V* -> chi e+ e- at unit couplings g_chi g_e, same shape.

    k (D^2 - q^2)(S^2 + 2 q^2)(1 + 2 r) sqrt(1 - 4 r)/[96 pi^3 m'^2 (q^2 - m_V^2)^2] with S, D = m' +- m,
    r = m_e^2/q^2; k is the momentum of the pair in the frame of chi'. Zero outside 4 m_e^2 < q^2 < D^2.
    """
    s2, d2 = (m_chi_prime + m_chi) ** 2, (m_chi_prime - m_chi) ** 2
    inside = (q2 > 4.0 * M_E**2) & (q2 < d2)
    q2 = np.where(inside, q2, 4.0 * M_E**2)
    r = M_E**2 / q2
    k = np.sqrt(np.maximum((s2 - q2) * (d2 - q2), 0.0)) / (2.0 * m_chi_prime)
    rate = k * (d2 - q2) * (s2 + 2.0 * q2) * (1.0 + 2.0 * r) * np.sqrt(np.maximum(1.0 - 4.0 * r, 0.0))
    return np.where(inside, rate / (96.0 * pi**3 * m_chi_prime**2 * (q2 - m_vector**2) ** 2), 0.0)


def width(m_chi: float, m_chi_prime: float, m_vector: float, *, nodes: int = 200) -> float:
    """Return the width in MeV of chi' -> chi e+ e- through a virtual vector at unit couplings g_chi g_e.

    Zero if chi' - chi is below 2 m_e. For m_e << D << m_V, m it tends to D^5/(60 pi^3 m_V^4).

    Raises
    ------
    GlobalfitError
        If the vector can be on shell: then chi' -> chi V is the width.
    """
    x, w = np.polynomial.legendre.leggauss(nodes)
    q, step = _masses(0.5 * (x + 1.0), m_chi, m_chi_prime, m_vector)
    return float(np.sum(0.5 * w * step * 2.0 * q * pair_mass_density(q**2, m_chi, m_chi_prime, m_vector)))


def pair_mass_quantiles(m_chi: float, m_chi_prime: float, m_vector: float) -> tuple[Array, Array]:
    """Return (u, q): cumulative rate from 0 to 1 and invariant mass of pairs from a virtual vector.

    For `numpy.interp` at quantiles.

    Raises
    ------
    GlobalfitError
        If the decay is closed, or the vector can be on shell.
    """
    if m_chi_prime - m_chi <= 2.0 * M_E:
        raise GlobalfitError(
            "chi' decay",
            f"m_chi' - m_chi = {m_chi_prime - m_chi:g} MeV is below 2 m_e",
            "choose a larger mass gap",
        )
    q, step = _masses(np.linspace(0.0, 1.0, 2049), m_chi, m_chi_prime, m_vector)
    rate = step * 2.0 * q * pair_mass_density(q**2, m_chi, m_chi_prime, m_vector)
    total = np.concatenate(([0.0], np.cumsum(rate[1:] + rate[:-1])))
    return total / total[-1], q


def pair_in_flight(
    energy: Array, q: Array, cos_pair: Array, m_chi: float, m_chi_prime: float
) -> tuple[Array, Array]:
    """Return energy and cos(angle to chi') of the pair in the laboratory.

    Parameters
    ----------
    energy : array (...)
        Energy of chi'.
    q : array (...)
        Invariant mass of the pair.
    cos_pair : array (...)
        Cosine of the pair's direction in the frame of chi'.
    m_chi, m_chi_prime : float
        Masses.
    """
    m_1, m_2 = m_chi, m_chi_prime
    k = np.sqrt(np.maximum(((m_1 + m_2) ** 2 - q**2) * ((m_2 - m_1) ** 2 - q**2), 0.0)) / (2.0 * m_2)
    e_star = np.hypot(k, q)
    gamma = energy / m_2
    boost = np.sqrt(np.maximum(gamma**2 - 1.0, 0.0))
    e_pair = gamma * e_star + boost * k * cos_pair
    along = gamma * k * cos_pair + boost * e_star
    across2 = k**2 * (1.0 - cos_pair**2)
    momentum = np.sqrt(along**2 + across2)
    return e_pair, along / np.where(momentum > 0.0, momentum, 1.0)


def _masses(y: Array, m_chi: float, m_chi_prime: float, m_vector: float) -> tuple[Array, Array]:
    """Return masses q(y) of the pair and dq/dy for y from 0 to 1."""
    if on_shell(m_chi, m_chi_prime, m_vector):
        raise GlobalfitError(
            "chi' decay",
            f"a vector of {m_vector:g} MeV is on shell for m_chi' - m_chi = {m_chi_prime - m_chi:g} MeV",
            "use the on-shell decay",
        )
    low, high = 2.0 * M_E, max(m_chi_prime - m_chi, 2.0 * M_E)
    # the square roots of the rate at both ends become smooth
    return low + (high - low) * y * y * (3.0 - 2.0 * y), (high - low) * 6.0 * y * (1.0 - y)
