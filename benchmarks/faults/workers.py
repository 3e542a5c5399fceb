"""SIGKILLs of workers, and of the process they work for."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

from faults.reference import Numbers, Reference, samples, spawn
from globalfit.chains import store as stores
from globalfit.sampling.run import Progress

STILL = 300  # seconds without a step, after which a run stands still


def worker_kills(reference: Reference, folder: Path, kills: int, seed: int, engine: str) -> Numbers:
    """Kill workers of a run, each up to half a second after a step was acknowledged; it must not notice.

    Kills without a step between them would make the engine give up, as it should. A run gets five; one that
    stands still for five minutes is ended and counted.
    """
    draw = random.Random(seed)
    counts = dict.fromkeys(("kills", "runs", "wrong", "stood_still"), 0)
    while counts["kills"] < kills:
        last = min(counts["kills"] + 5, kills)
        path = folder / f"{engine}{counts['runs']}.h5"
        stepped, over = threading.Event(), threading.Event()

        def kill(stepped: threading.Event = stepped, over: threading.Event = over, last: int = last) -> None:
            while counts["kills"] < last:
                stepped.wait()
                if over.wait(draw.uniform(0.0, 0.5)):
                    return
                with contextlib.suppress(ProcessLookupError):
                    if found := workers():
                        os.kill(draw.choice(found), signal.SIGKILL)
                        counts["kills"] += 1
                        stepped.clear()

        def see(progress: Progress, stepped: threading.Event = stepped) -> None:
            signal.alarm(STILL)
            stepped.set()

        killer = threading.Thread(target=kill)
        killer.start()
        signal.signal(signal.SIGALRM, stands_still)
        signal.alarm(STILL)
        try:
            chain = reference.fit.run(path, steps=reference.steps, engine=engine, workers=2, progress=see)
            if chain.interrupted:
                raise KeyboardInterrupt
        except StandsStill:
            counts["stood_still"] += 1
        finally:
            signal.alarm(0)
            over.set()
            stepped.set()
            killer.join()
        reference.fit.run(path, steps=reference.steps)  # of one that is finished it changes nothing
        counts["runs"] += 1
        counts["wrong"] += samples(path) != reference.whole
    return counts


class StandsStill(Exception):
    """A run has acknowledged no step for too long."""


def stands_still(which: int, frame: object) -> None:
    """End the run."""
    raise StandsStill


def coordinator_kills(reference: Reference, folder: Path, kills: int, seed: int, engine: str) -> Numbers:
    """Kill the process that runs a fit with workers; they have to end too, and the run has to go on.

    A kill comes up to half a second after the first acknowledged step. Runs that ended before are counted.
    """
    draw = random.Random(seed)
    names = ("trials", "kills", "acknowledged", "lost", "wrong", "not_resumed", "orphans")
    counts = dict.fromkeys(names, 0)
    while counts["kills"] < kills:
        path = folder / f"coordinator-{engine}{counts['trials']}.h5"
        counts["trials"] += 1
        child, pipe = spawn(reference.fit, path, reference.steps, engine=engine, workers=2)
        said = b""
        while not any(int(line) for line in said.split(b"\n")[:-1]):
            if not (piece := os.read(pipe, 4096)):
                break  # it ended
            said += piece
        time.sleep(draw.uniform(0.0, 0.5))
        below = [pid for pid in workers() if child in ancestors(pid)]
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        while piece := os.read(pipe, 65536):
            said += piece
        os.close(pipe)
        acknowledged = int((said.split(b"\n")[:-1] or [b"0"])[-1])
        counts["kills"] += os.WIFSIGNALED(status)
        counts["acknowledged"] += acknowledged
        end = time.monotonic() + 30
        while (left := [p for p in below if Path("/proc", str(p)).exists()]) and time.monotonic() < end:
            time.sleep(0.1)
        counts["orphans"] += len(left)
        with stores.open_store(path, reference.fit) as store:
            counts["lost"] += max(0, acknowledged - store.steps)
            counts["wrong"] += not reference.prefix(store)
        reference.fit.run(path, steps=reference.steps)
        counts["not_resumed"] += samples(path) != reference.whole
        if counts["trials"] > 3 * kills + 10:
            raise SystemExit(f"{engine}: the runs end before they are killed")
    return counts


def workers() -> list[int]:
    """Return the worker processes below this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes()
            if b"spawn_main" in words and os.getpid() in ancestors(int(process.name)):
                found.append(int(process.name))
    return found


def ancestors(pid: int) -> list[int]:
    """Return the parents of a process, up to the first."""
    found = []
    with contextlib.suppress(OSError):
        while pid > 1:
            pid = int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
            found.append(pid)
    return found
