"""A second process that draws figures of a page: the corner plot alone costs as much as the rest of it."""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from globalfit.chains.clouds import Clouds
from globalfit.report.corner_figure import corner_figure, stamped
from globalfit.report.drawing import Drawing, Drawn, Maker
from globalfit.sampling.engines.worker import follow_parent

LARGE = 10 << 20  # bytes of a chain from which on a process is worth its start

_begun: list[Drawing] = []  # in the second process: the corner plot, until it is known whether to stamp it


class Second:
    """The other process; should it die, everything is drawn in this one.

    Parameters
    ----------
    pool : ProcessPoolExecutor
    figures : bool
        Whether figures are to come with their images, as a PDF needs them.
    """

    def __init__(self, pool: ProcessPoolExecutor, *, figures: bool) -> None:
        self._pool, self._figures = pool, figures

    def begin_corner(self, shown: Clouds) -> None:
        """Begin to draw a corner plot, before the chain is judged."""
        with contextlib.suppress(BrokenProcessPool):
            self._pool.submit(_begin, shown)

    def end_corner(self, converged: bool, here: Maker) -> Maker:
        """Finish the corner plot; what is returned waits for it, or draws it `here`."""
        return self._asked(here, _end, converged)

    def draw(self, maker: Maker) -> Maker:
        """Draw another figure after those that were asked for before; what is returned waits for it."""
        return self._asked(maker, _draw, maker)

    def _asked(self, here: Maker, task: Callable[..., Drawn | None], given: object) -> Maker:
        try:
            answer: Future[Drawn | None] = self._pool.submit(task, given, self._figures)
        except BrokenProcessPool:
            return here

        def wait() -> Drawing | Drawn | None:
            try:
                return answer.result()
            except BrokenProcessPool:
                return here()

        return wait


@contextlib.contextmanager
def second_process(chain: Path, *, figures: bool = False) -> Iterator[Second | None]:
    """Begin the process; None where it is not worth it: on one core, or for a small file."""
    if (os.cpu_count() or 1) < 2 or not chain.is_file() or chain.stat().st_size < LARGE:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _prepare) as pool:
        pool.submit(os.getpid)  # begins it
        try:
            yield Second(pool, figures=figures)
        finally:  # at once: to take apart what is imported there takes half a second
            with contextlib.suppress(BrokenProcessPool):
                pool.submit(os._exit, 0)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for objects out of use, which takes a fifth of the time for figures."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _prepare() -> None:
    """Import what is needed, without ArviZ: corner reads its formats if it is there, for two seconds."""
    gc.disable()
    missing: Any = None
    sys.modules.setdefault("arviz", missing)
    for name in ("corner", "matplotlib.pyplot"):
        importlib.import_module(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process answers Ctrl-C
    follow_parent()


def _begin(shown: Clouds) -> None:
    _begun.append(corner_figure(shown))


def _end(converged: bool, figure: bool) -> Drawn:
    made = _begun.pop()
    return _sent(made if converged else stamped(made), figure)


def _draw(maker: Callable[[], Drawing | None], figure: bool) -> Drawn | None:
    made = maker()
    return None if made is None else _sent(made, figure)


def _sent(made: Drawing, figure: bool) -> Drawn:
    image = made.image()
    return (made if figure else replace(made, figure=None)), image
