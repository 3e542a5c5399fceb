"""Worker processes on this machine, which make calls, one at a time each.

Every worker has a pipe of its own. If it dies, at whatever moment, the pipe ends: another takes its place and
makes its call again. What the dead one said last is dropped with the pipe, so that nothing is taken twice.
Only this process hears signals; the workers end with it, however it ends.
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
from typing import Any

from globalfit.errors import SamplingError
from globalfit.sampling.engines.worker import READY, Call, Crash, Failure, one_thread, serve
from globalfit.sampling.signals import SIGNALS, unheard

LOSSES = 10  # workers that may die one after the other without one call being answered
POLL = 0.1  # seconds between two looks at whether to stop


@dataclass(frozen=True, eq=False)
class Job:
    """A call for a worker, and what to name it if that dies: "ensemble 3"."""

    name: str
    call: Call


@dataclass(eq=False)
class Worker:
    """A process and this end of its pipe; until it is `ready` a call waits here, not in the pipe."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False

    @classmethod
    def begun(cls) -> Worker:
        """Begin one. The pipe it is begun through takes no more than a few kilobytes: no call goes there."""
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
    job: Job | None = None


class Crew:
    """Workers that are begun as there are jobs for them.

    Parameters
    ----------
    count : int
        How many at most.
    who, alone : str
        What has them, and what does without them, as an error says.
    lost : callable
        Called with a job whose worker died, before another does it.
    """

    def __init__(
        self, count: int, who: str, alone: str, lost: Callable[[Job], None] = lambda job: None
    ) -> None:
        self.seats = [Seat() for _ in range(count)]
        self.who, self.alone, self.lost = who, alone, lost
        self.jobs: list[Job] = []
        self.losses = 0

    def submit(self, job: Job) -> None:
        """Take a job; it is begun in its turn."""
        self.jobs.append(job)
        self._seat()

    def _seat(self) -> None:
        """Give the jobs in hand to idle workers."""
        for seat in self.seats:
            if seat.job is None and self.jobs:
                self._give(seat, self.jobs.pop(0))

    def _give(self, seat: Seat, job: Job) -> None:
        seat.job = job
        if seat.worker is None:
            seat.worker = Worker.begun()
        elif seat.worker.ready:
            self._send(seat.worker, job)

    def _send(self, worker: Worker, job: Job) -> None:
        with contextlib.suppress(OSError):  # it is dead, and `wait` sees the end of its pipe
            worker.pipe.send(job.call)

    def wait(self, stop: Callable[[], bool] = lambda: False) -> tuple[Job, Any] | None:
        """Return a finished job and what its call returned, or None as soon as `stop` says so.

        Raises
        ------
        GlobalfitError
            That of a call.
        SamplingError
            If worker after worker dies.
        """
        while True:
            at_work = {seat.worker.pipe: seat for seat in self.seats if seat.worker and seat.job}
            said = wait_for(list(at_work), timeout=POLL)
            if not said and stop():
                return None
            for seat in (at_work[pipe] for pipe in at_work if pipe in said):
                job = seat.job
                assert job is not None
                answered, answer = self._heard(seat, job)
                if answered:
                    self.seats.sort(key=lambda each: each is seat)  # the others are heard before it
                    self._seat()
                    return job, self._good(answer)

    def _heard(self, seat: Seat, job: Job) -> tuple[bool, Any]:
        """Return whether a worker answers, and what: it may say that it is ready, or be dead."""
        worker = seat.worker
        assert worker is not None
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError):
            self._replace(seat, worker, job)
            return False, None
        if not worker.ready:
            assert answer == READY
            worker.ready = True
            self._send(worker, job)
            return False, None
        seat.job = None
        return True, answer

    def _good(self, answer: Any) -> Any:
        if isinstance(answer, Failure):
            raise answer.error
        if isinstance(answer, Crash):
            raise RuntimeError(f"in a worker process:\n{answer.trace}")
        self.losses = 0
        return answer

    def _replace(self, seat: Seat, worker: Worker, job: Job) -> None:
        self.losses += 1
        worker.end()
        seat.worker = None
        if self.losses > LOSSES:
            raise SamplingError(
                self.who,
                f"{self.losses} workers died, one after the other, at {job.name}",
                f"look for a lack of memory or a crash of a likelihood; {self.alone} shows it",
            )
        self.lost(job)
        self._give(seat, job)

    def withdraw(self) -> list[Job]:
        """Take back the jobs that no worker has begun."""
        jobs, self.jobs = self.jobs, []
        return jobs

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; with `at_once`, whatever they do."""
        self.jobs.clear()
        workers = [seat.worker for seat in self.seats if seat.worker is not None]
        for worker in workers:
            worker.pipe.close()  # it ends when it has made its call
        for worker in workers:
            if at_once:
                worker.end()
            worker.process.join()
        for seat in self.seats:
            seat.worker, seat.job = None, None
