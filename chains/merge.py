"""Putting chains of one fit together, each of other ensembles: what the jobs of an array have left."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.chains.files import open_file
from globalfit.chains.header import read_described
from globalfit.chains.places import base_of, journal_of
from globalfit.chains.rows import Rows, columns, read_rows, side_by_side
from globalfit.chains.snapshot import Content, now, publish, read_states
from globalfit.chains.tables import read_text
from globalfit.errors import ChainError
from globalfit.identity import differences, identifying
from globalfit.sampling.state import State

SOURCE = "merge files of 'globalfit run --only-ensemble'"


@dataclass(frozen=True)
class Part:
    """A chain to be merged."""

    path: Path
    described: dict[str, Any]
    resolved: dict[str, Any]
    seed: int
    segments: list[dict[str, Any]]
    steps: int
    states: dict[int, State]
    accepted: Array


@dataclass(frozen=True)
class Merged:
    """What was put together."""

    path: Path
    steps: int
    ensembles: tuple[int, ...]


def merge(
    paths: Sequence[Path], output: Path, *, notice: Callable[[str], None] = lambda line: None
) -> Merged:
    """Write chains of the same fit and seed, each of other ensembles, into one file.

    Chains of different lengths are cut to the shortest. With all ensembles of the fit there and none cut, the
    file is that of a run of all of them, and `globalfit run` continues it.

    Parameters
    ----------
    paths : sequence of Path
        The chains; none may be unfinished.
    output : Path
        The new file.
    notice : callable
        Called with one line if a chain is cut or an ensemble of the fit is missing.

    Raises
    ------
    ChainError
        If a file is no chain of this package, belongs to another fit, seed or versions of packages, or holds
        an ensemble that another one holds; if the output exists or cannot be written.
    """
    if len(paths) < 2:
        raise ChainError("merge", f"{len(paths)} file is given", "give two or more")
    for each in (output, journal_of(output), base_of(output)):
        if each.exists():
            raise ChainError(str(each), "exists", "choose another -o")
    parts = [_read(path) for path in paths]
    for part in parts[1:]:
        _refuse_foreign(part, parts[0])
    owners: dict[int, Part] = {}
    for part in parts:
        for k in part.states:
            if k in owners:
                problem = f"holds ensemble {k}, and so does '{owners[k].path}'"
                raise ChainError(str(part.path), problem, "give each ensemble once")
            owners[k] = part
    steps = min(part.steps for part in parts)
    for part in parts:
        if part.steps > steps:
            notice(f"{part.path}: cut from {part.steps} to {steps} steps, the length of the shortest")
    ensembles = tuple(sorted(owners))
    wanted = range(parts[0].resolved["sampler"].get("ensembles", 1))
    if missing := [str(k) for k in wanted if k not in owners]:
        notice(f"of the fit's {len(wanted)} ensembles {', '.join(missing)} are missing")
    _write(output, ensembles, owners, steps, parts)
    return Merged(output, steps, ensembles)


def _read(path: Path) -> Part:
    if not path.is_file():
        raise ChainError(str(path), "is not a file", SOURCE)
    if journal_of(path).exists():
        raise ChainError(str(path), "is not finished: its journal stands beside it", "let its run end first")
    with open_file(path, SOURCE) as file:
        group = file["globalfit"]
        run = json.loads(read_text(group, "run"))
        return Part(
            path=path,
            described=read_described(group, file["mcmc"]),
            resolved=json.loads(read_text(group, "config_resolved")),
            seed=int(run["seed"]),
            segments=run["segments"],
            steps=int(file["mcmc"].attrs["iteration"]),
            states=read_states(file),
            accepted=file["mcmc/accepted"][()],
        )


def _refuse_foreign(part: Part, first: Part) -> None:
    problem = ""
    if changed := differences(identifying(first.resolved), identifying(part.resolved)):
        problem = f"is the chain of another fit than '{first.path}' ({'; '.join(changed)})"
    elif part.seed != first.seed:
        problem = f"has the seed {part.seed}, and '{first.path}' {first.seed}"
    else:
        one, other = (each.described["environment"] for each in (first, part))
        names = ("globalfit", "numpy", "scipy", "emcee")
        found = [f"{n} {other.get(n)} instead of {one.get(n)}" for n in names if one.get(n) != other.get(n)]
        if found:
            problem = f"was made with other versions than '{first.path}' ({'; '.join(found)})"
    if problem:
        raise ChainError(str(part.path), problem, "merge chains of one fit, seed and environment")


def _write(
    output: Path, ensembles: tuple[int, ...], owners: dict[int, Part], steps: int, parts: Sequence[Part]
) -> None:
    """Publish the ensembles side by side."""
    places = {k: _place(owners[k], k) for k in ensembles}

    def rows() -> Iterator[Rows]:
        with contextlib.ExitStack() as stack:
            pieces = [
                columns(read_rows(stack.enter_context(open_file(owners[k].path, SOURCE))), places[k])
                for k in ensembles
            ]
            yield from side_by_side(pieces, steps)

    accepted = np.concatenate([_accepted(owners[k], places[k], steps) for k in ensembles])
    said = {"host": socket.gethostname(), "version": __version__, "ended": now()}
    files = [part.path.name for part in parts]
    segment = {"start": 0, "stop": steps, "reason": "merged", "files": files, **said}
    run = {"seed": parts[0].seed, "engine": "merge", "segments": [segment]}
    states = {k: owners[k].states[k] for k in ensembles}
    described = parts[0].described | {"created": now(), "ensembles": list(ensembles)}
    try:
        publish(output, Content(described, run, steps, accepted, states, rows), complete=True)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        raise ChainError(str(output), problem, "choose another -o") from error


def _place(part: Part, ensemble: int) -> slice:
    """Return where the walkers of an ensemble stand in its file."""
    begin = 0
    for k, state in part.states.items():
        if k == ensemble:
            return slice(begin, begin + len(state.coords))
        begin += len(state.coords)
    raise AssertionError(ensemble)


def _accepted(part: Part, place: slice, steps: int) -> Array:
    """Return the accepted proposals up to a step: those after it are the moves that are seen."""
    accepted = part.accepted[place].copy()
    if part.steps > steps:
        with open_file(part.path, SOURCE) as file:
            later = _values(file, steps, place)
            accepted -= np.any(later[1:] != later[:-1], axis=2).sum(axis=0)
    return accepted


def _values(file: h5py.File, steps: int, place: slice) -> Array:
    values: Array = file["mcmc/chain"][steps - 1 :, place]
    return values
