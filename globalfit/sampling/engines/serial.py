"""The serial engine: this process does everything, one ensemble after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from globalfit.sampling.engines.work import Outcome, Spec, Task, carry_out
from globalfit.sampling.watching import CHUNK

if TYPE_CHECKING:
    from globalfit.fit import Fit


class Serial:
    """See `Engine`. Asked to stop, it finishes the step."""

    name = "serial"
    block = CHUNK
    seconds = 1.0  # what is not yet stored is lost by a crash

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def use(self, fit: Fit, spec: Spec) -> None:
        """Take the fit whose tasks will come."""
        self.fit, self.seed = fit, spec.seed

    def submit(self, task: Task) -> None:
        """Take a task."""
        self.tasks.append(task)

    def wait(self, stop: Callable[[], bool]) -> Outcome | None:
        """Do the next task."""
        return carry_out(self.fit, self.seed, self.tasks.pop(0), stop) if self.tasks else None

    def withdraw(self) -> set[int]:
        """Take back all tasks."""
        ensembles = {task.ensemble for task in self.tasks}
        self.tasks.clear()
        return ensembles

    def close(self, *, at_once: bool) -> None:
        """Forget the tasks."""
        self.tasks.clear()
