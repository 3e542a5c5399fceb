"""The corner plot: 68 and 95 % regions of every pair, log axes where the prior is log, several chains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globalfit.chains.chain import Chain
from globalfit.chains.clouds import Clouds, gather
from globalfit.chains.contours import Grid, draw_regions, edges_of
from globalfit.errors import ChainError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe & Ito, colour-blind safe


def draw_corner(
    chains: Sequence[Chain],
    names: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    discard: int | None = None,
    thin: int | None = None,
    bins: int = 50,
    titles: bool = False,
) -> Figure:
    """Draw the corner plot of one or several chains.

    Parameters
    ----------
    chains : sequence of Chain
        Drawn over each other, the first one in front of the axes' labels.
    names : sequence of str
        Parameters and derived quantities; the parameters common to all chains by default.
    labels : sequence of str
        Of the chains, for the legend; their file names by default.
    discard : int, optional
        Steps left out at the start of each chain; chosen from the chain by default.
    thin : int, optional
        Every `thin`-th step is drawn; all by default, or of very long chains `Chain.stride`.
    bins : int
        Bins of the histograms; the two-dimensional ones have twice as many.
    titles : bool
        Write median and 68 % interval of the first chain above each column.

    Raises
    ------
    ChainError
        If a quantity is unknown or constant, the chains have no parameter in common, or a file of emcee was
        opened without names.
    """
    return draw(gather(chains, names, labels=labels, discard=discard, thin=thin, titles=titles), bins=bins)


def draw(shown: Clouds, *, bins: int = 50) -> Figure:
    """Draw what was gathered of chains; `bins` as in `draw_corner`."""
    from matplotlib import rc_context

    from globalfit.chains.panels import finish, frame, mark_best, shades

    axes, ranges = shown.axes, shown.ranges
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(shown.every))]
    with rc_context({"font.size": 10, "axes.linewidth": 0.8}):
        figure, panels, scale = frame(axes, ranges)
        tops = np.zeros(len(axes))  # of the histograms
        for cloud, colour in zip(shown.every, colours, strict=True):
            for i, (samples, span, axis) in enumerate(zip(cloud.samples, ranges, axes, strict=True)):
                style = {"histtype": "step", "color": colour, "linewidth": 1.4}
                share = np.full(len(samples), 1.0 / len(samples))
                heights = panels[i, i].hist(
                    samples, edges_of(span, axis.scale, bins), weights=share, **style
                )[0]
                tops[i] = max(tops[i], 1.1 * float(np.max(heights)))
            alpha = 0.85 if len(shown.every) == 1 else 0.6
            grids = [
                Grid(samples, span, axis.scale, 2 * bins)
                for samples, span, axis in zip(cloud.samples, ranges, axes, strict=True)
            ]
            for i, y in enumerate(grids):
                for j, x in enumerate(grids[:i]):
                    draw_regions(panels[i, j], x, y, cloud.independent, colour, shades(colour), alpha)
            mark_best(panels, cloud, shown, colour)
        for i, top in enumerate(tops):
            panels[i, i].set_ylim(0.0, top)
        for i, title in enumerate(shown.titles):
            panels[i, i].set_title(title, fontsize=11)
        finish(figure, panels, shown, colours, scale)
    return figure


def save_corner(
    chains: Sequence[Chain],
    output: Path,
    names: Sequence[str] = (),
    *,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Draw and write a corner plot; see `draw_corner`.

    Raises
    ------
    ChainError
        If the format is unknown, or the file exists and `overwrite` is false.
    """
    import matplotlib as mpl

    check_output(output, overwrite=overwrite)
    with mpl.rc_context({"backend": "agg"}):
        import matplotlib.pyplot as plt

        figure = draw_corner(chains, names, **options)
        try:
            figure.savefig(output, dpi=200, bbox_inches="tight")
        except OSError as error:
            raise ChainError(
                str(output), f"cannot be written: {error.strerror}", "choose another -o"
            ) from None
        plt.close(figure)


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse a plot file of an unknown format, in no folder, or already there."""
    if output.suffix.lower() not in FORMATS:
        raise ChainError(str(output), f"unknown format '{output.suffix}'", f"use {', '.join(FORMATS)}")
    if not output.resolve().parent.is_dir():
        raise ChainError(str(output), f"there is no folder '{output.resolve().parent}'", "create it first")
    if output.exists() and not overwrite:
        raise ChainError(str(output), "exists", "choose another -o, or --overwrite")
