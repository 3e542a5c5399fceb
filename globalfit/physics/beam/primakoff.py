"""Long-lived particles that turn into a photon on a nucleus: dark inverse Primakoff scattering.

Processes by name, with the part of the Lagrangian that makes the vertex:

* "scalar", "pseudoscalar": phi N -> gamma N through a vector Z', (lambda/4) phi F'F or (lambda/4) a F'
  Ftilde. Both give the same rate.
* "vector-scalar", "vector-pseudoscalar": X N -> gamma N through a scalar or pseudoscalar that couples to the
  nucleon with Nbar N or i Nbar gamma5 N, (lambda/4) phi X F.

`vertex` says what "+ h.c." means: "doubled" (default) adds the real term to itself and the vertex is
lambda [(k.k')(e.e') - (k.e')(k'.e)]; "single" keeps lambda/4, the vertex has lambda/2, a quarter of the rate.
Energies and masses in MeV. Everything is at unit (charge x g_n x lambda), lambda in 1/MeV, without form
factor.
Traces that check every formula: tests/physics/beam/test_kernel_amplitudes.py.
"""

from __future__ import annotations

from math import pi

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean

PROCESSES = ("scalar", "pseudoscalar", "vector-scalar", "vector-pseudoscalar")
VERTICES = {"doubled": 1.0, "single": 0.25}


def squared_amplitude(
    process: str,
    t: Array,
    energy: Array,
    m_x: Array | float,
    m_mediator: Array | float,
    m_target: Array | float,
    *,
    vertex: str = "doubled",
) -> Array:
    """Return the squared amplitude in MeV^2, averaged over initial and summed over final spins.

    Parameters
    ----------
    process : str
        One of `PROCESSES`.
    t, energy : arrays that broadcast
        Momentum transfer squared in MeV^2 (negative) and energy of the incoming particle.
    m_x, m_mediator, m_target : arrays or floats
        Masses of the long-lived particle, the exchanged particle and the target.
    vertex : {"doubled", "single"}
        See the module.

    Raises
    ------
    GlobalfitError
        If process or vertex is unknown.
    """
    if process not in PROCESSES:
        raise GlobalfitError("process", f"no process '{process}'", did_you_mean(process, PROCESSES))
    if vertex not in VERTICES:
        raise GlobalfitError("vertex", f"no option '{vertex}'", did_you_mean(vertex, VERTICES))
    m2, M2 = np.asarray(m_x, dtype=np.float64) ** 2, np.asarray(m_target, dtype=np.float64) ** 2
    propagator = (t - np.asarray(m_mediator, dtype=np.float64) ** 2) ** -2
    if process in ("scalar", "pseudoscalar"):
        w = 2.0 * np.sqrt(M2) * energy + m2  # s - M^2
        bracket = -t * w * (w + t - m2) - (t - m2) ** 2 * (M2 + 0.5 * t)
    elif process == "vector-scalar":
        bracket = (4.0 * M2 - t) * (m2 - t) ** 2 / 6.0
    else:
        bracket = -t * (m2 - t) ** 2 / 6.0
    return np.asarray(VERTICES[vertex] * bracket * propagator)


def differential_cross_section(
    process: str,
    t: Array,
    energy: Array,
    m_x: Array | float,
    m_mediator: Array | float,
    m_target: Array | float,
    *,
    vertex: str = "doubled",
) -> Array:
    """Return d sigma/dt in MeV^-2 per unit coupling^2 (MeV^-2): |M|^2/(64 pi M^2 p^2), point target.

    Parameters as for `squared_amplitude`; the caller keeps t within `two_body.t_limits`.
    """
    flux = 64.0 * pi * np.asarray(m_target) ** 2 * (energy**2 - np.asarray(m_x) ** 2)
    amplitude = squared_amplitude(process, t, energy, m_x, m_mediator, m_target, vertex=vertex)
    return np.asarray(amplitude / flux)


def heavy_target_limit(t: Array, m_mediator: Array | float, *, vertex: str = "doubled") -> Array:
    """Return d sigma/dt of a massless scalar on a heavy target, E^2 >> -t: -t/16 pi (t - m^2)^2."""
    return np.asarray(VERTICES[vertex] * -t / (16.0 * pi * (t - np.asarray(m_mediator) ** 2) ** 2))
