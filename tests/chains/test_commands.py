"""info, watch and repair; signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.chains import Chain
from globalfit.chains.journal import scan
from globalfit.chains.store import open_store
from globalfit.chains.watch import follow, spark
from globalfit.cli import app
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start

ROOT = Path(__file__).parents[2]


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def going(tmp_path, make_fit):
    """A chain whose run died after 4 x 10 steps; all are in the journal, the first 10 are published."""
    fit, path = make_fit(), tmp_path / "out.h5"
    with open_store(path, fit) as store:
        state = start(fit.posterior, 32, 1)
        store.begin(state, 1)
        for i in range(4):
            store._published = (0, 0.0, 0.0) if i == 0 else (10**6, time.monotonic(), 0.0)
            block, state = advance(fit.posterior, state, 10)
            store.append(block, state)
    return path


def test_info(going, short):
    found = json.loads(run("info", going, "--json").stdout)
    assert (found["steps"], found["walkers"], found["complete"], found["writer"]) == (10, 32, False, None)
    assert (found["journal"]["records"], found["journal"]["steps"]) == (5, 40)
    text = run("info", going).stdout
    assert "no run is writing it" in text
    assert "out.journal" in text
    found = json.loads(run("info", short, "--json").stdout)
    assert found["complete"] is True
    assert found["journal"] is None
    assert [each["reason"] for each in found["segments"]] == ["steps"]
    assert found["segments"][0]["host"]
    assert re.fullmatch("[0-9a-f]{64}", found["fingerprint"])
    journal = going.with_name("out.journal")
    damaged = bytearray(journal.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    journal.write_bytes(bytes(damaged))
    assert "is damaged at record" in json.loads(run("info", going, "--json").stdout)["journal"]["problem"]


def test_repair_recovers_what_stands_before_the_damage(going, make_fit):
    journal = going.with_name("out.journal")
    damaged = bytearray(journal.read_bytes())
    damaged[scan(journal).places[3][0] + 5000] ^= 1
    journal.write_bytes(bytes(damaged))
    done = run("repair", going, "--json")
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    new = going.with_name("out.repaired.h5")
    assert (found["file"], found["steps"]) == (str(new), 20)
    assert found["bytes_left"] == len(damaged) - scan(journal, prefix=True).end
    assert journal.read_bytes() == bytes(damaged)
    assert "exists; choose another -o" in str(run("repair", journal).exception)
    whole = make_fit().run(going.with_name("whole.h5"), steps=25)
    chain = make_fit().run(new, steps=25)
    assert chain.values.tobytes() == whole.values.tobytes()
    assert chain.blobs.tobytes() == whole.blobs.tobytes()
    assert (chain.accepted == whole.accepted).all()
    assert [each["reason"] for each in chain.run["segments"]] == ["repaired", "steps"]


def test_repair_says_when_the_published_chain_holds_more(going, make_fit):
    journal = going.with_name("out.journal")
    damaged = bytearray(journal.read_bytes())
    damaged[scan(journal).places[1][0] + 5000] ^= 1
    journal.write_bytes(bytes(damaged))
    done = run("repair", going)
    assert done.exit_code == 0, done.exception
    assert "out.repaired.h5: 0 steps recovered" in done.stdout
    assert f"{going}, as it was published, holds 10: 'globalfit run' goes on from these if" in done.stdout
    journal.rename(going.with_name("damaged"))
    whole = make_fit().run(going.with_name("whole.h5"), steps=25)
    assert make_fit().run(going, steps=25).values.tobytes() == whole.values.tobytes()


def test_repair_of_an_extension_holds_the_base(tmp_path, make_fit, monkeypatch):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=15)
    with monkeypatch.context() as patch:
        patch.setattr("globalfit.chains.store.Store.finish", lambda self, reason: None)
        make_fit().run(path, steps=25)
    path.unlink()
    assert run("repair", path).exit_code == 0
    whole = make_fit().run(tmp_path / "whole.h5", steps=25)
    assert Chain.open(tmp_path / "out.repaired.h5").values.tobytes() == whole.values.tobytes()


def test_repair_without_a_journal_says_so(short, going):
    assert "there is no journal 'short.journal'; restore a copy" in str(run("repair", short).exception)


def test_watch_follows_a_run_to_its_end(tmp_path, make_fit):
    """The views are taken while the run publishes; the last is that of the finished chain."""
    fit, path = make_fit(), tmp_path / "out.h5"
    store = open_store(path, fit)
    state = start(fit.posterior, 32, 1)
    store.begin(state, 1)
    steps = iter([64, 64, 64])

    def pause(seconds):
        nonlocal state
        number = next(steps, 0)
        if not number:
            store.finish("steps")
            store.close()
            return
        block, state = advance(fit.posterior, state, number)
        store._published = (0, 0.0, 0.0)  # each block is published at once
        store.append(block, state)
        os.utime(path, (state.step, state.step))  # a step a second

    begun, *views = follow(path, sleep=pause)
    assert (begun.reached, begun.writing) == ({}, True)  # and no step yet
    assert [view.steps for view in views] == [64, 128, 192, 192]
    assert [view.writing for view in views] == [True, True, True, False]
    chain = Chain.open(path)
    assert views[-1].best == {"muon-g2": chain.blobs["ll_muon-g2"].max()}
    assert views[-1].medians["m_phi"] == np.median(chain.values[-1, :, 2])
    third = views[2]
    wanted = chain.resolved["sampler"]["target"]["ess"]
    assert third.ess_wanted == wanted
    kept = 192 - chain.assess().discard
    assert third.seconds_left == pytest.approx((wanted / third.ess - 1.0) * kept, rel=0.01)


def test_watch_prints_a_table(short):
    done = run("watch", short)
    assert done.exit_code == 0
    assert "120 steps x 32 walkers" in done.stdout
    assert "ln L muon-g2" in done.stdout
    assert "m_aprime" in done.stdout


def test_watch_of_nothing_is_one_line(tmp_path):
    assert "is not a file; name the -o of a run" in str(run("watch", tmp_path / "none.h5").exception)


def test_spark():
    assert spark(np.array([0.0, 1.0, 0.5, 1.0])) == "▁█▄█"
    assert spark(np.ones(3)) == "▁▁▁"


def test_a_second_interrupt_stops_at_once_and_loses_nothing_stored(tmp_path, make_fit):
    """The likelihood sleeps for a minute after some calls: only stopping at once ends the run in time."""
    (tmp_path / "sleeps.py").write_text(
        "import time\n\n\nclass Sleeps:\n    name, reference, needs = 'sleeps', 'none', ('m_phi',)\n"
        "    calls = 0\n\n    def predict(self, point):\n        Sleeps.calls += 1\n"
        "        if Sleeps.calls == 2000:\n            print('asleep', flush=True)\n"
        "            time.sleep(60)\n        return {'m': point.m_phi}\n\n"
        "    def log_likelihood(self, prediction):\n        return -0.5 * ((prediction['m'] - 90) / 5) ** 2\n"
    )
    (tmp_path / "fit.toml").write_text(
        'model = { name = "t3r-muon" }\n[parameters.m_phi]\n'
        'prior = { shape = "uniform", low = 50.0, high = 150.0 }\n'
        '[likelihoods.sleeps]\nclass = "sleeps.py:Sleeps"\n'
        '[sampler]\nstart = "prior"\nwalkers = 8\nseed = 5\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "globalfit", "run", "fit.toml", "-o", "out.h5", "--steps", "5000", "--quiet"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep\n"
    stored = scan(tmp_path / "out.journal")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None  # it finishes the step
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=20)
    assert process.returncode == 130, messages
    assert "Traceback" not in messages
    go_on = "To go on: globalfit run fit.toml -o out.h5 --steps 5000"
    assert f"stopped at once; every step that was stored is kept. {go_on}" in messages
    assert scan(tmp_path / "out.journal").places == stored.places
    assert len(stored.places) > 2
