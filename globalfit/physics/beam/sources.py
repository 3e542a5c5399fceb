"""Sources of mesons at their decay points: Booster beam on target or dump, and stopped-pion sources.

Decays per proton on target. z along the protons, origin at the target's upstream face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import ndtri

from globalfit.arrays import Array
from globalfit.physics.beam.flux import flux
from globalfit.physics.beam.geometry import Volume
from globalfit.physics.beam.grid import MODES, PARENTS, require
from globalfit.physics.beam.horn import BoosterBeam, horn_beam
from globalfit.physics.beam.materials import AIR, BERYLLIUM, STEEL, Material
from globalfit.physics.beam.meson_decays import neutrino
from globalfit.physics.beam.mesons import MESONS, MesonSample, concatenate
from globalfit.physics.beam.normalisation import to_release
from globalfit.physics.beam.production import (
    draw,
    draw_burman_smith,
    meson_cross_section,
    sobol,
)

BR_PI_MU_NU = 0.9999  # PDG
ABSORBER = 50.28  # m, upstream face of the steel
LSND_PI_PER_PROTON = 0.079  # pi+ decays at rest per proton [unconfirmed]; 1.27e14 nu/cm^2 at 30 m, 28 896 C
LSND_IN_FLIGHT = 0.034  # share of pi+ that decay in flight [unconfirmed]


def booster(parent: str, mode: str, n: int = 2**17, seed: int = 1, *, raw: bool = False) -> MesonSample:
    """Return the decays of a parent in the Booster neutrino beam.

    Parameters
    ----------
    parent : str
        One of `grid.PARENTS`.
    mode : str
        'nu', 'nubar' or 'dump' (beam past the target onto the steel absorber).
    n, seed : int
        Mesons drawn for each part of the source, a power of two; seed of the Sobol sequence.
    raw : bool
        Leave out the weights that bring the neutrino flux to the release.

    Raises
    ------
    GlobalfitError
        If parent or mode is unknown.
    """
    require("parent", parent, PARENTS)
    require("mode", mode, MODES)
    if MESONS[parent].charge == 0:
        return _neutral(parent, mode, n, seed)
    sample = _dump(parent, n, seed) if mode == "dump" else horn_beam(parent, mode, n, seed)
    return sample if raw else to_release(sample, mode)


def dump_parts(parent: str, n: int = 2**15, seed: int = 1) -> dict[str, MesonSample]:
    """Return the parts of the dump source: 'air' and 'steel' in flight, 'stopped' (positive mesons only)."""
    u = sobol(n, 12, seed)
    parts = {"air": _in_air(parent, u), "steel": _in_matter(parent, u, STEEL, _air_survivors())}
    if MESONS[parent].charge > 0:  # negative mesons are captured by nuclei
        stops = stopped_per_proton(parent, u, STEEL) * _air_survivors()
        parts["stopped"] = stopped(parent, stops, (0.0, 0.0, ABSORBER + 0.2), min(n, 2**14), seed)
    return parts


def stopped(
    parent: str, per_proton: float, position: Sequence[float], n: int = 2**14, seed: int = 1
) -> MesonSample:
    """Return decays at rest at one point: `per_proton` of them per proton on target."""
    u = sobol(n, 5, seed)
    forward = np.tile(np.array([0.0, 0.0, 1.0]), (n, 1))
    x = np.tile(np.asarray(position, dtype=np.float64), (n, 1))
    return MesonSample(MESONS[parent], x, forward, np.zeros(n), np.full(n, per_proton / n), u)


def collinear(
    parent: str, volume: Volume, numbers: Mapping[str, float], n: int = 2**15, seed: int = 1
) -> MesonSample:
    """Return pi+ or K+ of a high-energy beam, all along its axis and decaying at the origin.

    An order of magnitude: no divergence, no length of the decay pipe, one shape of the momenta.

    Parameters
    ----------
    parent : {"pi+", "k+"}
    volume : Volume
        Over which the neutrino flux is known.
    numbers : mapping
        ``neutrino_energy`` MeV, mean of the neutrinos on the axis, 0.43 of the pions'; ``spread`` of ln p;
        ``neutrino_flux`` of the pions per cm^2 and proton; ``kaons``, K+ decays per pi+ decay.
    n, seed : int
        Mesons drawn, and the seed.
    """
    u = sobol(n, 7, seed)
    mean = numbers["neutrino_energy"] / 0.43
    width = numbers["spread"]
    p = mean * np.exp(-0.5 * width**2 + width * ndtri(u[:, 0]))
    forward = np.tile(np.array([0.0, 0.0, 1.0]), (n, 1))
    pions = MesonSample(MESONS["pi+"], np.zeros((n, 3)), forward, p, np.full(n, 1.0 / n), u[:, 2:])
    line = neutrino("pi+")
    edges = np.array([0.0, 1e7])
    seen = float(flux(pions, volume, replace(line, br=np.array(BR_PI_MU_NU)), 2, edges)[0])
    decays = numbers["neutrino_flux"] / seen
    if parent == "pi+":
        return pions.scaled(decays)
    return replace(pions, meson=MESONS["k+"]).scaled(decays * numbers["kaons"])


def stopped_pions_800mev(
    n: int = 2**15,
    seed: int = 1,
    per_proton: float = LSND_PI_PER_PROTON,
    in_flight: float = LSND_IN_FLIGHT,
    z: int = 8,
) -> dict[str, MesonSample]:
    """Return pi+ of 800 MeV protons on a beam stop at the origin: 'stopped' and 'in-flight'.

    In flight: momenta of Burman and Smith on nuclear charge `z` at production, times 1/p for the chance to
    decay over a short way; `in_flight` is their share of all pi+. Few of them go towards a detector: 4 n are
    drawn, and at most 2^16 at rest.
    """
    u = sobol(4 * n, 8, seed)
    made = draw_burman_smith(u[:, :3], z)
    moving = per_proton / (1.0 - in_flight) * in_flight
    # slow pions decay sooner: weight with 1/(beta gamma)
    weight = made.weight / made.p
    keep = made.p > 1.0
    flying = MesonSample(
        MESONS["pi+"],
        np.zeros((int(keep.sum()), 3)),
        _directions(made.theta, made.phi)[keep],
        made.p[keep],
        (moving * weight / weight[keep].sum())[keep],
        u[keep, 3:],
    )
    return {"stopped": stopped("pi+", per_proton, (0.0, 0.0, 0.0), min(n, 2**16), seed), "in-flight": flying}


def stopped_per_proton(parent: str, u: Array, material: Material) -> float:
    """Return mesons that stop in a material before they are absorbed, per interacting proton; u (n, >= 3)."""
    made = draw(meson_cross_section(parent), u[:, :3])
    reach = ranges(made.p, material, MESONS[parent].m)
    return float((made.weight * np.exp(-reach / material.absorption_length(parent))).sum())


def ranges(p: Array, material: Material, m: float) -> Array:
    """Return the range (n,) in m of particles of momentum p in MeV, slowing down continuously."""
    return np.interp(p, *_range_table(material, m))


def _range_table(material: Material, m: float) -> tuple[Array, Array]:
    p = np.geomspace(20.0, 9000.0, 400)
    energy = np.hypot(p, m)
    inverse = 1.0 / material.energy_loss(p, m)
    steps = 0.5 * (inverse[1:] + inverse[:-1]) * np.diff(energy)
    return p, np.concatenate(([0.0], np.cumsum(steps)))


def _air_survivors() -> float:
    """Share of protons that reach the absorber past the target, through air."""
    return float(np.exp(-ABSORBER / AIR.absorption_length("p")))


def _dump(parent: str, n: int, seed: int) -> MesonSample:
    return concatenate(list(dump_parts(parent, n, seed).values()))


def _directions(theta: Array, phi: Array) -> Array:
    sine = np.sin(theta)
    return np.column_stack((sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)))


def _in_air(parent: str, u: Array) -> MesonSample:
    """Mesons of protons that meet air on the 50 m to the absorber, decaying before wall or steel."""
    meson, made = MESONS[parent], draw(meson_cross_section(parent), u[:, :3])
    length = AIR.absorption_length("p")
    share = 1.0 - _air_survivors()
    z = -length * np.log1p(-u[:, 3] * share)
    direction = _directions(made.theta, made.phi)
    reach = np.minimum(
        (ABSORBER - z) / direction[:, 2], BoosterBeam().pipe_radius / np.maximum(np.sin(made.theta), 1e-9)
    )
    decay_length = made.p / meson.m * meson.c_tau
    seen = -np.expm1(-reach / decay_length)
    path = -decay_length * np.log1p(-u[:, 4] * seen)
    x = np.column_stack((np.zeros_like(z), np.zeros_like(z), z)) + path[:, None] * direction
    return MesonSample(meson, x, direction, made.p, made.weight * share * seen, u[:, 7:])


def _in_matter(parent: str, u: Array, material: Material, protons: float) -> MesonSample:
    """Decays in flight in a thick absorber at `ABSORBER`, where mesons slow down and are absorbed."""
    meson, made = MESONS[parent], draw(meson_cross_section(parent), u[:, :3])
    z = ABSORBER - material.absorption_length("p") * np.log1p(-u[:, 3])
    length = material.absorption_length(parent)
    path = -length * np.log1p(-u[:, 4])  # where absorption would set in: e^(-path/length) is its density
    table_p, table_r = _range_table(material, meson.m)
    left = np.interp(made.p, table_p, table_r) - path
    p = np.interp(left, table_r, table_p)
    weight = np.where(left > 0.0, made.weight * protons * length * meson.m / (p * meson.c_tau), 0.0)
    direction = _directions(made.theta, made.phi)
    x = np.column_stack((np.zeros_like(z), np.zeros_like(z), z)) + path[:, None] * direction
    keep = weight > 0.0
    return MesonSample(meson, x[keep], direction[keep], p[keep], weight[keep], u[keep, 7:])


def _neutral(parent: str, mode: str, n: int, seed: int) -> MesonSample:
    """pi0 and eta decay where they are made: in the target and, what passes it, in the absorber, or air."""
    u = sobol(n, 12, seed)
    made = draw(meson_cross_section(parent), u[:, :3])
    direction = _directions(made.theta, made.phi)
    if mode == "dump":
        through, here = _air_survivors(), AIR
    else:
        through, here = 1.0 - BoosterBeam().interacting, BERYLLIUM
    length = here.absorption_length("p")
    early = u[:, 3] < 1.0 - through
    depth = np.where(early, u[:, 3], 0.0)
    late = np.where(early, 0.0, (u[:, 3] - (1.0 - through)) / through)
    steel = ABSORBER - STEEL.absorption_length("p") * np.log1p(-late)
    z = np.where(early, -length * np.log1p(-depth), steel)
    x = np.column_stack((np.zeros(n), np.zeros(n), z))
    return MesonSample(MESONS[parent], x, direction, made.p, made.weight, u[:, 7:])
