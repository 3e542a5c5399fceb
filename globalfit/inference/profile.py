"""The profile likelihood: the largest likelihood at fixed values of one or two parameters.

Every grid value starts from the points of the chain nearest to it; all grid values are maximised side by
side, then each is tried again from the maxima of its neighbours until none improves. S. S. Wilks, Ann. Math.
Stat. 9 (1938) 60, gives the levels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.inference.climb import Index, climb
from globalfit.inference.target import Target
from globalfit.posterior import Posterior

LEVELS = {1: (-0.5, -1.92), 2: (-1.15, -3.0)}  # Delta ln L of 68 and 95 %, for 1 and 2 parameters
BINS = {1: 40, 2: 24}
STARTS = 3  # searches at each grid value
NEAR = {1: 200, 2: 60}  # points of the chain that a grid value chooses its starts from
SWEEPS = 6
TOLERANCE = 1e-3  # in ln L
MARGIN = 0.02  # of the range of the samples, added on both sides


@dataclass(frozen=True)
class Profile:
    """ln L maximised over all other parameters.

    Attributes
    ----------
    names : tuple of str
        One or two parameters.
    grid : tuple of arrays (bins,)
        Their physical values.
    log_likelihood : array (bins,) or (bins, bins)
        ln L plus what informative priors say, its maximum; -inf where nothing is allowed.
    best : float
        The largest value anywhere: that of the best fit, or of the grid if higher.
    points : array (bins, ..., dim)
        Physical values of all sampled parameters at each maximum.
    converged : array (bins, ...) of bool
    evaluations : int
    """

    names: tuple[str, ...]
    grid: tuple[Array, ...]
    log_likelihood: Array
    best: float
    points: Array
    converged: Mask
    evaluations: int

    @property
    def delta(self) -> Array:
        """Delta ln L: `log_likelihood` minus `best`."""
        return self.log_likelihood - self.best

    def intervals(self) -> dict[float, list[tuple[float, float]]]:
        """Return {level: ranges of the parameter with Delta ln L above it}, linear between grid values."""
        if len(self.names) != 1:
            raise GlobalfitError("profile", "two parameters have regions, not intervals", "draw them")
        return {level: _above(self.grid[0], self.delta, level) for level in LEVELS[1]}


def profile(
    posterior: Posterior,
    names: Sequence[str],
    samples: Array,
    *,
    best: float = -np.inf,
    bins: int | None = None,
    ranges: Sequence[tuple[float, float]] | None = None,
    seed: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Profile:
    """Return the profile likelihood of one or two sampled parameters.

    Parameters
    ----------
    posterior : Posterior
    names : sequence of str
        One or two.
    samples : array (n, dim)
        Physical values to start from: a chain's samples.
    best : float
        ln L (plus knowledge) of the best fit, if it is known.
    bins : int, optional
        Grid values of each parameter.
    ranges : sequence of (low, high), optional
        Of the parameters; by default that of the samples.
    seed : int
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    GlobalfitError
        If a name is not a sampled parameter or stands twice, or there are more than two.
    """
    known = posterior.space.names
    for name in names:
        if name not in known:
            raise GlobalfitError("profile", f"'{name}' is not sampled", did_you_mean(name, known))
    if len(names) not in LEVELS or len(set(names)) != len(names):
        raise GlobalfitError("profile", f"{len(names)} parameters given", "name one, or two different ones")
    target = Target(posterior)
    fixed = [known.index(name) for name in names]
    free = [i for i in range(target.dim) if i not in fixed]
    y = target.place(samples)
    axes = [_axis(target, y, i, bins or BINS[len(names)], r) for i, r in _paired(fixed, ranges)]
    nodes = np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)
    shape = tuple(len(axis) for axis in axes)
    search = _Search(target, fixed, free, nodes, np.random.default_rng([seed, 12]))
    search.begin(y, target(y))
    _tell(progress, 1)
    for sweep in range(SWEEPS):
        improved = search.from_neighbours(shape)
        _tell(progress, 2 + sweep)
        if improved == 0:
            break
    _tell(progress, SWEEPS + 1)
    full = search.full(np.arange(len(nodes)), search.points[:, None])[:, 0]
    middle = np.tile(np.clip(np.median(y, axis=0), *target.bounds), (max(shape), 1))
    grid = []
    for axis, i in zip(axes, fixed, strict=True):
        line = middle[: len(axis)].copy()
        line[:, i] = axis
        grid.append(target.physical(line)[:, i])
    return Profile(
        names=tuple(names),
        grid=tuple(grid),
        log_likelihood=search.values.reshape(shape),
        best=float(max(best, search.values.max())),
        points=target.physical(full).reshape(*shape, target.dim),
        converged=search.converged.reshape(shape),
        evaluations=search.evaluations,
    )


class _Search:
    """The maxima at all grid values, improved step by step."""

    def __init__(
        self, target: Target, fixed: list[int], free: list[int], nodes: Array, rng: np.random.Generator
    ) -> None:
        self.target, self.fixed, self.free, self.nodes, self.rng = target, fixed, free, nodes, rng
        low, high = target.bounds
        self.bounds = low[free], high[free]
        self.points = np.zeros((len(nodes), len(free)))
        self.values = np.full(len(nodes), -np.inf)
        self.converged = np.zeros(len(nodes), dtype=np.bool_)
        self.steps = np.zeros((len(nodes), len(free), len(free)))
        self.evaluations = 0

    def full(self, nodes: Index, free: Array) -> Array:
        """Return complete points (k, n, dim) of free parts (k, n, free) at grid values `nodes` (k,)."""
        out = np.empty((*free.shape[:2], self.target.dim))
        out[..., self.free] = free
        out[..., self.fixed] = self.nodes[nodes][:, None]
        return out

    def value(self, nodes: Index, free: Array) -> Array:
        """Return ln L (k, n) of free parts (k, n, free) at grid values `nodes` (k,)."""
        points = self.full(nodes, free)
        self.evaluations += points.shape[0] * points.shape[1]
        return self.target(points.reshape(-1, self.target.dim)).reshape(points.shape[:2])

    def begin(self, y: Array, value: Array) -> None:
        """Start at every grid value from the best of the nearest samples, put at that value."""
        spread = np.std(y[:, self.fixed], axis=0) + 1e-12
        first, steps, whose = [], [], []
        for k, node in enumerate(self.nodes):
            distance = np.linalg.norm((y[:, self.fixed] - node) / spread, axis=1)
            wanted = NEAR[len(self.fixed)]
            near = np.argpartition(distance, min(wanted, len(y) - 1))[:wanted]
            local = y[near][:, self.free]
            covariance = np.atleast_2d(np.cov(local.T)) if self.free else np.zeros((0, 0))
            self.steps[k] = covariance + np.diag(np.full(len(self.free), 1e-10))
            moved = self.value(np.array([k]), local[None])[0]
            if not (moved > -np.inf).any():
                continue
            order = np.argsort(-moved, kind="stable")
            for start in _apart(local[order], STARTS):
                first.append(start)
                steps.append(self.steps[k])
                whose.append(k)
        if first:
            self._climb(np.array(whose), np.array(first), np.array(steps))

    def from_neighbours(self, shape: tuple[int, ...]) -> int:
        """Try each grid value from its neighbours' maxima; return how many found something better."""
        index = np.arange(len(self.nodes)).reshape(shape)
        pairs: list[Array] = []
        for axis in range(len(shape)):
            a = np.moveaxis(index, axis, 0)
            pairs += [np.stack([a[1:].ravel(), a[:-1].ravel()]), np.stack([a[:-1].ravel(), a[1:].ravel()])]
        here, there = np.concatenate(pairs, axis=1)
        known = self.values[there] > -np.inf
        here, there = here[known], there[known]
        if len(here) == 0 or not self.free:
            return 0
        offered = self.value(here, self.points[there][:, None])[:, 0]
        # The neighbour's maximum, put here, has lost a little: climb if it promises to beat what is known.
        fall = np.abs(self.values[there] - self.values[here])
        hope = (offered > -np.inf) & (offered > self.values[here] - np.minimum(fall, 3.0) - 0.5)
        hope &= (self.values[there] > self.values[here] + TOLERANCE) | (
            offered > self.values[here] + TOLERANCE
        )
        order = np.argsort(-np.where(hope, offered, -np.inf), kind="stable")
        _, unique = np.unique(here[order], return_index=True)
        kept = order[unique][hope[order[unique]]]
        before = self.values.copy()
        if len(kept):
            self._climb(here[kept], self.points[there[kept]], self.steps[there[kept]])
        return int(np.sum(self.values > before + 10 * TOLERANCE))

    def _climb(self, whose: Index, start: Array, steps: Array) -> None:
        def objective(which: Index, points: Array) -> Array:
            return self.value(whose[which], points)

        ends = climb(objective, start, steps, self.bounds, self.rng, tolerance=TOLERANCE)
        for k, point, value, converged in zip(whose, ends.points, ends.values, ends.converged, strict=True):
            if value > self.values[k]:
                self.points[k], self.values[k], self.converged[k] = point, value, converged


def _apart(points: Array, wanted: int) -> list[Array]:
    """Return up to `wanted` points (best first), each not close to those before."""
    if points.shape[1] == 0:
        return [points[0]]
    spread = np.std(points, axis=0) + 1e-12
    kept = [points[0]]
    for point in points[1:]:
        if len(kept) == wanted:
            break
        if min(np.linalg.norm((point - other) / spread) for other in kept) > 1.0:
            kept.append(point)
    return kept


def _axis(target: Target, y: Array, i: int, bins: int, given: tuple[float, float] | None) -> Array:
    low, high = (float(end[i]) for end in target.bounds)
    if given is None:
        first, last = np.quantile(y[:, i], [0.0, 1.0])
        margin = MARGIN * (last - first)
        first, last = first - margin, last + margin
    else:
        values = np.tile(target.physical(np.median(y, axis=0)[None]), (2, 1))
        values[:, i] = given
        first, last = target.place(values)[:, i]
    return np.linspace(max(first, low), min(last, high), bins)


def _paired(
    fixed: list[int], ranges: Sequence[tuple[float, float]] | None
) -> list[tuple[int, tuple[float, float] | None]]:
    return list(zip(fixed, ranges if ranges is not None else [None] * len(fixed), strict=True))


def _above(x: Array, delta: Array, level: float) -> list[tuple[float, float]]:
    """Return the ranges of x where the line through (x, delta) is above the level."""
    over = delta >= level
    found: list[tuple[float, float]] = []
    for i in np.flatnonzero(over):
        if i > 0 and over[i - 1]:
            continue
        j = int(i)
        while j + 1 < len(x) and over[j + 1]:
            j += 1
        found.append((_cross(x, delta, int(i), int(i) - 1, level), _cross(x, delta, j, j + 1, level)))
    return found


def _cross(x: Array, delta: Array, inside: int, outside: int, level: float) -> float:
    if not 0 <= outside < len(x) or not np.isfinite(delta[outside]):
        return float(x[inside])
    share = (delta[inside] - level) / (delta[inside] - delta[outside])
    return float(x[inside] + share * (x[outside] - x[inside]))


def _tell(progress: Callable[[str, int, int], None] | None, done: int) -> None:
    if progress is not None:
        progress("grid values maximised", done, SWEEPS + 1)


def rows(found: Profile) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns of a table of a profile, and its rows."""
    import itertools

    columns = [*found.names, "delta_ln_likelihood", "ln_likelihood", "converged"]
    table = []
    for index in itertools.product(*(range(len(axis)) for axis in found.grid)):
        row: dict[str, Any] = {
            name: float(axis[i]) for name, axis, i in zip(found.names, found.grid, index, strict=True)
        }
        row["delta_ln_likelihood"] = float(found.delta[index])
        row["ln_likelihood"] = float(found.log_likelihood[index])
        row["converged"] = bool(found.converged[index])
        table.append(row)
    return columns, table
