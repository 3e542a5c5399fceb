"""The dark sector as freeze-out needs it: masses, couplings, widths, final states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array

Rows: TypeAlias = slice | NDArray[np.intp]
Width: TypeAlias = Callable[[Array, Rows], Array]
Current = Literal["vector", "axial"]

# Final states by the formula of their width, with its parameters, for compiled code
UNKNOWN: Final = 0
VECTOR_MAJORANA: Final = 1  # mass, coupling
VECTOR_MIXED: Final = 2  # mass beside a massless one, coupling
VECTOR_DIRAC: Final = 3  # mass, vector and axial coupling
VECTOR_PI0_GAMMA: Final = 4  # couplings of u and d
VECTOR_PIONS: Final = 5  # the same
SCALAR_MAJORANA: Final = 6  # mass, coupling
SCALAR_MIXED: Final = 7  # mass beside a massless one, coupling
SCALAR_DIRAC: Final = 8  # mass, coupling
SCALAR_PIONS: Final = 9  # couplings of u and d, sum of y_Q/m_Q
PHOTONS: Final = 10  # three weights, and three masses as `photons.origin`


@dataclass(frozen=True)
class FinalState:
    """A final state of a mediator.

    Parameters
    ----------
    threshold : array (n,)
        Sum of its masses in MeV.
    width : callable
        ``width(sqrt_s (r, k), rows) -> (r, k)``: partial width in MeV at mass sqrt s, of the points in
        `rows`.
    kind : int
        Which formula `width` is, or `UNKNOWN`.
    parameters : sequence of array (n,) or float
        Its parameters, at most 6.
    kinks : sequence of float
        Energies in MeV, other than the threshold, where the width is not smooth.
    root : bool
        The width starts with an odd power of the momentum, as that of a pair of equal masses.
    """

    threshold: Array
    width: Width
    kind: int = UNKNOWN
    parameters: Sequence[Array | float] = ()
    kinks: Sequence[float] = ()
    root: bool = True

    def clear_of_kinks(self, threshold: Array) -> Array:
        """Return the distance (n,) in MeV from `threshold` to the nearest of the kinks."""
        found = np.full_like(threshold, np.inf)
        for kink in self.kinks:
            found = np.minimum(found, np.abs(kink - threshold))
        return found


@dataclass(frozen=True)
class LongitudinalPair:
    """A pair of fermions with an axial current: the spin-0 part of A'* -> f fbar in the axial option.

    `m` (n,) in MeV and `g_axial` (n,), over sqrt2 for a Majorana fermion.
    """

    m: Array
    g_axial: Array


@dataclass(frozen=True)
class DarkSector:
    """Masses (n,) in MeV, couplings (n,) and final states of eta_1, eta_2, A' and phi'.

    Parameters
    ----------
    m_eta, delta_eta, m_aprime, m_phi : array (n,)
        Masses; the gap m_2 - m_1 is not negative.
    width_aprime, width_phi : array (n,)
        Total widths on shell.
    g_eta : array (n,)
        i g etabar_1 gamma^mu eta_2 A'_mu, or with `current` "axial" -(g/2) etabar_i gamma^mu gamma5 eta_i
        A'_mu.
    y_1, y_2 : array (n,)
        -(1/2) y_i etabar_i eta_i phi'.
    f : array (n,)
        Scale of symmetry breaking in MeV: m_A'^2/f is the coupling of phi' to A'A'.
    finals_aprime, finals_phi : sequence of FinalState
        What the mediators decay to, except eta eta and, for phi', A'A'.
    longitudinal : sequence of LongitudinalPair
        Fermions with an axial current, for the axial option.
    current : {"vector", "axial"}
        How A' couples to eta.
    """

    m_eta: Array
    delta_eta: Array
    m_aprime: Array
    m_phi: Array
    width_aprime: Array
    width_phi: Array
    g_eta: Array
    y_1: Array
    y_2: Array
    f: Array
    finals_aprime: Sequence[FinalState]
    finals_phi: Sequence[FinalState]
    longitudinal: Sequence[LongitudinalPair] = ()
    current: Current = "vector"
