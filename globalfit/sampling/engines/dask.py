"""The workers of a Dask cluster: one on this machine, or any that has a scheduler.

A block is one task. A task whose worker dies is done again by another; nothing is kept on the workers.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import math
import queue
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globalfit.errors import SamplingError
from globalfit.sampling.engines.work import (
    Outcome,
    Refusal,
    Say,
    Spec,
    Task,
    carry_out_elsewhere,
    sendable,
)
from globalfit.sampling.engines.worker import Failure, one_thread
from globalfit.sampling.signals import unheard

if TYPE_CHECKING:
    from globalfit.fit import Fit

PATIENCE = 10.0  # seconds for a scheduler to answer, and for dead workers to be replaced
WORKERS = 60.0  # seconds for its first worker to come
ATTEMPTS = 2  # to begin a cluster on this machine
LOSSES = 10  # times a task may be lost with its workers before that is taken for its own fault
POLL = 0.1


class Dask:
    """See `Engine`. Asked to stop, blocks under way are finished.

    Parameters
    ----------
    workers : int, optional
        Processes of a cluster on this machine; one a core by default.
    scheduler : str, optional
        Address of a scheduler; without one, and without a file, a cluster is begun on this machine.
    scheduler_file : path, optional
        File in which the scheduler has left its address.
    notice : callable
        Called with one line when a worker is lost or refused.

    Raises
    ------
    SamplingError
        If Dask is not installed or the file is missing.
    """

    name = "dask"
    block = 512
    seconds = 2.0

    def __init__(
        self,
        workers: int | None = None,
        scheduler: str | None = None,
        scheduler_file: str | Path | None = None,
        notice: Say = lambda line: None,
    ) -> None:
        try:
            import distributed
        except ImportError:
            raise SamplingError(
                "--engine dask", "dask is not installed", "pip install 'globalfit[dask]'"
            ) from None
        if scheduler and scheduler_file:
            raise SamplingError("--scheduler", "an address and a file are given", "give one of the two")
        if scheduler_file and not Path(scheduler_file).is_file():
            raise SamplingError(
                "--scheduler-file", f"there is no file '{scheduler_file}'",
                "start 'dask scheduler --scheduler-file' first",
            )  # fmt: skip
        logging.getLogger("asyncio").addFilter(_tells)
        self.dask: Any = distributed
        self.workers, self.scheduler, self.scheduler_file = workers, scheduler, scheduler_file
        self.notice = notice
        self.client: Any = None
        self.cluster: Any = None
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.tasks: dict[Any, Task] = {}  # by future
        self.losses: dict[int, int] = {}
        self.refused: set[str] = set()
        self.dead_since = math.inf

    def use(self, fit: Fit, spec: Spec) -> None:
        """Take the fit whose tasks will come."""
        sendable(fit, self.name)
        self.spec = spec

    def _connect(self) -> None:
        if not (self.scheduler or self.scheduler_file):
            for attempt in range(ATTEMPTS):
                try:
                    self._begin_cluster()
                    return
                except (RuntimeError, OSError, TimeoutError) as error:
                    why = " ".join(str(error).split()) or type(error).__name__
                    self.notice(f"the workers did not start ({why[:120]}); attempt {attempt + 1}")
            raise SamplingError(
                "--engine dask", f"its workers did not start, {ATTEMPTS} times ({why[:120]})",
                "try again when the machine is less busy, or --engine processes",
            )  # fmt: skip
        where = {"address": self.scheduler} if self.scheduler else {"scheduler_file": self.scheduler_file}
        shown = self.scheduler or f"the address in '{self.scheduler_file}'"
        try:
            self.client = self.dask.Client(**where, timeout=PATIENCE)
        except (OSError, TimeoutError, ValueError, KeyError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise SamplingError(
                "--scheduler", f"no dask scheduler answers at {shown} within {PATIENCE:.0f} s ({why[:120]})",
                "start one, or check the address",
            ) from None  # fmt: skip
        try:
            self.client.wait_for_workers(1, timeout=WORKERS)
        except TimeoutError:
            raise SamplingError(
                "--scheduler", f"{shown} has had no worker for {WORKERS:.0f} s", "start some"
            ) from None

    def _begin_cluster(self) -> None:
        import dask

        from globalfit.sampling.engines.engine import cores

        patient = dask.config.set({"distributed.comm.timeouts.connect": f"{WORKERS:.0f}s"})
        with patient, one_thread(), unheard(signal.SIGINT):
            self.cluster = self.dask.LocalCluster(
                n_workers=self.workers or cores(), threads_per_worker=1, dashboard_address=":0",
                silence_logs=logging.CRITICAL,
            )  # fmt: skip
            self.client = self.dask.Client(self.cluster, timeout=WORKERS)

    def submit(self, task: Task) -> None:
        """Take a task."""
        if self.client is None:
            self._connect()
        where: dict[str, Any] = {"workers": self._accepted()} if self.refused else {}
        future = self.client.submit(_carry_out, self.spec, task, pure=False, **where)
        self.tasks[future] = task
        future.add_done_callback(self.done.put)

    def _accepted(self) -> list[str]:
        """Return the workers that have not been refused."""
        known = self.client.nthreads()
        accepted = [address for address in known if address not in self.refused]
        if not accepted:
            raise SamplingError(
                "--engine dask",
                f"every worker was refused ({self.why})",
                "give them the same packages and data",
            )
        return accepted

    def wait(self, stop: Callable[[], bool]) -> Outcome | None:
        """Return a finished task; one whose worker was lost is done again."""
        while True:
            try:
                future = self.done.get(timeout=POLL)
            except queue.Empty:
                if stop():
                    return None
                self._attend()
                continue
            task = self.tasks.pop(future, None)
            if task is None:  # withdrawn
                continue
            if not future.done():  # its worker died with the answer
                self._again(task)
                continue
            answer = self._answer(future, task)
            if isinstance(answer, Failure):
                raise answer.error
            if answer is not None:
                self.losses.pop(task.ensemble, None)
                return answer

    def _attend(self) -> None:
        """See that there is a scheduler; begin the workers of this machine anew if all are dead.

        One that dies while it starts is not replaced by Dask.
        """
        if self.client.status in ("closed", "closing"):
            raise self._gone()
        if self.cluster is None or any(each.is_alive() for each in self.cluster.workers.values()):
            self.dead_since = math.inf
            return
        now = time.monotonic()
        self.dead_since = min(self.dead_since, now)
        if now - self.dead_since > PATIENCE:
            self.dead_since = math.inf
            tasks = list(self.tasks.values())
            self.close(at_once=True)
            for task in tasks:
                self._again(task)

    def _answer(self, future: Any, task: Task) -> Outcome | Failure | None:
        """Return what a worker says; None if the task is done again."""
        try:
            answer: Outcome | Failure | Refusal = future.result(timeout=PATIENCE)
        except self.dask.scheduler.KilledWorker:
            self._again(task)
            return None
        except (concurrent.futures.CancelledError, asyncio.CancelledError, OSError):
            if self.client.status != "running":
                raise self._gone() from None
            self._again(task)  # the worker that had the answer died just now
            return None
        if isinstance(answer, Refusal):
            self.refused.add(answer.worker)
            self.why = answer.why
            self.notice(f"worker {answer.worker} is refused: {answer.why}")
            self.submit(task)
            return None
        return answer

    def _again(self, task: Task) -> None:
        """Submit a task that was lost with its workers."""
        self.losses[task.ensemble] = self.losses.get(task.ensemble, 0) + 1
        if self.losses[task.ensemble] > LOSSES:
            raise SamplingError(
                "--engine dask", f"every worker that took ensemble {task.ensemble} died",
                "look for a lack of memory or a crash of a likelihood; --engine serial shows it",
            )  # fmt: skip
        self.notice(f"workers died; ensemble {task.ensemble} goes on from its last stored step")
        self.submit(task)

    def _gone(self) -> SamplingError:
        return SamplingError(
            "--engine dask", "the scheduler is gone", "nothing stored is lost; the same command goes on"
        )

    def withdraw(self) -> set[int]:
        """Take back no task: what waits cannot be told from what runs."""
        return set()

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; with `at_once`, whatever they do."""
        client, cluster = self.client, self.cluster
        self.client = self.cluster = None
        if client is not None:
            with contextlib.suppress(Exception):
                client.cancel(list(self.tasks), force=True)
        self.tasks.clear()
        for each in (client, cluster):
            if each is not None:
                with contextlib.suppress(Exception):  # a scheduler that is gone
                    each.close(timeout=2)


def _tells(record: logging.LogRecord) -> bool:
    """Return False for what Dask's client leaves behind when a worker dies with an answer."""
    return not (record.exc_info and record.exc_info[0] and record.exc_info[0].__name__ == "AllExit")


def _carry_out(spec: Spec, task: Task) -> Outcome | Failure | Refusal:
    """Carry out a task, saying which worker does."""
    from distributed import get_worker

    return carry_out_elsewhere(spec, task, str(get_worker().address))
