"""Worker processes on this machine; each puts the fit together for itself and does a block at a time.

Every worker is a pool of one: if it dies its pool is broken, is built anew, and its block is done again. Only
the process that runs the fit handles signals and writes; the workers end with it, however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, TypeAlias

from globalfit.errors import SamplingError
from globalfit.sampling.engines.work import (
    Failure,
    Outcome,
    Refusal,
    Say,
    Spec,
    Task,
    carry_out_elsewhere,
    sendable,
)
from globalfit.sampling.signals import SIGNALS, unheard

if TYPE_CHECKING:
    from globalfit.fit import Fit

Answer: TypeAlias = Outcome | Failure | Refusal

LOSSES = 10  # workers that may die one after the other without one block being done
POLL = 0.1  # seconds between two looks at whether to stop
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(eq=False)
class Seat:
    """The place of a worker."""

    pool: ProcessPoolExecutor | None = None
    processes: list[BaseProcess] = field(default_factory=list)
    task: Task | None = None


class Processes:
    """See `Engine`. Asked to stop, blocks under way are finished.

    Parameters
    ----------
    workers : int
        How many.
    notice : callable
        Called with one line when a worker is lost.
    """

    name = "processes"
    block = 512
    seconds = 2.0

    def __init__(self, workers: int, notice: Say = lambda line: None) -> None:
        self.seats = [Seat() for _ in range(workers)]
        self.notice = notice
        self.tasks: list[Task] = []
        self.done: queue.SimpleQueue[tuple[Seat, Future[Answer]]] = queue.SimpleQueue()
        self.losses = 0

    def use(self, fit: Fit, spec: Spec) -> None:
        """Take the fit whose tasks will come."""
        sendable(fit, self.name)
        self.spec = spec

    def submit(self, task: Task) -> None:
        """Take a task."""
        self.tasks.append(task)
        self._seat()

    def _seat(self) -> None:
        """Give the tasks in hand to idle workers."""
        for seat in self.seats:
            if seat.task is None and self.tasks:
                self._give(seat, self.tasks.pop(0))

    def _give(self, seat: Seat, task: Task) -> None:
        seat.task = task
        if seat.pool is None:
            context = multiprocessing.get_context("spawn")
            seat.pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin_worker)
        before = multiprocessing.active_children()
        with one_thread(), unheard(*SIGNALS):
            try:
                future = seat.pool.submit(carry_out_elsewhere, self.spec, task, "a worker process")
            except BrokenProcessPool as error:  # it died while it was idle
                future = Future()
                future.set_exception(error)
        seat.processes += [each for each in multiprocessing.active_children() if each not in before]
        future.add_done_callback(lambda done: self.done.put((seat, done)))

    def wait(self, stop: Callable[[], bool]) -> Outcome | None:
        """Return a finished task; a worker that died is replaced."""
        while True:
            try:
                seat, future = self.done.get(timeout=POLL)
            except queue.Empty:
                if stop():
                    return None
                continue
            task, seat.task = seat.task, None
            assert task is not None
            try:
                answer = future.result()
            except BrokenProcessPool:
                self._replace(seat, task)
                continue
            self._seat()
            if isinstance(answer, Failure):
                raise answer.error
            if isinstance(answer, Refusal):
                raise SamplingError(answer.worker, answer.why, "restart the run")
            self.losses = 0
            return answer

    def _replace(self, seat: Seat, task: Task) -> None:
        self.losses += 1
        _end(seat)
        if self.losses > LOSSES:
            raise SamplingError(
                "--engine processes",
                f"{self.losses} workers died, one after the other, at ensemble {task.ensemble}",
                "look for a lack of memory or a crash of a likelihood; --engine serial shows it",
            )
        self.notice(f"a worker died; ensemble {task.ensemble} goes on from its last stored step")
        self._give(seat, task)

    def withdraw(self) -> set[int]:
        """Take back the tasks that no worker has begun."""
        ensembles = {task.ensemble for task in self.tasks}
        self.tasks.clear()
        return ensembles

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; with `at_once`, whatever they do."""
        self.tasks.clear()
        for seat in self.seats:
            if at_once:
                _end(seat)
            elif seat.pool is not None:
                seat.pool.shutdown(cancel_futures=True)
            seat.pool, seat.task = None, None


def _end(seat: Seat) -> None:
    """End a worker, whatever it does."""
    for process in seat.processes:
        with contextlib.suppress(ValueError):  # reaped already
            process.kill()
    if seat.pool is not None:
        seat.pool.shutdown(wait=True, cancel_futures=True)
    seat.pool, seat.processes = None, []


def _begin_worker() -> None:
    """End when the process that runs the fit ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow(sentinel: int) -> None:
        wait_for([sentinel])
        os._exit(1)

    threading.Thread(target=follow, args=(parent.sentinel,), daemon=True).start()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let processes that are begun here use one thread each: there are as many of them as cores."""
    kept = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
