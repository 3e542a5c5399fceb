"""A likelihood that hangs: it is told, nothing is ended but by the user, and nothing stored is lost."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from globalfit.chains.store import open_store
from globalfit.fitfile import load_fit
from globalfit.sampling import silence

# As long as there is the file `hang`, a call does not return.
HANGS = """
from __future__ import annotations

import time
from pathlib import Path

HERE = Path(__file__).parent


class Hangs:
    name, reference, needs = "hangs", "none", ("m_phi",)
    calls = 0

    def predict(self, point):
        self.calls += 1
        while self.calls > 40 and (HERE / "hang").exists():
            (HERE / "hung").touch()
            time.sleep(0.05)
        return {"m": point.m_phi}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - 90.0) / 5.0) ** 2
"""
FIT = """
model = { name = "t3r-muon" }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.hangs]
class = "hangs.py:Hangs"
[sampler]
start = "prior"
walkers = 8
seed = 5
ensembles = 2
"""
NOTICE = (
    r"nothing heard of ensemble \d for \d+ s(, after \d+ s at most before)?: a likelihood is slow or hangs"
)
has_dask = importlib.util.find_spec("distributed") is not None


@pytest.fixture
def hangs(tmp_path):
    (tmp_path / "hangs.py").write_text(HANGS)
    (tmp_path / "fit.toml").write_text(FIT)
    return load_fit(tmp_path / "fit.toml")


@pytest.mark.parametrize(
    "engine",
    [
        "serial",
        "processes",
        pytest.param(
            "dask", marks=[pytest.mark.slow, pytest.mark.skipif(not has_dask, reason="dask is not there")]
        ),
    ],
)
def test_an_ensemble_that_is_silent_is_told_and_left_alone(hangs, tmp_path, monkeypatch, tree, engine):
    """It is slow, as it turns out: the chain is that of any other run."""
    monkeypatch.setattr(silence, "FIRST", 0.5)
    monkeypatch.setattr(silence, "FACTOR", 0.0)
    monkeypatch.setattr(silence, "LOOK", 0.1)
    workers = {} if engine == "serial" else {"workers": 2}
    (tmp_path / "hang").touch()
    lines = []

    def notice(line):
        if re.match(NOTICE, line) and (tmp_path / "hung").exists():
            lines.append(line)
            (tmp_path / "hang").unlink(missing_ok=True)

    hangs.run(tmp_path / "out.h5", steps=60, engine=engine, notice=notice, **workers)
    assert lines
    assert not any("\n" in line for line in lines)
    hangs.run(tmp_path / "whole.h5", steps=60)
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")


def test_each_silence_is_told_again_when_it_has_doubled(monkeypatch):
    monkeypatch.setattr(silence, "FIRST", 0.2)
    monkeypatch.setattr(silence, "LOOK", 0.01)
    lines, asked = [], []
    with silence.Silence(lines.append, lambda: bool(asked)) as watched:
        watched.begun(0)
        watched.begun(1)
        time.sleep(0.05)
        watched.heard(1)
        watched.begun(1)
        watched.withdrawn(1)
        end = time.monotonic() + 20
        while len(lines) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(lines) >= 3
    assert all(re.match(NOTICE, line) and "ensemble 0" in line for line in lines)


def test_a_piece_that_is_not_far_longer_than_any_before_is_not_told(monkeypatch):
    monkeypatch.setattr(silence, "FIRST", 0.0)
    monkeypatch.setattr(silence, "LOOK", 0.01)
    lines = []
    with silence.Silence(lines.append, lambda: False) as watched:
        watched.longest = 100.0
        watched.begun(0)
        time.sleep(0.2)
    assert lines == []


@pytest.mark.parametrize("words", [["--workers", "2"], ["--engine", "serial", "--debug"]], ids=" ".join)
def test_ctrl_c_ends_a_run_that_hangs_and_the_same_command_goes_on(hangs, tmp_path, tree, words):
    """With workers one is enough; in one process the second one ends it, and shows where it hangs."""
    (tmp_path / "hang").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "globalfit", "run", "fit.toml", "-o", "out.h5", "--steps", "60", *words],
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ.copy(),
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (tmp_path / "hung").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    if "serial" in words:
        time.sleep(0.5)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130, messages
    assert "To go on: globalfit run fit.toml -o out.h5 --steps 60" in messages
    assert ("hangs.py" in messages) == ("serial" in words)
    (tmp_path / "hang").unlink()
    path = tmp_path / "out.h5"
    with open_store(path, hangs) as store:
        assert set(store.states) == {0, 1}
    hangs.run(path, steps=60)
    hangs.run(tmp_path / "whole.h5", steps=60)
    assert tree(path) == tree(tmp_path / "whole.h5")
