"""Build the tables of beam predictions from the reference path."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.physics.beam.channels import CHANNELS, OBSERVABLES, PROCESSES
from globalfit.physics.beam.grid import LEGS, combine
from globalfit.physics.beam.kernels import photon_kernels
from globalfit.physics.beam.meson_decays import branching_ratio
from globalfit.physics.beam.nuclei import charge_weights, named_charges
from globalfit.physics.beam.reference import SAMPLE, Reference, centres, spectrum_of
from globalfit.physics.beam.tables import BeamTables, Key, pack, save_tables

Progress = Callable[[str, int, int], None]
LEGS_OF = tuple((name, leg) for name, process in PROCESSES.items() for leg in process.legs)


def build_tables(
    path: Path, progress: Progress | None = None, *, n: int = SAMPLE, seed: int = 1
) -> BeamTables:
    """Compute all tables and write them to `path`; some ten minutes on one core.

    Parameters
    ----------
    path : Path
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    n, seed : int
        Mesons drawn for each part of a source, and the seed.
    """
    tell = progress or (lambda stage, done, total: None)
    moments: dict[Key, Array] = {}  # (1 + powers, rows, mediators, parts, bins)
    for process, leg in LEGS_OF:
        for quantity, each in OBSERVABLES.items():
            rows = sum(len(channel.masses) for channel in each.channels)
            moments[process, leg, quantity] = np.zeros(
                (3, rows, len(PROCESSES[process].mediators), 3, each.bins)
            )
    with as_file(files("globalfit.likelihoods") / "data" / "experiments") as folder:
        reference = Reference(folder, n, seed)
        cards = "".join((folder / f"{name}.toml").read_text(encoding="utf-8") for name in reference.cards)
        masses = np.unique(np.concatenate([channel.masses for channel in CHANNELS]))
        for done, m_x in enumerate(masses.tolist()):
            tell("masses of X", done, len(masses))
            _one_mass(reference, m_x, moments)
        tell("masses of X", len(masses), len(masses))
    made = _tables(reference, moments, {
        "built_with": f"globalfit {__version__}, numpy {np.__version__}",
        "cards_sha256": hashlib.sha256(cards.encode()).hexdigest(),
        "mesons": f"{n} a source, seed {seed}",
        "command": "globalfit build beam",
    })  # fmt: skip
    save_tables(path, made)
    return made


def _one_mass(reference: Reference, m_x: float, moments: Mapping[Key, Array]) -> None:
    """Fill in what has this mass of X, in all processes and channels."""
    # a scalar and a pseudoscalar scatter alike: one kernel serves both
    pairs = {
        (process.scattering.removeprefix("pseudo"), m): None
        for process in PROCESSES.values()
        for m in process.mediators.tolist()
    }
    at = {pair: i for i, pair in enumerate(pairs)}
    kernels = {
        card: photon_kernels(
            tuple(pairs),
            reference.detectors[card],
            m_x,
            energies=centres(reference.cards[card].beam, m_x),
            observables=wanted,
        )
        for card, wanted in reference.wanted().items()
    }
    for channel in CHANNELS:
        if m_x not in channel.masses:
            continue
        (row,) = np.flatnonzero(channel.masses == m_x)
        spectrum = spectrum_of(tuple(PROCESSES.values()), channel, m_x)
        fluxes = reference.fluxes(spectrum, channel, powers=2)
        for quantity, each in OBSERVABLES.items():
            if channel.parent not in each.parents:
                continue
            place = each.rows(channel).start + row
            pot, h = reference.cards[each.card].exposure[each.mode], fluxes[each.card, each.mode]
            kernel = kernels[each.card][each.kernel][..., : each.last]
            for i, (process, leg) in enumerate(LEGS_OF):
                kind = PROCESSES[process].scattering.removeprefix("pseudo")
                chosen = kernel[[at[kind, m] for m in PROCESSES[process].mediators.tolist()]]
                events = pot * np.einsum("ke,mpeb->kmpb", h[:, i], chosen, optimize=True)
                if each.total:
                    events = events.sum(axis=-1, keepdims=True)
                moments[process, leg, quantity][:, place] = events


def _tables(reference: Reference, moments: Mapping[Key, Array], provenance: Mapping[str, str]) -> BeamTables:
    steps, largest, delays, branching = {}, {}, {}, {}
    for key, values in moments.items():
        process, _, quantity = key
        each = OBSERVABLES[quantity]
        steps[key], largest[key] = pack(values[0], [each.rows(channel) for channel in each.channels])
        charges = charge_weights(reference.detectors[each.card].parts, *named_charges("Z"))
        delays[key] = _delays(
            np.einsum("krmpb,p->krmb", values[:, :, list(PROCESSES[process].delays)], charges)
        )
    for process, leg in LEGS_OF:
        for channel in CHANNELS:
            ratios = []
            for m_x in channel.masses.tolist():
                br = branching_ratio(channel.parent, channel.lepton, PROCESSES[process].production, m_x)
                ratios.append(float(combine(*LEGS[leg]) @ br.sum(axis=-1)) if leg else float(br))
            branching[process, leg, channel.name] = np.log(np.array(ratios))
    return BeamTables(steps, largest, delays, branching, provenance)


def _delays(moments: Array) -> NDArray[np.float16]:
    """Ln mean and relative variance (..., bins, 2) from moments (3, ..., bins) of r/p."""
    zero, first, second = moments
    seen = zero > 1e-9 * zero.max()  # an empty bin takes what the bins beside it have
    whole = first.sum(-1, keepdims=True) / np.maximum(zero.sum(-1, keepdims=True), 1e-300)
    mean = np.where(seen, first / np.where(seen, zero, 1.0), np.maximum(whole, 1e-6))
    spread = np.where(seen, second / np.where(seen, zero, 1.0) / mean**2 - 1.0, 0.0)
    return np.stack((np.log(mean), np.clip(spread, 1e-3, 50.0)), axis=-1).astype(np.float16)
