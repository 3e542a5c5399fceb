"""A disk that is full, or fails, from one write or force on."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults.reference import Numbers, Reference, samples
from globalfit.chains import journal as journals
from globalfit.chains import store as stores
from globalfit.errors import ChainError
from globalfit.sampling.run import Progress


def full_disk(reference: Reference, folder: Path, error: int, every: int = 1) -> Numbers:
    """Fail at each write of a run in turn; then make room and go on."""
    counts = dict.fromkeys(("writes", "not_clean", "lost", "not_resumed"), 0)
    count = 1
    while True:
        place = folder / f"full{error}-{count}"
        place.mkdir()
        path = place / "out.h5"
        seen = Seen()
        with failing(count, error) as failed:
            try:
                reference.fit.run(path, steps=reference.steps, sync="step", progress=seen)
                clean = not failed()
            except ChainError:
                clean = failed()
            reached = failed()
        if not reached:
            shutil.rmtree(place)
            return counts
        counts["writes"] += 1
        counts["not_clean"] += not clean
        with stores.open_store(path, reference.fit) as store:
            counts["lost"] += max(0, seen.steps - store.steps)
        reference.fit.run(path, steps=reference.steps)
        counts["not_resumed"] += samples(path) != reference.whole
        shutil.rmtree(place)
        count += every


class Seen:
    """The last acknowledged step."""

    steps = 0

    def __call__(self, progress: Progress) -> None:
        self.steps = progress.steps


@contextlib.contextmanager
def failing(count: int, error: int) -> Iterator[Callable[[], bool]]:
    """Let the `count`-th write or force of this process fail, and all after it, as on a full disk."""
    kept = {name: getattr(os, name) for name in ("write", "pwrite", "fsync", "ftruncate")}
    force = journals._force
    calls = 0

    def fails() -> bool:
        nonlocal calls
        calls += 1
        return calls >= count

    def write_(name: str) -> Callable[..., int]:
        def call(handle: int, data: Any, *place: int) -> int:
            if fails():
                if calls == count and len(data) > 1:  # half of it is written
                    kept[name](handle, bytes(data)[: len(data) // 2], *place)
                raise OSError(error, os.strerror(error))
            return int(kept[name](handle, data, *place))

        return call

    def force_(function: Callable[[int], None]) -> Callable[[int], None]:
        def call(handle: int) -> None:
            if fails():
                raise OSError(error, os.strerror(error))
            function(handle)

        return call

    def truncate_(handle: int, size: int) -> None:
        if size > os.fstat(handle).st_size and fails():
            raise OSError(error, os.strerror(error))
        kept["ftruncate"](handle, size)

    os.write, os.pwrite = write_("write"), write_("pwrite")  # type: ignore[assignment]
    os.fsync, os.ftruncate = force_(kept["fsync"]), truncate_  # type: ignore[assignment]
    journals._force = force_(force)
    try:
        yield lambda: calls >= count
    finally:
        for name, function in kept.items():
            setattr(os, name, function)
        journals._force = force
