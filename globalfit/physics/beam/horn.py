"""The Booster neutrino beam: mesons from the beryllium target through the magnetic horn to where they decay.

Each meson is followed in steps: bent by the horn's field, slowed and absorbed in target and conductor, its
proper time counted, so that a decay inside the horn happens there. z along the beam, origin at the target's
upstream face. Geometry: that of the experiment's own simulation, arXiv:0806.1449, public as BooNE_50m.gdml in
the repository SBNSoftware/G4BNB; beam spot and current as in its file production.in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from globalfit.arrays import Array, Mask
from globalfit.physics.beam.materials import AIR, ALUMINIUM, BERYLLIUM, Material
from globalfit.physics.beam.mesons import MESONS, MesonSample
from globalfit.physics.beam.production import draw, meson_cross_section, sobol

# Outer surface of the inner conductor: z from the target's face, 35 mm behind the horn's, and radius in m.
CONDUCTOR_Z = (
    -0.035, 0.620, 0.765, 0.842, 0.965, 1.071, 1.269, 1.571, 1.629, 1.6965, 1.7335, 1.7576, 1.765,
)  # fmt: skip
CONDUCTOR_R = (
    0.022, 0.022, 0.022, 0.033, 0.0504, 0.0654, 0.0654, 0.022, 0.024, 0.041, 0.0717, 0.1135, 0.1595,
)  # fmt: skip


@dataclass(frozen=True)
class BoosterBeam:
    """Target, horn and decay region; lengths in m, current in A.

    The apertures (z, r) are the ends of the collimator, a cone; what hits it, pipe or absorber is stopped.
    """

    current: float = 174e3
    target_length: float = 0.7112
    target_radius: float = 0.0047625
    outer_radius: float = 0.30
    conductor_thickness: float = 0.003
    absorber: float = 50.28
    pipe_radius: float = 0.9144
    apertures: tuple[tuple[float, float], ...] = ((3.035, 0.30), (5.169, 0.355))
    spot: tuple[float, float] = (1.51e-3, 0.75e-3)
    divergence: tuple[float, float] = (0.66e-3, 0.40e-3)

    @property
    def end(self) -> float:
        """Downstream end of the horn."""
        return CONDUCTOR_Z[-1]

    @property
    def interacting(self) -> float:
        """Share of protons that interact in the target."""
        return float(-np.expm1(-self.target_length / BERYLLIUM.absorption_length("p")))


@dataclass
class _Tracks:
    """State of mesons in flight, all arrays (n,); `age` is the path/p in m/MeV left until the decay."""

    index: Array
    x: Array
    y: Array
    z: Array
    ux: Array
    uy: Array
    uz: Array
    p: Array
    weight: Array
    age: Array

    def keep(self, mask: Mask) -> _Tracks:
        if mask.all():
            return self
        return _Tracks(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def horn_beam(
    parent: str,
    mode: str,
    n: int = 2**17,
    seed: int = 1,
    beam: BoosterBeam | None = None,
    step: float = 0.02,
) -> MesonSample:
    """Return decays per proton on target of a charged parent in the Booster beam, raw.

    Parameters
    ----------
    parent : str
        'pi+', 'pi-', 'k+' or 'k-'.
    mode : str
        'nu' focuses positive mesons, 'nubar' negative ones, 'off' is a horn without current.
    n, seed : int
        Mesons drawn (a power of two) and seed of the Sobol sequence.
    step : float
        Step of the tracking in m.
    """
    beam = beam or BoosterBeam()
    meson = MESONS[parent]
    u = sobol(n, 14, seed)
    tracks = _start(parent, u, beam)
    polarity = {"nu": 1.0, "nubar": -1.0, "off": 0.0}[mode] * meson.charge
    decayed: list[_Tracks] = []
    behind: list[_Tracks] = []
    while tracks.index.size:
        inside = tracks.z < beam.end
        behind.append(tracks.keep(~inside))
        tracks = _advance(tracks.keep(inside), parent, polarity, beam, step, decayed)
    decayed.append(_drift(_join(behind), parent, beam))
    all_ = _join(decayed)
    order = np.argsort(all_.index)  # the order of the sequence, whatever the tracking did
    return MesonSample(
        meson,
        np.column_stack((all_.x, all_.y, all_.z))[order],
        np.column_stack((all_.ux, all_.uy, all_.uz))[order],
        all_.p[order],
        all_.weight[order],
        u[all_.index.astype(np.int64)[order], 9:],
    )


def _join(parts: list[_Tracks]) -> _Tracks:
    return _Tracks(*(np.concatenate([getattr(e, k) for e in parts]) for k in _Tracks.__dataclass_fields__))


def _start(parent: str, u: Array, beam: BoosterBeam) -> _Tracks:
    """Mesons at their production in the target, with the age at which they will decay."""
    made = draw(meson_cross_section(parent), u[:, :3])
    meson = MESONS[parent]
    length = BERYLLIUM.absorption_length("p")
    z = -length * np.log1p(-u[:, 3] * beam.interacting)
    slope = ndtri(u[:, 6:8]) * np.array(beam.divergence)
    spot = ndtri(u[:, 4:6]) * np.array(beam.spot)
    x, y = spot[:, 0] + slope[:, 0] * z, spot[:, 1] + slope[:, 1] * z
    sine, uz = np.sin(made.theta), np.cos(made.theta)
    ux, uy = sine * np.cos(made.phi) + slope[:, 0] * uz, sine * np.sin(made.phi) + slope[:, 1] * uz
    norm = np.sqrt(ux**2 + uy**2 + uz**2)
    # A decay beyond 1.3 times the beamline is never seen: the age is drawn below that and weighted.
    longest = 1.3 * beam.absorber * meson.m / (made.p * meson.c_tau)
    share = -np.expm1(-longest)
    age = -np.log1p(-u[:, 8] * share) * meson.c_tau / meson.m
    weight = made.weight * beam.interacting * share * (np.hypot(x, y) < beam.target_radius)
    tracks = _Tracks(
        np.arange(z.size, dtype=np.float64), x, y, z, ux / norm, uy / norm, uz / norm, made.p, weight, age
    )
    return tracks.keep(weight > 0.0)


def _advance(
    tracks: _Tracks, parent: str, polarity: float, beam: BoosterBeam, step: float, decayed: list[_Tracks]
) -> _Tracks:
    """Move mesons in the horn by one step; append those that decay in it to `decayed`."""
    p, age = tracks.p, tracks.age
    now = age * p < step
    ds = np.where(now, age * p, step)
    x, y, z = (q + 0.5 * ds * u for q, u in zip(*_position_and_direction(tracks), strict=True))
    r = np.hypot(x, y)
    inner = np.interp(z, CONDUCTOR_Z, CONDUCTOR_R)
    ux, uy, uz = tracks.ux, tracks.uy, tracks.uz
    if polarity and (field := (r > inner) & (z > 0.0) & (z < beam.end)).any():
        # half the angle of the turn, over r: B = mu_0 I/(2 pi r) around the axis
        turn = np.where(field, polarity * 2e-7 * beam.current * 149.896229 * ds / (p * r**2), 0.0)
        tx, ty = -y * turn, x * turn
        vx, vy, vz = ux - uz * ty, uy + uz * tx, uz + ux * ty - uy * tx
        scale = 2.0 / (1.0 + tx**2 + ty**2)
        ux, uy, uz = ux - vz * ty * scale, uy + vz * tx * scale, uz + (vx * ty - vy * tx) * scale
    x, y, z = x + 0.5 * ds * ux, y + 0.5 * ds * uy, z + 0.5 * ds * uz
    r_old, r_new = np.hypot(tracks.x, tracks.y), np.hypot(x, y)
    gap_old = r_old - np.interp(tracks.z, CONDUCTOR_Z, CONDUCTOR_R)
    gap_new = r_new - np.interp(z, CONDUCTOR_Z, CONDUCTOR_R)
    rod = np.where((r < beam.target_radius) & (z < beam.target_length), ds, 0.0)
    crossed = (gap_new > 0.0) != (gap_old > 0.0)
    wall = beam.conductor_thickness * ds / np.maximum(np.abs(gap_new - gap_old), 1e-12)
    wall = np.where(crossed, np.minimum(wall, 0.3), 0.0)
    weight, slowed = tracks.weight, p
    for material, path in ((BERYLLIUM, rod), (ALUMINIUM, wall)):
        touched = path > 0.0
        if touched.any():
            weight, slowed = weight.copy(), slowed.copy()
            weight[touched] *= np.exp(-path[touched] / material.absorption_length(parent))
            slowed[touched] = _slow(slowed[touched], path[touched], material, MESONS[parent].m)
    moved = _Tracks(tracks.index, x, y, z, ux, uy, uz, slowed, weight, age - ds / p)
    alive = (slowed > 20.0) & (r_new < beam.outer_radius) & (z > 0.0)
    decayed.append(moved.keep(now & alive))
    return moved.keep(~now & alive)


def _position_and_direction(tracks: _Tracks) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    return (tracks.x, tracks.y, tracks.z), (tracks.ux, tracks.uy, tracks.uz)


def _slow(p: Array, path: Array, material: Material, m: float) -> Array:
    """Momentum (n,) behind a path (n,) in a material; 0 for what stops, whose decay at rest is not aimed."""
    energy = np.hypot(p, m) - path * material.energy_loss(p, m)
    return np.sqrt(np.maximum(energy - m, 0.0) * (np.maximum(energy, m) + m))


def _drift(tracks: _Tracks, parent: str, beam: BoosterBeam) -> _Tracks:
    """Straight flight behind the horn: those that decay before wall or absorber, moved to where they do."""
    path = tracks.age * tracks.p
    positions, directions = _position_and_direction(tracks)
    x, y, z = (q + path * u for q, u in zip(positions, directions, strict=True))
    seen = z < beam.absorber
    for z_stop, r_stop in (*beam.apertures, (beam.absorber, beam.pipe_radius)):
        reach = np.minimum((z_stop - tracks.z) / tracks.uz, path)
        seen &= np.hypot(tracks.x + reach * tracks.ux, tracks.y + reach * tracks.uy) < r_stop
    weight = tracks.weight * np.exp(-path / AIR.absorption_length(parent))
    u = directions
    return _Tracks(tracks.index, x, y, z, u[0], u[1], u[2], tracks.p, weight, tracks.age).keep(seen)
