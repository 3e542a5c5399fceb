"""The store of a run: a journal that is the truth, and the chain file that is published from it."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from globalfit import __version__
from globalfit.arrays import Array
from globalfit.chains.header import describe, nulls
from globalfit.chains.journal import Journal, Sync, sync_folder
from globalfit.chains.lock import Lock
from globalfit.chains.opening import open_standing, refuse_place, wanted_ensembles
from globalfit.chains.places import base_of, journal_of, lock_of, move_aside, start_of, temporary_of
from globalfit.chains.records import encode, encode_header, encode_segment, encode_start
from globalfit.chains.rows import Rows
from globalfit.chains.snapshot import Content, now, publish
from globalfit.chains.standing import Standing, row_sum
from globalfit.chains.starting import Head, remove_start, write_start
from globalfit.chains.track import Track
from globalfit.errors import ChainError, GlobalfitError
from globalfit.sampling.population import Population
from globalfit.sampling.state import Block, State
from globalfit.sampling.stopping import Verdict

if TYPE_CHECKING:
    from globalfit.fit import Fit

GROWTH = 1.1  # a chain is published anew when it has grown by this factor
SECONDS = 60.0  # or after this time
SHARE = 0.05  # of the time at most is spent on publishing
GOES_ON = "nothing stored is lost; make room or mend the disk, and the same command goes on"


def open_store(
    path: Path,
    fit: Fit,
    *,
    fresh: bool = False,
    sync: Sync = "second",
    break_lock: bool = False,
    only: int | None = None,
    engine: str = "serial",
    accept_versions: bool = False,
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
    only : int, optional
        The chain holds this ensemble of the fit alone.
    engine : str
        Who samples; for the record.
    accept_versions : bool
        Continue a chain that was made with other versions of the packages.

    Raises
    ------
    ChainError
        If the folder cannot be written to, another process writes the chain, or the file is not a chain of
        this fit, these ensembles and these packages.
    """
    ensembles = wanted_ensembles(fit, only)
    refuse_place(path)
    store = Store(path, fit, Lock(lock_of(path), path, take_over=break_lock), sync, ensembles, engine)
    try:
        if fresh:
            store.moved = move_aside(path)
        store.open(accept_versions=accept_versions)
    except BaseException:
        store.close()
        raise
    return store


class Store:
    """A chain while a run writes it; a context manager.

    Attributes
    ----------
    at : Standing
        Where the chain stands.
    populations : dict of int to Population
        How far the tempered starts of ensembles have come that have not begun.
    moved : Path or None
        Where a former chain was moved.
    notices : list of str
        What was found and repaired when the chain was opened.
    """

    def __init__(
        self, path: Path, fit: Fit, lock: Lock, sync: Sync, ensembles: tuple[int, ...] = (0,),
        engine: str = "serial",
    ) -> None:  # fmt: skip
        self.path, self.fit, self.lock, self.sync, self.engine = path, fit, lock, sync, engine
        self.at = Standing(ensembles)
        self.populations: dict[int, Population] = {}
        self.moved: Path | None = None
        self.notices: list[str] = [lock.notice] if lock.notice else []
        self._unsaid: list[dict[str, Any]] = []  # segments that the journal does not hold yet
        self._journal: Journal | None = None
        self._published = (0, time.monotonic(), 0.0)  # steps, when, how long it took

    @property
    def ensembles(self) -> tuple[int, ...]:
        """Numbers of the ensembles of the chain."""
        return self.at.ensembles

    @property
    def states(self) -> dict[int, State]:
        """Where those ensembles stand that have begun."""
        return self.at.states

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        return self.at.seed

    @property
    def steps(self) -> int:
        """Steps that all ensembles have."""
        return self.at.steps

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

    def open(self, *, accept_versions: bool = False) -> None:
        """Read where the chain stands and repair what a crash has left; refuse the chain of another fit."""
        opened = open_standing(self.path, self.fit, self.ensembles, self.sync, accept_versions)
        if opened is None:
            return
        self.at, self._journal, self.populations = opened.at, opened.journal, opened.populations
        self.notices += opened.notices
        if opened.killed:
            self._say_later(self._segment("killed"))
        if opened.versions:
            self._say_later(self._segment("other versions accepted") | {"versions": opened.versions})
        if self._journal is None:
            self._published = (self.steps, time.monotonic(), 0.0)
        elif not opened.view_is_right:
            self._publish(complete=False)

    def keep(self, population: Population, seed: int, ensemble: int, seconds_left: float) -> None:
        """Store how far the tempered start of an ensemble has come, in place of its former stage.

        Raises
        ------
        ChainError
            If the disk is full or fails; the former stage is kept.
        """
        self._begun_journal(seed)
        head = Head(self.fit.fingerprint, seed, ensemble, population.stage, population.beta, seconds_left)
        try:
            write_start(self.path, head, population)
        except OSError as error:
            problem = f"cannot be written at stage {population.stage}: {error.strerror or error}"
            raise ChainError(str(start_of(self.path, ensemble)), problem, GOES_ON) from error
        self.populations[ensemble] = population

    def _begun_journal(self, seed: int) -> Journal:
        """Return the journal; a new one begins with what the chain is."""
        if self._journal is None:
            self.at.seed = seed
            said = {"created": now(), "ensembles": list(self.ensembles), "nulls": nulls(self.fit)}
            self.at.described = describe(self.fit) | said
            self._begin_journal()
        assert self._journal is not None
        return self._journal

    def begin(self, state: State, seed: int, ensemble: int = 0) -> None:
        """Create the chain, or add the first state of another of its ensembles."""
        journal = self._begun_journal(seed)
        accepted = np.zeros(len(state.coords))
        start = encode_start(state, len(self.at.described["blobs"]), accepted, ensemble)
        self._append(start)
        self.at.tracks[ensemble] = Track(state, accepted)
        if self.populations.pop(ensemble, None) is not None:
            try:
                journal.force()
                remove_start(self.path, ensemble)
            except OSError as error:
                self._stop(error, 0)
        self._publish(complete=False)
        self._published = (0, time.monotonic(), 0.0)  # the first steps are shown at once

    def _begin_journal(self) -> None:
        """Start a journal at the present states, on the finished chain if there is one."""
        base, starts = {"steps": self.steps, "row": ""}, []
        try:
            if self.steps:
                base["row"] = row_sum(self.path, self.steps)
                self.at.base = self._keep_base()
                blobs = len(self.at.described["blobs"])
                for k, track in self.at.tracks.items():
                    starts.append(encode_start(track.state, blobs, track.accepted, k))
            said = [each for each in self.at.segments if each not in self._unsaid]
            words = self.at.described | {"seed": self.seed, "base": base, "segments": said}
            self._journal = Journal(journal_of(self.path), encode_header(words, starts), self.sync)
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

    def append(self, block: Block, state: State, ensemble: int = 0) -> None:
        """Add a block of steps of an ensemble and the state after it; when this returns they are stored.

        Raises
        ------
        ChainError
            If the disk is full or fails; what was stored before is kept.
        """
        if self._journal is None:
            self._begin_journal()
        index = self._append(encode(block, state, ensemble))
        self.at.tracks[ensemble].add(index, len(block.values), block.accepted, state)
        if self._is_due():
            self._publish(complete=False)

    def _append(self, payload: bytes) -> int:
        """Append a record to the journal; return its index."""
        assert self._journal is not None
        try:
            self._say()
            self._journal.append(payload)
        except OSError as error:
            self._stop(error, len(payload))
        return len(self._journal.places) - 1

    def _say_later(self, segment: dict[str, Any]) -> None:
        self.at.segments.append(segment)
        self._unsaid.append(segment)

    def _say(self) -> None:
        while self._unsaid:
            assert self._journal is not None
            self._journal.append(encode_segment(self._unsaid[0]))
            del self._unsaid[0]

    def _stop(self, error: OSError, needed: int) -> NoReturn:
        raise ChainError(
            str(journal_of(self.path)),
            f"cannot be written after step {self.steps} ({needed} bytes): {error.strerror or error}",
            GOES_ON,
        ) from error

    def finish(self, reason: str) -> None:
        """Write why this stretch of the run ended, publish, and put the journal away if the run is over."""
        if self._journal is None:
            return  # asked for what was already there
        again = bool(self.at.segments) and self.at.ended == self.steps
        if not again or self.at.segments[-1]["reason"] != reason:
            self._say_later(self._segment(reason))
        try:
            self._say()
            self._journal.force()
        except OSError as error:
            self._stop(error, 0)
        complete = reason != "interrupted"
        self._publish(complete=complete)
        if complete:
            journal, self._journal = self._journal, None
            self.at.base, self.at.base_steps = self.path, self.steps
            for track in self.at.tracks.values():
                track.records.clear()
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
            "start": self.at.ended,
            "stop": self.steps,
            "reason": reason,
            "ended": now(),
            "host": socket.gethostname(),
            "version": __version__,
            "engine": self.engine,
        }

    def _is_due(self) -> bool:
        steps, when, cost = self._published
        waited = time.monotonic() - when
        grown = self.steps > steps and self.steps >= GROWTH * steps
        return waited * SHARE > cost and (grown or waited > SECONDS)

    def _publish(self, *, complete: bool) -> None:
        assert self._journal is not None
        if not self.at.begun:
            return
        begun = time.monotonic()
        run = {"seed": self.seed, "engine": self.engine, "segments": self.at.segments}
        try:
            self._journal.force()  # the view never holds what the journal could still lose
            accepted = self.at.accepted(self._journal)
            content = Content(self.at.described, run, self.steps, accepted, self.states, self.rows)
            publish(self.path, content, complete=complete)
        except OSError as error:
            raise ChainError(
                str(self.path), f"cannot be written: {error.strerror or error}", GOES_ON
            ) from error
        end = time.monotonic()
        self._published = (self.steps, end, end - begun)

    def judge(self) -> Verdict:
        """Publish what is stored and judge it as a reader will."""
        from globalfit.chains.chain import Chain

        if self._journal is not None:
            self._publish(complete=False)
        with Chain.open(self.path) as chain:
            return chain.verdict

    def rows(self) -> Iterator[Rows]:
        """Yield the steps that all ensembles have in pieces."""
        return self.at.rows(self._journal)

    def samples(self, ensemble: int | None = None) -> Array:
        """Return scaled parameters and ln posterior (steps, walkers, dim + 1) of an ensemble.

        Without a number: of the steps all ensembles have, their walkers side by side.
        """
        space = self.fit.posterior.space
        rows = self.rows() if ensemble is None else self.at.rows_of(ensemble, self._journal)
        return np.concatenate([np.dstack([space.scaled(v), p]) for v, p, _ in rows])
