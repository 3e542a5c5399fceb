"""Faults put upon real runs: kills, damage, full disks, readers; counts what was lost or wrong.

Writes ``benchmarks/results/reliability.json`` and ``.md``. Runs are made to store and publish far more often
than they do (4 steps a block instead of 64, half of the time spent on publishing), so that faults hit writes.
With ``--only`` the other parts stay in the results as they were kept; every part says when it ran.
"""

from __future__ import annotations

import argparse
import datetime
import errno
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from faults.damage import damaged_journals
from faults.disk import full_disk
from faults.kills import one_run_through_kills, random_kills
from faults.readers import live_reads
from faults.reference import FIT, Numbers, Reference, pessimistic
from faults.workers import coordinator_kills, worker_kills
from machine import RESULTS, write

from globalfit.fitfile import load_fit

PARTS = (
    "random_kills", "one_run_through_kills", "damaged_journals", "disk_full", "disk_error", "live_reads",
    "coordinator_kills_processes", "worker_kills_processes", "coordinator_kills_dask", "worker_kills_dask",
)  # fmt: skip
BAD = (
    "lost", "unreadable", "wrong", "not_resumed", "not_clean", "not_bit_identical", "truncations_wrong",
    "flips_silent", "tails_wrong", "errors", "runs_harmed", "orphans", "stood_still",
)  # fmt: skip


def campaign(size: float, only: tuple[str, ...], seed: int = 1) -> Iterator[tuple[str, Numbers]]:
    """Run some parts; yield the name and figures of each. `size` 1 is the full campaign."""
    pessimistic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fit.toml").write_text(FIT)
        fit = load_fit(folder / "fit.toml")
        places = [folder / each for each in ("short", "middle", "long", "several")]
        for place in places:
            place.mkdir()
        short, middle, long, several = places
        few, some, many = Reference(fit, short, 16), Reference(fit, middle, 48), Reference(fit, long, 200)
        three = Reference(fit.with_ensembles(3), several, 200)

        def share(full: int) -> int:
            return max(1, round(full * size))

        every = max(1, round(0.5 / size))
        parts: dict[str, Callable[[], Numbers]] = {
            "random_kills": lambda: random_kills(some, middle, share(300), seed),
            "one_run_through_kills": lambda: one_run_through_kills(many, long, share(500), seed),
            "damaged_journals": lambda: damaged_journals(many, long, share(1000), share(600), seed),
            "disk_full": lambda: full_disk(few, short, errno.ENOSPC, every),
            "disk_error": lambda: full_disk(few, short, errno.EIO, every),
            "live_reads": lambda: live_reads(many, long, share(1000)),
        }
        for engine, coordinators, deaths in (("processes", 20, 100), ("dask", 6, 12)):
            parts[f"coordinator_kills_{engine}"] = partial(
                coordinator_kills, three, several, share(coordinators), seed, engine
            )
            parts[f"worker_kills_{engine}"] = partial(
                worker_kills, three, several, share(deaths), seed, engine
            )
        for part in only:
            begun = time.monotonic()
            found = parts[part]()
            day = datetime.datetime.now(datetime.UTC).date().isoformat()
            context = {"date": day, "load": round(os.getloadavg()[0], 1), "size": size}
            yield part, context | found | {"seconds": round(time.monotonic() - begun, 1)}


def table(found: Numbers) -> str:
    """Return the figures as a table in Markdown; a part that never ran has no rows."""
    rows: list[tuple[str, str, tuple[str, ...]]] = [
        ("random_kills", "random SIGKILLs of a run", ("kills",)),
        ("random_kills", "… steps acknowledged; lost", ("acknowledged", "lost")),
        ("random_kills", "… files unreadable; with a wrong step; not finished bit for bit",
         ("unreadable", "wrong", "not_resumed")),
        ("one_run_through_kills", "one run through SIGKILLs; its steps; lost", ("kills", "steps", "lost")),
        ("one_run_through_kills", "… chains that differ from the uninterrupted one", ("not_bit_identical",)),
        ("damaged_journals", "truncations at every byte of the last three records; wrong",
         ("truncations", "truncations_wrong")),
        ("damaged_journals", "bit flips in a journal; silent", ("flips", "flips_silent")),
        ("damaged_journals", "garbage tails; wrong", ("tails", "tails_wrong")),
    ]  # fmt: skip
    for part, what in (("disk_full", "disk full (ENOSPC)"), ("disk_error", "input/output error (EIO)")):
        rows += [
            (part, f"{what} from one write or force on; not stopped with one line", ("writes", "not_clean")),
            (part, "… acknowledged steps lost; not finished bit for bit afterwards", ("lost", "not_resumed")),
        ]
    rows += [
        ("live_reads", "reads of a going run; errors; wrong", ("reads", "errors", "wrong")),
        ("live_reads", "… runs that were read; harmed", ("runs", "runs_harmed")),
    ]
    for engine in ("processes", "dask"):
        workers, coordinator = f"worker_kills_{engine}", f"coordinator_kills_{engine}"
        rows += [
            (workers, f"SIGKILLs of workers of {engine}; runs", ("kills", "runs")),
            (workers, "… runs that stood still; not bit for bit that of one process",
             ("stood_still", "wrong")),
            (coordinator, f"SIGKILLs of the process that runs {engine}; workers left behind",
             ("kills", "orphans")),
            (coordinator, "… steps acknowledged; lost; not finished bit for bit",
             ("acknowledged", "lost", "not_resumed")),
        ]  # fmt: skip
    shown = [
        (what, "; ".join(str(found[part][name]) for name in names))
        for part, what, names in rows
        if part in found
    ]
    return "\n".join(["| fault | result |", "|---|---|", *(f"| {a} | {b} |" for a, b in shown)]) + "\n"


def failures(found: Numbers) -> list[str]:
    """Return the promises that were broken."""
    return [
        f"{part}: {n} {name}" for part, each in found.items() for name, n in each.items() if name in BAD and n
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=float, default=1.0, help="share of the full campaign")
    parser.add_argument("--only", default=",".join(PARTS), help="comma-separated parts instead of all")
    parser.add_argument("--json", action="store_true", help="print the figures, keep nothing")
    words = parser.parse_args()
    only = tuple(words.only.split(","))
    if unknown := sorted(set(only) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if find_spec("distributed") is None:
        only = tuple(part for part in only if "dask" not in part)
    file = RESULTS / "reliability.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    done: Numbers = {}
    for part, figures in campaign(words.size, only):
        print(part, figures, file=sys.stderr, flush=True)
        done[part] = figures
        if not words.json:
            found = {name: (kept | done)[name] for name in PARTS if name in kept | done}
            write("reliability", found)
            (RESULTS / "reliability.md").write_text(table(found), encoding="utf-8")
    print(json.dumps(done) if words.json else table(found))
    if broken := failures(done):
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
