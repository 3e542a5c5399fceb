"""Judging a chain that is longer than the memory: the same verdict, from some walkers' whole histories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.samples import Held, Place, Samples
from globalfit.coordinates import Linear, Log, SignedLog
from globalfit.sampling.run import LOG_POSTERIOR
from globalfit.sampling.stopping import (
    BULK,
    Verdict,
    assess,
    autocorrelation_times,
    burn_in,
    conclude,
    drift,
)

if TYPE_CHECKING:
    from globalfit.chains.chain import Chain
    from globalfit.chains.tables import Row

HISTORY = 128 << 20  # bytes of walkers' histories held at once
FEWEST = 16  # walkers followed, where there are as many; steps are left out before there are fewer


def judge(chain: Chain, discard: int | None = None) -> Verdict:
    """Judge a chain; see `stopping.assess`.

    A chain in memory is judged as a whole. Of a longer one, autocorrelation times and drift come from
    walkers at equal distances, as many as `HISTORY` holds; every step of them, or if that is too much for
    16 walkers, every `lag`-th, which makes times below `lag` come out as `lag`: never too short. Whether
    walkers are stuck or late is asked of all of them.
    """
    samples, names = chain.samples, (*chain.names, LOG_POSTERIOR)
    places: list[Place] = [*(("values", i) for i in range(len(chain.names))), ("log_prob", 0)]
    steps, walkers, _ = samples.shape
    followed, lag = (slice(None), 1) if isinstance(samples, Held) else _followed(samples, len(names))
    columns = samples.read(places, walkers=followed, thin=lag)
    for i, name in enumerate(chain.names):
        columns[i] = _coordinate(chain.row(name)).from_physical(columns[i], {})
    histories = np.stack(columns, axis=-1)
    del columns
    if isinstance(samples, Held):
        return assess(histories, names, discard=discard)
    if discard is None:
        level = float(np.quantile(histories[len(histories) // 2 :, :, -1], BULK))
        discard = min(steps // 2, max(lag * burn_in(histories), _arrival(samples, level)))
    kept = histories[-(-discard // lag) :]
    tau = autocorrelation_times(kept)
    return conclude(names, steps, walkers, discard, lag * tau, drift(kept, tau), _stuck(samples, discard))


def _followed(samples: Samples, quantities: int) -> tuple[list[int], int]:
    """Return the walkers whose histories are held, and the distance of the steps."""
    steps, walkers, _ = samples.shape
    history = 8 * steps * quantities
    number = min(walkers, max(min(walkers, FEWEST), HISTORY // history))
    chosen = np.unique(np.linspace(0, walkers - 1, number).round().astype(int))
    return chosen.tolist(), max(1, -(-len(chosen) * history // HISTORY))


def _arrival(samples: Samples, level: float) -> int:
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


def _stuck(samples: Samples, discard: int) -> int:
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


def _coordinate(row: Row) -> Linear | Log | SignedLog:
    """Coordinate in which a parameter is judged: that of its prior's scale."""
    if row["scale"] == "log":
        return Log()
    if row["scale"] == "signed-log":
        return SignedLog(float(json.loads(row["prior"])["low"]))
    return Linear()
