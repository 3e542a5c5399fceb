"""Build the tables of dark matter from the reference path."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.physics.beam.dark_matter.basis import Basis, balance, find_basis, grid_matrix
from globalfit.physics.beam.dark_matter.channels import (
    CHARGED,
    DECAYS,
    KERNELS,
    SHARES,
    SOURCES,
    Decay,
    leg_weights,
    right_handed_weights,
)
from globalfit.physics.beam.dark_matter.lsnd import BINS as LSND_BINS
from globalfit.physics.beam.dark_matter.lsnd import OVER_THRESHOLD
from globalfit.physics.beam.dark_matter.reference import SAMPLE, Reference, production_spectrum
from globalfit.physics.beam.dark_matter.tables import DarkMatterTables, save_tables
from globalfit.physics.beam.grid import CENTRES, LEGS
from globalfit.physics.beam.pair_kernels import pair_kernel
from globalfit.physics.beam.two_body import threshold

Progress = Callable[[str, int, int], None]
OF_KERNELS, OF_FLUXES = 10, 4  # shapes in energy
SHAPES = OF_KERNELS + OF_FLUXES
# Energy bins at which kernels are computed, 99 MeV to 7.6 GeV: a pair of one mass has an edge in energy.
ROWS = {"on_shell": np.arange(29, 86), "virtual": np.arange(29, 86, 2)}
# Quadrature nodes in t and points of the decay: a pair of one mass needs fewer.
PRECISION = {"on_shell": {"nodes": 12, "points": 64}, "virtual": {"nodes": 20, "points": 128}}
LSND = {"nodes": 12, "points": 64}
FLOOR = 1e-200


def build_dark_matter_tables(
    path: Path, progress: Progress | None = None, *, n: int = SAMPLE, seed: int = 1
) -> DarkMatterTables:
    """Compute the tables of dark matter and write them to `path`; half an hour or more on one core.

    Parameters
    ----------
    path : Path
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    n, seed : int
        Mesons drawn for each part of a source, and the seed.
    """
    tell = progress or (lambda stage, done, total: None)
    with as_file(files("globalfit.likelihoods") / "data" / "experiments") as folder:
        reference = Reference(folder, n, seed)
        cards = "".join((folder / f"{name}.toml").read_text(encoding="utf-8") for name in reference.cards)
        arrays: dict[str, NDArray[Any]] = {}
        fluxes = _fluxes(reference, tell)
        basis = _basis(reference, fluxes)
        arrays |= {"weight": basis.weight, "shapes": basis.shapes}
        for name, source in SOURCES.items():
            arrays[f"flux/{name}"] = basis.project_flux(fluxes[name])
            arrays[f"branching/{name}"] = np.array(
                [_branching(source.parents[0], source.lepton, m) for m in source.masses.tolist()]
            )
        arrays |= _lsnd_fluxes(reference)
        usual = basis.project_flux(next(_training(fluxes))).mean(axis=0)
        for decay in DECAYS:
            arrays |= _kernel_tables(reference, decay, basis, usual, tell)
    tables = DarkMatterTables(
        arrays,
        {
            "built_with": f"globalfit {__version__}, numpy {np.__version__}",
            "cards_sha256": hashlib.sha256(cards.encode()).hexdigest(),
            "mesons": f"{n} a source, seed {seed}",
            "command": "globalfit build dark-matter",
        },
    )
    save_tables(path, tables)
    return tables


def _fluxes(reference: Reference, tell: Progress) -> dict[str, Array]:
    """Fluxes of MiniBooNE times protons on target, {source: (m_V1, shares, modes, terms, 89)}."""
    pot = reference.cards["miniboone"].exposure
    found = {}
    for done, (name, source) in enumerate(SOURCES.items()):
        tell("fluxes", done, len(SOURCES))
        masses = source.masses
        out = np.zeros((len(masses), len(SHARES), len(source.modes), len(source.terms), CENTRES.size))
        for i, j in product(range(len(masses)), range(len(SHARES))):
            m_v1, m_chi = float(masses[i]), 0.5 * float(masses[i]) * float(np.sqrt(SHARES[j]))
            for k, mode in enumerate(source.modes):
                out[i, j, k] = pot[mode] * reference.flux("miniboone", source, mode, m_v1, m_chi)
        found[name] = out
    tell("fluxes", len(SOURCES), len(SOURCES))
    return found


def _training(fluxes: dict[str, Array]) -> Iterator[Array]:
    """Positive fluxes (n, 89) of every leg and source, softened and shifted too; the usual ones first."""
    right = ((-1.0, 1.0, -2.0), (0.0, 1.0, -2.0), (-1.0, 0.5, -1.0), (0.0, 0.5, -1.0), (-1.0, 0.0, 0.0))
    charged = [leg_weights(leg) for leg in LEGS] + [right_handed_weights(*legs) for legs in right]
    usual = np.concatenate([np.asarray(charged[0]) @ fluxes[s.name][:, :, 0] for s in CHARGED])
    yield _normalised(usual.reshape(-1, CENTRES.size))
    for name, source in SOURCES.items():
        for weights in charged if source.lepton else [(1.0,)]:
            h = np.einsum("ijkte,t->ijke", fluxes[name], np.array(weights)).reshape(-1, CENTRES.size)
            h = _normalised(np.maximum(h, 0.0))
            yield h
            yield h * CENTRES[0] / CENTRES
            for shift in (3, 7):  # towards lower energies, by factors 0.79 and 0.58
                yield np.pad(h[:, shift:], ((0, 0), (0, shift)))


def _normalised(h: Array) -> Array:
    total = h.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, h / np.where(total > 0.0, total, 1.0), 0.0)


def _lsnd_fluxes(reference: Reference) -> dict[str, NDArray[Any]]:
    pot = reference.cards["lsnd"].exposure["nu"]
    found = {}
    for source in CHARGED:
        if source.meson != "pi":
            continue
        masses = source.masses
        out = np.zeros((len(masses), len(SHARES), len(source.terms), LSND_BINS))
        for i, j in product(range(len(masses)), range(len(SHARES))):
            m_v1, m_chi = float(masses[i]), 0.5 * float(masses[i]) * float(np.sqrt(SHARES[j]))
            out[i, j] = pot * reference.flux("lsnd", source, "nu", m_v1, m_chi)[:, :LSND_BINS]
        found[f"lsnd/{source.name}"] = out
    return found


def _basis(reference: Reference, fluxes: dict[str, Array]) -> Basis:
    """Shapes of some kernels of both decays and of all fluxes."""
    found = []
    for decay in DECAYS:
        onto = grid_matrix(ROWS[decay.name])
        nodes = list(product(*(axis.tolist() for axis in decay.nodes)))
        for node in nodes[17 :: len(nodes) // 13]:
            made = _kernels(reference, decay, node)
            for name in ("enuqe", "evis"):
                full = np.einsum("peb,ef->pbf", made[name], onto)
                size = np.maximum(full.sum(axis=1).max(axis=-1), FLOOR)
                found.append((full / size[:, None, None]).reshape(-1, CENTRES.size))
    kernels = np.concatenate(found)
    training = list(_training(fluxes))
    weight = balance(kernels.sum(axis=0), training[0].sum(axis=0), ROWS["virtual"])
    return find_basis(kernels, np.concatenate(training), weight, OF_KERNELS, OF_FLUXES)


def _kernels(reference: Reference, decay: Decay, node: tuple[float, ...]) -> dict[str, Array]:
    """Kernels of MiniBooNE {observable: (parts, rows, bins)} at a node."""
    m_chi, m_chi_prime, m_v2, real = _masses(decay, node)
    return pair_kernel(
        reference.detectors["miniboone"],
        m_chi,
        m_chi_prime,
        m_v2,
        m_on_shell=real,
        energies=CENTRES[ROWS[decay.name]],
        observables=tuple(KERNELS),
        **PRECISION[decay.name],
    )


def _masses(decay: Decay, node: tuple[float, ...]) -> tuple[float, float, float, float | None]:
    """Masses of chi, chi' and V2 at a node, and of a V2 on shell.

    Corners with a gap below 2 m_e belong to no point, only to stencils: the pair is kept open there.
    """
    m_chi, m_chi_prime, m_v2 = decay.masses(*node)
    m_chi = min(m_chi, m_chi_prime - 1.2)
    if not decay.on_shell:
        return m_chi, m_chi_prime, max(m_v2, 1.001 * (m_chi_prime - m_chi)), None
    return m_chi, m_chi_prime, m_v2, min(max(m_v2, 1.1), 0.999 * (m_chi_prime - m_chi))


def _kernel_tables(
    reference: Reference, decay: Decay, basis: Basis, usual: Array, tell: Progress
) -> dict[str, NDArray[Any]]:
    """Kernels of MiniBooNE on the basis and of LSND over threshold, at all nodes of a decay."""
    nodes = list(product(*(axis.tolist() for axis in decay.nodes)))
    onto = grid_matrix(ROWS[decay.name])
    level = np.zeros((len(nodes), 3))
    found: dict[str, NDArray[Any]] = {
        name: np.zeros((len(nodes), 3, SHAPES, bins), dtype=np.float16) for name, bins in KERNELS.items()
    }
    lsnd = np.zeros((len(nodes), 3, OVER_THRESHOLD.size), dtype=np.float32)
    for i, node in enumerate(nodes):
        if i % 20 == 0:
            tell(decay.name.replace("_", " "), i, len(nodes))
        made = _kernels(reference, decay, node)
        kernels = {
            name: basis.project_kernel(np.einsum("peb,ef->pfb", kernel, onto))
            for name, kernel in made.items()
        }
        sums = np.maximum(np.einsum("pkb,k->p", kernels["enuqe"], usual), FLOOR)
        level[i] = np.log(sums)
        for name, kernel in kernels.items():
            found[name][i] = kernel / sums[:, None, None]
        lsnd[i] = _lsnd_kernel(reference, decay, node) / sums[:, None]
    tell(decay.name.replace("_", " "), len(nodes), len(nodes))
    arrays: dict[str, NDArray[Any]] = {f"level/{decay.name}": level, f"lsnd/{decay.name}": lsnd}
    return arrays | {f"{name}/{decay.name}": values for name, values in found.items()}


def _lsnd_kernel(reference: Reference, decay: Decay, node: tuple[float, ...]) -> Array:
    """Cross-section (parts, energies) in cm^2 into 20 to 60 MeV, at energies over the parts' thresholds."""
    m_chi, m_chi_prime, m_v2, real = _masses(decay, node)
    detector = reference.detectors["lsnd"]
    lowest = [float(threshold(m_chi, m_chi_prime, part.mass)) for part in detector.parts]
    energies = np.unique(np.concatenate([low + OVER_THRESHOLD for low in lowest]))
    made = pair_kernel(
        detector,
        m_chi,
        m_chi_prime,
        m_v2,
        m_on_shell=real,
        energies=energies,
        observables=("evis",),
        **LSND,
    )["evis"][..., 0]
    return np.stack(
        [made[p][np.searchsorted(energies, low + OVER_THRESHOLD)] for p, low in enumerate(lowest)]
    )


def _branching(parent: str, lepton: str, m_v1: float) -> Array:
    br = production_spectrum(parent, lepton, m_v1).br
    return br.sum(axis=-1) if lepton else br[None]
