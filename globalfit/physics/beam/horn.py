"""The Booster neutrino beam: mesons from the beryllium target through the magnetic horn to where they decay.

Each meson is followed in steps: bent by the horn's field, slowed and absorbed in target and conductor, and its
proper time counted, so that a decay inside the horn happens there. z along the beam, origin at the target's
upstream face. Geometry: arXiv:0806.1449; the conductor's profile and the beam spot as in the public code RKHorn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.materials import AIR, ALUMINIUM, BERYLLIUM
from globalfit.physics.beam.mesons import MESONS, MesonSample
from globalfit.physics.beam.production import draw, meson_cross_section, sobol

# Inner conductor of the horn: z and radius in m.
CONDUCTOR_Z = (0.0, 0.776, 1.13, 1.367, 1.716, 1.814, 1.850, 1.890, 1.921, 1.939)
CONDUCTOR_R = (0.022, 0.022, 0.0654, 0.0654, 0.022, 0.0258, 0.0373, 0.0603, 0.0949, 0.1409)


@dataclass(frozen=True)
class BoosterBeam:
    """Target, horn and decay region; lengths in m, current in A.

    The apertures (z, r) are those of the collimator and the pipe [unconfirmed]; what hits them is stopped.
    """

    current: float = 174e3
    target_length: float = 0.711
    target_radius: float = 0.0051
    outer_radius: float = 0.30
    conductor_thickness: float = 0.003
    absorber: float = 50.0
    pipe_radius: float = 0.91
    apertures: tuple[tuple[float, float], ...] = ((2.59, 0.30), (4.73, 0.354))
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
    """State of the mesons still flying; all arrays (n,) but x and u (n, 3). `age` is what is left to the decay."""

    index: Array
    x: Array
    u: Array
    p: Array
    weight: Array
    age: Array

    def keep(self, mask: Array) -> _Tracks:
        return _Tracks(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def horn_beam(
    parent: str,
    mode: str,
    n: int = 2**17,
    seed: int = 1,
    beam: BoosterBeam | None = None,
    step: float = 0.01,
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
    while tracks.index.size and bool((tracks.x[:, 2] < beam.end).any()):
        tracks = _advance(tracks, parent, polarity, beam, step, decayed)
    decayed.append(_drift(tracks, parent, beam))
    at = [np.concatenate([getattr(each, name) for each in decayed]) for name in _Tracks.__dataclass_fields__]
    index, x, direction, p, weight, _ = at
    order = np.argsort(index)  # the order of the sequence, so that no result depends on the tracking's
    spare = u[index.astype(np.int64), 9:]
    return MesonSample(meson, x[order], direction[order], p[order], weight[order], spare[order])


def _start(parent: str, u: Array, beam: BoosterBeam) -> _Tracks:
    """Mesons at their production in the target, with the proper time (in units of m/p, times c) they will live."""
    from scipy.special import ndtri

    made = draw(meson_cross_section(parent), u[:, :3])
    meson = MESONS[parent]
    length = BERYLLIUM.absorption_length("p")
    z = -length * np.log1p(-u[:, 3] * beam.interacting)
    slope = ndtri(u[:, 6:8]) * np.array(beam.divergence)
    spot = ndtri(u[:, 4:6]) * np.array(beam.spot)
    x = np.column_stack((spot + slope * z[:, None], z))
    sine = np.sin(made.theta)
    direction = np.column_stack((sine * np.cos(made.phi), sine * np.sin(made.phi), np.cos(made.theta)))
    direction[:, :2] += slope * direction[:, 2:]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # A decay beyond 1.3 times the beamline is never seen: the age is drawn below that and weighted.
    longest = 1.3 * beam.absorber * meson.m / (made.p * meson.c_tau)
    share = -np.expm1(-longest)
    age = -np.log1p(-u[:, 8] * share) * meson.c_tau / meson.m  # path/p in m/MeV
    weight = made.weight * beam.interacting * share * (np.hypot(x[:, 0], x[:, 1]) < beam.target_radius)
    tracks = _Tracks(np.arange(z.size, dtype=np.float64), x, direction, made.p, weight, age)
    return tracks.keep(weight > 0.0)


def _advance(
    tracks: _Tracks, parent: str, polarity: float, beam: BoosterBeam, step: float, decayed: list[_Tracks]
) -> _Tracks:
    """Move every meson before the horn's end by one step; append those that decay in it to `decayed`."""
    flying = tracks.x[:, 2] < beam.end
    ds = np.where(flying, step, 0.0)
    x, u, p = tracks.x, tracks.u, tracks.p
    now = flying & (tracks.age < ds / p)
    ds = np.where(now, tracks.age * p, ds)
    middle = x + 0.5 * ds[:, None] * u
    r = np.hypot(middle[:, 0], middle[:, 1])
    inner = np.interp(middle[:, 2], CONDUCTOR_Z, CONDUCTOR_R)
    field = (r > inner) & (r < beam.outer_radius) & (middle[:, 2] > 0.0) & (middle[:, 2] < beam.end)
    u = _bend(u, middle, r, np.where(field, polarity * 2e-7 * beam.current, 0.0), p, ds)
    new = middle + 0.5 * ds[:, None] * u
    # Matter: the target rod, and the conductor's wall where it is crossed.
    in_target = (r < beam.target_radius) & (middle[:, 2] < beam.target_length)
    r_old, r_new = np.hypot(x[:, 0], x[:, 1]), np.hypot(new[:, 0], new[:, 1])
    inner_old = np.interp(x[:, 2], CONDUCTOR_Z, CONDUCTOR_R)
    inner_new = np.interp(new[:, 2], CONDUCTOR_Z, CONDUCTOR_R)
    depth = (r_new - inner_new) - (r_old - inner_old)
    crossed = (r_new > inner_new) != (r_old > inner_old)
    wall = np.where(
        crossed, np.minimum(beam.conductor_thickness * ds / np.maximum(np.abs(depth), 1e-12), 0.3), 0.0
    )
    rod = np.where(in_target, ds, 0.0)
    weight = tracks.weight * np.exp(
        -rod / BERYLLIUM.absorption_length(parent) - wall / ALUMINIUM.absorption_length(parent)
    )
    m = MESONS[parent].m
    energy = np.hypot(p, m) - rod * BERYLLIUM.energy_loss(p, m) - wall * ALUMINIUM.energy_loss(p, m)
    slowed = np.sqrt(np.maximum(energy**2 - m**2, 0.0))
    moved = _Tracks(tracks.index, new, u, slowed, weight, tracks.age - ds / p)
    # below 20 MeV a meson stops in the target: its decays at rest are not aimed at a far detector
    lost = (slowed < 20.0) | (energy <= m) | (r_new > beam.outer_radius) | (new[:, 2] < 0.0)
    decayed.append(moved.keep(now & ~lost))
    return moved.keep(~now & ~lost)


def _bend(u: Array, x: Array, r: Array, field_r: Array, p: Array, ds: Array) -> Array:
    """Rotate directions u (n, 3) by a field of field_r/r tesla around the beam axis over ds (n,) metres."""
    strength = 0.5 * 299.792458 * field_r / np.maximum(r, 1e-6) * ds / p  # half the angle, small
    t = np.zeros_like(u)
    t[:, 0], t[:, 1] = -x[:, 1] / np.maximum(r, 1e-6) * strength, x[:, 0] / np.maximum(r, 1e-6) * strength
    first = u + np.cross(u, t)
    rotated: Array = u + np.cross(first, 2.0 * t / (1.0 + strength[:, None] ** 2))
    return rotated


def _drift(tracks: _Tracks, parent: str, beam: BoosterBeam) -> _Tracks:
    """Straight flight behind the horn: those that decay before wall or absorber, moved to where they do."""
    path = tracks.age * tracks.p
    x = tracks.x + path[:, None] * tracks.u
    seen = x[:, 2] < beam.absorber
    for z, r in (*beam.apertures, (beam.absorber, beam.pipe_radius)):
        reach = np.minimum((z - tracks.x[:, 2]) / tracks.u[:, 2], path)
        at = tracks.x + reach[:, None] * tracks.u
        seen &= np.hypot(at[:, 0], at[:, 1]) < r
    weight = tracks.weight * np.exp(-path / AIR.absorption_length(parent))
    return _Tracks(tracks.index, x, tracks.u, tracks.p, weight, tracks.age).keep(seen)
