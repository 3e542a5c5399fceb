"""What `globalfit report` costs: by the clock, in processor time, by its parts; and the size of its page.

    python benchmarks/report.py CHAIN... [--against CHECKOUT]

The command is run as a user runs it, in a process of its own, several times; the shortest time by the clock
counts, the others say how busy the machine is. With another checkout of the code the two are run in turn, so
that their ratio does not depend on how busy. The parts are timed in this process alone, without the second
one that draws figures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from machine import write

from globalfit.chains.chain import Chain
from globalfit.report.page import drawings, page, report

PARTS = ("open and verdict", "predictions and ledger", "figures", "page")
ROUNDS = 3
HERE = Path(__file__).resolve().parents[1]
AIM = 10.0  # seconds by the clock on two idle cores


def main() -> None:
    """Measure and write ``results/report.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chains", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--against", type=Path, help="another checkout of the code")
    options = parser.parse_args()
    figures: dict[str, Any] = {"aim_seconds_by_the_clock": AIM}
    for path in options.chains:
        figures[path.stem] = whole(path, options.rounds, options.against) | parts(path)
        print(path.stem, figures[path.stem])
    write("report", figures)


def whole(path: Path, rounds: int, against: Path | None) -> dict[str, Any]:
    """Time the command, of another checkout in turn with it; its processes are finished when it is."""
    load = os.getloadavg()[0]
    taken: dict[Path, list[tuple[float, float]]] = {HERE: []} | ({against.resolve(): []} if against else {})
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.html"
        words = ["-m", "globalfit", "report", str(path.resolve()), "-o", str(output), "--overwrite"]
        for each in range(rounds + 1):
            for code, times in taken.items():
                begun, spent = time.perf_counter(), sum(os.times()[2:4])
                subprocess.run(
                    [sys.executable, *words], check=True, capture_output=True, cwd=folder,
                    env=os.environ | {"PYTHONPATH": str(code)},
                )  # fmt: skip
                if each:  # the first compiles
                    times.append((time.perf_counter() - begun, sum(os.times()[2:4]) - spent))
        size = output.stat().st_size
    clock, processor = ([round(x, 1) for x in column] for column in zip(*taken[HERE], strict=True))
    found: dict[str, Any] = {
        "seconds_by_the_clock": clock,
        "seconds_of_processor": processor,
        "load_before": round(load, 1),
        "megabytes": round(size / 1e6, 2),
    }
    for times in [times for code, times in taken.items() if code != HERE]:
        before = [[round(x, 1) for x in column] for column in zip(*times, strict=True)]
        found["against"] = {
            "seconds_by_the_clock": before[0],
            "seconds_of_processor": before[1],
            "ratio_of_medians": [
                round(median(ours) / median(theirs), 2)
                for ours, theirs in zip((clock, processor), before, strict=True)
            ],
        }
    return found


def parts(path: Path) -> dict[str, Any]:
    """Return the processor time of each part."""
    marks = [time.process_time()]
    chain = Chain.open(path)
    _ = chain.verdict
    marks.append(time.process_time())
    found = report(chain)
    marks.append(time.process_time())
    figures = list(drawings(found))
    marks.append(time.process_time())
    page(found, figures)
    marks.append(time.process_time())
    took = [round(later - earlier, 2) for earlier, later in pairwise(marks)]
    return {
        "samples": chain.steps * chain.walkers,
        "seconds_of_processor_of_parts": dict(zip(PARTS, took, strict=True)),
        "missing": found.missing,
    }


if __name__ == "__main__":
    main()
