"""Recovering what is good of a damaged journal, into a new file."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from globalfit.chains.files import open_file
from globalfit.chains.journal import Journal, scan
from globalfit.chains.lock import describe, writer_of
from globalfit.chains.places import base_of, beside, journal_of, lock_of, temporary_of
from globalfit.chains.records import decode_header, encode_segment
from globalfit.chains.refuse import ASIDE
from globalfit.chains.snapshot import Content, now, publish
from globalfit.chains.standing import Standing, read_record
from globalfit.chains.track import Track
from globalfit.errors import ChainError


@dataclass(frozen=True)
class Repaired:
    """What was recovered.

    Attributes
    ----------
    path, steps : Path, int
        The new file, and its steps.
    lost : int
        Bytes of the journal that were left.
    published : int
        Steps of the chain file beside the journal, which may hold more; 0 if it cannot be read.
    """

    path: Path
    steps: int
    lost: int
    published: int


def repair(path: Path, output: Path | None = None) -> Repaired:
    """Write the good steps of a journal, up to the first damage, to a new file; the journal is not touched.

    Where ensembles stand at different steps, what is recovered is an unfinished chain with a journal of its
    own: the file holds the steps that all have, the journal the rest.

    Parameters
    ----------
    path : Path
        The journal, or the chain file beside it.
    output : Path, optional
        The new file; NAME.repaired.h5 by default. `globalfit run -o` continues it.

    Raises
    ------
    ChainError
        If there is no journal, a run is writing it, its header is damaged, or the new file exists.
    """
    journal = path if path.suffix == ".journal" else journal_of(path)
    if not journal.is_file():
        raise ChainError(
            str(path), f"cannot be repaired: there is no journal '{journal.name}'", "restore a copy"
        )
    if holder := writer_of(lock_of(journal.with_suffix(".h5"))):
        raise ChainError(str(journal), f"is being written by {describe(holder)}", "wait for it, or stop it")
    output = output or beside(journal.with_suffix(".h5"), ".repaired.h5")
    for each in (output, journal_of(output), base_of(output)):
        if each.exists():
            raise ChainError(str(each), "exists", "choose another -o")
    try:
        return _recover(journal, output)
    except OSError as error:
        raise ChainError(
            str(output), f"cannot be written: {error.strerror or error}", "choose another -o"
        ) from error


def _recover(journal: Path, output: Path) -> Repaired:
    """Copy the good part of the journal beside the output, publish it, and remove it if it is not needed."""
    found = scan(journal, prefix=True)
    with journal.open("rb") as good, journal_of(output).open("wb") as copy:
        copy.write(good.read(found.end))
        os.fsync(copy.fileno())
    copied = Journal(journal_of(output), b"")
    kept = False
    try:
        described, starts = decode_header(copied.header)
        at = Standing(tuple(described.get("ensembles", [0])), described, int(described["seed"]))
        at.segments = list(described["segments"])
        at.tracks = {start.ensemble: Track(start.state, start.accepted) for start in starts}
        for index, payload in enumerate(copied.payloads()):
            read_record(at, index, payload)
        if not at.begun:
            raise ChainError(str(journal), "is damaged before every ensemble has begun", "begin anew")
        at.base, at.base_steps = _base(journal, described["base"]["steps"]), described["base"]["steps"]
        at.segments.append({"start": at.ended, "stop": at.steps, "reason": "repaired", "ended": now()})
        copied.append(encode_segment(at.segments[-1]))
        kept = any(state.step != at.steps for state in at.states.values())
        run = {"seed": at.seed, "engine": "serial", "segments": at.segments}
        content = Content(described, run, at.steps, at.accepted(copied), at.states, lambda: at.rows(copied))
        publish(output, content, complete=not kept)
        if kept and at.base is not None:
            shutil.copyfile(at.base, temporary_of(base_of(output)))
            temporary_of(base_of(output)).replace(base_of(output))
        return Repaired(output, at.steps, found.cut, _published(journal.with_suffix(".h5")))
    finally:
        copied.close()
        if not kept:
            journal_of(output).unlink()


def _published(chain: Path) -> int:
    try:
        with open_file(chain, ASIDE) as file:
            return int(file["mcmc"].attrs["iteration"])
    except ChainError:
        return 0


def _base(journal: Path, steps: int) -> Path | None:
    """Return the finished chain that the journal extends, if it does."""
    if not steps:
        return None
    chain = journal.with_suffix(".h5")
    base = base_of(chain) if base_of(chain).exists() else chain
    with open_file(base, f"bring back '{base_of(chain).name}', which the journal extends") as file:
        if int(file["mcmc"].attrs["iteration"]) < steps:
            raise ChainError(str(base), f"holds fewer than the {steps} steps that were extended", ASIDE)
    return base
