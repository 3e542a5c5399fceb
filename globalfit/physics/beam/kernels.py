"""Kernels: cross-section folded with response, from the energy of a beam particle to binned observables.

A kernel is {observable: K (parts, nE, bins)} in cm^2 at unit charge and unit couplings, one row for each
energy of the grid and one part for each of `detector.parts`; events = POT x flux H (nE,) @ K, summed over
parts with `nuclei.charge_weights`, times the couplings squared. Kernels depend on masses alone. They are the
reference path: what is shipped as tables is built from them and compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.physics.beam import primakoff
from globalfit.physics.beam import response as rs
from globalfit.physics.beam.cross_sections import MEV2_CM2, t_quadrature, t_two_ranges
from globalfit.physics.beam.detectors import OBSERVABLES, Detector
from globalfit.physics.beam.grid import CENTRES
from globalfit.physics.beam.nuclei import Scatterer
from globalfit.physics.beam.two_body import outgoing_cosine, outgoing_energy

RADIAL, AZIMUTHAL = 3, 4  # deflections of a photon
ROWS = 8  # energies a block, bounds the memory


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
    require_masses(m_x=m_x, m_mediator=m_mediator)
    wanted = wanted_of(detector, observables)

    def fill(part: Scatterer, e: Array) -> dict[str, Array]:
        t, w = t_quadrature(e, m_x, 0.0, m_mediator, part, nodes)
        seen = _photon_seen(detector, wanted, part, e, t, m_x)
        weight = w * _photon_weight(process, part, e, t, m_x, m_mediator, vertex)
        return {name: np.einsum("et,etb->eb", weight, p) for name, p in seen.items()}

    return fill_rows(detector, wanted, energies, fill)


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
    require_masses(m_x=m_x, **{f"m_mediator {m:g}": m for _, m in pairs})
    wanted = wanted_of(detector, observables)
    lightest = min(m for _, m in pairs)

    def fill(part: Scatterer, e: Array) -> dict[str, Array]:
        t, w = t_two_ranges(e, m_x, 0.0, lightest, part, nodes)
        seen = _photon_seen(detector, wanted, part, e, t, m_x)
        weight = np.stack([w * _photon_weight(name, part, e, t, m_x, m, "doubled") for name, m in pairs], 1)
        return {name: np.matmul(weight, p).transpose(1, 0, 2) for name, p in seen.items()}

    return fill_rows(detector, wanted, energies, fill, len(pairs))


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


def weighted(kernel: Array, weights: Array) -> Array:
    """Return the kernel summed over parts (..., nE, bins) for squared charges (..., parts)."""
    return np.asarray(np.einsum("...p,peb->...eb", weights, kernel))


def require_masses(**masses: float) -> None:
    """Raise a GlobalfitError unless all masses are positive numbers."""
    for name, m in masses.items():
        if not (np.isfinite(m) and m > 0.0):
            raise GlobalfitError("kernel", f"'{name}' = {m} MeV", "give a positive mass")


def wanted_of(detector: Detector, observables: Sequence[str]) -> tuple[str, ...]:
    """Return the observables that the detector has bins for; raise a GlobalfitError if one is unknown."""
    for name in observables:
        if name not in OBSERVABLES:
            raise GlobalfitError("observables", f"no observable '{name}'", did_you_mean(name, OBSERVABLES))
    return tuple(name for name in observables if getattr(detector, name))


def fill_rows(
    detector: Detector,
    wanted: Sequence[str],
    energies: Array,
    fill: Callable[[Scatterer, Array], dict[str, Array]],
    several: int = 0,
) -> dict[str, Array]:
    """Return {observable: (parts, nE, bins)} of what `fill` makes of a part and some energies.

    Of `several` kernels together, their axis is the first.
    """
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
