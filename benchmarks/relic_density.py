"""Relic density: points a second, accuracy against cost, cost by channel, ratio to an ODE solver.

    python benchmarks/relic_density.py [--points N] [--batches-only] [--output FILE]

All times are process times of this run; "faster by" is the ratio to the reference (brute-force quadrature and
Radau, tests/physics/freeze_out_reference.py), measured in the same run. The likelihood's `predict` is timed
with numpy and, where numba is installed, in compiled code, in turn on the same points; the first call of a
fresh process, with and without the compiled code on disk, on its own. "whole range" is `relic_of`: every
channel at every temperature, which the tables of accuracy and of channels take.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import machine

from globalfit.likelihoods.relic_density import RelicDensity, dark_sector
from globalfit.models.t3r import T3RMuon
from globalfit.physics.compiled_code import numba_is_installed
from globalfit.physics.freeze_out import boltzmann
from globalfit.physics.freeze_out.channels import channels
from globalfit.physics.freeze_out.nodes import nodes
from globalfit.physics.freeze_out.relic import grid, relic, relic_of

ROOT = Path(__file__).resolve().parents[1]
QUANTILES = {"median": 0.5, "99 %": 0.99, "max": 1.0}


def draw(n, seed=1):
    """Points of the fit's prior: log-uniform masses, V = 5-20 GeV."""
    rng = np.random.default_rng(seed)

    def log_uniform(low, high):
        return np.exp(rng.uniform(np.log(low), np.log(high), n))

    return T3RMuon().point(
        {
            "vev": log_uniform(5e3, 2e4), "m_aprime": log_uniform(5, 200), "m_phi": log_uniform(20, 200),
            "m_eta": log_uniform(5, 100), "delta_eta": np.full(n, 0.01), "m_nus": np.full(n, 10.0),
            "epsilon": np.zeros(n),
        }
    )  # fmt: skip


def two_channels(found):
    """What is open at threshold: eta_1 eta_1, eta_2 eta_2 with phi', eta_1 eta_2 with A'; three integrals."""
    return [channel for channel in found if channel.at_rest]


def seconds(call, repeats=7):
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def cost_of(dark, found, settings=None):
    return seconds(lambda: run(dark, found, settings)) / len(dark.m_eta) * 1e6


def cost_of_predict(n, engines, rounds=7):
    """Shortest process time in us a point of `predict`, of each engine in turn."""
    point = draw(n)
    likelihoods = {engine: RelicDensity(engine=engine) for engine in engines}
    times = {engine: [] for engine in engines}
    for each in likelihoods.values():
        each.predict(point)
    for _ in range(rounds):
        for engine, each in likelihoods.items():
            start = time.process_time()
            each.predict(point)
            times[engine].append(time.process_time() - start)
    return {engine: min(each) / n * 1e6 for engine, each in times.items()}


FIRST_CALL = """
import sys, time
import numpy as np
from globalfit.likelihoods.relic_density import RelicDensity
from globalfit.models.t3r import T3RMuon
names = "vev m_aprime m_phi m_eta delta_eta m_nus epsilon".split()
values = 1e4, 50.0, 90.0, 40.0, 0.01, 10.0, 0.0
point = T3RMuon().point({name: np.array([value]) for name, value in zip(names, values)})
start = time.process_time()
RelicDensity(engine=sys.argv[1]).predict(point)
print(time.process_time() - start)
"""


def first_calls(engines):
    """Process seconds of the first `predict` of a fresh process; of numba compiling, then from disk."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("numpy", "numba", "numba, compiled before")[: 1 + 2 * ("numba" in engines)]:
            engine = name.partition(",")[0]
            command = [sys.executable, "-c", FIRST_CALL, engine]
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found[name] = float(done.stdout)
    return found


def run(dark, found, settings=None):
    return relic_of(dark.m_eta, dark.delta_eta, found, *(settings or grid())).omega_h2


def settings(count, order):
    steps = boltzmann.steps(count)
    return steps, nodes(tuple(steps.x.tolist()), order)


def load_reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tests/physics/freeze_out_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(title, rows):
    print(f"\n{title}")
    names = list(rows[0])
    print("  ".join(f"{name:>14}" for name in names))
    for row in rows:
        print(
            "  ".join(
                f"{row[name]:>14.4g}" if isinstance(row[name], float) else f"{row[name]!s:>14}"
                for name in names
            )
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=8, help="points of the reference")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/relic_density.json")
    parser.add_argument(
        "--batches-only",
        action="store_true",
        help="keep the tables of accuracy and of channels of a run before",
    )
    options = parser.parse_args()
    engines = ("numpy", "numba") if numba_is_installed() else ("numpy",)
    result = {"machine": machine(), "first_call_s": first_calls(engines)}
    print("first call:", ", ".join(f"{name} {each:.1f} s" for name, each in result["first_call_s"].items()))

    reference = load_reference()
    dark = dark_sector(draw(options.points, seed=2))
    start = time.process_time()
    exact = np.array([reference.reference(dark, i, rtol=1e-7) for i in range(options.points)])
    cost = (time.process_time() - start) / options.points * 1e6
    error = np.abs(relic(dark).omega_h2 / exact - 1)
    result["reference"] = {
        "us_per_point": cost,
        "points": options.points,
        "max_error_of_ours": float(error.max()),
    }
    print(f"reference: {cost / 1e3:.0f} ms a point; largest difference {error.max():.1e} in {options.points}")

    rows = []
    for n in (1, 16, 64, 256, 1024, 4096):
        point = draw(n)
        dark = dark_sector(point)
        found = channels(dark)
        row = {"batch": n, "open us/pt": cost_of(dark, two_channels(found))}
        for engine, us in cost_of_predict(n, engines).items():
            row |= {f"{engine} us/pt": us, f"{engine} pt/s": 1e6 / us, f"{engine} by": cost / us}
        rows.append(row)
    result["by_batch"] = rows
    table(
        "by batch size: what is open at threshold over the whole range; the likelihood's predict; faster by",
        rows,
    )

    if options.batches_only:
        write(options.output, json.loads(options.output.read_text()) | result)
        return
    n = 256
    dark = dark_sector(draw(2048))
    fine_grid = settings(400, 14)
    found = channels(dark)
    fine = run(dark, found, fine_grid)
    small = dark_sector(draw(n))
    small_found = two_channels(channels(small))
    rows = []
    for count, order in ((80, 7), (96, 7), (96, 8), (96, 9), (128, 9), (192, 12)):
        chosen = settings(count, order)
        error = np.abs(run(dark, found, chosen) / fine - 1)
        quantiles = {name: float(np.quantile(error, q)) for name, q in QUANTILES.items()}
        us = cost_of(small, small_found, chosen)
        rows.append({"steps": count, "order": order, **quantiles,
                     "us/pt": us, "faster by": cost / us})  # fmt: skip
    result["accuracy_cost"] = rows
    table(
        "accuracy against cost, whole range: error on 2048 points against 400 steps, order 14; batch 256",
        rows,
    )

    found = channels(small)
    rows = []
    base = {id(channel) for channel in two_channels(found)}
    ordered = two_channels(found) + [channel for channel in found if id(channel) not in base]
    for k in sorted({1, 2, 3, 5, 8, 12, 16, len(ordered)} & set(range(1, len(ordered) + 1))):
        us = cost_of(small, ordered[:k])
        points = sum(len(c.threshold) for c in ordered[:k]) / n
        rows.append(
            {
                "integrals": k,
                "per point": points,
                "us/pt": us,
                "us/integral": us / points,
                "faster by": cost / us,
            }
        )
    result["by_channels"] = rows
    table(
        "cost by the number of integrals, batch 256 (per point: integrals that a point has on average)", rows
    )

    write(options.output, result)


def write(output, result):
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
