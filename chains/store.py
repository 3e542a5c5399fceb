"""The chain file while it is written: blocks appended to an HDF5 file that stock emcee can open."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from globalfit.arrays import Array
from globalfit.chains.files import open_file
from globalfit.chains.header import blob_fields, environment, write_header
from globalfit.chains.tables import read_text, write_text
from globalfit.errors import ChainError
from globalfit.identity import differences, fingerprint
from globalfit.sampling.run import BLOCK
from globalfit.sampling.state import Block, State

if TYPE_CHECKING:
    from globalfit.fit import Fit

PATIENCE = 60.0  # seconds to wait for a reader that holds the file
FILTERS: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}
ENSEMBLE = "globalfit/ensembles/0"
STATE = ("coords", "log_prob", "blobs")


def open_store(path: Path, fit: Fit, *, fresh: bool = False) -> HDF5Store:
    """Return the store for `fit` at `path`: a new file, or the chain of the same fit to be continued.

    Parameters
    ----------
    path : Path
        The chain file.
    fit : Fit
        Whose chain it is.
    fresh : bool
        Move an existing file aside (``NAME.1.h5``, ...) instead of continuing it.

    Raises
    ------
    ChainError
        If the folder cannot be written to, or the file is not a chain of this fit.
    """
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ChainError(
            str(path), f"the folder '{folder}' does not exist", "create it, or choose another -o"
        )
    if path.is_dir():
        raise ChainError(str(path), "is a directory", "name a file with -o")
    if not os.access(folder, os.W_OK):
        raise ChainError(str(path), f"the folder '{folder}' cannot be written to", "choose another -o")
    moved = _move_aside(path) if fresh and path.exists() else None
    store = HDF5Store(path, fit, moved)
    if path.exists():
        store.check()
    return store


def _move_aside(path: Path) -> Path:
    for i in range(1, 10_000):
        aside = path.with_name(f"{path.stem}.{i}{path.suffix}")
        if not aside.exists():
            path.rename(aside)
            return aside
    raise ChainError(str(path), "10000 older chains stand beside it", "move some away")


class HDF5Store:
    """A chain in one HDF5 file: ``/mcmc`` as emcee writes it, ``/globalfit`` with all the rest."""

    def __init__(self, path: Path, fit: Fit, moved: Path | None = None) -> None:
        self.path, self.fit, self.moved = path, fit, moved
        self.state: State | None = None
        self.seed: int | None = None
        self.steps = 0

    def check(self) -> None:
        """Read where the chain stands; refuse a file that is not a chain of this fit."""
        with self._open("r") as file:
            group = file["globalfit"]
            stored = json.loads(read_text(group, "config_resolved"))
            if fingerprint(stored) != self.fit.fingerprint:
                changed = [line for line in differences(stored, self.fit.resolved) if line] or ["schema"]
                raise ChainError(
                    str(self.path),
                    f"is the chain of another fit ({'; '.join(changed)})",
                    "undo the change, choose another -o, or --fresh to move it aside",
                )
            self.steps = int(file["mcmc"].attrs["iteration"])
            self.seed = int(json.loads(read_text(group, "run"))["seed"])
            self.state = _read_state(file[ENSEMBLE])
            if self.state.step != self.steps:
                raise ChainError(
                    str(self.path),
                    f"was interrupted while step {self.state.step} was written",
                    "--fresh moves it aside and starts anew",
                )

    def samples(self) -> Array:
        """Return scaled parameters and ln posterior (steps, walkers, dim + 1) of all stored steps."""
        with self._open("r") as file:
            chain = file["mcmc/chain"][: self.steps]
            log_prob = file["mcmc/log_prob"][: self.steps]
        return np.dstack([self.fit.posterior.space.scaled(chain), log_prob])

    def begin(self, state: State, seed: int) -> None:
        """Create the file, whole or not at all."""
        self.seed = seed
        walkers, dim = state.coords.shape
        fields = blob_fields(self.fit)
        temporary = self.path.with_name(self.path.name + ".tmp")
        try:
            with h5py.File(temporary, "w") as file:
                mcmc = file.create_group("mcmc")
                mcmc.attrs["version"] = environment()["emcee"]
                mcmc.attrs["nwalkers"], mcmc.attrs["ndim"] = walkers, dim
                mcmc.attrs["has_blobs"], mcmc.attrs["iteration"] = True, 0
                mcmc.create_dataset("accepted", data=np.zeros(walkers))
                mcmc.create_dataset("walker_ensemble", data=np.zeros(walkers, dtype=np.int32))
                for name, shape, kind in (
                    ("chain", (walkers, dim), np.dtype("f8")),
                    ("log_prob", (walkers,), np.dtype("f8")),
                    ("blobs", (walkers,), np.dtype([(field, "f8") for field in fields])),
                ):
                    mcmc.create_dataset(
                        name, (0, *shape), kind, maxshape=(None, *shape), chunks=(BLOCK, *shape), **FILTERS
                    )
                group = file.create_group("globalfit")
                group.attrs["created"], group.attrs["complete"] = _now(), False
                write_header(group, self.fit)
                write_text(group, "run", json.dumps({"seed": seed, "engine": "serial", "segments": []}))
                _write_state(file.create_group(ENSEMBLE), state)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ChainError(
                str(self.path), f"cannot be written: {error}", "check space and rights"
            ) from error
        self.state = state

    def append(self, block: Block, state: State) -> None:
        """Add a block of steps and the state after it."""
        with self._open("r+") as file:
            mcmc = file["mcmc"]
            begin, end = self.steps, self.steps + len(block.values)
            for name in ("chain", "log_prob", "blobs"):
                mcmc[name].resize(end, axis=0)
            mcmc["chain"][begin:end] = block.values
            mcmc["log_prob"][begin:end] = block.log_prob
            mcmc["blobs"][begin:end] = np.ascontiguousarray(block.blobs).view(mcmc["blobs"].dtype)[..., 0]
            mcmc["accepted"][...] += block.accepted
            _write_state(file[ENSEMBLE], state)
            mcmc.attrs["iteration"] = end
        self.steps, self.state = end, state

    def finish(self, reason: str) -> None:
        """Write why this stretch of the run ended."""
        with self._open("r+") as file:
            group = file["globalfit"]
            run = json.loads(read_text(group, "run"))
            segments = run["segments"]
            begun = segments[-1]["stop"] if segments else 0
            if segments and begun == self.steps and segments[-1]["reason"] == reason:
                return  # asked for what was already there
            segments.append({"start": begun, "stop": self.steps, "reason": reason, "ended": _now()})
            write_text(group, "run", json.dumps(run))
            group.attrs["finished"] = _now()
            group.attrs["complete"] = reason in ("converged", "steps")

    def _open(self, mode: str) -> contextlib.AbstractContextManager[h5py.File]:
        return open_file(self.path, mode, PATIENCE, "choose another -o, or --fresh to move it aside")


def _write_state(group: h5py.Group, state: State) -> None:
    for name in STATE:
        values = getattr(state, name)
        group.require_dataset(name, values.shape, "f8")[...] = values
    kind, keys, position, has_gauss, cached = state.random
    group.require_dataset("rng_state", keys.shape, "u4")[...] = keys
    group.attrs["rng"], group.attrs["rng_position"] = kind, position
    group.attrs["rng_has_gauss"], group.attrs["rng_cached"] = has_gauss, cached
    group.attrs["step"] = state.step


def _read_state(group: h5py.Group) -> State:
    attributes = group.attrs
    random = (
        str(attributes["rng"]),
        group["rng_state"][()],
        int(attributes["rng_position"]),
        int(attributes["rng_has_gauss"]),
        float(attributes["rng_cached"]),
    )
    arrays = {name: group[name][()] for name in STATE}
    return State(**arrays, random=random, step=int(attributes["step"]))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
