"""Following a run: how it is doing, when it is judged, and whether it is finished."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from globalfit.arrays import Array
from globalfit.sampling.diagnosis import LENGTH
from globalfit.sampling.population import Population
from globalfit.sampling.state import Block, State
from globalfit.sampling.stopping import LOG_POSTERIOR, Verdict, assess

if TYPE_CHECKING:
    from globalfit.fit import Fit

CHUNK = 64  # checks come after whole chunks of steps
FIRST_CHECK = 4 * CHUNK  # steps after which a chain is assessed for the first time
GROWTH = 1.1  # and again each time it has grown by this factor
WATCHED = 256  # walkers used for the estimates shown while a run goes on


class Store(Protocol):
    """Where a chain is kept."""

    @property
    def ensembles(self) -> Sequence[int]:
        """Numbers of the ensembles of the chain."""
        ...

    @property
    def states(self) -> dict[int, State]:
        """States to go on from, of those ensembles that have begun."""
        ...

    @property
    def seed(self) -> int | None:
        """Seed of the stored chain."""
        ...

    @property
    def steps(self) -> int:
        """Steps stored of all ensembles."""
        ...

    def samples(self, ensemble: int | None = None) -> Array:
        """Return scaled parameters and ln posterior (steps, walkers, dim + 1) of an ensemble.

        Without a number: of the steps all ensembles have, their walkers side by side.
        """
        ...

    @property
    def populations(self) -> Mapping[int, Population]:
        """How far the tempered starts of ensembles have come that have not begun."""
        ...

    def keep(self, population: Population, seed: int, ensemble: int, seconds_left: float) -> None:
        """Store how far the tempered start of an ensemble has come."""
        ...

    def begin(self, state: State, seed: int, ensemble: int = 0) -> None:
        """Store the first state of an ensemble."""
        ...

    def append(self, block: Block, state: State, ensemble: int = 0) -> None:
        """Add a block of steps of an ensemble; when this returns they are stored."""
        ...

    def judge(self) -> Verdict:
        """Judge what is stored as a reader will: every quantity of all walkers."""
        ...

    def finish(self, reason: str) -> None:
        """Write why the run ended."""
        ...


@dataclass(frozen=True)
class Progress:
    """How a run is doing; tau and ESS are estimates and nan until there is one."""

    steps: int
    walkers: int
    acceptance: float
    tau: float
    ess: float
    steps_wanted: int | None  # given by the user
    ess_wanted: int | None
    seconds: float
    seconds_left: float
    start: str = ""  # how the start is doing, before the first step
    finished: str = ""  # "", "converged", "steps", "max-steps", "interrupted"


class Watch:
    """Decides when a run is finished and estimates the time left.

    Parameters
    ----------
    fit : Fit
        What is sampled.
    store : Store
        Where it is kept; every ensemble has begun.
    total : int or None
        Steps to reach, or None to run until `wanted` effective samples.
    progress : callable, optional
        Called with how the run is doing.

    Attributes
    ----------
    barrier : int
        No ensemble goes beyond this step before all have reached it and the chain was judged there. It comes
        at steps of a fixed sequence, so that where a run ends depends neither on the engine nor on time.
    """

    def __init__(
        self,
        fit: Fit,
        store: Store,
        total: int | None,
        wanted: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.total, self.wanted, self.progress = total, wanted, progress
        self.names = (*fit.posterior.space.names, LOG_POSTERIOR)
        self.limit = total or fit.sampler.max_steps
        self.store, self.space = store, fit.posterior.space
        first = next(iter(store.states.values()))
        self.walkers = len(first.coords) * len(store.ensembles)
        each = max(1, WATCHED // len(store.ensembles))
        self.watched = np.linspace(0, len(first.coords) - 1, min(each, len(first.coords))).astype(int)
        self.steps = {k: state.step for k, state in store.states.items()}
        self.seen = {k: [store.samples(k)[:, self.watched]] if n else [] for k, n in self.steps.items()}
        self.before = sum(self.steps.values())
        self.accepted = 0.0
        self.began = time.monotonic()
        self.verdict: Verdict | None = None
        self.next_check = check_at(self.common)
        self.barrier = self._barrier()

    @property
    def common(self) -> int:
        """Steps that all ensembles have."""
        return min(self.steps.values())

    def _barrier(self) -> int:
        longest = max(self.steps.values())
        if self.total is not None:
            return max(self.total, longest)
        return max(min(max(self.next_check, check_at(longest)), self.limit), longest)

    def see(self, ensemble: int, block: Block) -> None:
        """Take note of a stored block."""
        values, log_prob = block.values[:, self.watched], block.log_prob[:, self.watched]
        self.seen[ensemble].append(np.dstack([self.space.scaled(values), log_prob]))
        self.steps[ensemble] += len(block.values)
        self.accepted += float(block.accepted.sum())
        if self.total is not None and self.common >= self.next_check:
            self._assess()
        self.show("")

    def finished(self) -> str:
        """Return why the run is over, or an empty string; then the barrier has moved on."""
        if self.common >= self.next_check:
            self._assess()
        if self.common < self.barrier:
            return ""
        if self.total is not None:
            return "steps"
        if self.verdict is not None and self._enough(self.verdict):
            return "converged"
        if self.common >= self.limit:
            return "max-steps"
        self.barrier = self._barrier()
        return ""

    def _assess(self) -> None:
        """Estimate from some walkers; if that looks finished, judge by all of them, as a reader will."""
        self.seen = {k: [np.concatenate(parts)] for k, parts in self.seen.items()}
        self.next_check = check_at(self.common + 1)
        watched = np.hstack([whole[: self.common] for (whole,) in self.seen.values()])
        ensemble = np.repeat(np.arange(len(self.seen)), len(self.watched))
        self.verdict = assess(watched, self.names, ensemble=ensemble, walkers=self.walkers)
        if self.total is None and self._enough(self.verdict):
            self.verdict = self.store.judge()

    def _enough(self, verdict: Verdict) -> bool:
        return verdict.finished and verdict.worst_ess >= (self.wanted or 0)

    def show(self, finished: str) -> None:
        """Tell how the run is doing."""
        if self.progress is None:
            return
        seconds = time.monotonic() - self.began
        done = sum(self.steps.values()) - self.before
        each = self.walkers // len(self.steps)
        tau = self.verdict.worst_tau if self.verdict else math.nan
        kept = self.common - self.verdict.discard if self.verdict else 0
        self.progress(
            Progress(
                steps=self.common,
                walkers=self.walkers,
                acceptance=self.accepted / (done * each) if done else math.nan,
                tau=tau,
                ess=kept * self.walkers / tau if self.verdict else math.nan,
                steps_wanted=self.total,
                ess_wanted=self.wanted,
                seconds=seconds,
                seconds_left=self._steps_left(tau) * seconds / done if done else math.nan,
                finished=finished,
            )
        )

    def _steps_left(self, tau: float) -> float:
        """Return the steps still to be made, of all ensembles together."""
        gone = sum(self.steps.values())
        if self.total is not None:
            return len(self.steps) * self.barrier - gone
        if not math.isfinite(tau) or self.verdict is None:
            return math.nan
        kept = max((self.wanted or 0) * tau / self.walkers, LENGTH * tau)
        end = max(check_at(math.ceil(kept + self.verdict.discard)), self.next_check)
        return max(0, len(self.steps) * min(end, self.limit) - gone)


def check_at(steps: int) -> int:
    """Return the first number of steps, not below `steps`, at which a chain is assessed.

    A fixed sequence of whole chunks: where a run ends does not depend on how often it was interrupted.
    """
    check = FIRST_CHECK
    while check < steps:
        check = CHUNK * math.ceil(check * GROWTH / CHUNK)
    return check
