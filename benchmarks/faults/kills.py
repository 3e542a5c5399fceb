"""SIGKILLs of the process that samples and writes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

from faults.reference import Numbers, Reference, samples, spawn
from globalfit.chains import Chain
from globalfit.chains import store as stores
from globalfit.errors import ChainError
from globalfit.fit import Fit


def kill_after(fit: Fit, path: Path, steps: int, seconds: float) -> tuple[int, bool]:
    """Run, SIGKILL after a time; return the last acknowledged step and whether the run was still going."""
    child, pipe = spawn(fit, path, steps)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    said = b""
    while piece := os.read(pipe, 65536):
        said += piece
    os.close(pipe)
    lines = said.split(b"\n")[:-1]
    return (int(lines[-1]) if lines else 0), os.WIFSIGNALED(status)


def random_kills(reference: Reference, folder: Path, kills: int, seed: int) -> Numbers:
    """Kill runs at random times from before their first write to their end; each is then finished.

    Until so many were hit: the runs that had ended before their kill are counted as trials only.
    """
    draw = random.Random(seed)
    fit, steps = reference.fit, reference.steps
    begun = time.monotonic()
    fit.run(folder / "timed.h5", steps=steps)
    length = time.monotonic() - begun
    counts = dict.fromkeys(("kills", "acknowledged", "lost", "unreadable", "wrong", "not_resumed"), 0)
    trials = 0
    while counts["kills"] < kills:
        place = folder / f"kill{trials}"
        trials += 1
        place.mkdir()
        path = place / "out.h5"
        acknowledged, killed = kill_after(fit, path, steps, draw.uniform(0.0, 1.2 * length))
        counts["kills"] += killed
        counts["acknowledged"] += acknowledged
        if path.exists():
            try:
                Chain.open(path)
            except ChainError as error:
                counts["unreadable"] += "holds no step yet" not in str(error)
        with stores.open_store(path, fit) as store:
            counts["lost"] += max(0, acknowledged - store.steps)
            counts["wrong"] += not reference.prefix(store)
        fit.run(path, steps=steps)
        counts["not_resumed"] += samples(path) != reference.whole
        shutil.rmtree(place)
    return {"trials": trials, **counts}


def one_run_through_kills(reference: Reference, folder: Path, kills: int, seed: int) -> Numbers:
    """Drive one run through kills, each soon after it went on; then let it end."""
    draw = random.Random(seed)
    path = folder / "through.h5"
    done = lost = 0
    wait = 0.02
    while done < kills:
        before = Chain.open(path).steps if path.exists() and done and _has_steps(path) else 0
        acknowledged, killed = kill_after(reference.fit, path, reference.steps, draw.uniform(0.0, wait))
        if not killed:
            break
        done += 1
        with stores.open_store(path, reference.fit) as store:
            lost += max(0, acknowledged - store.steps)
            # as far as it has to come, it gets time for: the last kill shall come before the end
            behind = store.steps / reference.steps < done / kills
            wait = min(wait * 1.1, 0.5) if behind else max(wait * 0.9, 0.004)
            lost += max(0, before - store.steps)
    reference.fit.run(path, steps=reference.steps)
    return {
        "kills": done,
        "steps": reference.steps,
        "lost": lost,
        "not_bit_identical": int(samples(path) != reference.whole),
    }


def _has_steps(path: Path) -> bool:
    with contextlib.suppress(ChainError):
        return Chain.open(path).steps > 0
    return False
