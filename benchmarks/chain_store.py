"""What storing a chain costs, against emcee's HDFBackend on the same samples in the same run."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import emcee
import numpy as np
from machine import write

from globalfit.arrays import Array
from globalfit.chains import Chain
from globalfit.chains.journal import Sync
from globalfit.chains.places import journal_of
from globalfit.chains.store import Store, open_store
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start
from globalfit.sampling.state import Block, State

FIT = Path(__file__).parents[1] / "fits" / "t3r-muon.toml"
WALKERS, BLOCK, BLOCKS, ROUNDS = 256, 64, 8, 5
LONG = 50_000  # steps of the chain that is published and opened
SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", type=int, default=LONG, help="steps of the chain published and opened")
    words = parser.parse_args()
    fit = load_fit(FIT).with_ensembles(1)
    first = start(fit.posterior, WALKERS, SEED)
    state, pieces = first, []
    begun = time.perf_counter()
    for _ in range(BLOCKS):
        block, state = advance(fit.posterior, state, BLOCK, seconds=1e9)
        pieces.append((block, state))
    sampling = (time.perf_counter() - begun) * 1e3 / (BLOCKS * BLOCK)
    times: dict[str, list[float]] = {}
    sizes: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        syncs: tuple[Sync, ...] = ("step", "second", "none")
        for i in range(ROUNDS):
            for sync in syncs:
                path = folder / f"{sync}{i}.h5"
                took, sizes[f"store, sync {sync}"] = stored(fit, path, first, pieces, sync)
                times.setdefault(f"store, sync {sync}", []).append(took)
            took, sizes["HDFBackend"] = in_backend(folder / f"emcee{i}.h5", pieces)
            times.setdefault("HDFBackend", []).append(took)
        medians = {name: round(statistics.median(each), 4) for name, each in times.items()}
        ours = [name for name in medians if name != "HDFBackend"]
        figures: dict[str, Any] = {
            "walkers": WALKERS,
            "parameters": fit.posterior.space.dim,
            "blobs": len(fit.posterior.blob_names),
            "raw_bytes_per_step": raw_bytes(pieces[0][0]),
            "sampling_ms_per_step": round(sampling, 4),
            "store_ms_per_step": medians,
            "bytes_per_step": {name: round(size, 1) for name, size in sizes.items()},
            "hdfbackend_over_store": {name: round(medians["HDFBackend"] / medians[name], 1) for name in ours},
            "long_chain": long_chain(fit, folder, pieces, words.long),
        }
    write("chain_store", figures)


def raw_bytes(block: Block) -> int:
    """Return the bytes of the samples of one step: values, ln posterior, blobs."""
    return (block.values.nbytes + block.log_prob.nbytes + block.blobs.nbytes) // len(block.values)


def stored(
    fit: Fit, path: Path, first: State, pieces: list[tuple[Block, State]], sync: Sync
) -> tuple[float, float]:
    """Return ms a step, publishing included as it falls due, and journal bytes a step."""
    with open_store(path, fit, sync=sync) as store:
        store.begin(first, SEED)
        before = journal_of(path).stat().st_size
        begun = time.perf_counter()
        for block, state in pieces:
            store.append(block, state)
        took = time.perf_counter() - begun
        grown = journal_of(path).stat().st_size - before
    return took * 1e3 / (BLOCKS * BLOCK), grown / (BLOCKS * BLOCK)


def in_backend(path: Path, pieces: list[tuple[Block, State]]) -> tuple[float, float]:
    """Return ms and bytes a step of emcee's backend, used as emcee uses it: one call of save_step a step."""
    backend = emcee.backends.HDFBackend(path)
    block, state = pieces[0]
    backend.reset(*block.values.shape[1:])
    accepted = np.zeros(WALKERS, dtype=bool)
    backend.grow(BLOCKS * BLOCK, block.blobs[0])
    begun = time.perf_counter()
    for block, state in pieces:
        for values, log_prob, blobs in zip(block.values, block.log_prob, block.blobs, strict=True):
            at = emcee.State(values, log_prob=log_prob, blobs=blobs, random_state=state.random)
            backend.save_step(at, accepted)
    took = time.perf_counter() - begun
    return took * 1e3 / (BLOCKS * BLOCK), path.stat().st_size / (BLOCKS * BLOCK)


def long_chain(fit: Fit, folder: Path, pieces: list[tuple[Block, State]], long: int) -> dict[str, Any]:
    """Publish, finish and open a long chain: sampled blocks over and over."""
    path = folder / "long.h5"
    store = open_store(path, fit, sync="none")
    store.begin(start(fit.posterior, WALKERS, SEED), SEED)
    store._published = (10**9, float("inf"), 0.0)  # not until it is asked for
    blocks = -(-long // BLOCK)
    for i in range(blocks):
        block, state = pieces[i % BLOCKS]
        steps = min(BLOCK, long - i * BLOCK)
        store.append(*shortened(block, state, steps, i * BLOCK + steps))
    journal = journal_of(path).stat().st_size
    live = timed(lambda: store._publish(complete=False))
    live_bytes = path.stat().st_size
    scanned = timed(lambda: reopened(store, fit, path))
    again = open_store(path, fit, sync="none")
    final = timed(lambda: again.finish("steps"))
    again.close()
    read = timed(lambda: Chain.open(path, max_bytes=None))
    return {
        "steps": long,
        "journal_bytes": journal,
        "publish_seconds": live,
        "published_bytes": live_bytes,
        "reopen_to_go_on_seconds": scanned,
        "finish_seconds": final,
        "finished_bytes": path.stat().st_size,
        "chain_open_seconds": read,
    }


def shortened(block: Block, state: State, steps: int, number: int) -> tuple[Block, State]:
    """Return the first steps of a block, numbered anew."""
    parts = [block.coords[:steps], block.values[:steps], block.log_prob[:steps], block.blobs[:steps]]
    last: Array = np.concatenate([parts[3][-1], parts[1][-1]], axis=-1)
    return Block(*parts, block.accepted), State(parts[0][-1], state.log_prob, last, state.random, number)


def reopened(store: Store, fit: Fit, path: Path) -> None:
    """Close a store and open it again, as a run does that goes on."""
    store.close()
    open_store(path, fit, sync="none").close()


def timed(act: Any) -> float:
    """Return the wall seconds of a call."""
    begun = time.perf_counter()
    act()
    return round(time.perf_counter() - begun, 2)


if __name__ == "__main__":
    main()
