"""Faults put upon real runs: kills, damage, full disks, readers; counts what was lost or wrong.

Writes ``benchmarks/results/reliability.json`` and ``.md``. Runs are made to store and publish far more often
than they do (4 steps a block instead of 64, half of the time spent on publishing), so that faults hit writes.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from machine import RESULTS, write

from globalfit.chains import Chain
from globalfit.chains import journal as journals
from globalfit.chains import store as stores
from globalfit.chains.places import journal_of
from globalfit.errors import ChainError
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.sampling.engines.dask import Dask
from globalfit.sampling.engines.processes import Processes
from globalfit.sampling.engines.serial import Serial
from globalfit.sampling.ensemble import advance
from globalfit.sampling.run import Progress
from globalfit.sampling.start import start

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
Numbers = dict[str, Any]


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


def worker_kills(reference: Reference, folder: Path, kills: int, seed: int, engine: str) -> Numbers:
    """Kill workers of a run at random times from its first step on; the run must not notice."""
    draw = random.Random(seed)
    done = runs = wrong = 0
    while done < kills:
        path = folder / f"{engine}{runs}.h5"
        going, over = threading.Event(), threading.Event()

        def kill(going: threading.Event = going, over: threading.Event = over) -> None:
            nonlocal done
            going.wait()
            while not over.wait(draw.uniform(0.1, 2.0)):
                if (found := workers()) and done < kills:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(draw.choice(found), signal.SIGKILL)
                        done += 1

        def see(progress: Progress, going: threading.Event = going) -> None:
            going.set()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            reference.fit.run(path, steps=reference.steps, engine=engine, workers=2, progress=see)
        finally:
            over.set()
            going.set()
            killer.join()
        runs += 1
        wrong += samples(path) != reference.whole
    return {"kills": done, "runs": runs, "wrong": wrong}


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
        "bit_identical": samples(path) == reference.whole,
    }


def _has_steps(path: Path) -> bool:
    with contextlib.suppress(ChainError):
        return Chain.open(path).steps > 0
    return False


@contextlib.contextmanager
def failing(count: int, error: int) -> Iterator[Callable[[], bool]]:
    """Let the `count`-th write or force of this process fail, and all after it, as on a full disk."""
    kept = {name: getattr(os, name) for name in ("write", "pwrite", "fsync", "ftruncate")}
    force = journals._force
    calls = 0

    def fails() -> bool:
        nonlocal calls
        calls += 1
        return calls >= count

    def write_(name: str) -> Callable[..., int]:
        def call(handle: int, data: Any, *place: int) -> int:
            if fails():
                if calls == count and len(data) > 1:  # half of it is written
                    kept[name](handle, bytes(data)[: len(data) // 2], *place)
                raise OSError(error, os.strerror(error))
            return int(kept[name](handle, data, *place))

        return call

    def force_(function: Callable[[int], None]) -> Callable[[int], None]:
        def call(handle: int) -> None:
            if fails():
                raise OSError(error, os.strerror(error))
            function(handle)

        return call

    def truncate_(handle: int, size: int) -> None:
        if size > os.fstat(handle).st_size and fails():
            raise OSError(error, os.strerror(error))
        kept["ftruncate"](handle, size)

    os.write, os.pwrite = write_("write"), write_("pwrite")  # type: ignore[assignment]
    os.fsync, os.ftruncate = force_(kept["fsync"]), truncate_  # type: ignore[assignment]
    journals._force = force_(force)
    try:
        yield lambda: calls >= count
    finally:
        for name, function in kept.items():
            setattr(os, name, function)
        journals._force = force


class Seen:
    """The last acknowledged step."""

    steps = 0

    def __call__(self, progress: Progress) -> None:
        self.steps = progress.steps


def full_disk(reference: Reference, folder: Path, error: int, every: int = 1) -> Numbers:
    """Fail at each write of a run in turn; then make room and go on."""
    counts = dict.fromkeys(("writes", "stopped_cleanly", "lost", "not_resumed"), 0)
    count = 1
    while True:
        place = folder / f"full{error}-{count}"
        place.mkdir()
        path = place / "out.h5"
        seen = Seen()
        with failing(count, error) as failed:
            try:
                reference.fit.run(path, steps=reference.steps, sync="step", progress=seen)
                clean = not failed()
            except ChainError:
                clean = failed()
            reached = failed()
        if not reached:
            shutil.rmtree(place)
            return counts
        counts["writes"] += 1
        counts["stopped_cleanly"] += clean
        with stores.open_store(path, reference.fit) as store:
            counts["lost"] += max(0, seen.steps - store.steps)
        reference.fit.run(path, steps=reference.steps)
        counts["not_resumed"] += samples(path) != reference.whole
        shutil.rmtree(place)
        count += every


def damaged_journals(reference: Reference, folder: Path, flips: int, tails: int, seed: int) -> Numbers:
    """Cut a real journal at every byte of its last three records, flip bits, add garbage."""
    path = folder / "damage.h5"
    kill_until = 24
    with stores.open_store(path, reference.fit) as store:
        state = start(reference.fit.posterior, 16, 1)
        store.begin(state, 1)
        while store.steps < kill_until:
            block, state = advance(reference.fit.posterior, state, 4)
            store.append(block, state)
    path = journal_of(path)
    whole = path.read_bytes()
    found = journals.scan(path)
    good = [whole[place : place + length] for place, length in found.places]
    ends = [place + length for place, length in found.places]
    counts = {
        "truncations": 0,
        "truncations_wrong": 0,
        "flips": 0,
        "flips_silent": 0,
        "tails": 0,
        "tails_wrong": 0,
    }

    def content() -> list[bytes] | None:
        try:
            again = journals.scan(path)
        except ChainError:
            return None
        data = path.read_bytes()
        return [data[place : place + length] for place, length in again.places]

    for size in range(len(whole) - 1, ends[-4] - 1, -1):
        os.truncate(path, size)
        counts["truncations"] += 1
        counts["truncations_wrong"] += content() != good[: sum(end <= size for end in ends)]
    rng = np.random.default_rng(seed)
    for bit in rng.integers(8 * len(whole), size=flips):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(changed)
        counts["flips"] += 1
        counts["flips_silent"] += content() not in (None, good[:-1])  # stopped, or the torn last record cut
    for length in rng.integers(1, 20_000, size=tails):
        path.write_bytes(whole + rng.bytes(int(length)))
        counts["tails"] += 1
        counts["tails_wrong"] += content() != good
    return counts


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


def campaign(size: float, seed: int = 1, only: str = "", keep: Path | None = None) -> Numbers:
    """Run everything, or the parts of comma-separated names; `size` 1 is the full campaign."""
    pessimistic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fit.toml").write_text(FIT)
        fit = load_fit(folder / "fit.toml")
        places = [folder / each for each in ("short", "middle", "long", "several")]
        for place in places:
            place.mkdir()
        short, middle, long, several = places
        few, some, many = Reference(fit, short, 16), Reference(fit, middle, 48), Reference(fit, long, 200)
        three = Reference(fit.with_ensembles(3), several, 400)
        found: Numbers = {}
        parts: dict[str, Callable[[], Numbers]] = {
            "random_kills": lambda: random_kills(some, middle, round(300 * size), seed),
            "one_run_through_kills": lambda: one_run_through_kills(many, long, round(500 * size), seed),
            "damaged_journals": lambda: damaged_journals(
                many, long, round(1000 * size), round(600 * size), seed
            ),
            "disk_full": lambda: full_disk(few, short, errno.ENOSPC, max(1, round(0.5 / size))),
            "disk_error": lambda: full_disk(few, short, errno.EIO, max(1, round(0.5 / size))),
            "live_reads": lambda: live_reads(many, long, round(1000 * size)),
        }
        for engine, kills in (("processes", 20), ("dask", 6)):
            if engine == "dask" and find_spec("distributed") is None:
                continue
            count = max(1, round(kills * size))
            parts[f"coordinator_kills_{engine}"] = partial(
                coordinator_kills, three, several, count, seed, engine
            )
            parts[f"worker_kills_{engine}"] = partial(worker_kills, three, several, count, seed, engine)
        for part, function in parts.items():
            if only and part not in only.split(","):
                continue
            begun = time.monotonic()
            took = function()
            found[part] = {"size": size, **took, "seconds": round(time.monotonic() - begun, 1)}
            print(part, found[part], file=sys.stderr, flush=True)
            if keep is not None:
                keep.write_text(json.dumps(found))
    return found


def table(found: Numbers) -> str:
    """Return the figures as a table in Markdown."""
    kills, one, bad, live = (
        found[name] for name in ("random_kills", "one_run_through_kills", "damaged_journals", "live_reads")
    )
    rows = [
        ("random SIGKILLs of a run", f"{kills['kills']}"),
        ("… steps acknowledged; lost", f"{kills['acknowledged']}; {kills['lost']}"),
        ("… files unreadable; with a wrong step; not finished bit for bit",
         f"{kills['unreadable']}; {kills['wrong']}; {kills['not_resumed']}"),
        ("one run through SIGKILLs", f"{one['kills']} in {one['steps']} steps; {one['lost']} lost"),
        ("… bit-identical to the uninterrupted run", "yes" if one["bit_identical"] else "NO"),
        ("truncations at every byte of the last three records; wrong",
         f"{bad['truncations']}; {bad['truncations_wrong']}"),
        ("bit flips in a journal; silent", f"{bad['flips']}; {bad['flips_silent']}"),
        ("garbage tails; wrong", f"{bad['tails']}; {bad['tails_wrong']}"),
    ]  # fmt: skip
    for part, what in (("disk_full", "disk full (ENOSPC)"), ("disk_error", "input/output error (EIO)")):
        full = found[part]
        rows += [
            (f"{what} from one write or force on; stopped with one line",
             f"{full['writes']}; {full['stopped_cleanly']}"),
            ("… acknowledged steps lost; not finished bit for bit afterwards",
             f"{full['lost']}; {full['not_resumed']}"),
        ]  # fmt: skip
    rows += [
        ("reads of a going run; errors; wrong", f"{live['reads']}; {live['errors']}; {live['wrong']}"),
        ("… runs that were read; harmed", f"{live['runs']}; {live['runs_harmed']}"),
    ]
    for engine in ("processes", "dask"):
        if each := found.get(f"worker_kills_{engine}"):
            rows.append((f"SIGKILLs of workers, engine {engine}; runs; not bit for bit that of one process",
                         f"{each['kills']}; {each['runs']}; {each['wrong']}"))  # fmt: skip
        if each := found.get(f"coordinator_kills_{engine}"):
            rows += [
                (f"SIGKILLs of the process that runs {engine}; workers left behind",
                 f"{each['kills']}; {each['orphans']}"),
                ("… steps acknowledged; lost; not finished bit for bit",
                 f"{each['acknowledged']}; {each['lost']}; {each['not_resumed']}"),
            ]  # fmt: skip
    return "\n".join(["| fault | result |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]) + "\n"


def failures(found: Numbers) -> list[str]:
    """Return the promises that were broken."""
    bad = {"lost", "unreadable", "wrong", "not_resumed", "truncations_wrong", "flips_silent", "tails_wrong",
           "errors", "runs_harmed", "orphans"}  # fmt: skip
    broken = [
        f"{part}: {n} {name}" for part, each in found.items() for name, n in each.items() if name in bad and n
    ]
    broken += [f"{p}: not clean" for p in ("disk_full", "disk_error")
               if p in found and found[p]["stopped_cleanly"] != found[p]["writes"]]  # fmt: skip
    one = found.get("one_run_through_kills")
    return broken + ([] if one is None or one["bit_identical"] else ["not bit-identical"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=float, default=1.0, help="share of the full campaign")
    parser.add_argument("--only", default="", help="comma-separated parts instead of all")
    parser.add_argument("--from", dest="known", type=Path, help="JSON of parts that ran before")
    parser.add_argument("--keep", type=Path, help="write each part there as soon as it is done")
    parser.add_argument("--json", action="store_true", help="print the figures, keep nothing")
    words = parser.parse_args()
    known = json.loads(words.known.read_text(encoding="utf-8")) if words.known else {}
    found = known | campaign(words.size, only=words.only, keep=words.keep)
    if words.json:
        print(json.dumps(found))
    else:
        write("reliability", found)
        (RESULTS / "reliability.md").write_text(table(found), encoding="utf-8")
        print(table(found))
    if broken := failures(found):
        sys.exit("; ".join(broken))


if __name__ == "__main__":
    main()
