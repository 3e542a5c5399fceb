"""Kernels: cross-section folded with response, from the energy of a beam particle to binned observables.

A kernel is {observable: K (parts, nE, bins)} in cm^2 at unit charge and unit couplings, one row for each
energy of the grid and one part for each of `detector.parts`; events = POT x flux H (nE,) @ K, summed over
parts with `nuclei.charge_weights`, times the couplings squared. Kernels depend on masses alone. They are the
reference path: what is shipped as tables is built from them and compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import pi

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.physics.beam import pair_decay, primakoff, upscattering
from globalfit.physics.beam import response as rs
from globalfit.physics.beam.cross_sections import MEV2_CM2, t_quadrature, t_two_ranges
from globalfit.physics.beam.detectors import OBSERVABLES, Detector
from globalfit.physics.beam.grid import CENTRES, EDGES
from globalfit.physics.beam.nuclei import Scatterer
from globalfit.physics.beam.two_body import outgoing_cosine, outgoing_energy

RADIAL, AZIMUTHAL = 3, 4  # deflections of a photon
ROWS = 8  # energies a block, bounds the memory
GENERATOR = 27  # of the decay's lattice: 64 to 512 points agree with many random ones (tests)
WIDTH = float(np.log(EDGES[1] / EDGES[0]))  # of a bin of `grid`, in ln E


def photon_kernel(
    process: str,
    detector: Detector,
    m_x: float,
    m_mediator: float,
    *,
    vertex: str = "doubled",
    energies: Array = CENTRES,
    nodes: int = 48,
    observables: Sequence[str] = OBSERVABLES,
) -> dict[str, Array]:
    """Return the kernel of X N -> gamma N.

    Parameters
    ----------
    process : str
        One of `primakoff.PROCESSES`.
    detector : Detector
    m_x, m_mediator : float
        Masses in MeV of the long-lived particle and the exchanged one.
    vertex : {"doubled", "single"}
        See `primakoff`.
    energies : array (nE,)
        Energies of X in MeV; zero rows below its mass.
    nodes : int
        Nodes of the quadrature in t.
    observables : sequence of str
        Which of the detector's observables to compute.

    Returns
    -------
    dict of str to array (parts, nE, bins)
        "enuqe", "evis", "costheta" as the detector has them, in cm^2 per (g_n lambda)^2 in MeV^-2.

    Raises
    ------
    GlobalfitError
        If process, vertex or an observable is unknown, or a mass is not positive.
    """
    _require_masses(m_x=m_x, m_mediator=m_mediator)
    wanted = _wanted(detector, observables)

    def fill(part: Scatterer, e: Array) -> dict[str, Array]:
        t, w = t_quadrature(e, m_x, 0.0, m_mediator, part, nodes)
        seen = _photon_seen(detector, wanted, part, e, t, m_x)
        weight = w * _photon_weight(process, part, e, t, m_x, m_mediator, vertex)
        return {name: np.einsum("et,etb->eb", weight, p) for name, p in seen.items()}

    return _rows(detector, wanted, energies, fill)


def photon_kernels(
    pairs: Sequence[tuple[str, float]],
    detector: Detector,
    m_x: float,
    *,
    energies: Array = CENTRES,
    nodes: tuple[int, int] = (64, 112),
    observables: Sequence[str] = OBSERVABLES,
) -> dict[str, Array]:
    """Return kernels of X N -> gamma N for many processes and mediators at one mass of X.

    One set of nodes in t serves all of them, so that the response is computed once: what tables are built
    with. `photon_kernel`, with nodes of its own for each mediator, is the reference.

    Parameters
    ----------
    pairs : sequence of (str, float)
        Processes of `primakoff.PROCESSES` and masses of the mediator in MeV.
    detector, m_x, energies, observables
        As for `photon_kernel`.
    nodes : tuple of int
        Nodes in t below and above the scale where form factors fall.

    Returns
    -------
    dict of str to array (pairs, parts, nE, bins)
    """
    _require_masses(m_x=m_x, **{f"m_mediator {m:g}": m for _, m in pairs})
    wanted = _wanted(detector, observables)
    lightest = min(m for _, m in pairs)

    def fill(part: Scatterer, e: Array) -> dict[str, Array]:
        t, w = t_two_ranges(e, m_x, 0.0, lightest, part, nodes)
        seen = _photon_seen(detector, wanted, part, e, t, m_x)
        weight = np.stack([w * _photon_weight(name, part, e, t, m_x, m, "doubled") for name, m in pairs], 1)
        return {name: np.matmul(weight, p).transpose(1, 0, 2) for name, p in seen.items()}

    return _rows(detector, wanted, energies, fill, len(pairs))


def _photon_weight(
    process: str, part: Scatterer, e: Array, t: Array, m_x: float, m_mediator: float, vertex: str
) -> Array:
    """Nuclei times d sigma/dt in cm^2/MeV^2 (nE, nt)."""
    safe = np.maximum(e, m_x * (1.0 + 1e-12) + 1e-12)[:, None]
    ds = primakoff.differential_cross_section(process, t, safe, m_x, m_mediator, part.mass, vertex=vertex)
    return MEV2_CM2 * part.number * ds * part.form_factor_squared(t)


def _photon_seen(
    detector: Detector, wanted: Sequence[str], part: Scatterer, e: Array, t: Array, m_x: float
) -> dict[str, Array]:
    """Probabilities (nE, nt, bins) to see a photon in each bin, efficiency included."""
    response = detector.response
    radius, azimuth, share = rs.deflections(RADIAL, AZIMUTHAL)
    ring, _, ring_share = rs.deflections(4 * RADIAL, 1)
    safe = np.maximum(e, m_x * (1.0 + 1e-12) + 1e-12)[:, None]
    photon = np.maximum(outgoing_energy(safe, t, part.mass), 1e-6)
    cosine = outgoing_cosine(safe, t, m_x, 0.0, part.mass)
    efficiency = response.efficiency_at(photon)[..., None]
    found = {}
    if "enuqe" in wanted or "evis" in wanted:
        angle = radius * response.angle_error(photon)[..., None]
        seen = rs.deflect(cosine[..., None], angle, azimuth)
        shower = np.broadcast_to(photon[..., None], seen.shape)
        edges, window = np.asarray(detector.evis), detector.window
        if "enuqe" in wanted:
            p = rs.enuqe_probability(shower, seen, np.asarray(detector.enuqe), response)
            found["enuqe"] = efficiency * np.einsum("s,etsb->etb", share, p)
        if "evis" in wanted:
            p = rs.evis_probability(shower, seen, edges, window, response)
            found["evis"] = efficiency * np.einsum("s,etsb->etb", share, p)
    if "costheta" in wanted:
        shape = (*photon.shape, ring.size)
        p = rs.cosine_probability(
            np.broadcast_to(photon[..., None], shape),
            np.broadcast_to(cosine[..., None], shape),
            ring,
            np.asarray(detector.costheta),
            detector.window,
            response,
        )
        found["costheta"] = efficiency * np.einsum("r,etrb->etb", ring_share, p)
    return found


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
    response, wanted = detector.response, _wanted(detector, observables)
    _require_masses(m_chi=m_chi, m_chi_prime=m_chi_prime, m_mediator=m_mediator)
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

    return _rows(detector, wanted, energies, fill)


def weighted(kernel: Array, weights: Array) -> Array:
    """Return the kernel summed over parts (..., nE, bins) for squared charges (..., parts)."""
    return np.asarray(np.einsum("...p,peb->...eb", weights, kernel))


def _require_masses(**masses: float) -> None:
    for name, m in masses.items():
        if not (np.isfinite(m) and m > 0.0):
            raise GlobalfitError("kernel", f"'{name}' = {m} MeV", "give a positive mass")


def _wanted(detector: Detector, observables: Sequence[str]) -> tuple[str, ...]:
    for name in observables:
        if name not in OBSERVABLES:
            raise GlobalfitError("observables", f"no observable '{name}'", did_you_mean(name, OBSERVABLES))
    return tuple(name for name in observables if getattr(detector, name))


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


def _rows(
    detector: Detector,
    wanted: Sequence[str],
    energies: Array,
    fill: Callable[[Scatterer, Array], dict[str, Array]],
    several: int = 0,
) -> dict[str, Array]:
    e = np.asarray(energies, dtype=np.float64)
    edges = {name: getattr(detector, name) for name in wanted}
    leading = (several,) if several else ()
    shape = (*leading, len(detector.parts), e.size)
    out = {name: np.zeros((*shape, len(each) - 1)) for name, each in edges.items()}
    # no shower has more energy than the particle that makes it
    seen = np.flatnonzero(e + 8.0 * detector.response.energy_error(e) > detector.response.threshold)
    for p, part in enumerate(detector.parts):
        for block in np.array_split(seen, max(1, -(-seen.size // ROWS))):
            for name, rows in fill(part, e[block]).items():
                out[name][..., p, block, :] = rows
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
