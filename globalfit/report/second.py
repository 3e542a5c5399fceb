"""A second process that draws the corner plot, which costs about as much as the rest of a page."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace

from globalfit.chains.clouds import Clouds
from globalfit.report.corner_figure import corner_figure
from globalfit.report.drawing import Drawing, Image
from globalfit.sampling.engines.engine import cores
from globalfit.sampling.engines.worker import follow_parent, one_thread

MANY = 6  # parameters from which on a process is worth its start


class Second:
    """The other process.

    Parameters
    ----------
    pool : ProcessPoolExecutor
    figure : bool
        Whether the figure is to come with its image, as a PDF needs it.
    """

    def __init__(self, pool: ProcessPoolExecutor, *, figure: bool) -> None:
        self._pool, self._figure = pool, figure

    def draw(self, shown: Clouds) -> Future[tuple[Drawing, Image]]:
        """Begin to draw a corner plot."""
        return self._pool.submit(_draw, shown, self._figure)


@contextlib.contextmanager
def second_process(parameters: int, *, figure: bool = False) -> Iterator[Second | None]:
    """Begin the process; None where it is not worth it: on one core, or for few parameters."""
    if parameters < MANY or cores() < 2:
        yield None
        return
    context = multiprocessing.get_context("spawn")
    with one_thread(), ProcessPoolExecutor(1, context, follow_parent) as pool:
        pool.submit(_prepare)
        yield Second(pool, figure=figure)


def _prepare() -> None:
    """Import what is needed, without ArviZ: corner reads its formats if it is there, for two seconds."""
    sys.modules.setdefault("arviz", None)  # type: ignore[arg-type]


def _draw(shown: Clouds, figure: bool) -> tuple[Drawing, Image]:
    made = corner_figure(shown)
    image = made.image()
    return (made if figure else replace(made, figure=None)), image
