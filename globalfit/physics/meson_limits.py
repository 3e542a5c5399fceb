"""Branching ratios of pi+, K+ -> l+ nu A' for A' coupled to right-handed quarks and leptons.

L = g_R A'_mu sum_f q_f fbar gamma^mu P_R f, g_R = m_A'/f. At leading order of chiral perturbation theory the
amplitude has a lepton leg, a meson leg and a contact term (docs/physics/meson-decays.md):

    M = 2i G_F V F g_R nubar { - q_l m_l pslash epsslash P_R/(Q^2 - m_l^2)
        - (D/2) (2 p.eps)/(m_A'^2 - 2 p.k) (pslash - kslash) P_L + D epsslash P_L } v,

p, k, Q: momenta of meson, A', and of l and A' together; D = q_u - q_d for pi, q_u - q_s for K. All in MeV.
For light leptons the contact term alone survives: the decay is not helicity suppressed, and
g_R^2/m_A'^2 = 1/f^2 makes the rate independent of a light m_A'.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import F_PI, HBAR_MEV_S, M_E, M_K, M_MU, M_PI

G_FERMI = 1.1663788e-11  # MeV^-2, PDG
F_K = 110.1  # kaon decay constant in the 92 MeV normalisation, FLAG/PDG (155.7/sqrt 2)


@dataclass(frozen=True)
class Meson:
    """A charged pseudoscalar: mass and decay constant in MeV, CKM element, lifetime in s."""

    m: float
    decay_constant: float
    ckm: float
    lifetime: float


MESONS: Final = {
    "pi": Meson(M_PI, F_PI, 0.97373, 2.6033e-8),  # V_ud, lifetime: PDG
    "k": Meson(M_K, F_K, 0.2243, 1.2380e-8),  # V_us, lifetime: PDG
}
LEPTONS: Final = {"e": M_E, "mu": M_MU}

# 14 x 8 nodes: 1e-4 for every case with quark charges; 4e-3 for the electron's leg alone (m_A' < 1 MeV)
_X_OUTER, _W_OUTER = np.polynomial.legendre.leggauss(14)
_X_INNER, _W_INNER = np.polynomial.legendre.leggauss(8)
_CHUNK = 64  # points whose integrands are held together


def br_lepton_nu_aprime(
    meson: str,
    lepton: str,
    m_aprime: Array,
    f: Array,
    charge_lepton: float,
    charge_difference: float,
) -> Array:
    """Return BR(M+ -> l+ nu A') (n,), summed over the polarisations of A'.

    Parameters
    ----------
    meson, lepton : str
        "pi" or "k"; "e" or "mu".
    m_aprime, f : array (n,)
        Mass of A' and breaking scale f = kappa V in MeV; g_R = m_A'/f.
    charge_lepton : float
        q_l in units of g_R: +1 for the charged lepton of U(1)_T3R, 0 for the other.
    charge_difference : float
        D: q_u - q_d = -2 (pion) and q_u - q_s = -1 (kaon) with first-generation charges -1, +1.

    Returns
    -------
    array (n,)
        Zero at and above threshold m_M - m_l.

    Raises
    ------
    KeyError
        If the meson or lepton is unknown.
    """
    decaying, m_l = MESONS[meson], LEPTONS[lepton]
    m = np.asarray(m_aprime, dtype=np.float64)
    open_ = m < decaying.m - m_l
    br = np.zeros(m.shape)
    reduced = np.concatenate(
        [
            _integral(decaying.m, m_l, part, charge_lepton, charge_difference)
            for part in np.split(m[open_], range(_CHUNK, int(open_.sum()), _CHUNK))
        ]
    )
    coupling2 = 4.0 * (G_FERMI * decaying.ckm * decaying.decay_constant) ** 2
    phase_space = 1.0 / ((2.0 * pi) ** 3 * 32.0 * decaying.m**3)
    scale = np.broadcast_to(np.asarray(f, dtype=np.float64), m.shape)[open_]
    br[open_] = coupling2 * phase_space * reduced / scale**2 * decaying.lifetime / HBAR_MEV_S
    return br


def squared_amplitude(
    m_meson: float,
    m_l: float,
    m_aprime: Array,
    s_lnu: Array,
    s_nua: Array,
    charge_lepton: float,
    charge_difference: float,
) -> Array:
    """Return m_A'^2 sum |M|^2/|2 G_F V F g_R|^2 in MeV^4, summed over spins and polarisations.

    Parameters
    ----------
    m_meson, m_l : float
        Masses in MeV.
    m_aprime, s_lnu, s_nua : array
        Mass of A' and the invariants (p_l + p_nu)^2, (p_nu + k)^2; they broadcast.
    charge_lepton, charge_difference : float
        As in `br_lepton_nu_aprime`.
    """
    m2, l2, a2 = m_meson**2, m_l**2, m_aprime**2
    s_la = m2 + l2 + a2 - s_lnu - s_nua  # Q^2
    # products of p, k, q_l = l and q_nu = n
    ln = 0.5 * (s_lnu - l2)
    nk = 0.5 * (s_nua - a2)
    lk = 0.5 * (s_la - l2 - a2)
    pn, pl, pk = ln + nk, l2 + ln + lk, nk + lk + a2
    lepton = -charge_lepton * m_l / (s_la - l2)  # of pslash epsslash P_R
    meson = charge_difference * m_l / (a2 - 2.0 * pk)  # of p.eps P_R, by the equation of motion of l
    contact = charge_difference  # of epsslash P_L

    def polarised(xy: Array | float, xk: Array, yk: Array) -> Array:
        """m_A'^2 times the sum over polarisations of (x.eps)(y.eps)."""
        summed: Array = xk * yk - a2 * xy
        return summed

    trace = -3.0 * a2  # the same of eps.eps
    # nslash = pslash nslash pslash = 2 (p.n) pslash - M^2 nslash, contracted below with l, k
    tilde_l, tilde_k = 2.0 * pn * pl - m2 * ln, 2.0 * pn * pk - m2 * nk
    ll_nl = polarised(tilde_l, lk, tilde_k)
    total: Array = (
        2.0 * contact**2 * (2.0 * polarised(ln, nk, lk) - trace * ln)
        + 2.0 * lepton**2 * (2.0 * ll_nl - trace * tilde_l)
        + 2.0 * meson**2 * ln * polarised(m2, pk, pk)
        + 4.0
        * lepton
        * meson
        * (pn * polarised(pl, pk, lk) - pl * polarised(pn, pk, nk) + ln * polarised(m2, pk, pk))
        - 4.0 * m_l * contact * (lepton * trace * pn + meson * polarised(pn, pk, nk))
    )
    return total


def _integral(m_meson: float, m_l: float, m: Array, charge_lepton: float, difference: float) -> Array:
    """Return the Dalitz integral (n,) of `squared_amplitude` in MeV^8, for masses below threshold."""
    a = m[:, None, None]
    width = m_meson - a - m_l
    u = 0.5 * (1.0 + _X_OUTER[:, None])
    root = m_meson - a - width * u**2  # sqrt of s = (l + nu)^2; the momentum of A' is linear in u at its end
    s = root**2
    # in the rest frame of l nu the neutrino has the energy e_n, A' the energy e_a
    e_n = 0.5 * (s - m_l**2) / root
    e_a = 0.5 * (m_meson**2 - a**2 - s) / root
    p_a = np.sqrt(np.maximum(e_a**2 - a**2, 0.0))
    t = a**2 + 2.0 * e_n * (e_a + p_a * _X_INNER)  # (nu + A')^2
    inner = (squared_amplitude(m_meson, m_l, a, s, t, charge_lepton, difference) * _W_INNER).sum(axis=2)
    jacobian = (2.0 * e_n * p_a * 4.0 * root * width * u)[:, :, 0]  # dt ds over the two unit intervals
    result: Array = (inner * jacobian) @ (0.5 * _W_OUTER)
    return result
