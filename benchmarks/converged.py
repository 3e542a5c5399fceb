"""Seconds from a fit file to CONVERGED, start and compilation included, by the installed command.

python benchmarks/converged.py [FIT ...] [--engines numba,numpy]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine

from globalfit.chains import Chain

ROOT = Path(__file__).parents[1]
FITS = ("today", "deck-2022", "relic", "t3r-muon")
ENGINES = ("numba", "numpy")
COMPILED = ("relic-density", "miniboone")  # likelihoods with the option `engine`
OUTPUT = ROOT / "benchmarks" / "results" / "converged.json"


def with_engine(text: str, engine: str) -> str:
    """Return a fit file whose likelihoods and model use an engine."""
    text = text.replace("model = {", f'model = {{ engine = "{engine}",', 1)
    for name in COMPILED:
        text = re.sub(
            rf"^(\[likelihoods\.{name}\].*)$", rf'\1\nengine = "{engine}"', text, flags=re.MULTILINE
        )
    return text


def measure(name: str, engine: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        fit = Path(folder, f"{name}.toml")
        fit.write_text(with_engine((ROOT / "fits" / f"{name}.toml").read_text(), engine))
        words = [sys.executable, "-m", "globalfit", "run", fit.name, "-o", "chain.h5", "--quiet"]
        load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        chain = Chain.open(Path(folder, "chain.h5"))
        found = chain.verdict
        return {
            "fit": name,
            "engine": engine,
            "converged": found.converged,
            "wall_seconds": wall,
            "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "load_before": load,
            "steps": chain.steps,
            "ensembles": found.ensembles,
            "walkers": found.walkers,
            "longest_tau": max(each.tau for each in found.quantities),
            "fewest_ess": min(each.ess for each in found.quantities),
            "highest_rhat": max(each.rhat for each in found.quantities),
            "ln_z": float(np.mean(found.evidence)),
            "sd_ln_z": float(np.std(found.evidence, ddof=1)),
            "widest_spread_of_a_mode": max(
                (mode.spread for c in found.census for mode in c.modes), default=0.0
            ),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fits", nargs="*", default=FITS)
    parser.add_argument("--engines", default=",".join(ENGINES))
    given = parser.parse_args()
    rows = json.loads(OUTPUT.read_text())["rows"] if OUTPUT.exists() else []
    for name in given.fits:
        for engine in given.engines.split(","):
            row = measure(name, engine)
            print(json.dumps(row), flush=True)
            rows = [old for old in rows if (old["fit"], old["engine"]) != (name, engine)] + [row]
            OUTPUT.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
