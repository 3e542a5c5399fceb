"""Worker processes on this machine; each puts the fit together for itself and does a block at a time.

Every worker has a pipe of its own. If it dies, at whatever moment, the pipe ends: another takes its place and
does its block again. What the dead one said last is dropped with the pipe, so that nothing is taken twice.
Only the process that runs the fit handles signals and writes; the workers end with it, however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from globalfit.errors import SamplingError
from globalfit.sampling.engines.work import Failure, Outcome, Refusal, Say, Spec, Task, sendable
from globalfit.sampling.engines.worker import READY, Answer, Crash, one_thread, serve
from globalfit.sampling.signals import SIGNALS, unheard

if TYPE_CHECKING:
    from globalfit.fit import Fit

LOSSES = 10  # workers that may die one after the other without one block being done
POLL = 0.1  # seconds between two looks at whether to stop


@dataclass(eq=False)
class Worker:
    """A process and this end of its pipe; until it is `ready` a task waits here, not in the pipe."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False

    @classmethod
    def begun(cls) -> Worker:
        """Begin one. The pipe it is begun through takes no more than a few kilobytes: no task goes there."""
        resource_tracker.ensure_running()  # begun below, it would let signals through again
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there,), name="globalfit worker")
        with one_thread(), unheard(*SIGNALS), there:
            process.start()
        return cls(process, here)

    def end(self) -> None:
        """End it, whatever it does."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


@dataclass(eq=False)
class Seat:
    """The place of a worker."""

    worker: Worker | None = None
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
        if seat.worker is None:
            seat.worker = Worker.begun()
        elif seat.worker.ready:
            self._send(seat.worker, task)

    def _send(self, worker: Worker, task: Task) -> None:
        with contextlib.suppress(OSError):  # it is dead, and `wait` sees the end of its pipe
            worker.pipe.send((self.spec, task))

    def wait(self, stop: Callable[[], bool]) -> Outcome | None:
        """Return a finished task; a worker that died is replaced."""
        while True:
            at_work = {seat.worker.pipe: seat for seat in self.seats if seat.worker and seat.task}
            said = wait_for(list(at_work), timeout=POLL)
            if not said and stop():
                return None
            for seat in (at_work[pipe] for pipe in at_work if pipe in said):
                if (answer := self._heard(seat)) is not None:
                    self.seats.sort(key=lambda each: each is seat)  # the others are heard before it
                    self._seat()
                    return self._outcome(answer)

    def _heard(self, seat: Seat) -> Answer | None:
        """Return what a worker answers, if it does: it may say that it is ready, or be dead."""
        worker, task = seat.worker, seat.task
        assert worker is not None
        assert task is not None
        try:
            answer: Answer | str = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(seat, task)
            return None
        worker.ready = True
        if isinstance(answer, str):
            assert answer == READY
            self._send(worker, task)
            return None
        seat.task = None
        return answer

    def _outcome(self, answer: Answer) -> Outcome:
        if isinstance(answer, Failure):
            raise answer.error
        if isinstance(answer, Refusal):
            raise SamplingError(answer.worker, answer.why, "restart the run")
        if isinstance(answer, Crash):
            raise RuntimeError(f"in a worker process:\n{answer.trace}")
        self.losses = 0
        return answer

    def _replace(self, seat: Seat, task: Task) -> None:
        self.losses += 1
        assert seat.worker is not None
        seat.worker.end()
        seat.worker = None
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
        workers = [seat.worker for seat in self.seats if seat.worker is not None]
        for worker in workers:
            worker.pipe.close()  # it ends when it has done its block
        for worker in workers:
            if at_once:
                worker.end()
            worker.process.join()
        for seat in self.seats:
            seat.worker, seat.task = None, None
