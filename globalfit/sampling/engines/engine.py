"""What a run asks of an engine, and how one is chosen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from globalfit.errors import SamplingError, did_you_mean
from globalfit.sampling.engines.work import Outcome, Say, Spec, Task

if TYPE_CHECKING:
    from globalfit.fit import Fit

ENGINES = ("serial", "processes", "dask")


class Engine(Protocol):
    """Carries out tasks, at most one an ensemble at a time, in any order.

    Attributes
    ----------
    name : str
        As in ``--engine``.
    block : int
        Steps a block has at most.
    seconds : float
        Time after which a block begins no further step, and a start no further stage.
    """

    name: str
    block: int
    seconds: float

    def use(self, fit: Fit, spec: Spec) -> None:
        """Take the fit whose tasks will come."""
        ...

    def submit(self, task: Task) -> None:
        """Take a task."""
        ...

    def wait(self, stop: Callable[[], bool]) -> Outcome | None:
        """Return a finished task, or None as soon as `stop` says so.

        Raises
        ------
        GlobalfitError
            The error of a task; or SamplingError if there are no workers left to do it.
        """
        ...

    def withdraw(self) -> set[int]:
        """Take back the tasks that nobody has begun; return their ensembles."""
        ...

    def close(self, *, at_once: bool) -> None:
        """Let the workers go; with `at_once`, whatever they do."""
        ...


def open_engine(
    name: str | None = None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    scheduler_file: str | Path | None = None,
    notice: Say = lambda line: None,
) -> Engine:
    """Return the engine `name`; without a name, the one the other words ask for.

    Parameters
    ----------
    name : {"serial", "processes", "dask"}, optional
        A scheduler means "dask", a number of workers "processes", nothing "serial".
    workers : int, optional
        Number of processes; that of the cores by default.
    scheduler : str, optional
        Address of a Dask scheduler.
    scheduler_file : path, optional
        File in which a Dask scheduler has left its address.
    notice : callable
        Called with one line if a worker is lost or refused.

    Raises
    ------
    SamplingError
        If the engine is not known or the words contradict each other.
    """
    if name is None:
        name = "dask" if scheduler or scheduler_file else "processes" if workers is not None else "serial"
    if name not in ENGINES:
        raise SamplingError("--engine", f"there is no engine '{name}'", did_you_mean(name, ENGINES))
    if (scheduler or scheduler_file) and name != "dask":
        raise SamplingError("--scheduler", f"the engine '{name}' has none", "use --engine dask")
    if workers is not None:
        if workers < 1:
            raise SamplingError("--workers", f"{workers} is no number of workers", "give 1 or more")
        if name == "serial":
            raise SamplingError("--workers", "the engine 'serial' has none", "use --engine processes")
        if scheduler or scheduler_file:
            raise SamplingError("--workers", "the scheduler has its own workers", "leave it out")
    if name == "processes":
        from globalfit.sampling.engines.processes import Processes

        return Processes(workers or cores(), notice)
    if name == "dask":
        from globalfit.sampling.engines.dask import Dask

        return Dask(workers, scheduler, scheduler_file, notice)
    from globalfit.sampling.engines.serial import Serial

    return Serial()


def fitting(fit: Fit) -> str:
    """Return the engine for a fit whose user named none: processes, where they can share the ensembles."""
    shared = fit.recipe is not None and fit.sampler.ensembles > 1 and cores() > 1
    return "processes" if shared else "serial"


def cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
