"""Memory and time of `globalfit summary` on chains much longer than the memory it takes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from machine import write
from scipy.signal import lfilter

from globalfit.chains.header import DERIVED_COLUMNS, LIKELIHOOD_COLUMNS, PARAMETER_COLUMNS
from globalfit.chains.tables import write_table, write_text

WALKERS, DIM, DERIVED = 256, 10, 12
CHUNK, BLOCK, BLOCKS = 64, 2048, 3  # steps of a chunk, steps of a block of one process, different blocks
RHO = 0.95
SUMMARY = """
import re, sys, time
from globalfit.chains import Chain
from globalfit.chains.summary import summarise
begun = time.perf_counter()
chain = Chain.open(sys.argv[1], max_bytes=None)
opened = time.perf_counter()
found = summarise(chain)
done = time.perf_counter()
# Of this image alone: the maximum of getrusage counts the parent that forked it too.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(opened - begun, done - opened, peak, chain.stride, found.rows[0].tau, found.rows[0].median)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.2, 1.0, 4.0])
    parser.add_argument("--folder", type=Path, help="where the chains are written, and removed again")
    words = parser.parse_args()
    rows = []
    for gigabytes in words.gigabytes:
        with tempfile.TemporaryDirectory(dir=words.folder) as folder:
            path = Path(folder) / "long.h5"
            row = 8 * WALKERS * (DIM + DERIVED + 3)
            steps = int(gigabytes * 1e9 / row) // BLOCK * BLOCK or BLOCK
            write_chain(path, steps)
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", SUMMARY, str(path)], env=dict(os.environ), capture_output=True,
                text=True, check=True,
            )  # fmt: skip
            opened, summarised, peak, stride, tau, median = map(float, done.stdout.split())
            rows.append(
                {
                    "samples_gb": round(1e-9 * steps * row, 3),
                    "file_gb": round(path.stat().st_size / 1e9, 3),
                    "steps": steps,
                    "open_s": round(opened, 1),
                    "summary_s": round(summarised, 1),
                    "process_s": round(time.perf_counter() - begun, 1),
                    "peak_mib": round(peak),
                    "every_step_of": int(stride),
                    "tau": round(tau, 1),
                    "median_of_0": round(median, 3),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    write("long_chain", {"tau_of_the_process": (1 + RHO) / (1 - RHO), "chains": rows})


def write_chain(path: Path, steps: int) -> None:
    """Write a chain of autoregressive walkers; three blocks of 2048 steps follow each other in random order.

    Each block is compressed once and its chunks are written again as they are: writing costs little, reading
    what it costs for any chain.
    """
    rng = np.random.default_rng(1)
    parameters, more = [f"x{i}" for i in range(DIM)], [f"y{i}" for i in range(DERIVED)]
    kind = np.dtype([(name, "f8") for name in ("lnprior", "ll_one", *(f"d_{each}" for each in more))])
    shapes = {"chain": ((WALKERS, DIM), "f8"), "log_prob": ((WALKERS,), "f8"), "blobs": ((WALKERS,), kind)}
    filters = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}
    with h5py.File(path, "w") as file:
        mcmc = file.create_group("mcmc")
        mcmc.attrs.update({"nwalkers": WALKERS, "ndim": DIM, "iteration": steps, "has_blobs": True})
        mcmc["accepted"] = np.full(WALKERS, 0.4 * steps)
        mcmc["walker_ensemble"] = np.zeros(WALKERS, dtype=np.int32)
        for name, (shape, each) in shapes.items():
            mcmc.create_dataset(name, (steps, *shape), each, chunks=(CHUNK, *shape), **filters)
        pieces = []
        for _ in range(BLOCKS):
            noise = np.sqrt(1 - RHO**2) * rng.standard_normal((BLOCK, WALKERS, DIM + DERIVED))
            rows = np.round(lfilter([1.0], [1.0, -RHO], noise, axis=0), 3)
            blobs = np.zeros((BLOCK, WALKERS), dtype=kind)
            blobs["ll_one"] = -0.5 * np.sum(rows[..., :DIM] ** 2, axis=2)
            for i, name in enumerate(more):
                blobs[f"d_{name}"] = rows[..., DIM + i]
            whole = {"chain": rows[..., :DIM], "log_prob": blobs["ll_one"], "blobs": blobs}
            pieces.append({name: _compressed(whole[name], *shapes[name], filters) for name in shapes})
        for begin in range(0, steps, BLOCK):
            piece = pieces[rng.integers(BLOCKS)]
            for name, (shape, _) in shapes.items():
                for i, chunk in enumerate(piece[name]):
                    place = (begin + i * CHUNK, *(0 for _ in shape))
                    mcmc[name].id.write_direct_chunk(place, chunk)
        group = file.create_group("globalfit")
        group.attrs.update({"model": "autoregressive", "as_of": "", "fingerprint": ""})
        blank = {"label": "", "unit": "", "role": "sampled", "prior": "{}", "scale": "linear", "tied": ""}
        blank |= {"low": -np.inf, "high": np.inf, "value": np.nan}
        write_table(group, "parameters", [{"name": each} | blank for each in parameters], PARAMETER_COLUMNS)
        one = dict.fromkeys(LIKELIHOOD_COLUMNS, "") | {"name": "one"}
        write_table(group, "likelihoods", [one], LIKELIHOOD_COLUMNS)
        derived = [{"name": each, "label": "", "unit": "", "kind": "derived"} for each in more]
        write_table(group, "derived", derived, DERIVED_COLUMNS)
        for name, text in (
            ("config", ""),
            ("config_resolved", "{}"),
            ("environment", "{}"),
            ("warnings", "[]"),
        ):
            write_text(group, name, text)
        write_text(group, "run", json.dumps({"seed": 1, "engine": "serial", "segments": []}))


def _compressed(rows: np.ndarray, shape: tuple[int, ...], kind: np.dtype, filters: dict) -> list[bytes]:
    """Return the chunks of some steps as they stand in a file."""
    with h5py.File("scratch", "w", driver="core", backing_store=False) as file:
        data = file.create_dataset("rows", rows.shape, kind, chunks=(CHUNK, *shape), data=rows, **filters)
        return [
            data.id.read_direct_chunk((begin, *(0 for _ in shape)))[1] for begin in range(0, len(rows), CHUNK)
        ]


if __name__ == "__main__":
    main()
