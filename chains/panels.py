"""The panels of a corner plot: their frame, the marks of best samples, ticks, legend, stamp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from globalfit.chains.axes import Axis
from globalfit.chains.clouds import Cloud, Clouds
from globalfit.chains.contours import LEVELS

SIDE, GAP = 2.0, 0.05  # inches of a panel, gap between two over it
MARGINS = 1.0, 0.25  # inches, left and below (times the size of letters), right and above
PAPER = 10.0  # inches; of wider figures the letters grow with the width, up to `LARGEST` times
LARGEST = 1.7

Panels: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def frame(axes: Sequence[Axis], ranges: Sequence[tuple[float, float]]) -> tuple[Figure, Panels, float]:
    """Return a figure, its panels for pairs of axes, and by how much letters are to be larger.

    The panels stand as corner's do, whose functions may draw on them. It makes ticks several times over, and
    histograms of all pairs, whatever is drawn.
    """
    size = len(axes)
    inner = SIDE * (size + (size - 1) * GAP)
    scale = min(max(1.0, inner / PAPER), LARGEST)
    between = "\n" if scale > 1.0 else " "  # of a label and its unit
    width = MARGINS[0] * scale + inner + MARGINS[1]
    figure, panels = plt.subplots(size, size, figsize=(width, width), squeeze=False)
    captions = [axis.caption(*span, between) for axis, span in zip(axes, ranges, strict=True)]
    away = -0.3 - 0.2 * (scale - 1.0)  # of a label from its panel, in panels
    for i in range(size):
        for panel in panels[i, i + 1 :]:
            panel.set_axis_off()
        for j in range(i + 1):
            panels[i, j].set_xscale(axes[j].scale)
            if i != j:
                panels[i, j].set_yscale(axes[i].scale)
        panels[i, i].yaxis.set_major_locator(NullLocator())
        panels[-1, i].set_xlabel(captions[i], fontsize=12 * scale)
        panels[-1, i].xaxis.set_label_coords(0.5, away)
        if i:
            panels[i, 0].set_ylabel(captions[i], fontsize=12 * scale)
            panels[i, 0].yaxis.set_label_coords(away, 0.5)
    return figure, panels, scale


def mark_best(panels: Panels, cloud: Cloud, shown: Clouds, colour: str) -> None:
    """Mark the sample with the highest likelihood by a star, drawn whole at the edge of a panel too."""
    place = cloud.best
    inside = [low <= x <= high for x, (low, high) in zip(place, shown.ranges, strict=True)]
    style = {"marker": "*", "markersize": 12, "color": "white", "markeredgecolor": colour}
    for i in range(len(place)):
        if inside[i]:
            panels[i, i].axvline(place[i], color=colour, linestyle=":", linewidth=1.2, clip_on=False)
        for j in range(i):
            if inside[i] and inside[j]:
                panels[i, j].plot(place[j], place[i], **style, zorder=10, clip_on=False)


def finish(figure: Figure, panels: Panels, shown: Clouds, colours: list[str], scale: float) -> None:
    """Set ticks and legend, and stamp chains that are not converged."""
    axes, ranges = shown.axes, shown.ranges
    last = len(axes) - 1
    width = figure.get_figwidth()
    low, high = MARGINS[0] * scale / width, 1.0 - MARGINS[1] / width
    figure.subplots_adjust(left=low, bottom=low, right=high, top=high, wspace=GAP, hspace=GAP)
    for i in range(len(axes)):
        for j in range(i + 1):
            panel = panels[i, j]
            panel.tick_params(
                which="both", direction="in", top=i != j, right=i != j, labelsize=9 * scale, labelrotation=45
            )
            axes[j].dress(panel.xaxis, *ranges[j], labelled=i == last)
            panel.set_xlim(ranges[j])
            if i != j:
                axes[i].dress(panel.yaxis, *ranges[i], labelled=j == 0)
                panel.set_ylim(ranges[i])
    handles: list[Any] = []
    if len(shown.every) > 1:
        handles += [
            Line2D([], [], color=colour, lw=2 * scale, label=cloud.label)
            for colour, cloud in zip(colours, shown.every, strict=True)
        ]
    elif len(axes) > 1:
        handles += [
            Patch(facecolor=shade, edgecolor=colours[0], label=rf"{level * 100:.0f} %")
            for shade, level in zip(shades(colours[0])[:0:-1], LEVELS, strict=True)
        ]
    if len(axes) > 1:
        star = Line2D([], [], label="highest likelihood", marker="*", markersize=11, linestyle="none")
        star.set(color="white", markeredgecolor="black")
        handles.append(star)
    if handles:
        figure.legend(
            handles=handles, loc="upper right", bbox_to_anchor=(0.98, 0.98), frameon=False,
            fontsize=11 * scale,
        )  # fmt: skip
    bad = [cloud.label for cloud in shown.every if not cloud.converged]
    if bad:
        stamp(figure, "NOT CONVERGED" if len(shown.every) == 1 else "NOT CONVERGED: " + ", ".join(bad))


def stamp(figure: Figure, text: str) -> None:
    """Write across a figure what nobody is to overlook."""
    size = 3.5 * min(figure.get_figwidth(), 13.0)
    figure.text(0.5, 0.5, text, color="red", alpha=0.35, fontsize=size, rotation=30, ha="center", va="center")


def shades(colour: str) -> list[Any]:
    """Return white, a light and a full shade, from outside in."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(colour))
    return [(1.0, 1.0, 1.0, 0.0), tuple(1 - 0.4 * (1 - rgb)), tuple(1 - 0.85 * (1 - rgb))]
