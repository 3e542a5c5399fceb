"""Dark-matter events at n points from the shipped tables; couplings and charges are exact.

Events are exp(L) sum_k a_k S_k: a the amplitudes of the flux of chi in a few spectral shapes (`basis`), a
function of m_V1 and m_chi; exp(L) S the kernel in these shapes, a function of m_V2, m_chi and m_chi'. The
logarithm L and the remaining shapes S, of order one, are interpolated with four-point Lagrange polynomials,
and so are the logarithm of the flux and its shape, source by source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.constants import M_E
from globalfit.physics.beam.dark_matter import lsnd
from globalfit.physics.beam.dark_matter.channels import (
    DECAYS,
    GAP,
    HIGHEST_RATIO,
    M_CHI,
    M_V1,
    M_V2,
    OBSERVABLES,
    SHARES,
    SOURCES,
    Decay,
    Source,
)
from globalfit.physics.beam.dark_matter.prepared import (
    PARTS,
    DarkMatter,
    amplitude_table,
    compressed,
    flux_table,
    shape_count,
)
from globalfit.physics.beam.dark_matter.tables import load_tables
from globalfit.physics.beam.grid import MODES
from globalfit.physics.beam.interpolation import Index, blend, stencil, tensor_stencil
from globalfit.physics.beam.nuclei import charge_weights
from globalfit.physics.beam.two_body import threshold


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
    def places(self) -> tuple[tuple[Decay, Index, Index, Array], ...]:
        """For each decay its points (m,), 64 rows (m, 64) of the tables and weights."""
        found = []
        real = self.m_chi_prime - self.m_chi > self.m_v2
        for decay in DECAYS:
            at = np.flatnonzero((real == decay.on_shell) & self.inside & ~self.closed)
            if not at.size:
                continue
            x = decay.coordinates(self.m_chi[at], self.m_chi_prime[at], self.m_v2[at])
            axes = [stencil(axis, each) for axis, each in zip(decay.nodes, x, strict=True)]
            pair = tensor_stencil(axes[0], axes[1], len(decay.nodes[1]))
            index, weights = tensor_stencil(pair, axes[2], len(decay.nodes[2]))
            found.append((decay, at, index, weights))
        return tuple(found)

    @cached_property
    def amplitudes(self) -> Array:
        """`total_amplitudes` (n, modes, k) of these masses."""
        return total_amplitudes(self)

    @cached_property
    def shares(self) -> tuple[Index, Array]:
        """Stencil in (2 m_chi/m_V1)^2."""
        share = (2.0 * self.light / self.m_v1) ** 2
        return stencil(SHARES, np.clip(share, SHARES[0], 1.0))


def amplitudes(masses: Masses, source: str) -> Array:
    """Return the flux amplitudes (n, modes, k) of one source, protons on target included, of `grid.MODES`."""
    return _amplitudes(masses, (source,), {})


def total_amplitudes(masses: Masses, factors: Mapping[str, Array] | None = None) -> Array:
    """Return amplitudes (n, modes, k) of all sources, each times its factor (n,) if there are any."""
    return _amplitudes(masses, masses.setup.sources, factors or {})


def events(masses: Masses, quantity: str) -> Array:
    """Return expected events (n, bins) per unit couplings squared; inf outside the tables.

    Parameters
    ----------
    masses : Masses
    quantity : str
        Of `channels.OBSERVABLES`, or "signal_lsnd".
    """
    if quantity == "signal_lsnd":
        return lsnd_events(masses)[:, None]
    return fold(masses, masses.amplitudes[:, MODES.index(OBSERVABLES[quantity].mode)], quantity)


def fold(masses: Masses, a: Array, quantity: str) -> Array:
    """Return events (n, bins) of flux amplitudes `a` (n, k) in the mode of the quantity."""
    each = OBSERVABLES[quantity]
    out = np.zeros((len(masses.m_v1), each.last))
    for decay, at, index, weights in masses.places:
        key = decay.name, each.kernel
        if key not in masses._blended:  # modes share it
            masses._blended[key] = _blend(masses, decay, each.kernel, at, index, weights)
        size, shape = masses._blended[key]
        spectrum = np.matmul(a[at, None, :], shape[..., : each.last])[:, 0]
        np.maximum(spectrum, 0.0, out=spectrum)
        if size is not None:
            spectrum *= size
        out[at] = spectrum
    if each.total:
        out = out.sum(axis=-1, keepdims=True)
    out[~masses.inside & ~masses.closed] = np.inf
    return out


def _blend(
    masses: Masses, decay: Decay, kernel: str, at: Index, index: Index, weights: Array
) -> tuple[Array | None, Array]:
    """Return size (m, 1) and shape (m, k, bins) of a kernel; no size but the shape's own if charges vary."""
    setup = masses.setup
    rows, shapes = compressed(setup.path, setup.charges, decay, kernel)
    mixed = blend(rows, index, weights)
    size = None
    if setup.charges is None:
        assert masses.charges is not None
        parts = mixed.reshape(len(at), len(PARTS), -1)
        sizes = np.exp(parts[..., 0]) * masses.charges[at]
        combined = np.matmul(sizes[:, None, :], parts[..., 1:])[:, 0]
    else:
        size, combined = np.exp(mixed[:, :1]), mixed[:, 1:]
    return size, (combined @ shapes).reshape(len(at), shape_count(setup.path), -1)


def lsnd_events(
    masses: Masses,
    factors: Mapping[str, Array] | None = None,
    change: Callable[[Array], Array] | None = None,
) -> Array:
    """Return LSND's showers of 20 to 60 MeV (n,) per unit couplings squared.

    Only from pi+ -> l+ nu V1. The factors (n,) multiply the sources, `change` acts on the flux (n, energies).
    """
    n, setup = len(masses.m_v1), masses.setup
    h = np.zeros((n, lsnd.BINS))
    for name in setup.sources:
        source = SOURCES[name]
        if source.meson == "pi":
            one = _lsnd_flux(setup, name, masses)
            h += one if factors is None else one * factors[name][:, None]
    if change is not None:
        h = change(h)
    apart = np.zeros((n, len(PARTS)))
    for decay, at, index, weights in masses.places:
        tables = load_tables(setup.path).arrays
        level = blend(tables[f"level/{decay.name}"], index, weights)
        flat = tables[f"lsnd/{decay.name}"].reshape(len(tables[f"lsnd/{decay.name}"]), -1)
        kernel = blend(flat, index, weights).reshape(len(at), len(PARTS), -1)
        limits = np.stack(
            [threshold(masses.m_chi[at], masses.m_chi_prime[at], part.mass) for part in PARTS], axis=1
        )
        full = np.maximum(lsnd.at_energies(kernel, limits), 0.0)
        apart[at] = np.exp(level) * np.matmul(full, h[at][..., None])[..., 0]
    if setup.charges is None:
        assert masses.charges is not None
        out = (apart * masses.charges).sum(axis=1)
    else:
        out = apart @ charge_weights(PARTS, *setup.charges)
    out[~masses.inside & ~masses.closed] = np.inf
    return np.asarray(out)


def branching_ratio(path: Path, source: str, weights: Sequence[float], m_v1: Array) -> Array:
    """Return BR(M -> ... V1) (n,) of a charged or neutral meson per squared coupling; zero if closed."""
    each = SOURCES[source]
    logs = np.log(load_tables(path).arrays[f"branching/{source}"] @ np.asarray(weights))
    at = _place(each, m_v1)
    return np.asarray(np.exp(blend(logs[:, None], *at)[:, 0]) * closing(each, m_v1))


def closing(source: Source, m_v1: Array) -> Array:
    """Return 1 below a source's last node, 0 above its threshold, falling linearly between."""
    last = source.highest
    if last < 0.99 * source.threshold:  # the tables end before the source does
        return np.ones(len(m_v1))
    return np.asarray(np.clip((source.threshold - m_v1) / (source.threshold - last), 0.0, 1.0))


def _amplitudes(masses: Masses, sources: Sequence[str], factors: Mapping[str, Array]) -> Array:
    """Sum of the sources' amplitudes (n, modes, k): one product with a sparse matrix for all of them."""
    n, k = len(masses.m_v1), shape_count(masses.setup.path)
    table, first = amplitude_table(masses.setup)
    points, rows, shares, scales = [], [], [], []
    for name in sources:
        each = SOURCES[name]
        at = np.flatnonzero((masses.m_v1 < each.threshold) & ~masses.closed)
        if not at.size:
            continue
        place = masses.shares[0][at], masses.shares[1][at]
        index, weights = tensor_stencil(_place(each, masses.m_v1[at]), place, len(SHARES))
        scale = closing(each, masses.m_v1[at])
        points.append(at)
        rows.append(index + first[name])
        shares.append(weights)
        scales.append(scale * factors[name][at] if name in factors else scale)
    if not points:
        return np.zeros((n, len(MODES), k))
    own = np.concatenate(points)
    order = np.argsort(own, kind="stable")
    index, weights = np.concatenate(rows)[order], np.concatenate(shares)[order]
    level = np.einsum("ij,ij->i", table[:, 0].take(index), weights)
    weights *= (np.exp(level) * np.concatenate(scales)[order])[:, None]
    ends = index.shape[1] * np.concatenate(([0], np.cumsum(np.bincount(own, minlength=n))))
    from scipy.sparse import csr_array

    made = csr_array((weights.ravel(), index.ravel(), ends), shape=(n, len(table))) @ table[:, 1:]
    return np.asarray(made).reshape(n, len(MODES), k)


def _lsnd_flux(setup: DarkMatter, source: str, masses: Masses) -> Array:
    """Blended flux (n, energies) of a source at LSND; zero where the source is closed."""
    table = flux_table(setup, source, "lsnd")
    each = SOURCES[source]
    out = np.zeros((len(masses.m_v1), table.shape[1] - 1))
    at = np.flatnonzero((masses.m_v1 < each.threshold) & ~masses.closed)
    if at.size:
        shares = masses.shares[0][at], masses.shares[1][at]
        mixed = blend(table, *tensor_stencil(_place(each, masses.m_v1[at]), shares, len(SHARES)))
        scale = np.exp(mixed[:, 0]) * closing(each, masses.m_v1[at])
        out[at] = np.maximum(mixed[:, 1:] * scale[:, None], 0.0)
    return out


def _place(source: Source, m_v1: Array) -> tuple[Index, Array]:
    nodes = _source_nodes(source)
    at = source.coordinate(np.clip(m_v1, M_V1[0], source.highest))
    return stencil(nodes, at)


@cache
def _source_nodes(source: Source) -> Array:
    return source.coordinate(source.masses)
