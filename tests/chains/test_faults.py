"""A small fault campaign on real runs; ``benchmarks/reliability.py`` runs the full one. Seeds are fixed."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from globalfit.chains import Chain
from globalfit.chains.store import open_store

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def found():
    """The figures of a fiftieth of the campaign, run in a process of its own."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "reliability.py", "--size", "0.02", "--json", "--only",
         "random_kills,one_run_through_kills,damaged_journals,disk_full,disk_error,live_reads"],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_kills_at_random_times_lose_nothing(found):
    kills = found["random_kills"]
    assert kills["kills"] >= 5
    assert kills["acknowledged"] > 20
    assert [kills[name] for name in ("lost", "unreadable", "wrong", "not_resumed")] == [0, 0, 0, 0]


def test_one_run_through_many_kills_is_bit_identical(found):
    one = found["one_run_through_kills"]
    assert one["kills"] >= 8
    assert one["lost"] == one["not_bit_identical"] == 0


def test_damaged_journals_are_never_silently_wrong(found):
    bad = found["damaged_journals"]
    assert min(bad["truncations"], bad["flips"], bad["tails"]) >= 12
    assert [bad[name] for name in ("truncations_wrong", "flips_silent", "tails_wrong")] == [0, 0, 0]


@pytest.mark.parametrize("part", ["disk_full", "disk_error"])
def test_a_disk_that_fails_at_some_write_stops_the_run_and_loses_nothing(found, part):
    full = found[part]
    assert full["writes"] >= 5
    assert full["not_clean"] == full["lost"] == full["not_resumed"] == 0


def test_readers_do_not_disturb_a_run(found):
    live = found["live_reads"]
    assert live["reads"] >= 20
    assert live["errors"] == live["wrong"] == live["runs_harmed"] == 0


def test_the_command_survives_kills(tmp_path, make_fit):
    """`globalfit run` itself, killed at random times after its first step."""
    fit = make_fit()
    draw = random.Random(4)
    path = tmp_path / "out.h5"
    words = [sys.executable, "-m", "globalfit", "run", fit.path, "-o", path, "--quiet", "--steps"]
    before = 0
    for _ in range(2):
        process = subprocess.Popen([*words, "1000000"], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        journal = tmp_path / "out.journal"
        size = journal.stat().st_size if journal.exists() else 0
        end = time.monotonic() + 60
        while (not journal.exists() or journal.stat().st_size < size + 200_000) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(draw.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        with open_store(path, make_fit()) as store:
            assert store.steps > before
            before = store.steps
    done = subprocess.run([*words, str(before + 10)], env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    whole = make_fit().run(tmp_path / "whole.h5", steps=before + 10)
    chain = Chain.open(path)
    assert chain.values.tobytes() == whole.values.tobytes()
    assert chain.blobs.tobytes() == whole.blobs.tobytes()
    assert [each["reason"] for each in chain.run["segments"]] == ["killed"] * 2 + ["steps"]


def limited(size):
    """Let no file of this process grow beyond `size` bytes: the system itself refuses the write."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize(
    "size",
    [40_000, pytest.param(1_000, marks=pytest.mark.slow), pytest.param(300_000, marks=pytest.mark.slow)],
)
def test_a_limit_of_the_system_on_files_stops_the_command_in_one_line(tmp_path, make_fit, size):
    path = tmp_path / "out.h5"
    words = [
        sys.executable,
        "-m",
        "globalfit",
        "run",
        make_fit().path,
        "-o",
        path,
        "--quiet",
        "--steps",
        "200",
    ]
    done = subprocess.run(
        words, env=ENVIRONMENT, capture_output=True, text=True, check=False, preexec_fn=lambda: limited(size)
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "cannot be written" in line
    assert os.strerror(errno.EFBIG) in line
    chain = make_fit().run(path, steps=200)
    assert chain.values.tobytes() == make_fit().run(tmp_path / "whole.h5", steps=200).values.tobytes()
