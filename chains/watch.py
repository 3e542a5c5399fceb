"""Following a run from outside: what its published file says, each time there is a new one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.beginning import Start, find_start
from globalfit.chains.chain import Chain
from globalfit.chains.lock import writer_of
from globalfit.chains.places import lock_of
from globalfit.errors import ChainError

TRACE = 40  # points of a trace
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class View:
    """A chain as it was published: what ``globalfit watch`` shows."""

    steps: int
    walkers: int
    acceptance: float
    tau: float
    ess: float
    ess_wanted: int | None
    seconds_left: float  # nan if unknown
    medians: dict[str, float]  # over the walkers, at the last step
    traces: dict[str, Array]  # medians over the walkers, at up to TRACE steps
    best: dict[str, float]  # ln likelihood by experiment at the best sample
    writing: bool


def follow(
    path: Path, *, every: float = 2.0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[View | Start]:
    """Yield a view of the chain, and one more each time it was published anew, until nobody writes it.

    Before there is a chain, how far the starts of its ensembles have come.

    Raises
    ------
    ChainError
        If the file cannot be read and nobody writes it.
    """
    seen: tuple[int, int] | None = None
    before: tuple[int, float] | None = None
    shown: Start | None = None
    while True:
        writing = bool(writer_of(lock_of(path)))  # asked first: what is published last is then still seen
        try:
            if (start := find_start(path)) is not None:
                if start != shown:
                    shown = start
                    yield start
                if not start.writing:
                    return
                sleep(every)
                continue
            state = path.stat()
            stamp = (state.st_ino, state.st_mtime_ns)
            if stamp != seen or not writing:
                chain = Chain.open(path)
                seen = stamp
                yield _view(chain, writing, before, state.st_mtime)
                before = before or (chain.steps, state.st_mtime)
        except FileNotFoundError:
            if not writing:
                raise ChainError(str(path), "is not a file", "name the -o of a run") from None
        except ChainError as error:
            if not writing or "holds no step yet" not in error.problem:
                raise
        if not writing:
            return
        sleep(every)


def _view(chain: Chain, writing: bool, before: tuple[int, float] | None, published: float) -> View:
    verdict = chain.verdict
    best = chain.best()
    target = chain.resolved.get("sampler", {}).get("target") or {}
    wanted = target.get("ess")
    left = np.nan
    if writing and before and published > before[1] and chain.steps > before[0] and verdict.worst_ess > 0:
        rate = (chain.steps - before[0]) / (published - before[1])
        missing = max(0.0, (wanted or 0) / verdict.worst_ess - 1.0) * (chain.steps - verdict.discard)
        left = missing / rate
    at = np.unique(np.linspace(0, chain.steps - 1, min(TRACE, chain.steps)).astype(int))
    traces = {name: np.median(chain.values[at, :, i], axis=1) for i, name in enumerate(chain.names)}
    return View(
        steps=chain.steps,
        walkers=chain.walkers,
        acceptance=chain.acceptance,
        tau=verdict.worst_tau,
        ess=verdict.worst_ess,
        ess_wanted=wanted,
        seconds_left=left,
        medians={name: float(trace[-1]) for name, trace in traces.items()},
        traces=traces,
        best={row["name"]: best[f"ll_{row['name']}"] for row in chain.likelihoods},
        writing=writing,
    )


def spark(values: Array) -> str:
    """Return a trace as a line of bars."""
    low, high = float(np.min(values)), float(np.max(values))
    if not high > low:
        return BARS[0] * len(values)
    return "".join(BARS[int(7.999 * (value - low) / (high - low))] for value in values)
