"""One-loop contributions of a neutral scalar and a neutral vector boson to a lepton's magnetic moment.

Convention, with l the lepton (the muon unless `m_lepton` says otherwise):

    L = lbar gamma^mu (g_V + g_A gamma_5) l A'_mu - y lbar l phi' - i y_P lbar gamma_5 l a
    delta a = 1/(8 pi^2) [ y^2 S(m_phi/m_l) + y_P^2 P(m_a/m_l) + g_V^2 V(m_A'/m_l) + g_A^2 A(m_A'/m_l) ]

S and V are positive, P and A negative. Reference: J. P. Leveille, Nucl. Phys. B 137 (1978) 63.
"""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import ALPHA, M_MU
from globalfit.physics.loop_functions import (
    pseudoscalar_loop,
    scalar_loop,
    scalar_loop_and_derivative,
    scalar_ratio_from_loop,
    vector_and_axial_loops,
)

_LOOP = 1.0 / (8.0 * np.pi**2)


def delta_a_scalar(y: Array, m: Array, m_lepton: float = M_MU) -> Array:
    """Return delta a (n,) of a scalar of mass `m` (n,) in MeV with coupling `y` (n,); never negative."""
    return _LOOP * np.square(y) * scalar_loop(m / m_lepton)


def delta_a_scalar_and_slope(y: Array, m: Array, m_lepton: float = M_MU) -> tuple[Array, Array]:
    """Return `delta_a_scalar` (n,) and its derivative by `m` (n,), in 1/MeV."""
    value, slope = scalar_loop_and_derivative(m / m_lepton)
    strength = _LOOP * np.square(y)
    return strength * value, strength * slope / m_lepton


def scalar_mass(delta_a: Array, y: Array, m_lepton: float = M_MU) -> Array:
    """Return the scalar's mass (n,) in MeV at which it contributes `delta_a` (n,) with coupling `y` (n,).

    nan where no mass does: `delta_a` not in (0, 3 y^2/(16 pi^2)).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        loop = delta_a / (_LOOP * np.square(y))
    return m_lepton * scalar_ratio_from_loop(loop)


def delta_a_pseudoscalar(y: Array, m: Array, m_lepton: float = M_MU) -> Array:
    """Return delta a (n,) of a pseudoscalar of mass `m` (n,) in MeV, coupling `y` (n,); never positive."""
    return _LOOP * np.square(y) * pseudoscalar_loop(m / m_lepton)


def delta_a_vector(g_v: Array, g_a: Array, m: Array, m_lepton: float = M_MU) -> Array:
    """Return delta a (n,) of a vector boson of mass `m` (n,) in MeV.

    Parameters
    ----------
    g_v, g_a : (n,)
        Vector and axial coupling. The axial part includes the longitudinal mode: it grows like
        (g_a m_lepton/m)^2 for a light boson, so it is finite in models where g_a is proportional to `m`.
    m : (n,)
        Mass in MeV.
    m_lepton : float
        Lepton mass in MeV.
    """
    vector, axial = vector_and_axial_loops(m / m_lepton)
    return _LOOP * (np.square(g_v) * vector + np.square(g_a) * axial)


def error_two_loop(*contributions: Array) -> Array:
    """Return (alpha/pi) times the largest of |`contributions`|, each (n,): the size of a second loop.

    Terms that cancel at one loop get different factors at two, so the largest single term, not the sum, sets
    the scale of what is left out.
    """
    largest: Array = np.max(np.abs(contributions), axis=0)
    return ALPHA / np.pi * largest
