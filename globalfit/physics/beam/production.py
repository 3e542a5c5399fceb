"""Differential cross-sections of meson production by protons, and samples drawn from them.

Sanford-Wang and Feynman scaling for 8.9 GeV/c protons on beryllium, Burman-Smith for 800 MeV protons.
Momenta in MeV, angles in radians; cross-sections in cm^2/(MeV sr).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from globalfit.arrays import Array
from globalfit.constants import M_K, M_PI, M_PROTON

MB_PER_GEV = 1e-27 * 1e-3  # mb/GeV in cm^2/MeV
P_BNB = 8890.0  # MeV, protons of 8 GeV kinetic energy
SIGMA_BERYLLIUM = 212.4e-27  # cm^2, inelastic p-Be at 8.9 GeV/c, arXiv:0806.1449; 212.3 mb in its simulation
M_LAMBDA = 1115.683  # PDG

# c1..c9 of MiniBooNE's fits to HARP and E910: PRD 79 (2009) 072002, arXiv:0806.1449; momenta in GeV, mb.
SANFORD_WANG = {
    "pi+": (220.7, 1.080, 1.000, 1.978, 1.32, 5.572, 0.0868, 9.686, 1.0),
    "pi-": (213.7, 0.9379, 5.454, 1.210, 1.284, 4.781, 0.07338, 8.329, 1.0),
}
# c1..c7 for K+: Mariani et al., PRD 84 (2011) 114021, arXiv:1110.0417.
FEYNMAN_K_PLUS = (11.70, 0.88, 4.77, 1.51, 2.21, 2.17, 1.51)
# K-/K+ = r (1 - p/p_0)^3: an estimate that follows the released antineutrino flux above 2.8 GeV, where K-
# dominate (docs/physics/beam-flux.md); no measurement at 8.9 GeV/c is used.
K_MINUS_OVER_K_PLUS = (0.24, 7000.0)
ETA_OVER_PI0 = 1.0 / 30.0  # as in deNiverville et al., arXiv:1609.01770 (BdNMC), for 8 GeV protons

CrossSection = Callable[[Array, Array], Array]


def sanford_wang(p: Array, theta: Array, c: tuple[float, ...], p_beam: float = P_BNB) -> Array:
    """Return d^2 sigma/(dp dOmega) (n,) of pions, Sanford-Wang form with nine parameters, arXiv:0806.1449."""
    p, p_beam = p / 1000.0, p_beam / 1000.0
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = c
    rest = np.maximum(1.0 - p / (p_beam - c9), 0.0)
    cosine = np.maximum(np.cos(theta), 0.0)
    exponent = -c3 * p**c4 / p_beam**c5 - c6 * theta * (p - c7 * p_beam * cosine**c8)
    value: Array = MB_PER_GEV * c1 * p**c2 * rest * np.exp(exponent)
    return value


def feynman_scaling(
    p: Array, theta: Array, c: tuple[float, ...] = FEYNMAN_K_PLUS, p_beam: float = P_BNB
) -> Array:
    """Return d^2 sigma/(dp dOmega) (n,) of K+, arXiv:1110.0417, x_F = p*_z/p*_max with p p -> p Lambda K+."""
    e_beam = np.hypot(p_beam, M_PROTON)
    s = 2.0 * M_PROTON * (M_PROTON + e_beam)
    gamma, boost = (e_beam + M_PROTON) / np.sqrt(s), p_beam / np.sqrt(s)
    recoil = M_PROTON + M_LAMBDA
    p_max = np.sqrt((s - (recoil + M_K) ** 2) * (s - (recoil - M_K) ** 2)) / (2.0 * np.sqrt(s))
    energy = np.hypot(p, M_K)
    x_f = np.abs(gamma * p * np.cos(theta) - boost * energy) / p_max
    p_t = p * np.sin(theta) / 1000.0
    c1, c2, c3, c4, c5, c6, c7 = c
    invariant = (
        c1
        * np.maximum(1.0 - x_f, 0.0)
        * np.exp(-c2 * p_t - c3 * x_f**c4 - c5 * p_t**2 - c7 * (p_t * x_f) ** c6)
    )
    inside = gamma * energy - boost * p * np.cos(theta) < np.hypot(p_max, M_K)
    value: Array = MB_PER_GEV * p**2 / energy / 1000.0 * invariant * inside
    return value


def meson_cross_section(parent: str) -> CrossSection:
    """Return the cross-section (p, theta) -> (n,) of a parent for 8.9 GeV/c protons on beryllium.

    pi0 is the mean of pi+ and pi-, eta has the spectrum of pi0, K- follows K+ with a falling ratio.
    """
    if parent in SANFORD_WANG:
        return lambda p, theta: sanford_wang(p, theta, SANFORD_WANG[parent])
    if parent in ("pi0", "eta"):
        scale = 0.5 * (ETA_OVER_PI0 if parent == "eta" else 1.0)
        return lambda p, theta: (
            scale
            * (sanford_wang(p, theta, SANFORD_WANG["pi+"]) + sanford_wang(p, theta, SANFORD_WANG["pi-"]))
        )
    if parent == "k+":
        return feynman_scaling
    ratio, p_0 = K_MINUS_OVER_K_PLUS
    return lambda p, theta: ratio * np.maximum(1.0 - p / p_0, 0.0) ** 3 * feynman_scaling(p, theta)


def burman_smith(t_pi: Array, theta: Array, z: int = 8, t_beam: float = 800.0) -> Array:
    """Return d^2 sigma/(dT dOmega) (n,) of pi+ in arbitrary units, T in MeV, for nuclei beyond hydrogen.

    Burman and Smith, LA-11502-MS (1989), with the constants of the public code BdNMC.
    """
    angle = np.degrees(theta)
    anchors = (34.2, 28.9, 150.0, 130.0) if z <= 8 else (29.9, 26.0, 166.0, 135.0)
    fraction = (t_beam - 585.0) / (730.0 - 585.0)
    t_a = anchors[1] + fraction * (anchors[0] - anchors[1])
    sigma_a = anchors[3] + fraction * (anchors[2] - anchors[3])
    coefficients = (
        min(27.0, 27.0 - 4.0 * ((730.0 - t_beam) / 145.0) ** 2),
        18.2,
        8.0,
        13.0 + (z - 12.0) / 10.0,
        9.0 + (z - 12.0) / 10.0 - (t_beam - 685.0) / 20.0,
    )
    amplitude = sum(c * _quadratic_spline(i, angle) for i, c in enumerate(coefficients))
    mean = 48.0 + 330.0 * np.exp(-angle / t_a)
    width = sigma_a * np.exp(-angle / 85.0)
    cut = 1.0 + np.exp((t_pi - (t_beam - 140.0 - 50.0)) / 25.0)
    value: Array = amplitude * np.exp(-0.5 * ((t_pi - mean) / width) ** 2) / cut
    return value


@dataclass(frozen=True)
class Produced:
    """Mesons at production: p (n,) MeV, polar and azimuthal angle (n,), weight (n,) per interaction."""

    p: Array
    theta: Array
    phi: Array
    weight: Array


def draw(
    cross_section: CrossSection,
    u: Array,
    sigma_inelastic: float = SIGMA_BERYLLIUM,
    p_range: tuple[float, float] = (50.0, 8500.0),
) -> Produced:
    """Return mesons in the forward hemisphere drawn from a cross-section at low-discrepancy points u (n, 3).

    Drawn densest where a far detector sees them, around 2.5 GeV and, nine tenths of them, flat in the angle
    inside p theta < 400 MeV + 0.04 p; weighted, so that every expectation is that of the cross-section.
    """
    low, high, bump = np.sqrt(p_range[0]), np.sqrt(p_range[1]), 0.7
    turn = 2.0 * np.pi * u[:, 0]
    root_p = low + (u[:, 0] + bump * np.sin(turn) / (2.0 * np.pi)) * (high - low)
    p, density = root_p**2, 1.0 + bump * np.cos(turn)
    cone = np.minimum(400.0 / p + 0.04, 0.5 * np.pi - 1e-9)
    inside = u[:, 1] < 0.9
    share = np.where(inside, u[:, 1] / 0.9, (u[:, 1] - 0.9) / 0.1)
    theta = np.where(inside, cone * share, cone + (0.5 * np.pi - cone) * share)
    slope = np.where(inside, cone / 0.9, (0.5 * np.pi - cone) / 0.1)
    measure = 2.0 * root_p * (high - low) * density * slope * np.sin(theta) * 2.0 * np.pi
    weight = cross_section(p, theta) * measure / (sigma_inelastic * p.size)
    return Produced(p, theta, 2.0 * np.pi * u[:, 2], weight)


def sobol(n: int, dim: int, seed: int) -> Array:
    """Return a scrambled Sobol sequence (n, dim), n a power of two; the same seed gives the same points."""
    return np.asarray(qmc.Sobol(dim, scramble=True, rng=np.random.default_rng(seed)).random(n))


def multiplicity(parent: str, n: int = 2**16, seed: int = 1) -> float:
    """Return mesons of a kind per inelastic interaction of an 8.9 GeV/c proton in beryllium, theta < pi/2."""
    return float(draw(meson_cross_section(parent), sobol(n, 3, seed)).weight.sum())


def draw_burman_smith(u: Array, z: int = 8, t_beam: float = 800.0) -> Produced:
    """Return pi+ of 800 MeV protons at low-discrepancy points u (n, 3); the weights add up to one."""
    t_pi, theta = (t_beam - M_PI) * u[:, 0], np.pi * u[:, 1]
    weight = burman_smith(t_pi, theta, z, t_beam) * np.sin(theta)
    return Produced(np.sqrt(t_pi * (t_pi + 2.0 * M_PI)), theta, 2.0 * np.pi * u[:, 2], weight / weight.sum())


def _quadratic_spline(i: int, angle: Array) -> Array:
    """Quadratic B-spline number i on the knots of Burman and Smith, degrees."""
    knots = (0.0, 0.0, 0.0, 30.0, 70.0, 180.0, 180.0, 180.0)

    def basis(order: int, j: int) -> Array:
        if order == 0:
            last = knots[j + 1] == 180.0
            inside = (angle >= knots[j]) & ((angle <= 180.0) if last else (angle < knots[j + 1]))
            return np.where(inside & (knots[j] < knots[j + 1]), 1.0, 0.0)
        left, right = knots[j + order] - knots[j], knots[j + order + 1] - knots[j + 1]
        value = np.zeros_like(angle)
        if left > 0.0:
            value = value + (angle - knots[j]) / left * basis(order - 1, j)
        if right > 0.0:
            value = value + (knots[j + order + 1] - angle) / right * basis(order - 1, j + 1)
        return value

    return basis(2, i)
