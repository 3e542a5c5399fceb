"""Widths of eta_2 -> eta_1 and a virtual A', and what they and unequal masses do to a flux of eta.

dGamma/dq^2 = g_eta^2 k (D^2 - q^2)(S^2 + 2 q^2)/(8 pi^2 m_2^2 q^2) q Gamma_A'(q)/(q^2 - m_A'^2)^2 with gap D
and sum S of the masses; the part of A' along its momentum is neglected, and so is what lies below 2 m_e.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import pi
from typing import Final, NamedTuple

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_E, M_MU
from globalfit.physics import decays
from globalfit.physics.beam.grid import EDGES
from globalfit.physics.beam.interpolation import Index
from globalfit.physics.compiled_code import Engine, is_compiled

NODES: Final = 48  # of the invariant mass of what eta_2 decays to


class EtaPair(NamedTuple):
    """Masses (n,) in MeV of eta_1, eta_2 and A', and couplings (n,) of A', in the order of compiled code."""

    m_eta: Array
    m_eta2: Array
    m_aprime: Array
    g_eta: Array
    m_nus: Array
    g_r: Array
    g_mixed: Array  # to one light and one sterile neutrino
    g_e_vector: Array
    g_e_axial: Array
    g_mu_vector: Array
    g_mu_axial: Array


def widths(pair: EtaPair, engine: Engine = "numpy") -> tuple[Array, Array]:
    """Return the widths (n,) of eta_2 -> eta_1 e+ e- and in total, MeV; zero where A' could be on shell.

    A' -> eta_1 eta_2 is closed there, and nothing is predicted anyway.
    """
    if is_compiled(engine):
        from globalfit.physics.beam.dark_matter import compiled  # imports numba

        return compiled.widths(*_gauss(), np.stack(pair, axis=1))
    gap, total = pair.m_eta2 - pair.m_eta, pair.m_eta2 + pair.m_eta
    y, w = _gauss()
    span = np.maximum(gap - 2.0 * M_E, 0.0)[:, None]
    q = 2.0 * M_E + span * (y * y * (3.0 - 2.0 * y))
    virtual = gap < pair.m_aprime
    coupling = np.where(virtual, pair.g_eta**2 / (16.0 * pi**2 * pair.m_eta2**3), 0.0)
    q2 = q * q
    below = np.maximum((gap**2)[:, None] - q2, 0.0)
    above = (total**2)[:, None]
    rate = np.sqrt((above - q2) * below)  # 2 m_2 k
    rate *= below
    rate *= above + 2.0 * q2
    rate *= (coupling[:, None] * span) * (12.0 * y * (1.0 - y) * w)  # dq^2/q
    bottom = np.where(virtual[:, None], (pair.m_aprime**2)[:, None] - q2, 1.0)
    bottom *= bottom
    rate /= bottom

    def width(gamma: Array) -> Array:
        return np.asarray(np.einsum("ij,ij->i", rate, gamma))

    each = EtaPair(*(column[:, None] for column in pair))
    electrons = width(decays.vector_to_dirac_pair(q, M_E, each.g_e_vector, each.g_e_axial))
    muons: Array | float = 0.0
    if (gap > 2.0 * M_MU).any():
        muons = width(decays.vector_to_dirac_pair(q, M_MU, each.g_mu_vector, each.g_mu_axial))
    sterile = width(decays.vector_to_majorana_pair(q, each.m_nus, each.g_r))
    light = width(decays.vector_to_two_majorana(q, 0.0, each.m_nus, each.g_mixed))
    return electrons, electrons + muons + sterile + light


@dataclass(frozen=True, eq=False)
class Way:
    """What becomes of a flux (n, energies) of a pair of equal masses until its eta_2 decay in a detector.

    Attributes
    ----------
    shift : array (n,)
        Bins of the grid by which unequal masses move the flux.
    chance : array (n, energies)
        That eta_2 decays in the detector.
    engine : {"auto", "numpy", "numba"}
    """

    shift: Array
    chance: Array
    engine: Engine

    @classmethod
    def of(cls, energies: Array, stretch: Array, m_eta2: Array, loss: Array, engine: Engine) -> Way:
        """Return it for energies that lie like those of the grid.

        Parameters
        ----------
        energies : array (energies,)
            MeV.
        stretch : array (n,)
            Energy of eta_1 over that in a pair of equal masses.
        m_eta2, loss : array (n,)
            Mass of eta_2; mass times width times length of the detector over hbar c, MeV.
        engine : {"auto", "numpy", "numba"}
        """
        shift = -np.log(np.maximum(stretch, 1e-9)) / np.log(EDGES[1] / EDGES[0])
        if is_compiled(engine):
            from globalfit.physics.beam.dark_matter import compiled

            return cls(shift, compiled.chances(m_eta2, loss, energies), engine)
        p = np.sqrt(np.maximum(energies**2 - m_eta2[:, None] ** 2, 1e-6))
        lengths = np.divide(-loss[:, None], p, out=p)
        return cls(shift, -np.expm1(lengths, out=lengths), engine)

    @cached_property
    def _places(self) -> tuple[Index, Array]:
        """Where in fluxes with two zeros behind each, all points in a row, and the share of what is right."""
        n, bins = self.chance.shape
        whole = np.floor(self.shift)
        left = np.minimum(np.arange(bins) + whole.astype(np.intp)[:, None], bins)
        left += (bins + 2) * np.arange(n)[:, None]
        return left, (self.shift - whole)[:, None]

    def change(self, h: Array) -> Array:
        """Return the flux (n, energies) with unequal masses, times the chance of a decay."""
        if is_compiled(self.engine):
            from globalfit.physics.beam.dark_matter import compiled

            return compiled.moved(h, self.shift, self.chance)
        n, bins = h.shape
        padded = np.zeros((n, bins + 2))
        padded[:, :-2] = h
        left, share = self._places
        low = padded.take(left)
        moved = padded.take(left + 1)
        moved -= low
        moved *= share
        moved += low
        return np.asarray(moved * self.chance)


@cache
def _gauss() -> tuple[Array, Array]:
    y, w = np.polynomial.legendre.leggauss(NODES)
    return 0.5 * (y + 1.0), 0.5 * w
