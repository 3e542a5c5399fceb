"""Abundances from as few channels, energies and temperatures as each point needs.

The rates that are open at threshold give <sigma v> at 11 temperatures from x = 3.8 on, and with it the last
of them at which the density still follows equilibrium, b >= `FOLLOWS`. What was before is forgotten, so
forbidden channels count only if they matter later (`relevance`), and the steps of the Boltzmann equation
start there. They end some `SPAN` in x later. Points with one window are solved together.

A point that has left equilibrium by then, or whose Y/Y_eq has not passed `FROZEN` at the end of its window,
is calculated again with nodes up to four times the energy and windows from x = 1 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, Mask
from globalfit.physics.freeze_out.annihilation import Channel, together
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
from globalfit.physics.freeze_out.nodes import U_MAX, Nodes, nodes
from globalfit.physics.freeze_out.relevance import relevant
from globalfit.physics.freeze_out.thermal_average import Rows, laplace, normalised, of_rows, spectrum

FOLLOWS: Final = 30.0  # b = n_eq <sigma v>/(H x) from which the density follows equilibrium
SPAN: Final = 17.0  # length of a window in x
STRIDE: Final = 8  # steps from one window to the next
EARLY: Final = 2  # windows that start so early that they need the highest nodes
ORDER: Final = 8  # nodes of a cell
CELLS: Final = (5, 10)  # of each level of nodes up to U_MAX/4; up to U_MAX there is one more
TOGETHER: Final = 128  # points whose thermal averages are calculated together: they stay in the cache
FLOOR: Final = 1e-60  # of <sigma v>: Omega h^2 ends at the relativistic yield however small it is


@dataclass(frozen=True, eq=False)
class Windows:
    """The temperatures that are looked at first, and a window that starts at each but the last of them.

    `coarse` and `windows` are nodes with kernels for their temperatures. The early windows, the first of
    which is the whole range, have nodes of their own.
    """

    coarse: Nodes
    steps: tuple[Steps, ...]
    windows: tuple[Nodes, ...]
    early: bool


@lru_cache(maxsize=8)
def windows(x_end: float = X_END, *, early: bool = False) -> Windows:
    """Return the windows but the first `EARLY`, or those."""
    whole = steps(x_end=x_end)
    edges = whole.edges
    found = [whole]
    for first in range(STRIDE, whole.count - STRIDE + 1, STRIDE):
        reach = int(np.searchsorted(edges, edges[first] + SPAN))
        found.append(steps(x_end=x_end, first=first, last=min(reach + reach % 2, whole.count)))
    coarse = edges[::STRIDE]
    if early:
        found, u_max, cells = found[:EARLY], U_MAX, tuple(count + 1 for count in CELLS)
    else:
        found, u_max, cells = found[EARLY:], 0.25 * U_MAX, CELLS
        coarse = coarse[EARLY:]

    def at(x: Array) -> Nodes:
        return nodes(tuple(x.tolist()), ORDER, cells=cells, u_max=u_max)

    return Windows(at(coarse), tuple(found), tuple(at(each.x) for each in found), early)


@dataclass(frozen=True, eq=False)
class _Spectra:
    """Channels of all points at the nodes of one level, as rows; `points` (r,) says whose each is, rising."""

    points: NDArray[np.intp]
    rows: Rows

    @classmethod
    def sorted(cls, parts: Sequence[tuple[NDArray[np.intp], Rows]]) -> list[_Spectra]:
        """Put channels together level by level, the rows of a point beside each other."""
        found = []
        for level in sorted({rows.level for _, rows in parts}):
            own = [(points, rows) for points, rows in parts if rows.level == level]
            points = np.concatenate([points for points, _ in own])
            order = np.argsort(points, kind="stable")
            places = np.empty_like(order)
            places[order] = np.arange(order.size)
            found.append(cls(points[order], Rows.placed([rows for _, rows in own], places)))
        return found

    def add(self, low: int, high: int, grid: Nodes, total: Array) -> None:
        """Add the sum over the channels of the points from `low` to `high` to `total` (high - low, t)."""
        first, last = np.searchsorted(self.points, [low, high]).tolist()
        if first < last:
            own = self.points[first:last]
            starts = np.flatnonzero(np.append(True, own[1:] != own[:-1]))
            each = of_rows(self.rows.between(first, last), grid)
            total[own[starts] - low] += np.add.reduceat(each, starts, axis=0)


def windowed(m: Array, delta: Array, channels: Sequence[Channel], x_end: float = X_END) -> Relic:
    """Return the abundance of two Majorana fermions of masses m and m + delta (n,) through given channels."""
    channels = _few(channels)
    found, solved = _in_windows(m, delta, channels, windows(x_end))
    again = np.flatnonzero(~solved)
    if again.size:
        own = [channel.among(again, len(m)) for channel in channels]
        own = [channel for channel in own if channel.threshold.size]
        early, _ = _in_windows(m[again], delta[again], own, windows(x_end, early=True))
        for name, values in vars(early).items():
            getattr(found, name)[again] = values
    return found


def _few(channels: Sequence[Channel]) -> list[Channel]:
    """Return the channels as three at most: what is open at rest; what is not, with a pole and without."""
    kinds: dict[tuple[bool, bool], list[Channel]] = {}
    for each in channels:
        kinds.setdefault((not each.at_rest, each.resonance is None), []).append(each)
    return [together(kinds[kind]) for kind in sorted(kinds)]


def _in_windows(m: Array, delta: Array, channels: Sequence[Channel], grids: Windows) -> tuple[Relic, Mask]:
    """Return the abundances, and at which points (n,) they are right: in early windows at all."""
    coarse, everyone = grids.coarse, np.arange(len(m))
    gap = delta / m
    kappa = effective_k2(gap, coarse.x)
    total = np.zeros((len(m), coarse.x.size))
    parts: list[tuple[NDArray[np.intp], Rows]] = []

    def count(channel: Channel, points: NDArray[np.intp]) -> None:
        found = spectrum(m[points], channel, coarse)
        channel.add(laplace(found, coarse), total)
        parts.extend((points[rows], each) for rows, each in found)

    for channel in channels:
        if channel.at_rest:
            count(channel, everyone[channel.points])

    def follows() -> NDArray[np.intp]:
        b = equilibrium_rate(m, kappa, np.maximum(normalised(m, kappa, total, coarse.x), FLOOR), coarse.x)
        last: NDArray[np.intp] = ((b >= FOLLOWS) * np.arange(1, coarse.x.size + 1)).max(axis=1)
        return last - 1

    since = np.maximum(follows(), 0)
    others = np.where(np.arange(coarse.x.size) >= since[:, None], total, np.inf)
    for channel in channels:
        if not channel.at_rest:
            points = everyone[channel.points]
            rows = np.flatnonzero(
                relevant(m[points], coarse.x[since[points]], channel, coarse.x, others[points])
            )
            if rows.size:
                count(channel.take(rows), points[rows])
    # points in the order of their windows, so that those of one window are neighbours
    since = follows()
    solved = np.ones_like(since, dtype=np.bool_) if grids.early else since >= 0
    which = np.clip(since, 0, len(grids.steps) - 1)
    order = np.argsort(which, kind="stable")
    place = np.empty_like(order)
    place[order] = everyone
    spectra = _Spectra.sorted([(place[points], rows) for points, rows in parts])
    relic, frozen = _solve(m[order], gap[order], spectra, which[order], grids)
    return Relic(**{name: values[place] for name, values in vars(relic).items()}), solved & frozen[place]


def _solve(
    m: Array, gap: Array, spectra: Sequence[_Spectra], which: NDArray[np.intp], grids: Windows
) -> tuple[Relic, Mask]:
    """Solve all points, each in its window (n,), rising; return also which of them have frozen out there.

    Early ones that have not are solved over the whole range.
    """
    n = len(m)
    found = Relic(np.empty(n), np.empty(n), np.empty(n), np.zeros(n, dtype=np.bool_))
    frozen = np.ones(n, dtype=np.bool_)

    def solve_range(low: int, high: int, k: int) -> Array:
        window, mass = grids.windows[k], m[low:high]
        total = np.zeros((high - low, window.x.size))
        for each in spectra:
            for at in range(low, high, TOGETHER):
                to = min(at + TOGETHER, high)
                each.add(at, to, window, total[at - low : to - low])
        kappa = effective_k2(gap[low:high], window.x)
        sigma_v = np.maximum(normalised(mass, kappa, total, window.x), FLOOR)
        following = not (grids.early and k == 0)
        solution = solve(mass, kappa, sigma_v, grids.steps[k], following=following)
        ours = Relic.of(mass, sigma_v, solution, grids.steps[k])
        for name, values in vars(ours).items():
            getattr(found, name)[low:high] = values
        return solution.last

    cuts = np.searchsorted(which, np.arange(len(grids.steps) + 1))
    for k, (low, high) in enumerate(pairwise(cuts.tolist())):
        if low < high:
            frozen[low:high] = solve_range(low, high, k) >= FROZEN
            if grids.early and k > 0:
                for i in np.flatnonzero(~frozen[low:high]).tolist():
                    solve_range(low + i, low + i + 1, 0)
    return found, frozen
