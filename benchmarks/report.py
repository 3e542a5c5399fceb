"""What `globalfit report` costs: by the clock, in processor time, by its parts; and the size of its page.

    python benchmarks/report.py CHAIN...

The command is run as a user runs it, in a process of its own, several times; the shortest time by the clock
counts, the others say how busy the machine is. The parts are timed in this process alone, without the second
one that draws the corner plot.
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
from typing import Any

from machine import write

from globalfit.chains.chain import Chain
from globalfit.report.page import drawings, page, report

PARTS = ("open and verdict", "predictions and ledger", "figures", "page")
ROUNDS = 3
AIM = 10.0  # seconds by the clock on two idle cores


def main() -> None:
    """Measure and write ``results/report.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chains", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    figures: dict[str, Any] = {"aim_seconds_by_the_clock": AIM}
    for path in options.chains:
        figures[path.stem] = whole(path, options.rounds) | parts(path)
        print(path.stem, figures[path.stem])
    write("report", figures)


def whole(path: Path, rounds: int) -> dict[str, Any]:
    """Time the command; its processes are finished when it is."""
    clock, processor, load = [], [], os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "report.html"
        words = [sys.executable, "-m", "globalfit", "report", str(path), "-o", str(output), "--overwrite"]
        for _ in range(rounds):
            begun, spent = time.perf_counter(), sum(os.times()[2:4])
            subprocess.run(words, check=True, capture_output=True)
            clock.append(round(time.perf_counter() - begun, 1))
            processor.append(round(sum(os.times()[2:4]) - spent, 1))
        size = output.stat().st_size
    return {
        "seconds_by_the_clock": clock,
        "seconds_of_processor": processor,
        "load_before": round(load, 1),
        "megabytes": round(size / 1e6, 2),
    }


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
