"""Start-up: ``globalfit --help``, the first step of a run, and which heavy packages are imported.

Wall and processor times of whole processes, the shortest of several, taken in turn with a bare
``python -c pass``; on a busy machine the processor time is the one to compare (it includes the end of the
process). The first step is reached when the ensemble has advanced once from its start; the process that
measures it differs from ``globalfit run`` only by a clock after that step. Imports are those Python itself
reports (-X importtime).
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import write

ROOT = Path(__file__).parents[1]
FIT = ROOT / "fits" / "t3r-muon.toml"
ABSENT = ("flavio", "matplotlib", "dask", "cobaya", "pandas", "corner", "arviz")
ABSENT_IN_HELP = ("numpy", "scipy", "pydantic", "h5py", "emcee")
ROUNDS = 9

FIRST_STEP = """
import sys, time
import globalfit.sampling.engines.work as running
advance = running.advance
def clocked(*words, **options):
    done = advance(*words, **options)
    print(repr(time.time()), flush=True)
    return done
running.advance = clocked
from globalfit.cli import main
sys.argv = ["globalfit", "run", *sys.argv[1:], "--steps", "1", "--quiet", "--json"]
main()
"""


def main() -> None:
    """Measure and write ``results/startup.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    names = ("python -c pass", "globalfit --help", "run, first step")
    walls: list[tuple[float, ...]] = []
    processors: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds + 1):  # the first fills the file caches
            before = [processor()]
            measured = [wall("-c", "pass")]
            before.append(processor())
            measured.append(wall("-m", "globalfit", "--help"))
            before.append(processor())
            measured.append(first_step(Path(folder), i))
            before.append(processor())
            if i:
                walls.append(tuple(measured))
                processors.append(tuple(after - b for b, after in itertools.pairwise(before)))
        imported = {
            "help": imports(Path(folder), "--help"),
            "run": imports(Path(folder), "run", str(FIT), "--steps", "1", "--quiet", "--fresh"),
        }
    shortest = dict(zip(names, map(min, zip(*walls, strict=True)), strict=True))
    busy = dict(zip(names, map(min, zip(*processors, strict=True)), strict=True))
    figures: dict[str, Any] = {
        "rounds": rounds,
        "wall_seconds": {name: round(each, 3) for name, each in shortest.items()},
        "processor_seconds": {name: round(each, 3) for name, each in busy.items()},
        "ratio_to_bare_python": {
            name: round(each / shortest[names[0]], 1) for name, each in shortest.items()
        },
        "costliest_imports_ms": {name: costliest(each) for name, each in imported.items()},
    }
    unwanted = {
        "help": [name for name in (*ABSENT, *ABSENT_IN_HELP) if name in imported["help"]],
        "run": [name for name in ABSENT if name in imported["run"]],
    }
    figures["unwanted_imports"] = unwanted
    write("startup", figures)
    if any(unwanted.values()):
        sys.exit(f"imported, but should not be: {unwanted}")


def python(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with `words`; a checkout need not be installed to be found."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *words], check=True, capture_output=True, text=True, cwd=folder, env=environment
    )


def wall(*words: str) -> float:
    """Return the wall time of a process in seconds."""
    start = time.perf_counter()
    python(*words)
    return time.perf_counter() - start


def processor() -> float:
    """Return the processor time of all processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def first_step(folder: Path, i: int) -> float:
    """Return the seconds from the start of the process to the end of the first step."""
    start = time.time()
    done = python("-c", FIRST_STEP, str(FIT), "-o", str(folder / f"{i}.h5"), folder=folder)
    return float(done.stdout.splitlines()[0]) - start


def imports(folder: Path, *words: str) -> dict[str, float]:
    """Return {top-level package: milliseconds} that importing it took, its dependencies included."""
    report = python("-X", "importtime", "-m", "globalfit", *words, folder=folder).stderr
    found: dict[str, float] = {}
    for line in report.splitlines():
        if line.startswith("import time:") and line.count("|") == 2:
            _, cumulative, name = line.removeprefix("import time:").split("|")
            if not cumulative.strip().isdigit():
                continue  # the header
            full = name.strip()
            for each in {full.partition(".")[0], full} & {full.partition(".")[0], *ABSENT}:
                found[each] = max(found.get(each, 0.0), int(cumulative) / 1000)
    return found


def costliest(found: dict[str, float]) -> dict[str, float]:
    """Return the five packages that took longest to import."""
    others = {name: ms for name, ms in found.items() if name not in ("globalfit", "runpy", "site")}
    return {name: round(others[name], 1) for name in sorted(others, key=others.__getitem__)[:-6:-1]}


if __name__ == "__main__":
    main()
