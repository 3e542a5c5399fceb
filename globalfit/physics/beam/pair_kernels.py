"""Kernels of dark matter: chi N -> chi' N, then chi' -> chi e+ e- folded with the response to the pair.

As `kernels` are, with what a pair needs: six integrals at each energy and momentum transfer, over its mass,
direction and deflection and over the energy within its bin, by a lattice.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.physics.beam import pair_decay, upscattering
from globalfit.physics.beam import response as rs
from globalfit.physics.beam.cross_sections import MEV2_CM2, t_quadrature
from globalfit.physics.beam.detectors import OBSERVABLES, Detector
from globalfit.physics.beam.grid import CENTRES, EDGES
from globalfit.physics.beam.kernels import fill_rows, require_masses, wanted_of
from globalfit.physics.beam.nuclei import Scatterer
from globalfit.physics.beam.two_body import outgoing_cosine, outgoing_energy

GENERATOR = 27  # of the decay's lattice: 64 to 512 points agree with many random ones (tests)
WIDTH = float(np.log(EDGES[1] / EDGES[0]))  # of a bin of `grid`, in ln E


def pair_kernel(
    detector: Detector,
    m_chi: float,
    m_chi_prime: float,
    m_mediator: float,
    *,
    m_on_shell: float | None = None,
    energies: Array = CENTRES,
    nodes: int = 20,
    points: int = 256,
    observables: Sequence[str] = OBSERVABLES,
) -> dict[str, Array]:
    """Return the kernel of chi N -> chi' N followed by chi' -> chi e+ e-, branching ratio one.

    Parameters
    ----------
    detector : Detector
    m_chi, m_chi_prime : float
        Masses in MeV.
    m_mediator : float
        Mass of the vector exchanged with the nucleus, which is also the virtual one that makes the pair.
    m_on_shell : float, optional
        Mass of a vector that chi' emits on shell and that decays to e+ e-; without it the pair is virtual.
    energies : array (nE,)
        Energies of chi in MeV, centres of bins as wide as those of `grid` over which the energy of chi' is
        averaged; zero rows below threshold.
    nodes, points : int
        Nodes in t; lattice points (a power of 2) of the decay and the deflection at each node.
    observables : sequence of str
        Which of the detector's observables to compute.

    Returns
    -------
    dict of str to array (parts, nE, bins)
        "enuqe", "evis", "costheta" as the detector has them, in cm^2 per (g_n g_chi)^2.

    Raises
    ------
    GlobalfitError
        If the decay is closed, the pair would be on shell where it is taken as virtual, an observable is
        unknown, or a mass is not positive.
    """
    response, wanted = detector.response, wanted_of(detector, observables)
    require_masses(m_chi=m_chi, m_chi_prime=m_chi_prime, m_mediator=m_mediator)
    if m_on_shell is not None:
        pair_decay.require_on_shell(m_chi, m_chi_prime, m_on_shell)
        quantiles, masses = np.array([0.0, 1.0]), np.full(2, m_on_shell)
    else:
        quantiles, masses = pair_decay.pair_mass_quantiles(m_chi, m_chi_prime, m_mediator)
    if points < 1 or points & (points - 1):
        raise GlobalfitError("kernel", f"'points' = {points}", "give a power of 2")
    lattice = _lattice(points, 6)
    index = {e: i for i, e in enumerate(np.asarray(energies).tolist())}

    def fill(part: Scatterer, e: Array) -> dict[str, Array]:
        t, w = t_quadrature(e, m_chi, m_chi_prime, m_mediator, part, nodes)
        safe = np.maximum(e, m_chi * (1.0 + 1e-12) + 1e-12)[:, None]
        ds = upscattering.differential_cross_section(t, safe, m_chi, m_chi_prime, m_mediator, part.mass)
        excited = np.maximum(outgoing_energy(safe, t, part.mass), m_chi_prime)[..., None]
        cosine = outgoing_cosine(safe, t, m_chi, m_chi_prime, part.mass)[..., None]
        weight = MEV2_CM2 * part.number * w * ds * part.form_factor_squared(t)

        rows = np.array([index[each] for each in e.tolist()])
        u = _rotated(lattice, rows, nodes)
        q = np.interp(u[..., 0], quantiles, masses)
        # a pair at the edge of being one ring would step from bin to bin
        excited = np.maximum(excited * np.exp(WIDTH * (u[..., 5] - 0.5)), m_chi_prime)
        pair, tilt = pair_decay.pair_in_flight(excited, q, 2.0 * u[..., 1] - 1.0, m_chi, m_chi_prime)
        true = rs.deflect(cosine, np.arccos(np.clip(tilt, -1.0, 1.0)), 2.0 * pi * u[..., 2])
        weight = weight[..., None] * response.one_ring(pair, q) * response.efficiency_at(pair) / points
        radius = np.sqrt(-2.0 * np.log(u[..., 3]))
        seen = rs.deflect(true, radius * response.angle_error(pair), 2.0 * pi * u[..., 4])
        out = _observed(detector, wanted, pair, seen, weight)
        if "costheta" in wanted:
            p = rs.cosine_probability(
                pair, true, radius, np.asarray(detector.costheta), detector.window, response
            )
            out["costheta"] = np.einsum("ets,etsb->eb", weight, p)
        return out

    return fill_rows(detector, wanted, energies, fill)


def _observed(
    detector: Detector, wanted: Sequence[str], energy: Array, cosine: Array, weight: Array
) -> dict[str, Array]:
    """Return {observable: (nE, bins)} of reconstructed directions; axes (nE, t, deflections)."""
    out = {}
    if "enuqe" in wanted:
        p = rs.enuqe_probability(energy, cosine, np.asarray(detector.enuqe), detector.response)
        out["enuqe"] = np.einsum("ets,etsb->eb", weight, p)
    if "evis" in wanted:
        p = rs.evis_probability(energy, cosine, np.asarray(detector.evis), detector.window, detector.response)
        out["evis"] = np.einsum("ets,etsb->eb", weight, p)
    return out


def _lattice(points: int, dim: int) -> Array:
    """Return Korobov's lattice (points, dim): for averages over angles far better than a Sobol sequence."""
    steps = np.array([pow(GENERATOR, j, points) for j in range(dim)])
    return np.asarray((np.arange(points)[:, None] * steps % points + 0.5) / points)


def _rotated(points: Array, rows: Array, nodes: int) -> Array:
    """Return `points` (s, d) rotated anew for each row and node, shape (rows, nodes, s, d).

    The amounts are multiples of powers of the root of x^(d+1) = x + 1: deterministic, equidistributed, and
    independent of masses, so that errors of the points average out over the spectrum and stay smooth.
    """
    dim = points.shape[1]
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dim + 1.0))
    steps = root ** -np.arange(1.0, dim + 1.0)
    count = rows[:, None] * nodes + np.arange(nodes) + 1.0
    u = (points + (count[..., None] * steps)[..., None, :]) % 1.0
    return np.clip(u, 1e-9, 1.0 - 1e-9)
