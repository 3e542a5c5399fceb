"""The store of a run: a journal that is the truth, and the chain file that is published from it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import h5py
import numpy as np

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.chains.files import open_file
from globalfit.chains.header import describe
from globalfit.chains.journal import Journal, Sync, sync_folder
from globalfit.chains.lock import Lock
from globalfit.chains.places import base_of, journal_of, lock_of, move_aside, temporary_of
from globalfit.chains.records import (
    Steps,
    decode,
    decode_header,
    encode,
    encode_header,
    encode_segment,
    encode_start,
)
from globalfit.chains.snapshot import Content, Rows, now, publish, read_rows, read_state, same_state
from globalfit.chains.tables import read_text
from globalfit.errors import ChainError, GlobalfitError
from globalfit.identity import differences, fingerprint
from globalfit.sampling.state import Block, State

if TYPE_CHECKING:
    from globalfit.fit import Fit

GROWTH = 1.1  # a chain is published anew when it has grown by this factor
SECONDS = 60.0  # or after this time
SHARE = 0.05  # of the time at most is spent on publishing
ASIDE = "choose another -o, or --fresh to move it aside"


def open_store(
    path: Path, fit: Fit, *, fresh: bool = False, sync: Sync = "second", break_lock: bool = False
) -> Store:
    """Return the store for `fit` at `path`: a new chain, or that of the same fit to be continued.

    Parameters
    ----------
    path : Path
        The chain file.
    fit : Fit
        Whose chain it is.
    fresh : bool
        Move an existing chain aside (``NAME.1.h5``, ...) instead of continuing it.
    sync : {"step", "second", "none"}
        When stored steps are forced to the disk, see `Journal`.
    break_lock : bool
        Take over the lock of a writer on another host.

    Raises
    ------
    ChainError
        If the folder cannot be written to, another process writes the chain, or the file is not a chain of
        this fit.
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
    store = Store(path, fit, Lock(lock_of(path), path, take_over=break_lock), sync)
    try:
        if fresh:
            store.moved = move_aside(path)
        store.open()
    except BaseException:
        store.close()
        raise
    return store


class Store:
    """A chain while a run writes it; a context manager.

    Attributes
    ----------
    state, seed, steps
        Where the chain stands.
    moved : Path or None
        Where a former chain was moved.
    notices : list of str
        What was found and repaired when the chain was opened.
    """

    def __init__(self, path: Path, fit: Fit, lock: Lock, sync: Sync) -> None:
        self.path, self.fit, self.lock, self.sync = path, fit, lock, sync
        self.moved: Path | None = None
        self.notices: list[str] = [lock.notice] if lock.notice else []
        self.state: State | None = None
        self.seed: int | None = None
        self.steps = 0
        self.segments: list[dict[str, Any]] = []
        self._unsaid: list[dict[str, Any]] = []  # segments that the journal does not hold yet
        self._described: dict[str, Any] = {}
        self._accepted: Array = np.zeros(0)
        self._journal: Journal | None = None
        self._base: Path | None = None  # file whose first steps stand before the journal's
        self._base_steps = 0
        self._published = (0, time.monotonic(), 0.0)  # steps, when, how long it took

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told = isinstance(error, GlobalfitError) and not isinstance(error, ChainError)
        try:
            if told and self._journal is not None and self._published[0] != self.steps:
                self._publish(complete=False)
        finally:
            self.close()

    def close(self) -> None:
        """Close the journal and let others write."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self.lock.release()

    # Opening

    def open(self) -> None:
        """Read where the chain stands and repair what a crash has left; refuse the chain of another fit."""
        journal = journal_of(self.path)
        for each in (self.path, journal, base_of(self.path)):
            temporary_of(each).unlink(missing_ok=True)
        if journal.exists():
            self._open_journal(journal)
        elif self.path.exists():
            self._open_finished()
            base_of(self.path).unlink(missing_ok=True)
        elif base_of(self.path).exists():
            base = base_of(self.path)
            raise ChainError(str(self.path), f"is missing, but '{base}' holds it", "rename that one")

    def _open_journal(self, path: Path) -> None:
        try:
            self._journal = Journal(path, b"", self.sync)
        except OSError as error:
            raise ChainError(str(path), f"cannot be opened: {error}", "check its rights") from None
        journal = self._journal
        if journal.cut:
            self.notices.append(f"{path}: cut {journal.cut} bytes of a step that was never stored")
        self._described, start = decode_header(journal.header)
        self._refuse_other(self._described["resolved"])
        self.seed, self.segments = int(self._described["seed"]), list(self._described["segments"])
        self.state, self._accepted = start.state, start.accepted
        self._find_base()
        for found in map(decode, journal.payloads()):
            if isinstance(found, Steps):
                self.state = found.state
                self._accepted = self._accepted + found.accepted
            else:
                self.segments.append(found)
        self.steps = self.state.step
        ended = self.segments[-1]["stop"] if self.segments else 0
        if ended < self.steps:
            self._unsaid.append(self._segment("killed"))
            self.segments += self._unsaid
        if not self._view_is_right():
            self._publish(complete=False)

    def _find_base(self) -> None:
        """Find the finished chain that the journal extends."""
        base = self._described["base"]
        if not base["steps"]:
            return
        for path in (base_of(self.path), self.path):
            with contextlib.suppress(ChainError):
                if path.exists() and _last_row(path, base["steps"]) == base["row"]:
                    self._base, self._base_steps = path, base["steps"]
                    return
        raise ChainError(
            str(journal_of(self.path)),
            f"extends a chain of {base['steps']} steps that is gone",
            f"bring back '{base_of(self.path).name}'",
        )

    def _view_is_right(self) -> bool:
        """Return whether the published file is what the journal says; move aside what it cannot be."""
        if not self.path.exists():
            return False
        try:
            with self._read(self.path) as file:
                stored = str(file["globalfit"].attrs["fingerprint"])
                state = read_state(file)
                iteration = int(file["mcmc"].attrs["iteration"])
        except ChainError as error:
            if "is not a globalfit chain" in error.problem:
                raise
            self.notices.append(f"{error.where}: {error.problem}; moved aside and rebuilt from the journal")
            if self._base == self.path:
                raise
            move_aside(self.path, "damaged-")
            return False
        if stored != self._described["fingerprint"]:
            raise ChainError(str(self.path), "is not the chain whose journal stands beside it", ASIDE)
        assert self.state is not None
        if iteration > self.steps:
            aside = move_aside(self.path, "ahead-")
            self.notices.append(f"{self.path}: holds steps its journal lacks; moved to {aside}")
            return False
        return iteration == self.steps and same_state(state, self.state)

    def _open_finished(self) -> None:
        with self._read(self.path) as file:
            group = file["globalfit"]
            stored = json.loads(read_text(group, "config_resolved"))
            self._refuse_other(stored)
            run = json.loads(read_text(group, "run"))
            self.seed, self.segments = int(run["seed"]), list(run["segments"])
            self.steps = int(file["mcmc"].attrs["iteration"])
            self.state = read_state(file)
            self._accepted = file["mcmc/accepted"][()]
            created, complete = str(group.attrs["created"]), bool(group.attrs["complete"])
        if self.state.step != self.steps:
            raise ChainError(
                str(self.path), f"its state is that of step {self.state.step}, not {self.steps}", ASIDE
            )
        self._described = describe(self.fit) | {"created": created}
        self._base, self._base_steps = self.path, self.steps
        self._published = (self.steps, time.monotonic(), 0.0)
        ended = self.segments[-1]["stop"] if self.segments else 0
        if not complete and ended < self.steps:
            self.notices.append(f"{self.path}: its journal is gone; going on from what was published")
            self._unsaid = [self._segment("killed")]
            self.segments += self._unsaid

    def _refuse_other(self, stored: dict[str, Any]) -> None:
        if fingerprint(stored) != self.fit.fingerprint:
            changed = [line for line in differences(stored, self.fit.resolved) if line] or ["schema"]
            raise ChainError(
                str(self.path),
                f"is the chain of another fit ({'; '.join(changed)})",
                "undo the change, choose another -o, or --fresh to move it aside",
            )

    # Writing

    def begin(self, state: State, seed: int) -> None:
        """Create the chain, without a step."""
        self.seed, self.state = seed, state
        self._described = describe(self.fit) | {"created": now()}
        self._accepted = np.zeros(len(state.coords))
        self._begin_journal()
        self._publish(complete=False)
        self._published = (0, time.monotonic(), 0.0)  # the first steps are shown at once

    def _begin_journal(self) -> None:
        """Start a journal at the present state, on the finished chain if there is one."""
        assert self.state is not None
        base = {"steps": self.steps, "row": ""}
        try:
            if self.steps:
                base["row"] = _last_row(self.path, self.steps)
                self._base = self._keep_base()
            said = [each for each in self.segments if each not in self._unsaid]
            words = self._described | {"seed": self.seed, "base": base, "segments": said}
            start = encode_start(self.state, len(self._described["blobs"]), self._accepted)
            self._journal = Journal(journal_of(self.path), encode_header(words, start), self.sync)
        except OSError as error:
            raise ChainError(
                str(self.path), f"cannot be written: {error}", "check space and rights"
            ) from error

    def _keep_base(self) -> Path:
        """Give the finished chain a second name, under which it stays while its first is published over."""
        base = base_of(self.path)
        base.unlink(missing_ok=True)
        try:
            os.link(self.path, base)
        except OSError:  # a file system without hard links
            temporary = temporary_of(base)
            shutil.copyfile(self.path, temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(base)
        sync_folder(base.resolve().parent)
        return base

    def append(self, block: Block, state: State) -> None:
        """Add a block of steps and the state after it; when this returns they are stored.

        Raises
        ------
        ChainError
            If the disk is full or fails; what was stored before is kept.
        """
        if self._journal is None:
            self._begin_journal()
        assert self._journal is not None
        payload = encode(block, state)
        try:
            self._say()
            self._journal.append(payload)
        except OSError as error:
            self._stop(error, len(payload))
        self.steps, self.state = state.step, state
        self._accepted = self._accepted + block.accepted
        if self._is_due():
            self._publish(complete=False)

    def _say(self) -> None:
        while self._unsaid:
            assert self._journal is not None
            self._journal.append(encode_segment(self._unsaid[0]))
            del self._unsaid[0]

    def _stop(self, error: OSError, needed: int) -> NoReturn:
        raise ChainError(
            str(journal_of(self.path)),
            f"cannot be written after step {self.steps} ({needed} bytes): {error.strerror or error}",
            "nothing stored is lost; make room or mend the disk, and the same command goes on",
        ) from error

    def finish(self, reason: str) -> None:
        """Write why this stretch of the run ended, publish, and put the journal away if the run is over."""
        begun = self.segments[-1]["stop"] if self.segments else 0
        again = bool(self.segments) and begun == self.steps
        if self._journal is None:
            return  # asked for what was already there
        if not again or self.segments[-1]["reason"] != reason:
            segment = self._segment(reason)
            self.segments.append(segment)
            self._unsaid.append(segment)
        try:
            self._say()
            self._journal.force()
        except OSError as error:
            self._stop(error, 0)
        complete = reason != "interrupted"
        self._publish(complete=complete)
        if complete:
            journal, self._journal = self._journal, None
            self._base, self._base_steps = self.path, self.steps
            try:
                journal.remove()
                base_of(self.path).unlink(missing_ok=True)
            except OSError as error:
                raise ChainError(
                    str(journal.path),
                    f"cannot be removed: {error.strerror or error}",
                    f"'{self.path}' is finished and whole; mend the disk",
                ) from error

    def _segment(self, reason: str) -> dict[str, Any]:
        return {
            "start": self.segments[-1]["stop"] if self.segments else 0,
            "stop": self.steps,
            "reason": reason,
            "ended": now(),
            "host": socket.gethostname(),
            "version": __version__,
        }

    # Publishing

    def _is_due(self) -> bool:
        steps, when, cost = self._published
        waited = time.monotonic() - when
        return waited * SHARE > cost and (self.steps >= GROWTH * steps or waited > SECONDS)

    def _publish(self, *, complete: bool) -> None:
        assert self.state is not None
        assert self._journal is not None
        begun = time.monotonic()
        run = {"seed": self.seed, "engine": "serial", "segments": self.segments}
        content = Content(self._described, run, self.steps, self._accepted, self.state, self.rows)
        try:
            self._journal.force()  # the view never holds what the journal could still lose
            publish(self.path, content, complete=complete)
        except OSError as error:
            raise ChainError(
                str(self.path),
                f"cannot be written: {error.strerror or error}",
                "nothing stored is lost; make room or mend the disk, and the same command goes on",
            ) from error
        end = time.monotonic()
        self._published = (self.steps, end, end - begun)

    def rows(self) -> Iterator[Rows]:
        """Yield all stored steps in pieces."""
        if self._base is not None:
            with self._read(self._base) as file:
                yield from read_rows(file, self._base_steps)
        if self._journal is not None:
            for found in map(decode, self._journal.payloads()):
                if isinstance(found, Steps):
                    yield found.values, found.log_prob, found.blobs

    def samples(self) -> Array:
        """Return scaled parameters and ln posterior (steps, walkers, dim + 1) of all stored steps."""
        space = self.fit.posterior.space
        return np.concatenate([np.dstack([space.scaled(v), p]) for v, p, _ in self.rows()])

    def _read(self, path: Path) -> contextlib.AbstractContextManager[h5py.File]:
        return open_file(path, ASIDE)


def _last_row(path: Path, steps: int) -> str:
    """Return the checksum of row `steps` of a chain, by which a journal knows the chain it extends."""
    with open_file(path, ASIDE) as file:
        mcmc = file["mcmc"]
        if int(mcmc.attrs["iteration"]) < steps:
            return ""
        row = [mcmc[name][steps - 1].tobytes() for name in ("chain", "log_prob", "blobs")]
    return hashlib.sha256(b"".join(row)).hexdigest()
