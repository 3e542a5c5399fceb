"""The tables of dark matter: HDF5 with provenance and a hash; what does not fit is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from globalfit.errors import ModelError
from globalfit.physics.beam.dark_matter import channels

FORMAT = "globalfit dark-matter tables 1"
_REBUILD = "build it with 'globalfit build dark-matter'"


@dataclass(frozen=True)
class DarkMatterTables:
    """Arrays by name, and where they come from.

    Names: "weight" (89,), "shapes" (k, 89); "flux/SOURCE" (m_V1, shares, modes, terms, k), chi per cm^2 for
    the exposure; "lsnd/SOURCE" (m_V1, shares, terms, energies); "branching/SOURCE" (m_V1, terms);
    "level/DECAY" (nodes, parts), the logarithm that was taken out of "KERNEL/DECAY" (nodes, parts, k, bins)
    and "lsnd/DECAY" (nodes, parts, energies above threshold).
    """

    arrays: Mapping[str, NDArray[Any]]
    provenance: Mapping[str, str]


def names() -> tuple[str, ...]:
    """Return the names of all arrays."""
    out = ["weight", "shapes"]
    out += [f"flux/{name}" for name in channels.SOURCES]
    out += [f"branching/{name}" for name in channels.SOURCES]
    out += [f"lsnd/{source.name}" for source in channels.CHARGED if source.meson == "pi"]
    for decay in channels.DECAYS:
        out += [f"{each}/{decay.name}" for each in ("level", "lsnd", *channels.KERNELS)]
    return tuple(out)


def save_tables(path: Path, tables: DarkMatterTables) -> None:
    """Write `tables` to `path`."""
    import h5py  # only who reads or writes tables waits for it

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, text in tables.provenance.items():
            file.attrs[name] = text
        file.attrs["format"] = FORMAT
        file.attrs["grid_sha256"] = grid_hash()
        file.attrs["numbers_sha256"] = digest(tables)
        for name, values in tables.arrays.items():
            file.create_dataset(name, data=values, shuffle=True, compression="gzip", compression_opts=9)


@cache
def load_tables(path: Path) -> DarkMatterTables:
    """Read the tables; kept in memory for the process.

    Raises
    ------
    ModelError
        If the file is missing, damaged, foreign, or built for other masses or sources.
    """
    import h5py

    where = path.name
    if not path.is_file():
        raise ModelError(where, "the file of dark-matter tables is missing", _REBUILD)
    try:
        with h5py.File(path, "r") as file:
            origin = {str(name): str(value) for name, value in file.attrs.items()}
            if origin.get("format") != FORMAT:
                raise ModelError(where, "not a file of dark-matter tables of this version", _REBUILD)
            if origin["grid_sha256"] != grid_hash():
                raise ModelError(where, "stale: built for other masses, sources or observables", _REBUILD)
            arrays: dict[str, NDArray[Any]] = {name: file[name][()] for name in names()}
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        problem = f"the file of dark-matter tables is damaged ({error})"
        raise ModelError(where, problem, _REBUILD) from None
    tables = DarkMatterTables(arrays, origin)
    if digest(tables) != origin["numbers_sha256"]:
        raise ModelError(where, "the numbers do not match their hash", _REBUILD)
    return tables


def digest(tables: DarkMatterTables) -> str:
    """Return the sha256 of all numbers."""
    total = hashlib.sha256()
    for name in sorted(tables.arrays):
        total.update(name.encode())
        total.update(np.ascontiguousarray(tables.arrays[name]).tobytes())
    return total.hexdigest()


def grid_hash() -> str:
    """Return the sha256 of the masses, sources, terms and observables that tables cover."""
    total = hashlib.sha256(repr((sorted(channels.OBSERVABLES.items()), channels.KERNELS)).encode())
    for source in channels.SOURCES.values():
        total.update(repr((source, source.terms, source.modes)).encode() + source.masses.tobytes())
    total.update(channels.SHARES.tobytes())
    for decay in channels.DECAYS:
        total.update(decay.name.encode() + b"".join(axis.tobytes() for axis in decay.nodes))
    return total.hexdigest()
