"""The progress of a run on stderr: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

if TYPE_CHECKING:
    from globalfit.sampling.run import Progress

ENDINGS = {
    "converged": "target reached",
    "steps": "all steps done",
    "max-steps": "stopped at max_steps",
    "interrupted": "interrupted",
}
PLAIN_EVERY = 5.0  # seconds between lines where there is no terminal


class ProgressLine:
    """Shows `Progress` objects it is called with; a context manager."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console, self.quiet = console, quiet
        shows = console.is_terminal and not quiet
        self.live = Live(console=console, refresh_per_second=8) if shows else None
        self.last = 0.0

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show how a run is doing."""
        if self.live:
            line = Table.grid(padding=(0, 1))
            line.add_row(ProgressBar(total=1.0, completed=fraction(progress), width=24), describe(progress))
            self.live.update(line)
        elif not self.quiet and (progress.finished or time.monotonic() - self.last > PLAIN_EVERY):
            self.last = time.monotonic()
            self.console.print(describe(progress), highlight=False, soft_wrap=True)


def fraction(progress: Progress) -> float:
    """Return how much of a run is done, between 0 and 1."""
    if progress.finished in ("converged", "steps"):
        return 1.0
    if progress.steps_wanted:
        return progress.steps / progress.steps_wanted
    if math.isfinite(progress.seconds_left) and progress.seconds > 0:
        return progress.seconds / (progress.seconds + progress.seconds_left)
    return 0.0


def describe(progress: Progress) -> str:
    """Return one line: steps, acceptance, autocorrelation time, effective samples, time left."""
    if progress.start:
        return f"tempered start: {progress.start}{about(progress.seconds_left)}"
    steps = f"{progress.steps}"
    if progress.steps_wanted:
        steps += f"/{progress.steps_wanted}"
    ess = _shown(progress.ess, ".0f")
    if progress.ess_wanted:
        ess += f"/{progress.ess_wanted}"
    left = f"{duration(progress.seconds_left)} left"
    if progress.finished:
        left = f"{ENDINGS[progress.finished]} after {duration(progress.seconds)}"
    return (
        f"{steps} steps x {progress.walkers} walkers, acceptance {_shown(progress.acceptance, '.2f')}, "
        f"tau {_shown(progress.tau, '.0f')}, ESS {ess}, {left}"
    )


def about(seconds_left: float) -> str:
    """Return ", about 40 s left"; nothing if that is unknown."""
    return f", about {duration(seconds_left)} left" if math.isfinite(seconds_left) else ""


def duration(seconds: float) -> str:
    """Return a time for people: 8 s, 3 min 20 s, 2 h 5 min; ? if unknown."""
    if not math.isfinite(seconds):
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _shown(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "?"
