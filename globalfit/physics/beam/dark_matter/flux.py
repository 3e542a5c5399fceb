"""Masses of dark matter with their places in the tables, and its flux: in spectral shapes, and at LSND.

The logarithm of a flux and its shape are interpolated source by source in m_V1 and (2 m_chi/m_V1)^2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.constants import M_E
from globalfit.physics.beam.dark_matter.channels import (
    DECAYS,
    GAP,
    HIGHEST_RATIO,
    M_CHI,
    M_V1,
    M_V2,
    SHARES,
    SOURCES,
    Decay,
    Source,
)
from globalfit.physics.beam.dark_matter.prepared import DarkMatter, amplitude_table, flux_table, shape_count
from globalfit.physics.beam.dark_matter.tables import load_tables
from globalfit.physics.beam.grid import MODES
from globalfit.physics.beam.interpolation import Index, Stencil, blend, neighbours, stencil
from globalfit.physics.compiled_code import Engine, is_compiled

if TYPE_CHECKING:
    from globalfit.physics.beam.compiled import Plane


@dataclass(frozen=True, eq=False)
class Masses:
    """Masses (n,) in MeV of V1, V2, chi and chi', with their places in the tables, found once."""

    setup: DarkMatter
    m_v1: Array
    m_v2: Array
    m_chi: Array
    m_chi_prime: Array
    flux_m_chi: Array | None = None  # instead of m_chi in the flux
    charges: Array | None = None  # (n, parts): weights of the parts of the target, if `setup` has none
    engine: Engine = "numpy"
    _blended: dict[tuple[str, str], tuple[Array | None, Array]] = field(default_factory=dict, repr=False)

    @cached_property
    def closed(self) -> Mask:
        """Whether V1 -> chi chibar or chi' -> chi e+ e- is closed (n,): no events."""
        return np.asarray((2.0 * self.light >= self.m_v1) | (self.m_chi_prime - self.m_chi <= 2.0 * M_E))

    @cached_property
    def light(self) -> Array:
        """Mass (n,) of chi in the flux."""
        return self.m_chi if self.flux_m_chi is None else self.flux_m_chi

    @cached_property
    def inside(self) -> Mask:
        """Whether the tables cover the masses (n,)."""
        gap = self.m_chi_prime - self.m_chi
        ratio = self.m_chi <= HIGHEST_RATIO * self.m_chi_prime
        inside = ratio & (gap >= GAP[0]) & (gap <= GAP[1]) & (self.m_v1 >= M_V1[0]) & (self.m_v1 <= M_V1[1])
        inside &= (self.m_v2 >= M_V2[0]) & (self.m_v2 <= M_V2[1])
        return np.asarray(inside & (self.m_chi >= M_CHI[0]) & (self.m_chi <= M_CHI[1]))

    @cached_property
    def places(self) -> tuple[tuple[Decay, Index, tuple[Array, Array, Array]], ...]:
        """For each decay its points (m,) and their places (m,) on its three axes."""
        found = []
        real = self.m_chi_prime - self.m_chi > self.m_v2
        for decay in DECAYS:
            at = np.flatnonzero((real == decay.on_shell) & self.inside & ~self.closed)
            if at.size:
                x = decay.coordinates(self.m_chi[at], self.m_chi_prime[at], self.m_v2[at])
                found.append((decay, at, x))
        return tuple(found)

    @cached_property
    def rows(self) -> dict[str, tuple[Index, Array]]:
        """For each decay 64 rows (m, 64) of its tables and their weights."""
        found = {}
        for decay, _, x in self.places:
            axes = (stencil(axis, each) for axis, each in zip(decay.nodes, x, strict=True))
            found[decay.name] = neighbours(*axes)
        return found

    @cached_property
    def amplitudes(self) -> Array:
        """`total_amplitudes` (n, modes, k) of these masses."""
        return total_amplitudes(self)

    @cached_property
    def share(self) -> Array:
        """(2 m_chi/m_V1)^2 (n,), within the tables."""
        return np.clip((2.0 * self.light / self.m_v1) ** 2, SHARES[0], 1.0)

    @cached_property
    def shares(self) -> Stencil:
        """Stencil in `share`."""
        return stencil(SHARES, self.share)


def amplitudes(masses: Masses, source: str) -> Array:
    """Return the flux amplitudes (n, modes, k) of one source, protons on target included, of `grid.MODES`."""
    return _amplitudes(masses, (source,), {})


def total_amplitudes(masses: Masses, factors: Mapping[str, Array] | None = None) -> Array:
    """Return amplitudes (n, modes, k) of all sources, each times its factor (n,) if there are any."""
    return _amplitudes(masses, masses.setup.sources, factors or {})


def lsnd_flux(setup: DarkMatter, source: str, masses: Masses) -> Array:
    """Return the flux (n, energies) of a source at LSND; zero where the source is closed."""
    table, each = flux_table(setup, source, "lsnd"), SOURCES[source]
    out = np.zeros((len(masses.m_v1), table.shape[1] - 1))
    scale = _scale(masses, source, {})
    at = np.flatnonzero(scale)
    if not at.size:
        return out
    if is_compiled(masses.engine):
        from globalfit.physics.beam import compiled  # imports numba

        plane = _lsnd_plane(setup, source)
        compiled.add_levelled(plane, _coordinate(each, masses.m_v1), masses.share, scale, out)
        return np.maximum(out, 0.0, out=out)
    mixed = blend(table, *neighbours(_place(each, masses.m_v1[at]), masses.shares.take(at)))
    size = np.exp(mixed[:, 0]) * scale[at]
    out[at] = np.maximum(mixed[:, 1:] * size[:, None], 0.0)
    return out


@cache
def _lsnd_plane(setup: DarkMatter, source: str) -> Plane:
    """Table of `lsnd_flux` for compiled code."""
    from globalfit.physics.beam.compiled import Plane

    return Plane.of(flux_table(setup, source, "lsnd"), _source_nodes(SOURCES[source]), SHARES)


def branching_ratio(path: Path, source: str, weights: Sequence[float], m_v1: Array) -> Array:
    """Return BR(M -> ... V1) (n,) of a charged or neutral meson per squared coupling; zero if closed."""
    each = SOURCES[source]
    logs = np.log(load_tables(path).arrays[f"branching/{source}"] @ np.asarray(weights))
    at = _place(each, m_v1)
    return np.asarray(np.exp(blend(logs[:, None], *neighbours(at))[:, 0]) * closing(each, m_v1))


def closing(source: Source, m_v1: Array) -> Array:
    """Return 1 below a source's last node, 0 above its threshold, falling linearly between."""
    last = source.highest
    if last < 0.99 * source.threshold:  # the tables end before the source does
        return np.ones(len(m_v1))
    return np.asarray(np.clip((source.threshold - m_v1) / (source.threshold - last), 0.0, 1.0))


def _amplitudes(masses: Masses, sources: Sequence[str], factors: Mapping[str, Array]) -> Array:
    """Sum of the sources' amplitudes (n, modes, k), each times its factor (n,)."""
    scales = {name: _scale(masses, name, factors) for name in sources}
    scales = {name: scale for name, scale in scales.items() if scale.any()}
    if not scales:
        return np.zeros((len(masses.m_v1), len(MODES), shape_count(masses.setup.path)))
    made = (_compiled_sum if is_compiled(masses.engine) else _sum)(masses, scales)
    return made.reshape(len(made), len(MODES), -1)


def _scale(masses: Masses, name: str, factors: Mapping[str, Array]) -> Array:
    """Return what multiplies the amplitudes of a source (n,): 0 where it or what follows is closed."""
    source = SOURCES[name]
    reached = (masses.m_v1 < source.threshold) & ~masses.closed
    scale = np.where(reached, closing(source, masses.m_v1), 0.0)
    return scale * factors[name] if name in factors else scale


def _sum(masses: Masses, scales: Mapping[str, Array]) -> Array:
    """Sum (n, modes k) of sources, each times its scale (n,): one product with a sparse matrix for all."""
    table, first = amplitude_table(masses.setup)
    n = len(masses.m_v1)
    index, weights = np.empty((n, len(scales), 16), dtype=np.intp), np.empty((n, len(scales), 16))
    for i, name in enumerate(scales):
        own, weights[:, i] = neighbours(_place(SOURCES[name], masses.m_v1), masses.shares)
        np.add(own, first[name], out=index[:, i])
    scale = np.stack(list(scales.values()), axis=1)
    reached = scale != 0.0
    index, weights = index[reached], weights[reached]
    levels = np.einsum("ij,ij->i", table[:, 0].take(index), weights)
    weights *= (np.exp(levels) * scale[reached])[:, None]
    from scipy.sparse import csr_array

    ends = 16 * np.append(0, np.cumsum(reached.sum(axis=1)))
    matrix = csr_array((weights.ravel(), index.ravel(), ends), shape=(n, len(table)))
    return np.asarray(matrix @ table)[:, 1:]


def _compiled_sum(masses: Masses, scales: Mapping[str, Array]) -> Array:
    """Do the same in compiled code, one source after the other."""
    from globalfit.physics.beam import compiled  # imports numba

    planes = _planes(masses.setup)
    out = np.zeros((len(masses.m_v1), planes[next(iter(scales))].table.shape[1] - 1))
    for name, scale in scales.items():
        x = _coordinate(SOURCES[name], masses.m_v1)
        compiled.add_levelled(planes[name], x, masses.share, scale, out)
    return out


@cache
def _planes(setup: DarkMatter) -> dict[str, Plane]:
    """Parts of `amplitude_table` for compiled code, by source."""
    from globalfit.physics.beam.compiled import Plane

    table, first = amplitude_table(setup)
    nodes = {name: _source_nodes(SOURCES[name]) for name in first}
    return {
        name: Plane.of(table[start : start + len(nodes[name]) * len(SHARES)], nodes[name], SHARES)
        for name, start in first.items()
    }


def _place(source: Source, m_v1: Array) -> Stencil:
    return stencil(_source_nodes(source), _coordinate(source, m_v1))


def _coordinate(source: Source, m_v1: Array) -> Array:
    return source.coordinate(np.clip(m_v1, M_V1[0], source.highest))


@cache
def _source_nodes(source: Source) -> Array:
    return source.coordinate(source.masses)
