"""The tables of beam predictions: HDF5 with provenance and a hash; what does not fit is refused.

Logarithms of events are kept in 16 bits: below the largest bin of their spectrum, in steps of `STEP`. Rows
are the channels' masses of X one after the other (`Observable.rows`). In the file are their differences along
both masses, modulo 2^16: half as large when compressed, and the same bits when read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.errors import ModelError
from globalfit.physics.beam.channels import CHANNELS, OBSERVABLES, PROCESSES, Channel

FORMAT = "globalfit beam tables 3"
STEP = 2.5e-4  # of ln events: 65535 steps reach down to 8e-8 of the largest bin
FLOOR = 1e-7  # of the largest bin: what is below counts as this, so that logarithms stay smooth
BOTTOM = 1e-12  # of the largest mass: the same for whole spectra
_REBUILD = "build it with 'globalfit build beam'"

Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class BeamTables:
    """Events per unit couplings, how long X travels, branching ratios, and where they come from.

    Attributes
    ----------
    steps : mapping of (process, leg, quantity) to uint16 array (rows, mediators, parts, bins)
        Ln events below the largest bin in units of `STEP`.
    largest : mapping of (process, leg, quantity) to float32 array (rows, mediators, parts)
        Ln events of the largest bin.
    delays : mapping of (process, leg, quantity) to float16 array (rows, 4, bins, 2)
        Of the events of charge Z at the mediators `Process.delays`: ln of the mean of r/p in m/MeV, and the
        variance over the mean squared.
    branching : mapping of (process, leg, channel) to float64 array (m_x,)
        Ln BR per unit coupling squared.
    provenance : mapping of str to str
    """

    steps: Mapping[Key, NDArray[np.uint16]]
    largest: Mapping[Key, NDArray[np.float32]]
    delays: Mapping[Key, NDArray[np.float16]]
    branching: Mapping[Key, NDArray[np.float64]]
    provenance: Mapping[str, str]

    def logs(self, process: str, leg: str, quantity: str, channel: Channel) -> Array:
        """Return ln events (m_x, mediators, parts, bins) of a channel."""
        key, rows = (process, leg, quantity), OBSERVABLES[quantity].rows(channel)
        top = self.largest[key][rows].astype(np.float64)[..., None]
        return np.asarray(top - STEP * self.steps[key][rows])

    def delay(self, process: str, leg: str, quantity: str, channel: Channel) -> Array:
        """Return (m_x, 4, bins, 2) of a channel, see `delays`."""
        rows = OBSERVABLES[quantity].rows(channel)
        return self.delays[process, leg, quantity][rows].astype(np.float64)


def pack(events: Array, rows: list[slice]) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Return `steps` and `largest` of events (rows, mediators, parts, bins), floors put in.

    Parameters
    ----------
    events : array
    rows : list of slice
        The channels, each with a largest mass of its own.
    """
    lifted = events.copy()
    for channel in rows:
        part = lifted[channel]
        np.maximum(part, BOTTOM * part.max(axis=(0, 3), keepdims=True), out=part)
    top = np.maximum(lifted.max(axis=-1), 1e-300)
    largest = np.log(top).astype(np.float32)
    logs = np.log(np.maximum(lifted, FLOOR * top[..., None]))
    steps = np.rint((largest.astype(np.float64)[..., None] - logs) / STEP)
    return np.clip(steps, 0, 65535).astype(np.uint16), largest


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
        for name, values in _datasets(tables).items():
            kept = _differences(values) if name.startswith("steps/") else values
            file.create_dataset(name, data=kept, shuffle=True, compression="gzip", compression_opts=9)


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
    steps, largest, delays, branching = {}, {}, {}, {}
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
                    for quantity in OBSERVABLES:
                        key = (process, leg, quantity)
                        steps[key] = _sums(file["steps/" + _path(key)][()])
                        largest[key] = file["largest/" + _path(key)][()]
                        delays[key] = file["delays/" + _path(key)][()]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        problem = f"the file of beam tables is damaged ({error})"
        raise ModelError(where, problem, _REBUILD) from None
    tables = BeamTables(steps, largest, delays, branching, origin)
    if digest(tables) != origin["numbers_sha256"]:
        raise ModelError(where, "the numbers do not match their hash", _REBUILD)
    return tables


def digest(tables: BeamTables) -> str:
    """Return the sha256 of all numbers."""
    total = hashlib.sha256()
    for name, values in sorted(_datasets(tables).items()):
        total.update(name.encode())
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


def _datasets(tables: BeamTables) -> dict[str, NDArray[Any]]:
    groups = ("steps", "largest", "delays", "branching")
    return {f"{group}/{_path(key)}": v for group in groups for key, v in getattr(tables, group).items()}


def _differences(steps: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return the differences along the first two axes, modulo 2^16."""
    for axis in (0, 1):
        first = np.zeros_like(np.take(steps, [0], axis))
        steps = np.diff(steps, axis=axis, prepend=first)
    return steps


def _sums(differences: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return what `_differences` was given."""
    for axis in (0, 1):
        differences = np.cumsum(differences, axis=axis, dtype=np.uint16)
    return differences


def _path(key: tuple[str, ...]) -> str:
    return "/".join(part or "-" for part in key)
