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
from globalfit.physics.freeze_out.thermal_average import Spectrum, laplace, normalised, spectrum

FOLLOWS: Final = 30.0  # b = n_eq <sigma v>/(H x) from which the density follows equilibrium
SPAN: Final = 17.0  # length of a window in x
STRIDE: Final = 8  # steps from one window to the next
# thresholds beyond it, in units of m, are nothing at x > 64: no nodes at the scale of late times
FAR: Final = 2.3
FAR_CELLS: Final = 6
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
    return Window(x, nodes(temperatures), nodes(temperatures, cells=FAR_CELLS))


@dataclass(frozen=True, eq=False)
class _Part:
    """A channel's spectrum with the points it belongs to, and which nodes it is at."""

    points: NDArray[np.intp]
    spectrum: Spectrum
    far: bool

    def add(self, total: Array, chosen: NDArray[np.intp], place: NDArray[np.intp], window: Window) -> None:
        """Add to `total` (c, t), of the points `chosen` (c,); `place` (n,) is where they are, or -1."""
        at = place[self.points]
        rows = np.flatnonzero(at >= 0)
        if not rows.size:
            return
        own = self.spectrum if rows.size == at.size else self.spectrum.take(rows)
        part = laplace(own, window.far if self.far else window.near)
        if rows.size == len(chosen):
            total += part
        else:
            total[at[rows]] += part


def windowed(m: Array, delta: Array, channels: Sequence[Channel], x_end: float = X_END) -> Relic:
    """Return the abundance of two Majorana fermions of masses m and m + delta (n,) through given channels."""
    grids = windows(x_end)
    coarse, everyone = grids.coarse, np.arange(len(m))
    gap = delta / m
    kappa = effective_k2(gap, coarse.x)
    total = np.zeros((len(m), coarse.x.size))
    parts = []
    for channel in channels:
        if isinstance(channel.points, slice):
            parts.append(_Part(everyone, spectrum(m, channel, coarse.near), False))
            parts[-1].add(total, everyone, everyone, coarse)

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
            for far in (False, True):
                rows = np.flatnonzero(kept & ((channel.threshold > FAR * m[points]) == far))
                if rows.size:
                    found = spectrum(
                        m[points[rows]], channel.take(rows), coarse.far if far else coarse.near
                    )
                    parts.append(_Part(points[rows], found, far))
                    parts[-1].add(total, everyone, everyone, coarse)
    return _solve(m, gap, parts, np.minimum(follows(), len(grids.steps) - 1), grids)


def _solve(m: Array, gap: Array, parts: Sequence[_Part], which: NDArray[np.intp], grids: Windows) -> Relic:
    """Solve all points, each in its window (n,); over the whole range if it has not frozen out in that."""
    n = len(m)
    found = Relic(np.empty(n), np.empty(n), np.empty(n), np.zeros(n, dtype=np.bool_))
    for k in range(len(grids.steps) - 1, -1, -1):
        chosen = np.flatnonzero(which == k)
        if not chosen.size:
            continue
        window, place = grids.windows[k], np.full(n, -1)
        place[chosen] = np.arange(chosen.size)
        total = np.zeros((chosen.size, window.x.size))
        for part in parts:
            part.add(total, chosen, place, window)
        mass = m[chosen]
        kappa = effective_k2(gap[chosen], window.x)
        sigma_v = np.maximum(normalised(mass, kappa, total, window.x), FLOOR)
        solution = solve(mass, kappa, sigma_v, grids.steps[k], following=k > 0)
        if k > 0:
            which[chosen[solution.last < FROZEN]] = 0
        ours = Relic.of(mass, sigma_v, solution, grids.steps[k])
        for name, values in vars(ours).items():
            getattr(found, name)[chosen] = values
    return found
