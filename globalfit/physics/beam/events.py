"""Events from a flux and a kernel, and what a finite lifetime does to a flux. Batched over leading axes."""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import HBARC_MEV_M
from globalfit.physics.beam.grid import CENTRES


def events(pot: Array | float, flux: Array, kernel: Array) -> Array:
    """Return expected events POT x H @ K.

    Parameters
    ----------
    pot : float or array (...)
        Protons on target.
    flux : array (..., nE)
        Particles per cm^2 per POT in each energy bin.
    kernel : array (nE, bins) or (..., nE, bins)
        cm^2, summed over parts.

    Returns
    -------
    array (..., bins)
        Per unit couplings squared of flux and kernel.
    """
    folded = flux @ kernel if kernel.ndim == 2 else np.einsum("...e,...eb->...b", flux, kernel)
    return np.asarray(np.asarray(pot)[..., None] * folded)


def survival(m: Array, width: Array, distance: float, energies: Array = CENTRES) -> Array:
    """Return exp(-L m Gamma/p), the share of particles that reach a detector.

    Parameters
    ----------
    m, width : array (n,)
        Mass and total width in MeV.
    distance : float
        Metres from the decay of the parent.
    energies : array (nE,)
        MeV; zero is returned below the mass.

    Returns
    -------
    array (n, nE)
    """
    return np.exp(-_decay_lengths(m, width, distance, energies))


def decay_in_flight(
    m: Array, width: Array, distance: float, length: float, energies: Array = CENTRES
) -> Array:
    """Return the probability (n, nE) to decay within `length` metres after `distance` metres.

    Parameters as for `survival`; times flux, area and branching ratio it gives decays in a detector.
    """
    within = -np.expm1(-_decay_lengths(m, width, length, energies))
    return np.where(
        np.asarray(energies) > np.asarray(m)[..., None], survival(m, width, distance, energies) * within, 0.0
    )


def _decay_lengths(m: Array, width: Array, distance: float, energies: Array) -> Array:
    m_, width_ = np.asarray(m, dtype=np.float64)[..., None], np.asarray(width, dtype=np.float64)[..., None]
    p2 = np.asarray(energies) ** 2 - m_**2
    lengths = distance / HBARC_MEV_M * m_ * width_ / np.sqrt(np.maximum(p2, 1e-300))
    return np.where(p2 > 0.0, lengths, np.inf)
