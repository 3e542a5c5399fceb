"""Final states of A' and phi' in the U(1)_T3R models: thresholds, and widths at any mass."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_C, M_OMEGA, M_PI, M_PI0, M_RHO
from globalfit.physics import decays
from globalfit.physics.freeze_out.dark_sector import (
    PHOTONS,
    SCALAR_DIRAC,
    SCALAR_MAJORANA,
    SCALAR_MIXED,
    SCALAR_PIONS,
    VECTOR_DIRAC,
    VECTOR_MAJORANA,
    VECTOR_MIXED,
    VECTOR_PI0_GAMMA,
    VECTOR_PIONS,
    FinalState,
    LongitudinalPair,
    Rows,
    Width,
)
from globalfit.physics.freeze_out.photons import origin, width_to_photons

_RESONANCES: Final = (M_RHO, M_OMEGA)  # of form factors


class Lepton(NamedTuple):
    """A charged lepton: mass in MeV, vector and axial couplings to A', coupling to phi', each (n,)."""

    m: float
    g_vector: Array
    g_axial: Array
    y: Array


def finals_of_aprime(
    m_nus: Array, g_r: Array, theta_nu: Array, leptons: Sequence[Lepton], g_u: Array, g_d: Array
) -> list[FinalState]:
    """Return the final states of A' but eta eta; what couples at no point is left out.

    Parameters
    ----------
    m_nus, g_r, theta_nu : array (n,)
        Mass of nu_s in MeV, coupling of its current, its mixing with nu_A.
    leptons : sequence of Lepton
        Charged leptons.
    g_u, g_d : array (n,)
        Vector couplings of quarks.
    """
    zero, g_mixed = np.zeros_like(m_nus), theta_nu * g_r

    def nus_nus(m: Array, rows: Rows) -> Array:
        return decays.vector_to_majorana_pair(m, m_nus[rows, None], g_r[rows, None])

    def nua_nus(m: Array, rows: Rows) -> Array:
        return decays.vector_to_two_majorana(m, 0.0, m_nus[rows, None], g_mixed[rows, None])

    def pi0_gamma(m: Array, rows: Rows) -> Array:
        return decays.vector_to_pi0_gamma(m, g_u[rows, None], g_d[rows, None])

    def pi_pi(m: Array, rows: Rows) -> Array:
        return decays.vector_to_pi_pi(m, g_u[rows, None], g_d[rows, None])

    finals = [
        FinalState(2.0 * m_nus, nus_nus, VECTOR_MAJORANA, (m_nus, g_r)),
        FinalState(m_nus, nua_nus, VECTOR_MIXED, (m_nus, g_mixed), root=False),
    ]
    for lepton in leptons:
        if np.any(lepton.g_vector) or np.any(lepton.g_axial):
            own = (lepton.m, lepton.g_vector, lepton.g_axial)
            finals.append(FinalState(zero + 2.0 * lepton.m, _vector_to(lepton), VECTOR_DIRAC, own))
    if np.any(g_u) or np.any(g_d):
        finals += [
            FinalState(
                zero + M_PI0, pi0_gamma, VECTOR_PI0_GAMMA, (g_u, g_d), (2.0 * M_PI, *_RESONANCES), root=False
            ),
            FinalState(zero + 2.0 * M_PI, pi_pi, VECTOR_PIONS, (g_u, g_d), _RESONANCES),
        ]
    return finals


def finals_of_phi(
    m_nus: Array,
    y_nus: Array,
    y_nua_nus: Array,
    leptons: Sequence[Lepton],
    y_u: Array,
    y_d: Array,
    y_c: Array,
) -> list[FinalState]:
    """Return the final states of phi' but eta eta and A'A'; what couples at no point is left out.

    Parameters
    ----------
    m_nus, y_nus, y_nua_nus : array (n,)
        Mass of nu_s in MeV, coupling to its pair, coupling to nu_A nu_s.
    leptons : sequence of Lepton
        Charged leptons: pairs, and loops of phi' -> gamma gamma.
    y_u, y_d, y_c : array (n,)
        Couplings of quarks: light ones act as pions, charm as a loop and through gluons.
    """
    zero, heavy = np.zeros_like(m_nus), y_c / M_C
    loops = {lepton.m: lepton.y / lepton.m for lepton in leptons if np.any(lepton.y)}
    if np.any(heavy):
        loops[M_C] = 3.0 * (2.0 / 3.0) ** 2 * heavy

    def nus_nus(m: Array, rows: Rows) -> Array:
        return decays.scalar_to_majorana_pair(m, m_nus[rows, None], y_nus[rows, None])

    def nua_nus(m: Array, rows: Rows) -> Array:
        return decays.scalar_to_two_majorana(m, 0.0, m_nus[rows, None], y_nua_nus[rows, None])

    def gamma_gamma(m: Array, rows: Rows) -> Array:
        return width_to_photons(m, {m_f: weight[rows, None] for m_f, weight in loops.items()})

    def pi_pi(m: Array, rows: Rows) -> Array:
        return decays.scalar_to_pi_pi(m, y_u[rows, None], y_d[rows, None], heavy[rows, None])

    finals = []
    if np.any(y_nus):
        finals.append(FinalState(2.0 * m_nus, nus_nus, SCALAR_MAJORANA, (m_nus, y_nus)))
    if np.any(y_nua_nus):
        finals.append(FinalState(m_nus, nua_nus, SCALAR_MIXED, (m_nus, y_nua_nus), root=False))
    finals += [
        FinalState(zero + 2.0 * lepton.m, _scalar_to(lepton), SCALAR_DIRAC, (lepton.m, lepton.y))
        for lepton in leptons
        if np.any(lepton.y)
    ]
    if loops:
        spare = [0.0] * (3 - len(loops))
        parameters: list[Array | float] = [*loops.values(), *spare, *map(origin, loops), *spare]
        kinks = [2.0 * m_f for m_f in loops]
        finals.append(FinalState(zero, gamma_gamma, PHOTONS, parameters, kinks))
    if np.any(y_u) or np.any(y_d) or np.any(heavy):
        finals.append(FinalState(zero + 2.0 * M_PI0, pi_pi, SCALAR_PIONS, (y_u, y_d, heavy), [2.0 * M_PI]))
    return finals


def longitudinal_pairs(m_nus: Array, g_r: Array, leptons: Sequence[Lepton]) -> list[LongitudinalPair]:
    """Return the fermions with an axial current, for the spin-0 part of A' exchange in the axial option."""
    pairs = [LongitudinalPair(m_nus, g_r / sqrt(2.0))]
    for lepton in leptons:
        if np.any(lepton.g_axial):
            pairs.append(LongitudinalPair(np.full_like(m_nus, lepton.m), lepton.g_axial))
    return pairs


def _vector_to(lepton: Lepton) -> Width:
    def width(m: Array, rows: Rows) -> Array:
        return decays.vector_to_dirac_pair(
            m, lepton.m, lepton.g_vector[rows, None], lepton.g_axial[rows, None]
        )

    return width


def _scalar_to(lepton: Lepton) -> Width:
    def width(m: Array, rows: Rows) -> Array:
        return decays.scalar_to_dirac_pair(m, lepton.m, lepton.y[rows, None])

    return width
