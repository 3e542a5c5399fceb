"""Recovering what is good of a damaged journal, into a new file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from globalfit.chains.files import open_file
from globalfit.chains.journal import scan
from globalfit.chains.lock import describe, writer_of
from globalfit.chains.places import base_of, beside, journal_of, lock_of
from globalfit.chains.records import Steps, decode, decode_header
from globalfit.chains.snapshot import Content, Rows, now, publish, read_rows
from globalfit.errors import ChainError


@dataclass(frozen=True)
class Repaired:
    """What was recovered: the new file, its steps, and the bytes of the journal that were left."""

    path: Path
    steps: int
    lost: int


def repair(path: Path, output: Path | None = None) -> Repaired:
    """Write the good steps of a journal, up to the first damage, to a new file; the journal is not touched.

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
    if output.exists():
        raise ChainError(str(output), "exists", "choose another -o")
    found = scan(journal, prefix=True)
    described, start = decode_header(found.header)
    state, accepted, segments = start.state, start.accepted, list(described["segments"])
    with journal.open("rb") as file:

        def records() -> Iterator[Steps | dict[str, object]]:
            for place, length in found.places:
                file.seek(place)
                yield decode(file.read(length))

        for each in records():
            if isinstance(each, Steps):
                state, accepted = each.state, accepted + each.accepted
            else:
                segments.append(each)

        def rows() -> Iterator[Rows]:
            if described["base"]["steps"]:
                yield from _base_rows(journal, described["base"]["steps"])
            for each in records():
                if isinstance(each, Steps):
                    yield each.values, each.log_prob, each.blobs

        begun = segments[-1]["stop"] if segments else 0
        segments.append({"start": begun, "stop": state.step, "reason": "repaired", "ended": now()})
        run = {"seed": described["seed"], "engine": "serial", "segments": segments}
        content = Content(described, run, state.step, accepted, state, rows)
        try:
            publish(output, content, complete=True)
        except OSError as error:
            raise ChainError(
                str(output), f"cannot be written: {error.strerror or error}", "choose another -o"
            ) from error
    return Repaired(output, state.step, found.cut)


def _base_rows(journal: Path, steps: int) -> Iterator[Rows]:
    """Yield the steps of the finished chain that the journal extends."""
    chain = journal.with_suffix(".h5")
    base = base_of(chain) if base_of(chain).exists() else chain
    with open_file(base, f"bring back '{base_of(chain).name}', which the journal extends") as file:
        yield from read_rows(file, steps)
