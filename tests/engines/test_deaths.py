"""Workers die at the worst moments: the run goes on, and its chain has the bits of one process."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from globalfit.analysis import parts
from globalfit.errors import LikelihoodError, SamplingError
from globalfit.fitfile import load_fit
from globalfit.sampling.engines import crew, processes

# A worker that finds the token of a moment takes it and dies there. Loaded by workers with their fit.
MORTAL = """
from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

HERE = Path(__file__).parent
WORKER = os.environ.get("GLOBALFIT_TEST_PARENT", "") != str(os.getpid())


def taken(moment):
    for token in sorted(HERE.glob(f"{moment}-*")):
        try:
            token.unlink()
        except FileNotFoundError:
            continue
        return WORKER
    return False


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def send(self, data, whole=Connection._send):
    if taken("answering"):
        os.write(self.fileno(), bytes(data[: len(data) // 2]))
        die()
    whole(self, data)
    if taken("answered"):
        die()


def receive(self, size, whole=Connection._recv):
    if taken("waiting"):
        die()
    if size > 4 and taken("asked"):
        os.read(self.fileno(), size // 2)
        die()
    return whole(self, size)


if WORKER:
    Connection._send, Connection._recv = send, receive
    if taken("loading"):
        die()


class Mortal:
    name, reference, needs = "mortal", "none", ("m_phi",)

    def predict(self, point):
        if WORKER and taken("sampling"):
            die()
        if WORKER and (HERE / "failing-0").exists():
            raise ZeroDivisionError("of a kind")
        return {"m": point.m_phi}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - 90.0) / 5.0) ** 2
"""
FIT = """
model = { name = "t3r-muon" }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.mortal]
class = "mortal.py:Mortal"
[sampler]
start = "prior"
walkers = 8
seed = 5
ensembles = 3
"""
MOMENTS = ("loading", "waiting", "asked", "sampling", "answering", "answered")


@pytest.fixture
def mortal(tmp_path, monkeypatch):
    """The fit; its runs have two minutes before they are said to stand still."""
    (tmp_path / "mortal.py").write_text(MORTAL)
    (tmp_path / "fit.toml").write_text(FIT)
    monkeypatch.setenv("GLOBALFIT_TEST_PARENT", str(os.getpid()))
    monkeypatch.setattr(processes.Processes, "block", 4)

    def late(which, frame):
        raise AssertionError("the run stands still")

    kept = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield load_fit(tmp_path / "fit.toml")
    signal.alarm(0)
    signal.signal(signal.SIGALRM, kept)


def die_young(monkeypatch, deaths):
    """Let the first workers be killed so many seconds after they were begun."""
    begun = crew.Worker.begun
    left = list(deaths)

    def begin():
        worker = begun()
        if left:
            worker.process.join(left.pop(0))
            worker.process.kill()
        return worker

    monkeypatch.setattr(crew.Worker, "begun", begin)
    return left


def test_workers_that_die_at_the_worst_moments_change_nothing(mortal, tmp_path, monkeypatch, tree):
    mortal.run(tmp_path / "whole.h5", steps=60)
    for moment in MOMENTS:
        (tmp_path / f"{moment}-0").touch()
    left = die_young(monkeypatch, (0.0, 0.01, 0.03, 0.1))
    notices = []
    mortal.run(tmp_path / "out.h5", steps=60, engine="processes", workers=2, notice=notices.append)
    assert left == []
    assert [path.name for path in tmp_path.glob("*-0")] == []
    died = [line for line in notices if "a worker died; ensemble" in line]
    assert len(died) == len(MOMENTS) + 4
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")


def test_workers_that_die_while_they_begin_are_given_up(mortal, tmp_path, monkeypatch):
    die_young(monkeypatch, (0.0,) * 50)
    with pytest.raises(SamplingError, match="11 workers died, one after the other, at ensemble"):
        mortal.run(tmp_path / "out.h5", steps=20, engine="processes", workers=2)


def test_parts_of_the_data_are_sampled_again_when_their_worker_dies(mortal, tmp_path, monkeypatch):
    wanted = [("mortal",), ()]
    alone = parts.sample_parts(mortal, wanted, particles=200, workers=1)
    monkeypatch.setattr(parts, "SHORT", 0.0)
    for moment in ("loading", "sampling", "answering"):
        (tmp_path / f"{moment}-0").touch()
    seen = []
    together = parts.sample_parts(
        mortal, wanted, particles=200, workers=2, progress=lambda *each: seen.append(each[1:])
    )
    assert [path.name for path in tmp_path.glob("*-0")] == []
    assert seen == [(0, 2), (1, 2), (2, 2)]
    for kept in wanted:
        assert together[kept].values["m_phi"].tobytes() == alone[kept].values["m_phi"].tobytes()


def test_an_error_in_a_part_is_told_once_and_ends_the_workers(mortal, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "SHORT", 0.0)
    (tmp_path / "failing-0").touch()
    with pytest.raises(LikelihoodError, match="mortal: predict raised ZeroDivisionError: of a kind"):
        parts.sample_parts(mortal, [("mortal",), ()], particles=200, workers=2)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_many_deaths_at_the_worst_moments(mortal, tmp_path, monkeypatch, tree):
    signal.alarm(1800)  # a worker takes half a minute to start on a busy machine
    monkeypatch.setattr(crew, "LOSSES", 200)
    mortal.run(tmp_path / "whole.h5", steps=100)
    for moment in MOMENTS:
        for i in range(5):
            (tmp_path / f"{moment}-{i}").touch()
    mortal.run(tmp_path / "out.h5", steps=100, engine="processes", workers=2)
    assert [path.name for path in tmp_path.glob("*-*")] == []
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")
