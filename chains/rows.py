"""Rows of a chain in pieces: read from a file, put side by side, regrouped to whole chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from globalfit.arrays import Array

CHUNK = 64  # steps a chunk of the file
PIECE = 16 * CHUNK  # steps written or read at once

Rows = tuple[Array, Array, Array]  # values, log_prob, blobs of some steps


def read_rows(file: h5py.File, steps: int | None = None) -> Iterator[Rows]:
    """Yield the first `steps` stored steps, all by default, in pieces."""
    mcmc = file["mcmc"]
    steps = int(mcmc.attrs["iteration"]) if steps is None else steps
    walkers = mcmc["chain"].shape[1]
    for begin in range(0, steps, PIECE):
        part = slice(begin, min(begin + PIECE, steps))
        blobs = np.ascontiguousarray(mcmc["blobs"][part])
        plain = blobs.view("f8").reshape(len(blobs), walkers, -1)
        yield mcmc["chain"][part], mcmc["log_prob"][part], plain


def side_by_side(parts: Sequence[Iterator[Rows]], steps: int) -> Iterator[Rows]:
    """Yield the first `steps` steps of several chains, their walkers side by side, in some pieces."""
    kept: list[Rows | None] = [None] * len(parts)
    while steps:
        for i, part in enumerate(parts):
            if kept[i] is None:
                kept[i] = next(part)
        whole = [each for each in kept if each is not None]
        length = min(steps, *(len(values) for values, _, _ in whole))
        steps -= length
        if len(whole) == 1:
            values, log_prob, blobs = whole[0]
            yield values[:length], log_prob[:length], blobs[:length]
        else:
            values, log_prob, blobs = (
                np.concatenate([each[i][:length] for each in whole], axis=1) for i in range(3)
            )
            yield values, log_prob, blobs
        kept = [(v[length:], p[length:], b[length:]) if len(v) > length else None for v, p, b in whole]


def columns(rows: Iterator[Rows], part: slice) -> Iterator[Rows]:
    """Yield the rows of some walkers."""
    for values, log_prob, blobs in rows:
        yield values[:, part], log_prob[:, part], blobs[:, part]


def regrouped(rows: Iterator[Rows]) -> Iterator[Rows]:
    """Yield the same steps in pieces of `PIECE`, but for the last, as `read_rows` does."""
    kept: list[Rows] = []
    steps = 0
    for piece in rows:
        kept.append(piece)
        steps += len(piece[0])
        if steps >= PIECE:
            values, log_prob, blobs = (np.concatenate(parts) for parts in zip(*kept, strict=True))
            for begin in range(0, steps - PIECE + 1, PIECE):
                part = slice(begin, begin + PIECE)
                yield values[part], log_prob[part], blobs[part]
            rest = steps - steps % PIECE
            kept = [(values[rest:], log_prob[rest:], blobs[rest:])]
            steps -= rest
    if steps:
        values, log_prob, blobs = (np.concatenate(parts) for parts in zip(*kept, strict=True))
        yield values, log_prob, blobs
