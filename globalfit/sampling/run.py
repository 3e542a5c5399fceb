"""A run: start or continue, advance block by block, store each, stop when it is enough."""

from __future__ import annotations

import contextlib
import math
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import SamplingError
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start
from globalfit.sampling.state import Block, State
from globalfit.sampling.stopping import LENGTH, Verdict, assess
from globalfit.sampling.tempered import Population, tempered_start

if TYPE_CHECKING:
    from globalfit.fit import Fit

BLOCK = 64  # steps a block at most; the store's chunks have the same length
SECONDS = 1.0  # and no step begins later than this in a block: what is not yet stored is lost by a crash
WATCHED = 32  # walkers used for the estimates shown while a run goes on
LOG_POSTERIOR = "ln posterior"  # judged together with the parameters
FIRST_CHECK = 4 * BLOCK  # steps after which a chain is assessed for the first time
GROWTH = 1.1  # and again each time it has grown by this factor


class Store(Protocol):
    """Where a chain is kept."""

    @property
    def state(self) -> State | None:
        """State to go on from; None for a new chain."""
        ...

    @property
    def seed(self) -> int | None:
        """Seed of the stored chain."""
        ...

    @property
    def steps(self) -> int:
        """Steps stored."""
        ...

    def samples(self) -> Array:
        """Return scaled parameters and ln posterior of all stored steps (steps, walkers, dim + 1)."""
        ...

    def begin(self, state: State, seed: int) -> None:
        """Create the file."""
        ...

    def append(self, block: Block, state: State) -> None:
        """Add a block of steps; when this returns they are stored."""
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


def run(
    fit: Fit,
    store: Store,
    *,
    steps: int | None = None,
    steps_more: int | None = None,
    target_ess: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> str:
    """Sample `fit` into `store`; see `Fit.run`.

    Returns
    -------
    str
        Why it ended: "converged", "steps", "max-steps" or "interrupted".

    Raises
    ------
    SamplingError
        If no start can be found or the settings contradict each other.
    """
    total = _total(fit, store, steps, steps_more, target_ess)
    wanted = None if total is not None else target_ess or fit.sampler.target.ess
    state = store.state
    if state is None:
        seed = fit.sampler.seed if fit.sampler.seed is not None else secrets.randbits(64)
        state = _first_state(fit, seed, progress)
        store.begin(state, seed)
    watch = _Watch(fit, store, state, total, wanted, progress)
    with interruptible() as stop:
        while not (reason := watch.finished()):
            if stop():
                reason = "interrupted"
                break
            limit = total or fit.sampler.max_steps
            count = min(BLOCK - state.step % BLOCK, limit - state.step)
            block, state = advance(fit.posterior, state, count, stop=stop, seconds=SECONDS)
            store.append(block, state)
            watch.see(block)
        store.finish(reason)
        watch.show(reason)
    return reason


def _first_state(fit: Fit, seed: int, progress: Callable[[Progress], None] | None) -> State:
    walkers, settings = fit.sampler.walkers, fit.sampler
    if settings.start != "tempered":
        point = settings.point if settings.start == "point" else None
        return start(fit.posterior, walkers, seed, point=point)

    def show(now: Population) -> None:
        if progress is not None:
            stage = f"tempered start: stage {now.stage}, beta {now.beta:.3g}, acceptance {now.acceptance:.2f}"
            nan = math.nan
            progress(Progress(0, walkers, nan, nan, nan, None, None, time.monotonic() - begun, nan, stage))

    begun = time.monotonic()
    return tempered_start(fit.posterior, walkers, seed, progress=show)


def _total(
    fit: Fit, store: Store, steps: int | None, steps_more: int | None, target_ess: int | None
) -> int | None:
    """Return the number of steps to reach, or None to run to the target."""
    if steps is not None and steps_more is not None:
        raise SamplingError("run", "both steps and steps-more are given", "give one of the two")
    if steps_more is not None:
        if steps_more < 1:
            raise SamplingError("run", f"steps-more = {steps_more}", "give a positive number")
        return store.steps + steps_more
    if target_ess is not None:
        if target_ess < 1:
            raise SamplingError("run", f"target-ess = {target_ess}", "give a positive number")
        return steps
    total = steps if steps is not None else fit.sampler.steps
    if total is not None and total < 1:
        raise SamplingError("run", f"steps = {total}", "give a positive number")
    return total


class _Watch:
    """Follows a run: decides when it is finished and estimates the time left."""

    def __init__(
        self,
        fit: Fit,
        store: Store,
        state: State,
        total: int | None,
        wanted: int | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.total, self.wanted, self.progress = total, wanted, progress
        self.names = (*fit.posterior.space.names, LOG_POSTERIOR)
        self.limit = total or fit.sampler.max_steps
        self.store, self.space = store, fit.posterior.space
        self.walkers = len(state.coords)
        self.watched = np.linspace(0, self.walkers - 1, min(WATCHED, self.walkers)).astype(int)
        self.samples: list[Array] = [store.samples()[:, self.watched]] if store.steps else []
        self.before = self.steps = store.steps
        self.accepted = 0.0
        self.began = time.monotonic()
        self.verdict: Verdict | None = None
        self.next_check = check_at(self.steps)

    def see(self, block: Block) -> None:
        values, log_prob = block.values[:, self.watched], block.log_prob[:, self.watched]
        self.samples.append(np.dstack([self.space.scaled(values), log_prob]))
        self.steps += len(block.values)
        self.accepted += float(block.accepted.sum())
        self.show("")

    def finished(self) -> str:
        """Return why the run is over, or an empty string."""
        if self.total is not None and self.steps >= self.total:
            return "steps"
        if self.steps and self.steps >= self.next_check:
            self._assess()
            self.next_check = check_at(self.steps + 1)
        if self.total is None and self.verdict is not None and self._enough(self.verdict):
            return "converged"
        return "max-steps" if self.steps >= self.limit else ""

    def _assess(self) -> None:
        """Estimate from some walkers; if that looks finished, judge by all of them, as a reader will."""
        self.samples = [np.concatenate(self.samples)]
        self.verdict = assess(self.samples[0], self.names, walkers=self.walkers)
        if self.total is None and self._enough(self.verdict):
            self.verdict = assess(self.store.samples(), self.names)

    def _enough(self, verdict: Verdict) -> bool:
        return verdict.finished and verdict.worst_ess >= (self.wanted or 0)

    def show(self, finished: str) -> None:
        if self.progress is None:
            return
        seconds = time.monotonic() - self.began
        done = self.steps - self.before
        tau = self.verdict.worst_tau if self.verdict else math.nan
        kept = self.steps - self.verdict.discard if self.verdict else 0
        self.progress(
            Progress(
                steps=self.steps,
                walkers=self.walkers,
                acceptance=self.accepted / (done * self.walkers) if done else math.nan,
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
        if self.total is not None:
            return self.total - self.steps
        if not math.isfinite(tau) or self.verdict is None:
            return math.nan
        kept = max((self.wanted or 0) * tau / self.walkers, LENGTH * tau)
        end = max(check_at(math.ceil(kept + self.verdict.discard)), self.next_check)
        return min(end, self.limit) - self.steps


def check_at(steps: int) -> int:
    """Return the first number of steps, not below `steps`, at which a chain is assessed.

    A fixed sequence of whole blocks: where a run ends does not depend on how often it was interrupted.
    """
    check = FIRST_CHECK
    while check < steps:
        check = BLOCK * math.ceil(check * GROWTH / BLOCK)
    return check


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a request to stop; a second SIGINT interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    kept = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}

    def ask(which: int, frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        for which in kept:
            signal.signal(which, ask)
        yield asked.is_set
    finally:
        for which, handler in kept.items():
            signal.signal(which, handler)
