"""Publishing a chain: written whole beside its place, forced to the disk, then renamed into it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from globalfit.arrays import Array
from globalfit.chains.files import DAMAGE
from globalfit.chains.header import environment, write_header
from globalfit.chains.journal import sync_folder
from globalfit.chains.places import temporary_of
from globalfit.chains.rows import CHUNK, Rows, read_rows, regrouped
from globalfit.chains.sink import Sink
from globalfit.chains.tables import write_text
from globalfit.errors import ChainError
from globalfit.sampling.state import Origin, State

ENSEMBLES = "globalfit/ensembles"
STATE = ("coords", "log_prob", "blobs")


@dataclass(frozen=True)
class Content:
    """What goes into a chain file.

    Attributes
    ----------
    described : dict
        Of the fit, see `header.describe`; and ``created``.
    run : dict
        Seed, engine and segments.
    steps : int
        Number of steps that all ensembles have.
    accepted : (walkers,)
        Accepted proposals in them.
    states : dict of int to State
        Where the ensembles go on, by number, in the order of their walkers.
    rows : callable
        Yields all steps in order, in pieces of any length.
    """

    described: dict[str, Any]
    run: dict[str, Any]
    steps: int
    accepted: Array
    states: dict[int, State]
    rows: Callable[[], Iterator[Rows]]


def publish(path: Path, content: Content, *, complete: bool) -> int:
    """Write the file at `path`, replacing a former one at once; return its size in bytes.

    A complete file is compressed and read back before it takes its name.

    Raises
    ------
    OSError
        If it cannot be written; the former file stands.
    ChainError
        If what is read back is not what was written.
    """
    temporary = temporary_of(path)
    try:
        sink = Sink(temporary)
        try:
            _write(sink, content, complete)
            sink.force()
        finally:
            sink.close()
        if complete:
            _verify(temporary, content)
        size = temporary.stat().st_size
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.resolve().parent)
    return size


def _write(sink: Sink, content: Content, complete: bool) -> None:
    try:
        with h5py.File(sink, "w") as file:
            _fill(file, content, complete)
    except DAMAGE:
        if sink.error is not None:
            raise sink.error from None
        raise


def _fill(file: h5py.File, content: Content, complete: bool) -> None:
    walkers, dim = (
        sum(len(each.coords) for each in content.states.values()),
        next(iter(content.states.values())).coords.shape[1],
    )
    filters: dict[str, Any] = {"fletcher32": True}
    if complete:  # without shuffling: walkers that stay repeat bit for bit
        filters |= {"compression": "gzip", "compression_opts": 1}
    mcmc = file.create_group("mcmc")
    mcmc.attrs["version"] = environment()["emcee"]
    mcmc.attrs["nwalkers"], mcmc.attrs["ndim"] = walkers, dim
    mcmc.attrs["has_blobs"], mcmc.attrs["iteration"] = True, content.steps
    mcmc.create_dataset("accepted", data=content.accepted)
    mcmc.create_dataset("walker_ensemble", data=walker_ensemble(content.states))
    kind = np.dtype([(name, "f8") for name in content.described["blobs"]])
    for name, shape, each in (
        ("chain", (walkers, dim), np.dtype("f8")),
        ("log_prob", (walkers,), np.dtype("f8")),
        ("blobs", (walkers,), kind),
    ):
        whole = (content.steps, *shape)
        mcmc.create_dataset(name, whole, each, maxshape=(None, *shape), chunks=(CHUNK, *shape), **filters)
    begin = 0
    for values, log_prob, blobs in regrouped(content.rows()):
        end = begin + len(values)
        mcmc["chain"][begin:end] = values
        mcmc["log_prob"][begin:end] = log_prob
        mcmc["blobs"][begin:end] = np.ascontiguousarray(blobs).view(kind)[..., 0]
        begin = end
    if begin != content.steps:
        raise ChainError(
            file.filename, f"{begin} of {content.steps} steps are there", "see 'globalfit repair'"
        )
    group = file.create_group("globalfit")
    group.attrs["created"], group.attrs["finished"] = content.described["created"], now()
    group.attrs["complete"] = complete
    write_header(group, content.described)
    write_text(group, "run", json.dumps(content.run))
    group.attrs["evidence"] = json.dumps(
        [{"ensemble": k} | s.origin.words() for k, s in content.states.items() if s.origin is not None]
    )
    for number, state in content.states.items():
        _write_state(file.create_group(f"{ENSEMBLES}/{number}"), state)


def walker_ensemble(states: dict[int, State]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the number of the ensemble of each walker."""
    return np.repeat(np.array([*states], dtype=np.int32), [len(each.coords) for each in states.values()])


def _verify(path: Path, content: Content) -> None:
    problem = "what was read back is not what was written"
    try:
        with h5py.File(path, "r", locking=False) as file:
            right = same_states(read_states(file), content.states)
            right &= bool((file["mcmc/walker_ensemble"][()] == walker_ensemble(content.states)).all())
            for written, found in zip(regrouped(content.rows()), read_rows(file), strict=True):
                right &= all(
                    np.ascontiguousarray(a).tobytes() == b.tobytes()
                    for a, b in zip(written, found, strict=True)
                )
    except DAMAGE as error:
        raise ChainError(str(path), f"{problem}: {error}", "the journal is kept; check the disk") from error
    if not right:
        raise ChainError(str(path), problem, "the journal is kept; check the disk")


def _write_state(group: h5py.Group, state: State) -> None:
    for name in STATE:
        group.create_dataset(name, data=getattr(state, name), dtype="f8")
    kind, keys, position, has_gauss, cached = state.random
    group.create_dataset("rng_state", data=keys, dtype="u4")
    group.attrs["rng"], group.attrs["rng_position"] = kind, position
    group.attrs["rng_has_gauss"], group.attrs["rng_cached"] = has_gauss, cached
    group.attrs["step"] = state.step
    if state.origin is not None:
        group.attrs["origin"] = json.dumps(state.origin.words())
        group.create_dataset("proposal", data=np.frombuffer(state.origin.proposal, dtype=np.uint8))


def read_states(file: h5py.File) -> dict[int, State]:
    """Return the states with which the ensembles of a chain go on, by number."""
    group = file[ENSEMBLES]
    return {number: _read_state(group[str(number)]) for number in sorted(map(int, group))}


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
    origin = None
    if "origin" in attributes:
        origin = Origin(**json.loads(attributes["origin"]), proposal=group["proposal"][()].tobytes())
    return State(**arrays, random=random, step=int(attributes["step"]), origin=origin)


def same_state(one: State, other: State) -> bool:
    """Return whether two states are the same, bit for bit."""
    arrays = all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in STATE)
    keys = np.array_equal(one.random[1], other.random[1]) and one.origin == other.origin
    return arrays and keys and (one.random[0], *one.random[2:]) == (other.random[0], *other.random[2:])


def same_states(some: dict[int, State], others: dict[int, State]) -> bool:
    """Return whether the ensembles are the same, and their states, bit for bit."""
    return [*some] == [*others] and all(same_state(state, others[k]) for k, state in some.items())


def now() -> str:
    """Return the time of day, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
