"""Following the starts of a run's ensembles: how far they have come, and how long they will take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from globalfit.sampling.population import Population
from globalfit.sampling.state import State
from globalfit.sampling.watching import Progress, Store

if TYPE_CHECKING:
    from globalfit.fit import Fit


class Beginning:
    """Estimates the time left of tempered starts from the stages done since it was made.

    Parameters
    ----------
    fit : Fit
        What is sampled.
    store : Store
        Where its starts are kept.
    progress : callable, optional
        Called with how they are doing.
    """

    def __init__(self, fit: Fit, store: Store, progress: Callable[[Progress], None] | None) -> None:
        self.of, self.walkers = fit.sampler.ensembles, fit.sampler.walkers * len(store.ensembles)
        self.progress = progress if fit.sampler.start == "tempered" else None
        self.going: dict[int, Population | None] = {
            k: store.populations.get(k) for k in store.ensembles if k not in store.states
        }
        self.lengths: dict[int, float] = {}  # stages from the prior to the posterior
        self.done = 0
        self.began = time.monotonic()
        self.show()

    def see(self, ensemble: int, after: State | Population) -> None:
        """Take note of what became of an ensemble's start."""
        former = self.going[ensemble]
        before = -1 if former is None else former.stage  # the draws of the prior count as a stage
        if isinstance(after, Population):
            self.going[ensemble] = after
            self.done += after.stage - before
            if math.isfinite(after.left) and after.stage:
                self.lengths[ensemble] = after.stage / (1.0 - after.left)
        else:
            del self.going[ensemble]
            if after.origin is not None:
                self.done += after.origin.stages - before
                self.lengths[ensemble] = after.origin.stages

    @property
    def seconds_left(self) -> float:
        """Estimated wall time until all ensembles have begun; nan as long as there is no estimate."""
        if not self.lengths or not self.done:
            return math.nan
        typical = sum(self.lengths.values()) / len(self.lengths)
        missing = sum(
            max(self.lengths.get(k, typical) - (-1 if now is None else now.stage), 1.0)
            for k, now in self.going.items()
        )
        return (time.monotonic() - self.began) * missing / self.done

    def show(self) -> None:
        """Tell how the starts are doing."""
        if self.progress is None or not self.going:
            return
        nan = math.nan
        reached = {k: None if now is None else (now.stage, now.beta) for k, now in self.going.items()}
        seconds, left, said = time.monotonic() - self.began, self.seconds_left, told(reached, self.of)
        self.progress(Progress(0, self.walkers, nan, nan, nan, None, None, seconds, left, said))


def told(reached: Mapping[int, tuple[int, float] | None], of: int) -> str:
    """Return "ensembles 2-4 of 4, stage 9, beta 0.031" for the stages and betas they have reached.

    Ensembles count from 0; stage and beta are those of the one that is furthest behind.
    """
    numbers, known = sorted(reached), [each for each in reached.values() if each is not None]
    first, last = numbers[0] + 1, numbers[-1] + 1
    many = f"{first}-{last}" if last - first == len(numbers) - 1 else ", ".join(str(k + 1) for k in numbers)
    which = f"ensembles {many}" if len(numbers) > 1 else f"ensemble {first}"
    if len(known) < len(numbers):
        return f"{which} of {of}, draws of the prior"
    stage, beta = min(known)
    return f"{which} of {of}, stage {stage}, beta {beta:.2g}"
