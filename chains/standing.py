"""Where a chain stands: read from its journal, or from its finished file."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.files import open_file
from globalfit.chains.header import describe, read_nulls
from globalfit.chains.journal import Journal
from globalfit.chains.places import base_of, journal_of
from globalfit.chains.records import Steps, decode, decode_header
from globalfit.chains.refuse import ASIDE, refuse_other_ensembles, refuse_other_fit
from globalfit.chains.rows import Rows, columns, read_rows, side_by_side
from globalfit.chains.snapshot import read_states
from globalfit.chains.tables import read_text
from globalfit.chains.track import Track
from globalfit.errors import ChainError
from globalfit.sampling.state import State

if TYPE_CHECKING:
    from globalfit.fit import Fit


@dataclass
class Standing:
    """Where a chain stands, and where its steps are.

    Attributes
    ----------
    ensembles : tuple of int
        Its ensembles, in the order of their walkers.
    described : dict
        What it says of the fit that began it.
    seed, segments
        Of the run.
    tracks : dict of int to Track
        The ensembles that have begun.
    base, base_steps
        The file whose first steps stand before those of the journal.
    """

    ensembles: tuple[int, ...]
    described: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    segments: list[dict[str, Any]] = field(default_factory=list)
    tracks: dict[int, Track] = field(default_factory=dict)
    base: Path | None = None
    base_steps: int = 0

    @property
    def begun(self) -> bool:
        """Whether every ensemble has a state."""
        return len(self.tracks) == len(self.ensembles)

    @property
    def steps(self) -> int:
        """Steps that all ensembles have."""
        return min(track.state.step for track in self.tracks.values()) if self.begun else 0

    @property
    def states(self) -> dict[int, State]:
        """Where the ensembles stand, in order."""
        return {k: self.tracks[k].state for k in self.ensembles if k in self.tracks}

    @property
    def ended(self) -> int:
        """The step at which the last segment ended."""
        return int(self.segments[-1]["stop"]) if self.segments else 0

    def accepted(self, journal: Journal | None) -> Array:
        """Return the accepted proposals of the steps that all ensembles have."""
        return np.concatenate([self.tracks[k].accepted_until(journal, self.steps) for k in self.ensembles])

    def rows(self, journal: Journal | None) -> Iterator[Rows]:
        """Yield the steps that all ensembles have, in pieces."""
        if self.base is not None:
            with open_file(self.base, ASIDE) as file:
                yield from read_rows(file, self.base_steps)
        if journal is not None and self.begun:
            parts = [self.tracks[k].rows(journal) for k in self.ensembles]
            yield from side_by_side(parts, self.steps - self.base_steps)

    def rows_of(self, ensemble: int, journal: Journal | None) -> Iterator[Rows]:
        """Yield all the steps of one ensemble, in pieces."""
        if self.base is not None:
            begin = 0
            for k in self.ensembles[: self.ensembles.index(ensemble)]:
                begin += len(self.tracks[k].accepted)
            part = slice(begin, begin + len(self.tracks[ensemble].accepted))
            with open_file(self.base, ASIDE) as file:
                yield from columns(read_rows(file, self.base_steps), part)
        if journal is not None:
            yield from self.tracks[ensemble].rows(journal)


def read_journal(path: Path, journal: Journal, fit: Fit, ensembles: tuple[int, ...]) -> Standing:
    """Return where the chain at `path` stands by its journal.

    Raises
    ------
    ChainError
        If it is the chain of another fit or of other ensembles, or extends a chain that is gone.
    """
    described, starts = decode_header(journal.header)
    refuse_other_fit(path, described["resolved"], fit)
    refuse_other_ensembles(path, described.get("ensembles", [0]), ensembles)
    found = Standing(ensembles, described, int(described["seed"]), list(described["segments"]))
    found.tracks = {start.ensemble: Track(start.state, start.accepted) for start in starts}
    if found.described["base"]["steps"]:
        found.base, found.base_steps = _find_base(path, described["base"]), described["base"]["steps"]
    for index, payload in enumerate(journal.payloads()):
        read_record(found, index, payload)
    return found


def read_record(found: Standing, index: int, payload: bytes) -> None:
    """Take note of a record of the journal."""
    record = decode(payload)
    if not isinstance(record, Steps):
        found.segments.append(record)
    elif record.ensemble not in found.tracks:
        found.tracks[record.ensemble] = Track(record.state, record.accepted)
    else:
        found.tracks[record.ensemble].add(index, len(record.values), record.accepted, record.state)


def _find_base(path: Path, base: dict[str, Any]) -> Path:
    """Return the finished chain that the journal extends."""
    for each in (base_of(path), path):
        with contextlib.suppress(ChainError):
            if each.exists() and row_sum(each, base["steps"]) == base["row"]:
                return each
    raise ChainError(
        str(journal_of(path)),
        f"extends a chain of {base['steps']} steps that is gone",
        f"bring back '{base_of(path).name}'",
    )


def row_sum(path: Path, steps: int) -> str:
    """Return the checksum of row `steps` of a chain, by which a journal knows the chain it extends."""
    with open_file(path, ASIDE) as file:
        mcmc = file["mcmc"]
        if int(mcmc.attrs["iteration"]) < steps:
            return ""
        row = [mcmc[name][steps - 1].tobytes() for name in ("chain", "log_prob", "blobs")]
    return hashlib.sha256(b"".join(row)).hexdigest()


def read_finished(path: Path, fit: Fit, ensembles: tuple[int, ...]) -> tuple[Standing, bool]:
    """Return where the chain in the file at `path` stands, and whether its run was finished.

    Raises
    ------
    ChainError
        If it is the chain of another fit or of other ensembles, or its states are not those of its last step.
    """
    with open_file(path, ASIDE) as file:
        group = file["globalfit"]
        refuse_other_fit(path, json.loads(read_text(group, "config_resolved")), fit)
        run = json.loads(read_text(group, "run"))
        states = read_states(file)
        refuse_other_ensembles(path, [*states], ensembles)
        steps = int(file["mcmc"].attrs["iteration"])
        accepted = np.split(file["mcmc/accepted"][()], len(states))
        described = describe(fit) | {
            "created": str(group.attrs["created"]),
            "environment": json.loads(read_text(group, "environment")),
            "ensembles": list(ensembles),
            "nulls": read_nulls(group),
        }
        complete = bool(group.attrs["complete"])
    for state in states.values():
        if state.step != steps:
            problem = f"its state is that of step {state.step}, not {steps}"
            raise ChainError(str(path), problem, "bring back its journal, or choose another -o")
    tracks = {k: Track(state, part) for (k, state), part in zip(states.items(), accepted, strict=True)}
    found = Standing(ensembles, described, int(run["seed"]), list(run["segments"]), tracks, path, steps)
    return found, complete
