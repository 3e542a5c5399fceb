"""Dark-matter events at n points from the shipped tables; couplings and charges are exact.

Events are exp(L) sum_k a_k S_k: a the amplitudes of the flux of chi in a few spectral shapes (`basis`), a
function of m_V1 and m_chi; exp(L) S the kernel in these shapes, a function of m_V2, m_chi and m_chi'. The
logarithm L and the remaining shapes S, of order one, are interpolated with four-point Lagrange polynomials,
and so are the logarithm of the flux and its shape, source by source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.dark_matter import lsnd
from globalfit.physics.beam.dark_matter.channels import OBSERVABLES, SOURCES, Decay
from globalfit.physics.beam.dark_matter.flux import Masses, lsnd_flux
from globalfit.physics.beam.dark_matter.prepared import PARTS, compressed, lsnd_rows, shape_count
from globalfit.physics.beam.grid import MODES
from globalfit.physics.beam.interpolation import blend
from globalfit.physics.beam.nuclei import charge_weights
from globalfit.physics.beam.two_body import threshold
from globalfit.physics.compiled_code import is_compiled


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
    for decay, at, _ in masses.places:
        key = decay.name, each.kernel
        if key not in masses._blended:  # modes share it
            masses._blended[key] = _blend(masses, decay, each.kernel)
        size, shape = masses._blended[key]
        if is_compiled(masses.engine):
            from globalfit.physics.beam.dark_matter import compiled  # imports numba

            compiled.fold(a, shape, at, out)
            continue
        spectrum = np.matmul(a[at, None, :], shape[..., : each.last])[:, 0]
        np.maximum(spectrum, 0.0, out=spectrum)
        if size is not None:
            spectrum *= size
        out[at] = spectrum
    if each.total:
        out = out.sum(axis=-1, keepdims=True)
    out[~masses.inside & ~masses.closed] = np.inf
    return out


def _blend(masses: Masses, decay: Decay, name: str) -> tuple[Array | None, Array]:
    """Return size (m, 1) and shape (m, k, bins) of a kernel; no size where it is the shape's own."""
    setup = masses.setup
    kernel = compressed(setup.path, setup.charges, decay, name)
    at, x = next((at, x) for each, at, x in masses.places if each == decay)
    charges = None if masses.charges is None else masses.charges[at]
    size = None
    if is_compiled(masses.engine):
        from globalfit.physics.beam.dark_matter import compiled  # imports numba

        combined = compiled.mixed(kernel, decay, x, np.ones((len(at), 1)) if charges is None else charges)
    else:
        mixed = blend(kernel.rows, *masses.rows[decay.name])
        if charges is None:
            size, combined = np.exp(mixed[:, :1]), mixed[:, 1:]
        else:
            parts = mixed.reshape(len(at), len(PARTS), -1)
            sizes = np.exp(parts[..., 0]) * charges
            combined = np.matmul(sizes[:, None, :], parts[..., 1:])[:, 0]
    return size, (combined @ kernel.shapes).reshape(len(at), shape_count(setup.path), -1)


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
            one = lsnd_flux(setup, name, masses)
            h += one if factors is None else one * factors[name][:, None]
    if change is not None:
        h = change(h)
    apart = np.zeros((n, len(PARTS)))
    for decay, every, x in masses.places:
        reached = h[every].any(axis=1)
        at = every[reached]
        if not at.size:
            continue
        limits = np.stack(
            [threshold(masses.m_chi[at], masses.m_chi_prime[at], part.mass) for part in PARTS], axis=1
        )
        rows = lsnd_rows(setup.path, decay)
        if is_compiled(masses.engine):
            from globalfit.physics.beam.dark_matter import compiled  # imports numba

            place = (x[0][reached], x[1][reached], x[2][reached])
            apart[at] = compiled.lsnd_events(rows, decay, place, limits, h[at])
            continue
        index, weights = masses.rows[decay.name]
        mixed = blend(rows, index[reached], weights[reached]).reshape(len(at), len(PARTS), -1)
        full = np.maximum(lsnd.at_energies(mixed[..., 1:], limits), 0.0)
        apart[at] = np.exp(mixed[..., 0]) * np.matmul(full, h[at][..., None])[..., 0]
    if setup.charges is None:
        assert masses.charges is not None
        out = (apart * masses.charges).sum(axis=1)
    else:
        out = apart @ charge_weights(PARTS, *setup.charges)
    out[~masses.inside & ~masses.closed] = np.inf
    return np.asarray(out)
