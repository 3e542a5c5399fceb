"""The engine of worker processes on this machine; each puts the fit together for itself.

Only the process that runs the fit handles signals and writes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from globalfit.errors import SamplingError
from globalfit.sampling.engines.crew import Crew, Job
from globalfit.sampling.engines.work import Outcome, Refusal, Say, Spec, Task, carry_out_elsewhere, sendable

if TYPE_CHECKING:
    from globalfit.fit import Fit


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
        self.notice = notice
        self.crew = Crew(workers, "--engine processes", "--engine serial", self._lost)
        self.tasks: dict[Job, Task] = {}

    def use(self, fit: Fit, spec: Spec) -> None:
        """Take the fit whose tasks will come."""
        sendable(fit, self.name)
        self.spec = spec

    def submit(self, task: Task) -> None:
        """Take a task."""
        call = partial(carry_out_elsewhere, self.spec, task, "a worker process")
        job = Job(f"ensemble {task.ensemble}", call)
        self.tasks[job] = task
        self.crew.submit(job)

    def wait(self, stop: Callable[[], bool]) -> Outcome | None:
        """Return a finished task; a worker that died is replaced."""
        if (done := self.crew.wait(stop)) is None:
            return None
        job, answer = done
        del self.tasks[job]
        if isinstance(answer, Refusal):
            raise SamplingError(answer.worker, answer.why, "restart the run")
        assert isinstance(answer, Outcome)
        return answer

    def _lost(self, job: Job) -> None:
        self.notice(f"a worker died; {job.name} goes on from its last stored step")

    def withdraw(self) -> set[int]:
        """Take back the tasks that no worker has begun."""
        return {self.tasks.pop(job).ensemble for job in self.crew.withdraw()}

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; with `at_once`, whatever they do."""
        self.crew.close(at_once=at_once)
        self.tasks.clear()
