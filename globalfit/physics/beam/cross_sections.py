"""Cross-sections on a scatterer: quadrature in t on nodes that follow mediator and form factor.

`t_quadrature` is shared by total cross-sections and by the kernels, so that what is tested is what is used.
"""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam import primakoff, two_body, upscattering
from globalfit.physics.beam.nuclei import Scatterer, helm_radius

GEV2_CM2 = 0.3893793721e-27  # (hbar c)^2 in GeV^2 cm^2, CODATA (exact)
MEV2_CM2 = GEV2_CM2 * 1e6


def t_quadrature(
    energy: Array, m_in: float, m_out: float, m_mediator: float, part: Scatterer, nodes: int
) -> tuple[Array, Array]:
    """Return nodes t (nE, nodes) in MeV^2 and weights (nE, nodes) of an integral over t.

    Gauss-Legendre in ln(mu^2 - t), where 1/mu^2 sums the scales of propagator and form factor;
    weights are zero where the process is closed.
    """
    forward, backward = two_body.t_limits(energy, m_in, m_out, part.mass)
    backward = np.maximum(backward, np.minimum(forward, -part.reach))
    mu2 = 1.0 / (1.0 / max(m_mediator**2, 1e-12) + 1.0 / part.scale)
    low, high = np.log(mu2 - forward), np.log(mu2 - backward)
    x, w = np.polynomial.legendre.leggauss(nodes)
    u = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * x
    scale = np.exp(u)
    t = np.clip(mu2 - scale, backward[:, None], forward[:, None])
    return t, 0.5 * (high - low)[:, None] * w * scale


def t_two_ranges(
    energy: Array, m_in: float, m_out: float, m_mediator: float, part: Scatterer, nodes: tuple[int, int]
) -> tuple[Array, Array]:
    """Return nodes t (nE, sum of nodes) and weights for every mediator not lighter than `m_mediator`.

    Gauss-Legendre in ln(mu^2 - t) below and above the form factor's scale; mu is that of `t_quadrature` for
    `m_mediator` below, the scale's root above.
    """
    forward, backward = two_body.t_limits(energy, m_in, m_out, part.mass)
    backward = np.maximum(backward, np.minimum(forward, -part.reach))
    split = helm_split(part)
    middle = np.clip(np.full_like(forward, -split), backward, forward)
    ranges = (
        (forward, middle, 1.0 / (1.0 / max(m_mediator**2, 1e-12) + 1.0 / split)),
        (middle, backward, split),
    )
    parts = []
    for (start, stop, mu2), n in zip(ranges, nodes, strict=True):
        low, high = np.log(mu2 - start), np.log(mu2 - stop)
        x, w = np.polynomial.legendre.leggauss(n)
        u = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * x
        scale = np.exp(u)
        t = np.clip(mu2 - scale, stop[:, None], start[:, None])
        parts.append((t, 0.5 * (high - low)[:, None] * w * scale))
    t, weight = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    return t, weight


def helm_split(part: Scatterer) -> float:
    """Return the momentum transfer squared in MeV^2 where `t_two_ranges` changes its nodes."""
    return 3.0 / helm_radius(part.nucleus.a) ** 2 if part.nucleus.a > 1 else 4e4


def photon_cross_section(
    process: str,
    energy: Array,
    m_x: float,
    m_mediator: float,
    part: Scatterer,
    *,
    vertex: str = "doubled",
    nodes: int = 64,
) -> Array:
    """Return sigma(X N -> gamma N) in cm^2 per scatterer at unit charge and unit coupling g_n lambda (1/MeV).

    Parameters
    ----------
    process : str
        One of `primakoff.PROCESSES`.
    energy : array (nE,)
        Energy of X in MeV; zero is returned below its mass.
    m_x, m_mediator : float
        Masses in MeV.
    part : Scatterer
    vertex : {"doubled", "single"}
    nodes : int
        Nodes of the quadrature in t.
    """
    e = np.asarray(energy, dtype=np.float64)
    t, w = t_quadrature(e, m_x, 0.0, m_mediator, part, nodes)
    safe = np.maximum(e, m_x * (1.0 + 1e-12) + 1e-12)[:, None]
    ds = primakoff.differential_cross_section(process, t, safe, m_x, m_mediator, part.mass, vertex=vertex)
    return np.asarray(MEV2_CM2 * np.sum(w * ds * part.form_factor_squared(t), axis=-1))


def upscattering_cross_section(
    energy: Array, m_chi: float, m_chi_prime: float, m_mediator: float, part: Scatterer, *, nodes: int = 64
) -> Array:
    """Return sigma(chi N -> chi' N) in cm^2 per scatterer at unit charge and unit couplings.

    Zero below threshold.

    Parameters
    ----------
    energy : array (nE,)
        Energy of chi in MeV.
    m_chi, m_chi_prime, m_mediator : float
        Masses in MeV.
    part : Scatterer
    nodes : int
        Nodes of the quadrature in t.
    """
    e = np.asarray(energy, dtype=np.float64)
    t, w = t_quadrature(e, m_chi, m_chi_prime, m_mediator, part, nodes)
    safe = np.maximum(e, m_chi * (1.0 + 1e-12) + 1e-12)[:, None]
    ds = upscattering.differential_cross_section(t, safe, m_chi, m_chi_prime, m_mediator, part.mass)
    return np.asarray(MEV2_CM2 * np.sum(w * ds * part.form_factor_squared(t), axis=-1))
