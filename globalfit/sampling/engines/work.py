"""The work of a run as pure functions: the same bits wherever, and however often, they are carried out."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from globalfit.errors import GlobalfitError, SamplingError
from globalfit.identity import versions
from globalfit.posterior import Posterior
from globalfit.sampling.engines.worker import Failure
from globalfit.sampling.ensemble import advance
from globalfit.sampling.moves import component_moves
from globalfit.sampling.population import Population
from globalfit.sampling.proposal import Proposal
from globalfit.sampling.stages import begin
from globalfit.sampling.state import Block, State

if TYPE_CHECKING:
    from globalfit.fit import Fit, Recipe

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class Spec:
    """What all tasks of a run have in common; it can be sent to other machines.

    Attributes
    ----------
    recipe : Recipe or None
        Puts the fit together again; None if the fit was put together in Python.
    fingerprint : str
        Of the fit. With it go options, declared versions, sources and data of the likelihoods.
    versions : dict
        Of the packages, and under ``arithmetic`` a checksum of what the processor makes of some functions.
    seed : int
        Of the run.
    """

    recipe: Recipe | None
    fingerprint: str
    versions: dict[str, str]
    seed: int

    @classmethod
    def of(cls, fit: Fit, seed: int) -> Spec:
        """Return the spec of a fit under a seed."""
        return cls(fit.recipe, fit.fingerprint, versions() | {"arithmetic": arithmetic()}, seed)


@dataclass(frozen=True)
class Task:
    """A piece of work: the next steps of an ensemble in some state, or the next stages of its start.

    Attributes
    ----------
    ensemble : int
        Its number.
    before : State, Population or None
        Where it stands; None if it has not been begun at all.
    steps : int
        At most so many.
    seconds : float
        Time after which no further step or stage is begun; at least one is done.
    """

    ensemble: int
    before: State | Population | None
    steps: int
    seconds: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of a task: steps and the state after them, or a start that is done, or on its way."""

    ensemble: int
    block: Block | None  # None of a start
    after: State | Population


@dataclass(frozen=True)
class Refusal:
    """A worker that would not give the same bits, and why."""

    ensemble: int
    worker: str
    why: str


def carry_out(fit: Fit, seed: int, task: Task, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Return what becomes of a task.

    With one thread of linear algebra, as in every worker: how a product of matrices is shared between threads
    changes its last bits.
    """
    with threadpool_limits(1, user_api="blas"):
        return _carried_out(fit, seed, task, stop)


def _carried_out(fit: Fit, seed: int, task: Task, stop: Callable[[], bool]) -> Outcome:
    before, posterior = task.before, fit.posterior
    if not isinstance(before, State):
        after = begin(posterior, fit.sampler, seed, task.ensemble, before, stop=stop, seconds=task.seconds)
        return Outcome(task.ensemble, None, after)
    moves = None if before.origin is None else _moves(posterior, before.origin.proposal)
    block, state = advance(posterior, before, task.steps, stop=stop, seconds=task.seconds, moves=moves)
    return Outcome(task.ensemble, block, replace(state, origin=before.origin))


@functools.lru_cache(maxsize=64)
def _moves(posterior: Posterior, proposal: bytes) -> list[tuple[Any, float]]:
    return component_moves(posterior, Proposal.from_bytes(proposal))


def carry_out_elsewhere(spec: Spec, task: Task, worker: str) -> Outcome | Failure | Refusal:
    """Carry out a task in a worker, which puts the fit together itself; errors are values."""
    if why := _differs(spec.versions, versions() | {"arithmetic": arithmetic()}):
        return Refusal(task.ensemble, worker, why)
    assert spec.recipe is not None
    try:
        fit = rebuilt(spec.recipe)
        if fit.fingerprint != spec.fingerprint:
            problem = "its likelihoods or their data differ (another fingerprint of the fit)"
            return Refusal(task.ensemble, worker, problem)
        return carry_out(fit, spec.seed, task)
    except GlobalfitError as error:
        return Failure(error)


@functools.lru_cache(maxsize=4)
def rebuilt(recipe: Recipe) -> Fit:
    """Return the fit of a recipe; a worker keeps it for the next task."""
    return recipe.fit()


def _differs(wanted: dict[str, str], found: dict[str, str]) -> str:
    lines = [f"{name} {found.get(name)} instead of {wanted[name]}" for name in wanted
             if name != "arithmetic" and found.get(name) != wanted[name]]  # fmt: skip
    if not lines and found["arithmetic"] != wanted["arithmetic"]:
        return "its processor rounds exp, log or matrix products differently"
    return ", ".join(lines)


@functools.cache
def arithmetic() -> str:
    """Return a checksum of the last bits of functions whose rounding depends on the processor."""
    x = np.linspace(0.1, 3.0, 1001)
    y = np.outer(np.sin(x[:64]), np.log(x[:64]))
    parts = (np.exp(x), np.log(x), np.sin(x), np.tanh(x), x**1.7, y @ y.T, np.cumsum(x), x.sum())
    return hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in parts)).hexdigest()[:16]


def sendable(fit: Fit, engine: str) -> None:
    """Refuse a fit that workers cannot put together again."""
    if fit.recipe is None:
        raise SamplingError(
            f"--engine {engine}", "the fit was put together in Python, which workers cannot repeat",
            "load it from a fit file, or use the serial engine",
        )  # fmt: skip
