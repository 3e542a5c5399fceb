"""Telling that nothing is heard of an ensemble for long: a likelihood may hang, or be slow."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

FIRST = 60.0  # seconds of silence that are never told
FACTOR = 10.0  # times the longest silence so far is worth telling
LOOK = 1.0  # seconds between two looks
PATIENCE = 6.0  # seconds for what is under way when a run is asked to stop: some engines give it up sooner


class Silence:
    """Tells when the next piece of an ensemble takes far longer than any before; a context manager.

    It only tells: nobody can know from outside whether a call hangs or is slow. A thread of its own looks, so
    that it tells of this process too.

    Parameters
    ----------
    notice : callable
        Called with one line, again each time the silence has doubled.
    stop : callable
        Whether the run was asked to stop.
    """

    def __init__(self, notice: Callable[[str], None], stop: Callable[[], bool]) -> None:
        self.notice, self.stop = notice, stop
        self.since: dict[int, float] = {}
        self.told: dict[int, float] = {}  # by ensemble, the silence that is told next
        self.longest = 0.0
        self.asked: float | None = None
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()

    def begun(self, ensemble: int) -> None:
        """Take note that the next piece of an ensemble is under way."""
        with self.lock:
            self.since[ensemble] = time.monotonic()

    def heard(self, ensemble: int) -> None:
        """Take note that it is done."""
        with self.lock:
            self.longest = max(self.longest, time.monotonic() - self.since[ensemble])
        self.withdrawn(ensemble)

    def withdrawn(self, ensemble: int) -> None:
        """Take note that it will not be done."""
        with self.lock:
            del self.since[ensemble]
            self.told.pop(ensemble, None)

    def _watch(self) -> None:
        while not self.over.wait(LOOK):
            now = time.monotonic()
            with self.lock:
                lines = [line for k in self.since if (line := self._silent(k, now))]
                lines += self._waiting(now)
            for line in lines:
                self.notice(line)

    def _silent(self, ensemble: int, now: float) -> str:
        silent = now - self.since[ensemble]
        if silent < self.told.get(ensemble, max(FIRST, FACTOR * self.longest)):
            return ""
        self.told[ensemble] = 2.0 * silent
        before = f", after {self.longest:.0f} s at most before" if self.longest else ""
        return (
            f"nothing heard of ensemble {ensemble} for {silent:.0f} s{before}: a likelihood is slow or hangs;"
            " Ctrl-C stops, and the same command goes on (with --engine serial --debug a second Ctrl-C shows"
            " where it is)"
        )

    def _waiting(self, now: float) -> list[str]:
        if self.asked is None and self.stop():
            self.asked = now
        if self.asked is None or now - self.asked < PATIENCE or not self.since:
            return []
        self.asked = math.inf
        return ["waiting for the step under way; a second Ctrl-C stops at once, and nothing stored is lost"]
