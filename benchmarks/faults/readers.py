"""Readers of a chain that a run is writing."""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from faults.reference import Numbers, Reference, samples, spawn
from globalfit.chains import Chain
from globalfit.errors import ChainError


def live_reads(reference: Reference, folder: Path, reads: int) -> Numbers:
    """Read the chain of a going run, again and again, as this package and as anybody would, locks and all."""
    path = folder / "live.h5"
    counts = {"reads": 0, "errors": 0, "wrong": 0, "runs": 0, "runs_harmed": 0}
    while counts["reads"] < reads:
        child, pipe = spawn(reference.fit, path, reference.steps)
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if not path.exists():
                continue
            try:
                chain = Chain.open(path)
                counts["wrong"] += chain.values.tobytes() != reference.chain.values[: chain.steps].tobytes()
                with h5py.File(path) as file:
                    counts["wrong"] += int(file["mcmc"].attrs["iteration"]) < chain.steps
            except (ChainError, OSError) as error:
                if "holds no step yet" in str(error):
                    continue
                counts["errors"] += 1
            counts["reads"] += 1
        os.close(pipe)
        counts["runs"] += 1
        counts["runs_harmed"] += samples(path) != reference.whole
        path.unlink()
    return counts
