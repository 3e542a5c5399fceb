"""Abundances from as few channels and temperatures as each point needs.

The rates that are open at threshold give <sigma v> at 13 temperatures, and with it the last of them at which
the density still follows equilibrium, b >= `FOLLOWS`. What was before is forgotten, so forbidden channels
count only if they matter later (`relevance`), and the steps of the Boltzmann equation start there. They end
some `SPAN` in x later; a point whose Y/Y_eq has not passed `FROZEN` by then is solved over the whole range.
Points with one window are solved together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics.freeze_out.annihilation import Channel
from globalfit.physics.freeze_out.boltzmann import (
    FROZEN,
    X_END,
    Relic,
    Steps,
    effective_k2,
    equilibrium_rate,
    solve,
    steps,
)
from globalfit.physics.freeze_out.nodes import Nodes, nodes
from globalfit.physics.freeze_out.relevance import relevant
from globalfit.physics.freeze_out.thermal_average import Spectrum, joined, laplace, normalised, spectrum

FOLLOWS: Final = 30.0  # b = n_eq <sigma v>/(H x) from which the density follows equilibrium
SPAN: Final = 17.0  # length of a window in x
STRIDE: Final = 8  # steps from one window to the next
# thresholds beyond it, in units of m, are nothing at x > 64: no nodes at the scale of late times
FAR: Final = 2.3
FAR_CELLS: Final = 6
ORDER: Final = 8  # nodes of a cell
FLOOR: Final = 1e-60  # of <sigma v>: Omega h^2 ends at the relativistic yield however small it is


@dataclass(frozen=True, eq=False)
class Window:
    """Temperatures, and the kernels between them and both sets of nodes."""

    x: Array
    near: Nodes
    far: Nodes


@dataclass(frozen=True, eq=False)
class Windows:
    """The 13 temperatures that are looked at first, and the window that starts at each but the last."""

    coarse: Window
    steps: tuple[Steps, ...]
    windows: tuple[Window, ...]


@lru_cache(maxsize=8)
def windows(x_end: float = X_END) -> Windows:
    """Return the windows; the first one is the whole range."""
    whole = steps(x_end=x_end)
    edges = whole.edges
    found = [whole]
    for first in range(STRIDE, whole.count - STRIDE + 1, STRIDE):
        reach = int(np.searchsorted(edges, edges[first] + SPAN))
        found.append(steps(x_end=x_end, first=first, last=min(reach + reach % 2, whole.count)))
    return Windows(_window(edges[::STRIDE]), tuple(found), tuple(_window(each.x) for each in found))


def _window(x: Array) -> Window:
    temperatures = tuple(x.tolist())
    return Window(x, nodes(temperatures, ORDER), nodes(temperatures, ORDER, cells=FAR_CELLS))


@dataclass(frozen=True, eq=False)
class _Spectra:
    """Channels of all points at one set of nodes, as rows; `points` (r,) says whose each is, rising."""

    points: NDArray[np.intp]
    spectrum: Spectrum

    @classmethod
    def sorted(cls, parts: Sequence[tuple[NDArray[np.intp], Spectrum]]) -> _Spectra:
        """Put channels together, the rows of a point beside each other."""
        points = np.concatenate([points for points, _ in parts])
        order = np.argsort(points, kind="stable")
        return cls(points[order], joined([spectrum for _, spectrum in parts]).take(order))

    def total(self, low: int, high: int, grid: Nodes) -> Array:
        """Return the sum over the channels of the points from `low` to `high`, (high - low, t)."""
        first, last = np.searchsorted(self.points, [low, high])
        total = np.zeros((high - low, grid.x.size))
        if first < last:
            own = self.points[first:last]
            starts = np.flatnonzero(np.append(True, own[1:] != own[:-1]))
            each = laplace(self.spectrum.take(slice(first, last)), grid)
            total[own[starts] - low] = np.add.reduceat(each, starts, axis=0)
        return total


def windowed(m: Array, delta: Array, channels: Sequence[Channel], x_end: float = X_END) -> Relic:
    """Return the abundance of two Majorana fermions of masses m and m + delta (n,) through given channels."""
    grids = windows(x_end)
    coarse, everyone = grids.coarse, np.arange(len(m))
    gap = delta / m
    kappa = effective_k2(gap, coarse.x)
    total = np.zeros((len(m), coarse.x.size))
    near: list[tuple[NDArray[np.intp], Spectrum]] = []
    far: list[tuple[NDArray[np.intp], Spectrum]] = []
    for channel in channels:
        if isinstance(channel.points, slice):
            near.append((everyone, spectrum(m, channel, coarse.near)))
            total += laplace(near[-1][1], coarse.near)

    def follows() -> NDArray[np.intp]:
        b = equilibrium_rate(m, kappa, np.maximum(normalised(m, kappa, total, coarse.x), FLOOR), coarse.x)
        last: NDArray[np.intp] = ((b >= FOLLOWS) * np.arange(coarse.x.size)).max(axis=1)
        return last

    since = follows()
    others = np.where(np.arange(coarse.x.size) >= since[:, None], total, np.inf)
    for channel in channels:
        if not isinstance(channel.points, slice):
            points = channel.points
            kept = relevant(m[points], coarse.x[since[points]], channel, coarse.x, others[points])
            distant = channel.threshold > FAR * m[points]
            for mask, into, grid in ((~distant, near, coarse.near), (distant, far, coarse.far)):
                rows = np.flatnonzero(kept & mask)
                if rows.size:
                    own = points[rows]
                    into.append((own, spectrum(m[own], channel.take(rows), grid)))
                    total[own] += laplace(into[-1][1], grid)
    # points in the order of their windows, so that those of one window are neighbours
    which = np.minimum(follows(), len(grids.steps) - 1)
    order = np.argsort(which, kind="stable")
    place = np.empty_like(order)
    place[order] = everyone
    spectra = tuple(
        _Spectra.sorted([(place[points], channel) for points, channel in each]) if each else None
        for each in (near, far)
    )
    relic = _solve(m[order], gap[order], spectra, which[order], grids)
    return Relic(**{name: values[place] for name, values in vars(relic).items()})


def _solve(
    m: Array, gap: Array, spectra: Sequence[_Spectra | None], which: NDArray[np.intp], grids: Windows
) -> Relic:
    """Solve all points, each in its window (n,), rising; over the whole range if it has not frozen out."""
    n = len(m)
    found = Relic(np.empty(n), np.empty(n), np.empty(n), np.zeros(n, dtype=np.bool_))

    def solve_range(low: int, high: int, k: int) -> Array:
        window, mass = grids.windows[k], m[low:high]
        total = np.zeros((high - low, window.x.size))
        for each, grid in zip(spectra, (window.near, window.far), strict=True):
            if each is not None:
                total += each.total(low, high, grid)
        kappa = effective_k2(gap[low:high], window.x)
        sigma_v = np.maximum(normalised(mass, kappa, total, window.x), FLOOR)
        solution = solve(mass, kappa, sigma_v, grids.steps[k], following=k > 0)
        ours = Relic.of(mass, sigma_v, solution, grids.steps[k])
        for name, values in vars(ours).items():
            getattr(found, name)[low:high] = values
        return solution.last

    cuts = np.searchsorted(which, np.arange(len(grids.steps) + 1))
    for k, (low, high) in enumerate(pairwise(cuts.tolist())):
        if low < high:
            last = solve_range(low, high, k)
            if k > 0:
                for i in np.flatnonzero(last < FROZEN).tolist():
                    solve_range(low + i, low + i + 1, 0)
    return found
