"""The runs that faults are put upon, and the uninterrupted chain each is compared with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

from globalfit.chains import store as stores
from globalfit.fit import Fit
from globalfit.sampling.engines.dask import Dask
from globalfit.sampling.engines.processes import Processes
from globalfit.sampling.engines.serial import Serial

Numbers: TypeAlias = dict[str, Any]
FIT = """
model = { name = "t3r-muon" }
[parameters.vev]
prior = { shape = "log-uniform", low = 5000.0, high = 20000.0 }
[parameters.m_aprime]
prior = { shape = "log-uniform", low = 5.0, high = 200.0 }
[parameters.m_phi]
prior = { shape = "log-uniform", low = 50.0, high = 150.0 }
[likelihoods.muon-g2]
[sampler]
start = "prior"
walkers = 16
seed = 1
"""


def pessimistic() -> None:
    """Store every four steps and publish for half of the time."""
    Serial.block = Processes.block = Dask.block = 4
    stores.SHARE = 0.5


def samples(path: Path) -> list[bytes]:
    """Return all samples of a finished chain and what it goes on from, as bytes."""
    with h5py.File(path, "r", locking=False) as file:
        names = ("mcmc/chain", "mcmc/log_prob", "mcmc/blobs", "mcmc/accepted")
        parts = ("coords", "log_prob", "blobs", "rng_state")
        states = [f"globalfit/ensembles/{k}/{name}" for k in file["globalfit/ensembles"] for name in parts]
        return [file[name][()].tobytes() for name in (*names, *states)]


class Reference:
    """The uninterrupted chain, with which every other is compared."""

    def __init__(self, fit: Fit, folder: Path, steps: int) -> None:
        self.fit, self.steps = fit, steps
        self.path = folder / "reference.h5"
        self.chain = fit.run(self.path, steps=steps)
        self.whole = samples(self.path)

    def prefix(self, store: stores.Store) -> bool:
        """Return whether every stored step is that of the uninterrupted run, bit for bit."""
        begin = 0
        for values, log_prob, blobs in store.rows():
            part = slice(begin, begin + len(values))
            begin = part.stop
            right = values.tobytes() == self.chain.values[part].tobytes()
            right &= log_prob.tobytes() == self.chain.log_prob[part].tobytes()
            right &= np.ascontiguousarray(blobs).tobytes() == self.chain.blobs[part].tobytes()
            if not right:
                return False
        return begin == store.steps


def spawn(fit: Fit, path: Path, steps: int, **how: Any) -> tuple[int, int]:
    """Start a run in a process of its own; return its id and a pipe with each acknowledged step."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.close(reading)
        fit.run(path, steps=steps, progress=lambda p: os.write(writing, b"%d\n" % p.steps) and None, **how)
        code = 0
    finally:
        os._exit(code)
