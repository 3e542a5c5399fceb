"""What is made of the shipped tables once, for sources and charges: flux amplitudes, fluxes, kernels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.physics.beam.dark_matter.channels import CHARGED, NEUTRAL, SOURCES, Decay, leg_weights
from globalfit.physics.beam.dark_matter.tables import load_tables
from globalfit.physics.beam.grid import LEGS, MODES
from globalfit.physics.beam.nuclei import charge_weights, named_charges, scatterers

LEPTONS = {"mu": ("mu",), "e": ("e",), "e+mu": ("mu", "e")}
PARTS = scatterers({"C": 1.0, "H": 1.0})  # of both detectors: carbon coherent, incoherent; hydrogen
KEPT = 3e-4  # of the shapes (root mean square) that compression may lose
NUBAR_EXPOSURE = 1.127 / 1.875  # protons on target, antineutrino over neutrino mode


@dataclass(frozen=True)
class DarkMatter:
    """Sources of V1 with the weights of their terms, and nuclear charges.

    Parameters
    ----------
    path : Path
        The file of tables.
    production : tuple of (source, weights)
        Names of `channels.SOURCES` and the weights of their terms.
    charges : (float, float) or None
        Charges of proton and neutron under V2; None where they are those of each point, `Masses.charges`.
    """

    path: Path
    production: tuple[tuple[str, tuple[float, ...]], ...]
    charges: tuple[float, float] | None = (1.0, 0.0)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources."""
        return tuple(name for name, _ in self.production)


@cache
def dark_matter(
    path: Path, leg: str = "lepton", leptons: str = "mu", nuclear_charge: str = "Z"
) -> DarkMatter:
    """Return V1 from one leg of pi, K -> l nu V1, or from "neutral" mesons, pi0, eta -> gamma V1.

    Raises
    ------
    GlobalfitError
        If a choice is unknown.
    """
    production: tuple[tuple[str, tuple[float, ...]], ...]
    if leg == "neutral":
        production = tuple((source.name, (1.0,)) for source in NEUTRAL)
    else:
        for kind, value, known in (("leg", leg, (*LEGS, "neutral")), ("leptons", leptons, tuple(LEPTONS))):
            if value not in known:
                raise GlobalfitError("beam", f"no {kind} '{value}'", did_you_mean(str(value), known))
        production = tuple((s.name, leg_weights(leg)) for s in CHARGED if s.lepton in LEPTONS[leptons])
    return DarkMatter(path, production, named_charges(nuclear_charge))


def seen(path: Path) -> slice:
    """Return which of the energies of `grid.CENTRES` events depend on."""
    weight = load_tables(path).arrays["weight"]
    energies = np.flatnonzero(weight > 0.0)
    return slice(int(energies[0]), int(energies[-1]) + 1)


def spectra(path: Path, a: Array) -> Array:
    """Return fluxes (..., energies) of amplitudes (..., k), at `seen` energies, in the span of the shapes."""
    return np.asarray(a @ _spans(path)[0])


def project(path: Path, h: Array) -> Array:
    """Return the amplitudes (..., k) of fluxes (..., energies): the inverse of `spectra`."""
    return np.asarray(h @ _spans(path)[1])


@cache
def _spans(path: Path) -> tuple[Array, Array]:
    """Matrices (k, energies) and (energies, k) of `spectra` and `project`."""
    arrays, at = load_tables(path).arrays, seen(path)
    shapes, weight = arrays["shapes"][:, at], arrays["weight"][at]
    inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0.0)
    return np.ascontiguousarray(shapes * inverse), np.ascontiguousarray((shapes * weight).T)


class Kernel(NamedTuple):
    """Kernels of a decay as weights of the few combinations that matter."""

    rows: Array  # (nodes, 1 + r): the level, and the weights of r combinations; of one part after the other
    shapes: Array  # (r, k times bins)


@cache
def amplitude_table(setup: DarkMatter) -> tuple[Array, dict[str, int]]:
    """Ln size and shape (nodes, 1 + modes k) of all sources, one below the other, and where each starts."""
    k = shape_count(setup.path)
    first: dict[str, int] = {}
    found: list[Array] = []
    for name in setup.sources:
        table = flux_table(setup, name, "flux")
        whole = np.zeros((len(table), 1 + len(MODES) * k))
        whole[:, 0] = table[:, 0]
        shape, modes = whole[:, 1:].reshape(len(table), len(MODES), k), SOURCES[name].modes
        for i, mode in enumerate(modes):
            shape[:, MODES.index(mode)] = table[:, 1 + i * k : 1 + (i + 1) * k]
        if "nubar" not in modes:
            # the horn does not touch neutral mesons
            shape[:, MODES.index("nubar")] = NUBAR_EXPOSURE * shape[:, MODES.index("nu")]
        first[name] = sum(map(len, found))
        found.append(whole)
    return np.concatenate(found), first


@cache
def flux_table(setup: DarkMatter, source: str, kind: str) -> Array:
    """Log of the flux in its first mode, and flux over that (nodes, 1 + columns), terms added up."""
    weights = np.asarray(dict(setup.production)[source])
    table = load_tables(setup.path).arrays[f"{kind}/{source}"]
    if kind == "lsnd":
        flat = np.einsum("ijte,t->ije", table, weights).reshape(table.shape[0] * table.shape[1], -1)
        size = flat.sum(axis=1)
    else:
        made = np.einsum("ijmtk,t->ijmk", table, weights)
        flat = made.reshape(table.shape[0] * table.shape[1], -1)
        size = np.linalg.norm(flat[:, : table.shape[-1]], axis=1)
    return np.ascontiguousarray(np.column_stack((np.log(size), flat / size[:, None])))


@cache
def compressed(path: Path, charges: tuple[float, float] | None, decay: Decay, kernel: str) -> Kernel:
    """Return a decay's kernels compressed to the shapes that matter, with charges put in if known."""
    arrays = load_tables(path).arrays
    level, shapes = arrays[f"level/{decay.name}"], arrays[f"{kernel}/{decay.name}"]
    if charges is None:
        top, whole = level.reshape(-1), shapes.astype(np.float64)
    else:
        parts = charge_weights(PARTS, *charges) * np.exp(level - level.max(axis=1, keepdims=True))
        total = parts.sum(axis=1)
        top = level.max(axis=1) + np.log(total)
        whole = np.einsum("np,npkb->nkb", parts / total[:, None], shapes)
    flat = whole.reshape(len(top), -1)
    u, s, v = np.linalg.svd(flat, full_matrices=False)
    tail = np.sqrt(np.cumsum(s[::-1] ** 2)[::-1] / np.sum(s**2))
    r = int(np.searchsorted(-tail, -KEPT))
    rows = np.column_stack((top, u[:, :r] * s[:r])).reshape(len(level), -1)
    return Kernel(np.ascontiguousarray(rows), np.ascontiguousarray(v[:r]))


@cache
def lsnd_rows(path: Path, decay: Decay) -> Array:
    """Return levels and kernels of LSND side by side (nodes, parts times 1 + energies over threshold)."""
    arrays = load_tables(path).arrays
    level, kernel = arrays[f"level/{decay.name}"], arrays[f"lsnd/{decay.name}"]
    both = np.concatenate((level[..., None], kernel), axis=-1, dtype=np.float64)
    return np.ascontiguousarray(both.reshape(len(level), -1))


@cache
def shape_count(path: Path) -> int:
    """Return the number of spectral shapes."""
    return len(load_tables(path).arrays["shapes"])
