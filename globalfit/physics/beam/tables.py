"""The tables of beam predictions: HDF5 with provenance and a hash; what does not fit is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.errors import ModelError
from globalfit.physics.beam.channels import CHANNELS, OBSERVABLES, PROCESSES

FORMAT = "globalfit beam tables 1"
_REBUILD = "build it with 'globalfit build beam'"

#: {(process, leg, channel, quantity): ln events (m_x, m_mediator, parts, bins) per unit couplings}
Logs: TypeAlias = Mapping[tuple[str, str, str, str], NDArray[np.float32]]


@dataclass(frozen=True)
class BeamTables:
    """Logarithms of events per unit couplings, and where they come from."""

    logs: Logs
    branching: Mapping[tuple[str, str, str], NDArray[np.float64]]  # ln BR (m_x,) per unit coupling squared
    provenance: Mapping[str, str]


def save_tables(path: Path, tables: BeamTables) -> None:
    """Write `tables` to `path`."""
    import h5py  # only who reads or writes tables waits for it

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, text in tables.provenance.items():
            file.attrs[name] = text
        file.attrs["format"] = FORMAT
        file.attrs["grid_sha256"] = grid_hash()
        file.attrs["numbers_sha256"] = digest(tables)
        for key, values in tables.logs.items():
            file.create_dataset("logs/" + _path(key), data=values, shuffle=True, compression="gzip")
        for short, curve in tables.branching.items():
            file.create_dataset("branching/" + _path(short), data=curve)


@cache
def load_tables(path: Path) -> BeamTables:
    """Read the tables; kept in memory for the process.

    Raises
    ------
    ModelError
        If the file is missing, damaged, foreign, or built for other masses or channels.
    """
    import h5py

    where = path.name
    if not path.is_file():
        raise ModelError(where, "the file of beam tables is missing", _REBUILD)
    logs: dict[tuple[str, str, str, str], NDArray[np.float32]] = {}
    branching: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    try:
        with h5py.File(path, "r") as file:
            origin = {str(name): str(value) for name, value in file.attrs.items()}
            if origin.get("format") != FORMAT:
                raise ModelError(where, "not a file of beam tables of this version", _REBUILD)
            if origin["grid_sha256"] != grid_hash():
                raise ModelError(where, "stale: built for other masses, channels or observables", _REBUILD)
            for process, each in PROCESSES.items():
                for leg in each.legs:
                    for channel in CHANNELS:
                        short = (process, leg, channel.name)
                        branching[short] = file["branching/" + _path(short)][()]
                        for name in OBSERVABLES:
                            logs[(*short, name)] = file["logs/" + _path((*short, name))][()]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        problem = f"the file of beam tables is damaged ({error})"
        raise ModelError(where, problem, _REBUILD) from None
    tables = BeamTables(logs, branching, origin)
    if digest(tables) != origin["numbers_sha256"]:
        raise ModelError(where, "the numbers do not match their hash", _REBUILD)
    return tables


def digest(tables: BeamTables) -> str:
    """Return the sha256 of all numbers."""
    total = hashlib.sha256()
    for name, values in sorted((*tables.logs.items(), *tables.branching.items()), key=lambda each: each[0]):
        total.update(_path(name).encode())
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()


def grid_hash() -> str:
    """Return the sha256 of the masses, channels and observables that tables cover."""
    total = hashlib.sha256(repr(sorted(OBSERVABLES.items())).encode())
    for channel in CHANNELS:
        total.update(channel.name.encode() + channel.masses.tobytes())
    for name, process in PROCESSES.items():
        total.update(f"{name} {process.production} {process.scattering} {process.legs}".encode())
        total.update(process.mediators.tobytes())
    return total.hexdigest()


def _path(key: tuple[str, ...]) -> str:
    return "/".join(part or "-" for part in key)
