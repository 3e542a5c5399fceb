"""Build the tables of beam predictions from the reference path."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.physics.beam.channels import CHANNELS, OBSERVABLES, PROCESSES
from globalfit.physics.beam.grid import LEGS, combine
from globalfit.physics.beam.meson_decays import branching_ratio
from globalfit.physics.beam.reference import SAMPLE, Reference
from globalfit.physics.beam.tables import BeamTables, save_tables

Progress = Callable[[str, int, int], None]
FLOOR = 1e-7  # of the largest bin: what is below counts as this, so that logarithms stay smooth


def build_tables(
    path: Path,
    progress: Progress | None = None,
    *,
    n: int = SAMPLE,
    seed: int = 1,
    processes: Sequence[str] = tuple(PROCESSES),
) -> BeamTables:
    """Compute all tables and write them to `path`; about half an hour on one core.

    Parameters
    ----------
    path : Path
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    n, seed : int
        Mesons drawn for each part of a source, and the seed.
    processes : sequence of str
        Which of `channels.PROCESSES`; a file without all of them is refused by the loader.
    """
    tell = progress or (lambda stage, done, total: None)
    tables: dict[tuple[str, str, str, str], Array] = {}
    branching: dict[tuple[str, str, str], Array] = {}
    with as_file(files("globalfit.likelihoods") / "data" / "experiments") as folder:
        reference = Reference(folder, n, seed)
        cards = "".join((folder / f"{name}.toml").read_text(encoding="utf-8") for name in reference.cards)
        for kind in dict.fromkeys(PROCESSES[name].scattering.removeprefix("pseudo") for name in processes):
            names = [name for name in processes if PROCESSES[name].scattering.removeprefix("pseudo") == kind]
            # spin 0: scalar and pseudoscalar scatter alike, so one kernel serves both
            masses = np.unique(np.concatenate([channel.masses for channel in CHANNELS]))
            mediators = PROCESSES[names[0]].mediators
            for name in names:
                for channel in CHANNELS:
                    for leg in PROCESSES[name].legs:
                        for quantity, each in OBSERVABLES.items():
                            shape = (len(channel.masses), len(mediators), 3, each.bins)
                            tables[name, leg, channel.name, quantity] = np.zeros(shape)
            for done, m_x in enumerate(masses.tolist()):
                tell(kind, done, len(masses))
                at = [
                    (name, channel, int(np.flatnonzero(channel.masses == m_x)[0]))
                    for name in names
                    for channel in CHANNELS
                    if m_x in channel.masses
                ]
                fluxes = [reference.fluxes(PROCESSES[name], channel, m_x) for name, channel, _ in at]
                for j, m_mediator in enumerate(mediators.tolist()):
                    kernels = reference.kernels(PROCESSES[names[0]], m_x, m_mediator)
                    for (name, channel, i), each_flux in zip(at, fluxes, strict=True):
                        for quantity, made in reference.fold(each_flux, kernels).items():
                            for leg, events in zip(PROCESSES[name].legs, made, strict=True):
                                tables[name, leg, channel.name, quantity][i, j] = events
            tell(kind, len(masses), len(masses))
    logs = {key: _logarithms(events) for key, events in tables.items()}
    for name in processes:
        for channel in CHANNELS:
            for leg in PROCESSES[name].legs:
                ratios = []
                for m_x in channel.masses.tolist():
                    br = branching_ratio(
                        f"{channel.parent}+", channel.lepton, PROCESSES[name].production, m_x
                    )
                    ratios.append(float(combine(*LEGS[leg]) @ br.sum(axis=-1)) if leg else float(br))
                branching[name, leg, channel.name] = np.log(np.array(ratios))
    made_tables = BeamTables(
        logs,
        branching,
        {
            "built_with": f"globalfit {__version__}, numpy {np.__version__}",
            "cards_sha256": hashlib.sha256(cards.encode()).hexdigest(),
            "mesons": f"{n} a source, seed {seed}",
            "command": "globalfit build beam",
        },
    )
    save_tables(path, made_tables)
    return made_tables


def _logarithms(events: Array) -> NDArray[np.float32]:
    """Return ln events; bins below `FLOOR` times the largest one of their spectrum are lifted to that."""
    largest = np.maximum(events.max(axis=-1, keepdims=True), 1e-280)
    return np.asarray(np.log(np.maximum(events, FLOOR * largest)), dtype=np.float32)
