"""Kinematics of 1 + N -> 3 + N with N at rest: thresholds, limits of t, energy and angle of particle 3.

All in MeV; t = (p_1 - p_3)^2 < 0. Arguments broadcast.
"""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_NEUTRON


def threshold(m_in: Array | float, m_out: Array | float, m_target: Array | float) -> Array:
    """Return the least energy of particle 1 for 1 + N -> 3 + N."""
    m_1, m_3, M = (np.asarray(m, dtype=np.float64) for m in (m_in, m_out, m_target))
    return np.maximum(m_1, (m_3**2 - m_1**2 + 2.0 * M * m_3) / (2.0 * M))


def t_limits(
    energy: Array, m_in: Array | float, m_out: Array | float, m_target: Array | float
) -> tuple[Array, Array]:
    """Return (forward, backward) limits of t, forward being nearer to zero; equal below threshold.

    In the centre of mass t = (m_1^2 - m_3^2)^2/4s - (p* -+ k*)^2, p* - k* without cancellation.
    """
    E, m_1, m_3, M = (np.asarray(x, dtype=np.float64) for x in (energy, m_in, m_out, m_target))
    s = M**2 + m_1**2 + 2.0 * M * E
    p = np.sqrt(np.maximum((s - (m_1 + M) ** 2) * (s - (m_1 - M) ** 2), 0.0) / (4.0 * s))
    k = np.sqrt(np.maximum((s - (m_3 + M) ** 2) * (s - (m_3 - M) ** 2), 0.0) / (4.0 * s))
    open_ = (m_1 < E) & (s > (m_3 + M) ** 2)
    total = np.where(open_, p + k, 1.0)
    difference = (m_1**2 - m_3**2) * (m_1**2 + m_3**2 - 2.0 * s - 2.0 * M**2) / (4.0 * s * total)
    offset = (m_1**2 - m_3**2) ** 2 / (4.0 * s)
    forward = np.where(open_, offset - difference**2, -1.0)
    backward = np.where(open_, offset - total**2, -1.0)
    return np.minimum(forward, 0.0), np.minimum(backward, 0.0)


def outgoing_energy(energy: Array, t: Array, m_target: Array | float) -> Array:
    """Return the energy of particle 3: the target takes the kinetic energy -t/2M."""
    return energy + t / (2.0 * np.asarray(m_target, dtype=np.float64))


def outgoing_cosine(
    energy: Array, t: Array, m_in: Array | float, m_out: Array | float, m_target: Array | float
) -> Array:
    """Return cos theta of particle 3 with respect to particle 1."""
    e_3 = outgoing_energy(energy, t, m_target)
    p_1 = np.sqrt(np.maximum(energy**2 - np.asarray(m_in) ** 2, 0.0))
    p_3 = np.sqrt(np.maximum(e_3**2 - np.asarray(m_out) ** 2, 0.0))
    twice = 2.0 * p_1 * p_3
    cosine = (t - np.asarray(m_in) ** 2 - np.asarray(m_out) ** 2 + 2.0 * energy * e_3) / np.where(
        twice > 0.0, twice, 1.0
    )
    return np.clip(np.where(twice > 0.0, cosine, 1.0), -1.0, 1.0)


def knock_out_energy(separation: Array | float, m_nucleon: float = M_NEUTRON) -> Array:
    """Return the least photon energy (massless particle in) that ejects a nucleon at rest quasi-freely.

    The nucleon takes omega >= `separation` (MeV, S_n = 18.7 for carbon-12) at q^2 - omega^2 = 2 m omega, and
    q <= 2 E + omega. Fermi motion ignored.
    """
    omega = np.asarray(separation, dtype=np.float64)
    return np.asarray(0.5 * (np.sqrt(omega**2 + 2.0 * m_nucleon * omega) - omega))
