"""Regions of samples: the smallest that hold 68 and 95 %, as far as a smoothed histogram tells.

The histogram is smoothed until some `KERNEL` effective samples share a kernel, so that its contours are not
noise; smoothing widens narrow features, therefore the levels are those at which the contours hold the stated
share of the samples themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (0.68, 0.95)  # probability inside each two-dimensional contour
KERNEL = 1200  # effective samples per smoothing kernel: a noise of 3 % of the density
WIDTHS = (1.5, 6.0)  # of that kernel in bins: no beads along a narrow band, no feature washed out


class Grid:
    """Cells along one axis, and in which of them each sample is.

    Parameters
    ----------
    samples : (n,)
    span : (low, high)
    scale : str
        "linear" or "log", evenly spaced cells in which.
    bins : int
    """

    def __init__(self, samples: Array, span: tuple[float, float], scale: str, bins: int) -> None:
        self.span, self.scale, self.bins = span, scale, bins
        self.edges = edges_of(span, scale, bins)
        found = np.searchsorted(self.edges, samples, side="right") - 1
        found[samples == self.edges[-1]] = bins - 1
        self.cell: NDArray[np.intp] = np.where((found >= 0) & (found < bins), found, -1)

    @property
    def centres(self) -> Array:
        """Of the cells (bins,)."""
        left, right = self.edges[:-1], self.edges[1:]
        return np.sqrt(left * right) if self.scale == "log" else 0.5 * (left + right)


def edges_of(span: tuple[float, float], scale: str, bins: int) -> Array:
    """Return the edges (bins + 1,) of evenly spaced cells on an axis, "linear" or "log"."""
    return np.geomspace(*span, bins + 1) if scale == "log" else np.linspace(*span, bins + 1)


def draw_regions(
    panel: Axes, x: Grid, y: Grid, independent: float, colour: str, shades: list[Any], alpha: float
) -> None:
    """Draw the regions that hold 68 and 95 % of some samples, known by their cells along two axes."""
    import corner
    from scipy.ndimage import gaussian_filter

    inside = (x.cell >= 0) & (y.cell >= 0)
    flat = np.bincount(x.cell[inside] * y.bins + y.cell[inside], minlength=x.bins * y.bins)
    counts = flat.reshape(x.bins, y.bins).astype(np.float64)
    occupied = np.flatnonzero(flat)
    width = math.sqrt(KERNEL * len(occupied) / (4.0 * math.pi * independent))
    width = float(np.clip(width, *WIDTHS))
    smooth = gaussian_filter(counts, width)
    order = np.argsort(smooth, axis=None)[::-1]
    held = np.cumsum(flat[order]) / flat.sum()
    mass = np.cumsum(smooth.ravel()[order]) / smooth.sum()
    levels = [float(mass[min(np.searchsorted(held, level), held.size - 1)]) for level in LEVELS]
    if levels[0] >= levels[1]:  # all in one cell: nothing to draw a contour around
        return
    i, j = np.divmod(occupied, y.bins)
    corner.hist2d(  # a cell for all its samples: the same histogram
        x.centres[i],
        y.centres[j],
        weights=counts.ravel()[occupied],
        ax=panel,
        bins=[x.bins, y.bins],
        range=[x.span, y.span],
        axes_scale=[x.scale, y.scale],
        levels=levels,
        smooth=width,
        color=colour,
        quiet=True,
        plot_datapoints=False,
        plot_density=False,
        no_fill_contours=True,
        fill_contours=True,
        contourf_kwargs={"colors": shades, "alpha": alpha, "antialiased": True},
        contour_kwargs={"linewidths": 1.0},
        new_fig=False,
    )
