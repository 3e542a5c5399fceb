"""The panels of a corner plot: their frame, the marks of best samples, ticks, legend, stamp."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from globalfit.chains.clouds import Cloud, Clouds
from globalfit.chains.contours import LEVELS

SIDE, GAP = 2.0, 0.05  # inches of a panel, gap between two over it
MARGINS = 1.0, 0.25  # inches, left and below (times the size of letters), right and above
PAPER = 10.0  # inches; of wider figures the letters grow with the width, up to `LARGEST` times
LARGEST = 1.7

Panels: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Panel(Axes):
    """Axes that take no tick labels before `ready`: corner sets them all over, `finish` sets them once.

    Each setting makes ticks, which is a third of what a plot of eleven parameters costs.
    """

    ready = False

    def set_xticklabels(self, *args: Any, **options: Any) -> Any:
        """Set the labels of the ticks, once the panel is ready."""
        return super().set_xticklabels(*args, **options) if self.ready else []

    def set_yticklabels(self, *args: Any, **options: Any) -> Any:
        """Set the labels of the ticks, once the panel is ready."""
        return super().set_yticklabels(*args, **options) if self.ready else []


def frame(size: int) -> tuple[Figure, Panels, float]:
    """Return a figure of `size` x `size` panels, these, and by how much letters are to be larger."""
    inner = SIDE * (size + (size - 1) * GAP)
    scale = min(max(1.0, inner / PAPER), LARGEST)
    width = MARGINS[0] * scale + inner + MARGINS[1]
    figure, panels = plt.subplots(
        size, size, figsize=(width, width), squeeze=False, subplot_kw={"axes_class": Panel}
    )
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
    figure.subplots_adjust(left=low, bottom=low, right=high, top=high)
    for i in range(len(axes)):
        for j in range(i + 1):
            panel = panels[i, j]
            panel.ready = True
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
