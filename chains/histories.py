"""Histories of some walkers of a chain that is longer than the memory, and what is asked of all walkers."""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.samples import Samples

HISTORY = 128 << 20  # bytes of walkers' histories held at once
FEWEST = 16  # walkers followed, where there are as many; steps are left out before there are fewer


def followed(samples: Samples, quantities: int) -> tuple[list[int], int]:
    """Return the walkers whose histories are held, and the distance of the steps."""
    steps, walkers, _ = samples.shape
    history = 8 * steps * quantities
    number = min(walkers, max(min(walkers, FEWEST), HISTORY // history))
    chosen = np.unique(np.linspace(0, walkers - 1, number).round().astype(int))
    return chosen.tolist(), max(1, -(-len(chosen) * history // HISTORY))


def arrival(samples: Samples, level: float) -> int:
    """Return the step at which the last walker comes to a ln posterior of `level`, at most half the chain."""
    half = samples.shape[0] // 2
    missing = np.ones(samples.shape[1], dtype=bool)
    last = 0
    for piece in samples.pieces(0, half, ("log_prob",)):
        there = piece.log_prob[:, missing] >= level
        arrived = there.any(axis=0)
        if arrived.any():
            last = max(last, piece.begin + int(there.argmax(axis=0)[arrived].max()))
        missing[missing] = ~arrived
        if not missing.any():
            return last
    return half


def stuck(samples: Samples, discard: int) -> int:
    """Return the number of walkers that never move from step `discard` on."""
    resting = np.ones(samples.shape[1], dtype=bool)
    first: Array | None = None
    for piece in samples.pieces(discard, None, ("values", "log_prob")):
        rows = np.concatenate([piece.values[:, resting], piece.log_prob[:, resting, None]], axis=2)
        first = rows[:1] if first is None else first
        still = np.all(rows == first, axis=(0, 2))
        resting[resting] = still
        first = first[:, still]
        if not resting.any():
            break
    return int(resting.sum())
