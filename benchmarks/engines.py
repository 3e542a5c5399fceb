"""How much sooner two workers are done than one process, for a likelihood that waits rather than computes.

It takes a fixed time a call whatever else the machine does, so that what is seen is what the engines cost.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import write

from globalfit.fitfile import load_fit

ENSEMBLES, STEPS, ROUNDS, WORKERS = 4, 300, 3, 2
MS = 10.0  # a call
LIKELIHOOD = f"""
import time


class Waits:
    name, reference, needs = "waits", "none", ("m_phi",)

    def predict(self, point):
        time.sleep({MS / 1e3})
        return {{"m": point.m_phi}}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - 90.0) / 5.0) ** 2
"""
FIT = f"""
model = {{ name = "t3r-muon" }}
[parameters.m_phi]
prior = {{ shape = "uniform", low = 50.0, high = 150.0 }}
[likelihoods.waits]
class = "waits.py:Waits"
[sampler]
start = "prior"
walkers = 64
seed = 1
ensembles = {ENSEMBLES}
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=STEPS, help="of each ensemble")
    words = parser.parse_args()
    engines = ["serial", "processes", *(["dask"] if find_spec("distributed") else [])]
    times: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    chains: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "waits.py").write_text(LIKELIHOOD)
        (folder / "fit.toml").write_text(FIT)
        for i in range(ROUNDS):
            for engine in engines:
                took, chains[engine] = one_run(folder, engine, words.steps, folder / f"{engine}{i}.h5")
                times[engine].append(took)
                print(engine, json.dumps(took), flush=True)
    medians = {
        engine: {key: round(statistics.median(each[key] for each in rows), 2) for key in rows[0]}
        for engine, rows in times.items()
    }
    figures: dict[str, Any] = {
        "ensembles": ENSEMBLES,
        "steps": words.steps,
        "ms_a_call": MS,
        "workers": WORKERS,
        "medians_of": ROUNDS,
        "seconds": medians,
        "speed_up": {
            engine: {
                key: round(medians["serial"][key] / medians[engine][key], 2) for key in ("all", "sampling")
            }
            for engine in engines[1:]
        },
        "same_bits": len(set(chains.values())) == 1,
    }
    write("engines", figures)


def one_run(folder: Path, engine: str, steps: int, path: Path) -> tuple[dict[str, float], bytes]:
    """Return wall seconds of a run, from its beginning and from its first block on, and its samples."""
    fit = load_fit(folder / "fit.toml")
    first: list[float] = []
    before = processor_time()
    begun = time.perf_counter()
    chain = fit.run(
        path, steps=steps, engine=engine, workers=None if engine == "serial" else WORKERS,
        progress=lambda progress: first.append(time.perf_counter()),
    )  # fmt: skip
    end = time.perf_counter()
    took = {"all": end - begun, "sampling": end - first[0], "processor": processor_time() - before}
    return took, chain.values.tobytes()


def processor_time() -> float:
    """Return the processor seconds of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
