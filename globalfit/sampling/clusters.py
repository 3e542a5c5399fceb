"""Modes of a sample that nobody named: peaks of its density with valleys between them.

Distances in many dimensions see no valley: what separates two modes in one parameter drowns in the spread
of the others. So the parameters that show a valley in some projection are looked for first; in these alone
the density is estimated by nearest neighbours, and a peak counts if the saddle to any higher one lies deep
enough below it (F. Chazal, L. Guibas, S. Oudot, P. Skraba, J. ACM 60 (2013) 41). A curved band, a ring or a
shell is one mode, whatever its projections look like. No random number is used.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array

POINTS = 4000  # looked at; a mode of fewer than 1 % of them is counted with its neighbour
LEAST = 0.01
NEIGHBOURS = 24
PROMINENCE = 1.5  # ln of the density of a peak over that of the saddle to a higher one
BINS = 60  # of a projection
VALLEY = 0.5  # density of a projection at the bottom of a valley worth a closer look, over the lower peak

Labels = NDArray[np.intp]


def find_modes(points: Array) -> tuple[Labels, tuple[int, ...]]:
    """Return the mode (n,) of each of `points` (n, dim), the heaviest first, and the dimensions that tell.

    Up to `POINTS` points in coordinates of comparable scale, such as quantiles of the prior.
    """
    spread = points.std(axis=0)
    active = [i for i in range(points.shape[1]) if spread[i] > 0.0]
    scaled = (points[:, active] - points[:, active].mean(axis=0)) / spread[active]
    telling = _telling(scaled)
    if not telling:
        return np.zeros(len(points), dtype=np.intp), ()
    return _peaks(scaled[:, telling]), tuple(active[i] for i in telling)


def nearest_mode(points: Array, labels: Labels, others: Array) -> Labels:
    """Return the modes (m,) of `others` (m, dim): their nearest neighbours' among `points` (n, dim)."""
    from scipy.spatial import cKDTree

    scale = points.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    found: Labels = labels[cKDTree(points / scale).query(others / scale)[1]]
    return found


def _telling(scaled: Array) -> list[int]:
    """Return the dimensions with a valley: along axes, sums and differences of two, principal axes."""
    dim = scaled.shape[1]
    telling: set[int] = set()
    for i in range(dim):
        if _valley(scaled[:, i]):
            telling.add(i)
    for i, j in combinations(range(dim), 2):
        if not {i, j} <= telling and any(_valley(scaled[:, i] + s * scaled[:, j]) for s in (1.0, -1.0)):
            telling |= {i, j}
    axes = np.linalg.svd(scaled, full_matrices=False)[2]
    for axis in axes:
        if _valley(scaled @ axis):
            telling |= set(np.flatnonzero(np.abs(axis) > 0.5 * np.abs(axis).max()).tolist())
    return sorted(telling)


def _valley(projected: Array) -> bool:
    """Return whether the density of a projection (n,) has a valley with at least 1 % on either side."""
    from scipy.ndimage import gaussian_filter1d  # loads in a third of a second, and most models name regions

    low, high = np.quantile(projected, [0.001, 0.999])
    if not high > low:
        return False
    counts = np.histogram(projected, bins=BINS, range=(low, high))[0].astype(np.float64)
    density = gaussian_filter1d(counts, 1.5, mode="constant")
    left, right = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    share = np.cumsum(counts) / counts.sum()
    deep = density < VALLEY * np.minimum(left, right)
    return bool(np.any(deep & (share > LEAST) & (share < 1.0 - LEAST)))


def _peaks(points: Array) -> Labels:
    """Return the mode of each point, by hill climbing on the graph of nearest neighbours."""
    from scipy.spatial import cKDTree

    size, dim = points.shape
    k = min(NEIGHBOURS, size - 1)
    found = cKDTree(points).query(points, k + 1)
    distance = np.maximum(np.asarray(found[0]), np.finfo(np.float64).tiny)
    neighbour: Labels = np.asarray(found[1])
    height = -_dimension(distance, dim) * np.log(distance[:, -1])
    order: Labels = np.argsort(-height, kind="stable")
    rank: Labels = np.empty(size, dtype=np.intp)
    rank[order] = np.arange(size)
    root: Labels = np.arange(size)
    for i in order:
        higher = [j for j in neighbour[i, 1:] if rank[j] < rank[i]]
        if not higher:
            continue
        peaks = sorted({_find(root, j) for j in higher}, key=lambda j: rank[j])
        root[i] = peaks[0]
        for other in peaks[1:]:  # point i is the saddle between their hills
            if height[other] - height[i] < PROMINENCE:
                root[other] = peaks[0]
    peak = np.array([_find(root, i) for i in range(size)])
    return _by_weight(points, peak)


def _dimension(distance: Array, dim: int) -> float:
    """Return the dimension of the set the points lie on, from their `distance` to their neighbours.

    E. Levina, P. Bickel, NIPS 17 (2004): on a thin band the full one would blow up the density's noise.
    """
    ratio = np.log(distance[:, -1:] / distance[:, 1:-1])
    inverse = float(np.mean(ratio))
    return min(float(dim), 1.0 / inverse) if inverse > 0.0 else float(dim)


def _find(root: Labels, i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = int(root[i])
    return int(i)


def _by_weight(points: Array, peak: Labels) -> Labels:
    """Return modes numbered by weight; what is lighter than 1 % joins its nearest neighbour's."""
    from scipy.spatial import cKDTree

    names, inverse, counts = np.unique(peak, return_inverse=True, return_counts=True)
    kept = counts >= max(LEAST * len(points), 2)
    if not kept.any():
        return np.zeros(len(points), dtype=np.intp)
    order = np.argsort(-counts, kind="stable")
    number = np.full(len(names), -1, dtype=np.intp)
    number[order[kept[order]]] = np.arange(int(kept.sum()))
    labels: Labels = number[inverse]
    stray = labels < 0
    if stray.any():
        near = cKDTree(points[~stray]).query(points[stray])[1]
        labels[stray] = labels[~stray][near]
    return labels
