"""Journals that were cut, flipped and added to."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from faults.reference import Numbers, Reference
from globalfit.chains import journal as journals
from globalfit.chains import store as stores
from globalfit.chains.places import journal_of
from globalfit.errors import ChainError
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start


def damaged_journals(reference: Reference, folder: Path, flips: int, tails: int, seed: int) -> Numbers:
    """Cut a real journal at every byte of its last three records, flip bits, add garbage."""
    path = folder / "damage.h5"
    kill_until = 24
    with stores.open_store(path, reference.fit) as store:
        state = start(reference.fit.posterior, 16, 1)
        store.begin(state, 1)
        while store.steps < kill_until:
            block, state = advance(reference.fit.posterior, state, 4)
            store.append(block, state)
    path = journal_of(path)
    whole = path.read_bytes()
    found = journals.scan(path)
    good = [whole[place : place + length] for place, length in found.places]
    ends = [place + length for place, length in found.places]
    counts = {
        "truncations": 0,
        "truncations_wrong": 0,
        "flips": 0,
        "flips_silent": 0,
        "tails": 0,
        "tails_wrong": 0,
    }

    def content() -> list[bytes] | None:
        try:
            again = journals.scan(path)
        except ChainError:
            return None
        data = path.read_bytes()
        return [data[place : place + length] for place, length in again.places]

    for size in range(len(whole) - 1, ends[-4] - 1, -1):
        os.truncate(path, size)
        counts["truncations"] += 1
        counts["truncations_wrong"] += content() != good[: sum(end <= size for end in ends)]
    rng = np.random.default_rng(seed)
    for bit in rng.integers(8 * len(whole), size=flips):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(changed)
        counts["flips"] += 1
        counts["flips_silent"] += content() not in (None, good[:-1])  # stopped, or the torn last record cut
    for length in rng.integers(1, 20_000, size=tails):
        path.write_bytes(whole + rng.bytes(int(length)))
        counts["tails"] += 1
        counts["tails_wrong"] += content() != good
    return counts
