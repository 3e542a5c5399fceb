"""A run: start or continue, advance block by block, store each, stop when it is enough."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from globalfit.errors import SamplingError
from globalfit.sampling.beginning import Beginning
from globalfit.sampling.engines.engine import Engine
from globalfit.sampling.engines.serial import Serial
from globalfit.sampling.engines.work import Outcome, Spec, Task
from globalfit.sampling.signals import interruptible
from globalfit.sampling.silence import Silence
from globalfit.sampling.state import State
from globalfit.sampling.watching import FIRST_CHECK, Progress, Store, Watch, check_at

if TYPE_CHECKING:
    from globalfit.fit import Fit

__all__ = [
    "FIRST_CHECK", "Progress", "Store", "check_at", "interruptible", "run",
]  # fmt: skip

GRACE = 4.0  # seconds in which, asked to stop, a run waits for blocks under way elsewhere


def run(
    fit: Fit,
    store: Store,
    *,
    steps: int | None = None,
    steps_more: int | None = None,
    target_ess: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    engine: Engine | None = None,
    notice: Callable[[str], None] = lambda line: None,
) -> str:
    """Sample `fit` into `store`; see `Fit.run`.

    An ensemble's next block is begun when its last one is stored. Which engine does it, and in which order,
    changes no bit of the chain.

    Returns
    -------
    str
        Why it ended: "converged", "steps", "max-steps" or "interrupted".

    Raises
    ------
    SamplingError
        If no start can be found, the settings contradict each other, or the engine's workers fail.
    KeyboardInterrupt
        If it is interrupted before every ensemble has made a step, or twice.
    """
    engine = engine or Serial()
    total = _total(fit, store, steps, steps_more, target_ess)
    wanted = None if total is not None else target_ess or fit.sampler.target.ess
    seed = store.seed
    if seed is None:
        seed = fit.sampler.seed if fit.sampler.seed is not None else secrets.randbits(64)
    spec = Spec.of(fit, seed)
    reason = ""
    try:
        engine.use(fit, spec)
        if len(store.states) < len(store.ensembles):
            _begin(fit, store, engine, seed, progress, notice)
        watch = Watch(fit, store, total, wanted, progress)
        with interruptible() as stop:
            with Silence(notice, stop) as silence:
                while not (reason := watch.finished()):
                    for outcome in _outcomes(engine, partial(_steps, store, engine, watch), stop, silence):
                        assert outcome.block is not None
                        assert isinstance(outcome.after, State)
                        store.append(outcome.block, outcome.after, outcome.ensemble)
                        watch.see(outcome.ensemble, outcome.block)
                    if stop() and watch.common < watch.barrier:
                        reason = "interrupted"
                        break
            engine.close(at_once=reason == "interrupted")
            store.finish(reason)
            watch.show(reason)
        if not store.steps:
            raise KeyboardInterrupt
    finally:
        engine.close(at_once=not reason)
    return reason


def _begin(
    fit: Fit,
    store: Store,
    engine: Engine,
    seed: int,
    progress: Callable[[Progress], None] | None,
    notice: Callable[[str], None],
) -> None:
    """Find and store the first states of the ensembles that have none, stage by stage if they start tempered.

    Asked to stop, it stores the stages under way, or gives them up if that takes too long.
    """
    beginning = Beginning(fit, store, progress)

    def stages(under_way: set[int]) -> Iterator[Task]:
        for k in store.ensembles:
            if k not in store.states and k not in under_way:
                yield Task(k, store.populations.get(k), 0, engine.seconds)

    with interruptible(GRACE) as stop, Silence(notice, stop) as silence:
        for outcome in _outcomes(engine, stages, stop, silence):
            beginning.see(outcome.ensemble, outcome.after)
            if isinstance(outcome.after, State):
                store.begin(outcome.after, seed, outcome.ensemble)
            else:
                store.keep(outcome.after, seed, outcome.ensemble, beginning.seconds_left)
            beginning.show()
        if stop():
            raise KeyboardInterrupt


def _steps(store: Store, engine: Engine, watch: Watch, under_way: set[int]) -> Iterator[Task]:
    """Yield the next blocks of the ensembles that stand still before the barrier, the shortest first."""
    for k in sorted(set(store.ensembles) - under_way, key=lambda k: (watch.steps[k], k)):
        if count := min(engine.block - watch.steps[k] % engine.block, watch.barrier - watch.steps[k]):
            yield Task(k, store.states[k], count, engine.seconds)


def _outcomes(
    engine: Engine, tasks: Callable[[set[int]], Iterator[Task]], stop: Callable[[], bool], silence: Silence
) -> Iterator[Outcome]:
    """Yield pieces of work as they are finished, until there are no `tasks` left, or asked to stop.

    The caller stores a piece before it asks for the next one. `tasks` is given the ensembles under way.
    """
    under_way: set[int] = set()
    end = math.inf
    while True:
        if stop():
            for k in engine.withdraw():
                under_way.discard(k)
                silence.withdrawn(k)
            end = min(end, time.monotonic() + GRACE)
        else:
            for task in list(tasks(under_way)):
                engine.submit(task)
                under_way.add(task.ensemble)
                silence.begun(task.ensemble)
        if not under_way:
            return
        outcome = engine.wait(stop if math.isinf(end) else partial(_is_past, end))
        if outcome is None:  # asked to stop
            if _is_past(end):
                return
            continue
        under_way.discard(outcome.ensemble)
        silence.heard(outcome.ensemble)
        yield outcome


def _is_past(end: float) -> bool:
    return time.monotonic() > end


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
