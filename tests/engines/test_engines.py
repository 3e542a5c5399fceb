"""Processes and Dask give the bits of one process, whatever dies; errors and signals in workers."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from globalfit.chains import Chain
from globalfit.errors import LikelihoodError, SamplingError
from globalfit.fitfile import load_fit
from globalfit.identity import versions
from globalfit.sampling.engines.engine import open_engine
from globalfit.sampling.engines.processes import Processes
from globalfit.sampling.engines.work import Refusal, Spec, Task, arithmetic, carry_out_elsewhere

ROOT = Path(__file__).parents[2]
needs_dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask is not there")

LOOSE = """
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


class Loose:
    name, reference, needs = "loose", "none", ("m_phi",)

    def predict(self, point):
        {body}
        return {{"m": point.m_phi}}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - 90.0) / 5.0) ** 2
"""
LOOSE_FIT = """
model = { name = "t3r-muon" }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.loose]
class = "loose.py:Loose"
[sampler]
start = "prior"
walkers = 8
seed = 5
ensembles = 2
"""
# Each worker process that finds a token takes it and dies in the middle of a block.
DIES = """
        if os.environ.get("GLOBALFIT_TEST_PARENT", "") != str(os.getpid()) and np.all(point.m_phi < 100.0):
            for token in sorted(HERE.glob("token*")):
                try:
                    token.unlink()
                except FileNotFoundError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
"""


def loose_fit(folder, body="pass"):
    (folder / "loose.py").write_text(LOOSE.format(body=body.strip()))
    (folder / "fit.toml").write_text(LOOSE_FIT)
    return load_fit(folder / "fit.toml")


def test_processes_give_the_same_chain_through_an_interruption(tmp_path, make_fit, whole, tree):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=31, engine="processes", workers=2)
    make_fit().run(path, steps=90, engine="processes", workers=1)
    assert tree(path) == tree(whole)
    assert [each["engine"] for each in Chain.open(path).run["segments"]] == ["processes", "processes"]


def test_workers_that_die_change_nothing(tmp_path, monkeypatch, tree):
    fit = loose_fit(tmp_path, DIES)
    monkeypatch.setenv("GLOBALFIT_TEST_PARENT", str(os.getpid()))
    fit.run(tmp_path / "whole.h5", steps=60)
    for i in range(3):
        (tmp_path / f"token{i}").touch()
    notices = []
    fit.run(tmp_path / "out.h5", steps=60, engine="processes", workers=2, notice=notices.append)
    assert not list(tmp_path.glob("token*"))
    assert len([line for line in notices if "a worker died; ensemble" in line]) == 3
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")


def test_a_fit_that_kills_every_worker_is_given_up(tmp_path, monkeypatch):
    fit = loose_fit(tmp_path, DIES)
    monkeypatch.setenv("GLOBALFIT_TEST_PARENT", str(os.getpid()))
    monkeypatch.setattr("globalfit.sampling.engines.crew.LOSSES", 1)
    for i in range(9):
        (tmp_path / f"token{i}").touch()
    with pytest.raises(SamplingError, match=r"2 workers died, one after the other, at ensemble \d; look for"):
        fit.run(tmp_path / "out.h5", steps=60, engine="processes", workers=1)


RAISES = """
        if os.environ.get("GLOBALFIT_TEST_PARENT", "") != str(os.getpid()):
            with (HERE / "calls").open("a") as file:
                file.write("x")
            raise ZeroDivisionError("of a kind")
"""


def test_an_error_in_a_likelihood_is_told_once(tmp_path, monkeypatch):
    fit = loose_fit(tmp_path, RAISES)
    monkeypatch.setenv("GLOBALFIT_TEST_PARENT", str(os.getpid()))
    with pytest.raises(LikelihoodError, match="loose: predict raised ZeroDivisionError: of a kind"):
        fit.run(tmp_path / "out.h5", steps=60, engine="processes", workers=1)
    assert len((tmp_path / "calls").read_text()) < 20  # to find the point; not for other tasks or again
    assert not (tmp_path / "out.h5").exists()


def spec_of(fit, **changes):
    spec = Spec.of(fit, 1)
    return Spec(spec.recipe, changes.get("fingerprint", spec.fingerprint),
                spec.versions | changes.get("versions", {}), 1)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"versions": {"numpy": "1.0"}}, f"numpy {np.__version__} instead of 1.0"),
        ({"versions": {"scipy": "1.0", "emcee": "2"}}, "instead of 1.0, emcee "),
        ({"versions": {"arithmetic": "other"}}, "its processor rounds"),
        ({"versions": {"data": "other"}}, f"data {versions()['data']} instead of other"),
        ({"fingerprint": "other"}, "its likelihoods or their data differ"),
    ],
)
def test_a_worker_that_differs_refuses(make_fit, changes, why):
    answer = carry_out_elsewhere(spec_of(make_fit(), **changes), Task(0, None, 0), "tcp://w:1")
    assert isinstance(answer, Refusal)
    assert why in answer.why


def test_a_worker_that_finds_another_likelihood_ends_the_run(tmp_path, monkeypatch):
    """The file changes between the reading of the fit and its reading by the workers."""
    fit = loose_fit(tmp_path)
    loose_fit(tmp_path, "time.sleep(0.0)")
    with pytest.raises(SamplingError, match="a worker process: its likelihoods or their data differ"):
        fit.run(tmp_path / "out.h5", steps=60, engine="processes", workers=1)
    assert not list(tmp_path.glob("out*"))


def test_a_fit_from_python_has_no_workers(make_fit, tmp_path):
    from dataclasses import replace

    with pytest.raises(SamplingError, match="was put together in Python, which workers cannot repeat"):
        replace(make_fit(), recipe=None).run(tmp_path / "out.h5", steps=3, engine="processes")


def test_arithmetic_is_the_same_twice():
    again = arithmetic.__wrapped__()
    assert again == arithmetic()
    assert len(again) == 16


def test_the_words_choose_the_engine():
    assert open_engine().name == "serial"
    found = open_engine(workers=3)
    assert isinstance(found, Processes)
    assert len(found.crew.seats) == 3


# Signals

SLOW = 'time.sleep(0.01 if os.environ.get("GLOBALFIT_TEST_FAST") is None else 0)'


def started(folder, *words):
    process = subprocess.Popen(
        [sys.executable, "-m", "globalfit", "run", "fit.toml", "-o", "out.h5", "--steps", "100000", "--quiet",
         "--workers", "2", *words],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.environ["PYTHONPATH"]},
    )  # fmt: skip
    journal, end = folder / "out.journal", time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if journal.exists() and journal.stat().st_size > 60_000:
            break
        time.sleep(0.05)
    assert process.poll() is None, process.stderr.read()
    return process


def members(group):
    """Return the living processes of a group."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            state = (process / "stat").read_text().rpartition(")")[2].split()
            if state[0] != "Z" and int(state[2]) == group:
                found.append(int(process.name))
    return found


def gone(group):
    end = time.monotonic() + 30
    while members(group) and time.monotonic() < end:
        time.sleep(0.1)
    return not members(group)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("which", ["to all", "twice", "kill"])
def test_signals_leave_nothing_behind(tmp_path, which, monkeypatch, tree):
    """SIGINT to the whole group as a terminal sends it; two of them; SIGKILL of the one that writes."""
    fit = loose_fit(tmp_path, SLOW)
    process = started(tmp_path)
    assert len(members(process.pid)) >= 3
    path = tmp_path / "out.h5"
    if which == "kill":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
        if which == "twice":
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert gone(process.pid)
    assert "Traceback" not in messages
    if which == "kill":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130, messages
        assert "To go on: globalfit run fit.toml -o out.h5 --steps 100000 --workers 2" in messages
    if which == "to all":
        assert "interrupted; everything sampled is in out.h5" in messages
        assert Chain.open(path).interrupted
    monkeypatch.setenv("GLOBALFIT_TEST_FAST", "1")
    from globalfit.chains.store import open_store

    with open_store(path, fit) as store:
        total = max(state.step for state in store.states.values()) + 5
    fit.run(path, steps=total)
    fit.run(tmp_path / "whole.h5", steps=total)
    assert tree(path) == tree(tmp_path / "whole.h5")


# Dask


@needs_dask
def test_dask_gives_the_same_chain(tmp_path, make_fit, whole, tree):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=90, engine="dask", workers=2)
    assert tree(path) == tree(whole)


@needs_dask
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheduler": "tcp://127.0.0.1:9"}, r"no dask scheduler answers at tcp://127.0.0.1:9 within 1 s"),
        ({"scheduler": "nonsense"}, r"no dask scheduler answers at nonsense within 1 s"),
        ({"scheduler_file": "none.json"}, r"there is no file 'none.json'; start 'dask scheduler"),
        ({"scheduler": "tcp://x:1", "scheduler_file": "none.json"}, "an address and a file are given"),
    ],
)
def test_a_scheduler_that_is_not_there(tmp_path, make_fit, monkeypatch, options, message):
    monkeypatch.setattr("globalfit.sampling.engines.dask.PATIENCE", 1.0)
    with pytest.raises(SamplingError, match=message) as caught:
        make_fit().run(tmp_path / "out.h5", steps=3, **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_dask_that_is_not_installed(tmp_path, make_fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SamplingError, match=r"dask is not installed; pip install 'globalfit\[dask\]'"):
        make_fit().run(tmp_path / "out.h5", steps=3, engine="dask")


@needs_dask
@pytest.mark.slow
def test_a_scheduler_of_ones_own(tmp_path, make_fit, whole, tree, monkeypatch):
    """By its file: first without workers, then with one that differs, then with one that does not."""
    file = tmp_path / "scheduler.json"
    words = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file),
             "--port", "0", "--no-dashboard"]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(words, **quiet)]
    try:
        end = time.monotonic() + 60
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.1)
        monkeypatch.setattr("globalfit.sampling.engines.dask.WORKERS", 2.0)
        with pytest.raises(SamplingError, match=r"has had no worker for 2 s; start some"):
            make_fit().run(tmp_path / "out.h5", steps=3, scheduler_file=file)
        monkeypatch.setattr("globalfit.sampling.engines.dask.WORKERS", 60.0)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file),
                  "--no-dashboard", "--nthreads", "1"]  # fmt: skip
        (tmp_path / "sitecustomize.py").write_text(
            "import globalfit.identity as identity\nfound = identity.versions()\nfound['emcee'] = '0.1'\n"
        )
        other = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}"}
        processes.append(subprocess.Popen(worker, env=other, **quiet))
        notices = []
        with pytest.raises(SamplingError, match=r"every worker was refused \(emcee 0.1 instead of"):
            make_fit().run(tmp_path / "out.h5", steps=90, scheduler_file=file, notice=notices.append)
        assert "is refused: emcee 0.1 instead of" in notices[0]
        processes.append(subprocess.Popen(worker, **quiet))
        from distributed import Client

        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(2, timeout=60)
        make_fit().run(tmp_path / "out.h5", steps=90, scheduler_file=file)
        assert tree(tmp_path / "out.h5") == tree(whole)
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=30)


@needs_dask
@pytest.mark.slow
def test_dask_workers_that_die_change_nothing(tmp_path, monkeypatch, tree):
    fit = loose_fit(tmp_path, DIES)
    monkeypatch.setenv("GLOBALFIT_TEST_PARENT", str(os.getpid()))
    fit.run(tmp_path / "whole.h5", steps=60)
    for i in range(3):
        (tmp_path / f"token{i}").touch()
    fit.run(tmp_path / "out.h5", steps=60, engine="dask", workers=2)
    assert not list(tmp_path.glob("token*"))
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")


@needs_dask
@pytest.mark.slow
def test_dask_workers_that_die_with_their_answer_change_nothing(tmp_path, monkeypatch, tree):
    """A block is done, and its worker dies before anybody asks it for the result."""
    left = [1, 2, 3]

    class Done(queue.SimpleQueue):
        def put(self, future):
            if left and future.status == "finished":
                left.pop()
                (worker,) = engine.client.who_has([future])[future.key]
                os.kill(engine.client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)
                while future.status == "finished":
                    time.sleep(0.01)
            super().put(future)

    fit = loose_fit(tmp_path)
    fit.run(tmp_path / "whole.h5", steps=60)
    engine = open_engine("dask", workers=2)
    engine.done, engine.block = Done(), 4
    monkeypatch.setattr("globalfit.sampling.engines.engine.open_engine", lambda *args, **words: engine)
    fit.run(tmp_path / "out.h5", steps=60)
    assert left == []
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")


@needs_dask
@pytest.mark.slow
def test_dask_workers_that_all_die_for_good_are_begun_anew(tmp_path, monkeypatch, tree):
    """As when they die while they start: Dask does not replace them then."""
    from distributed.nanny import Nanny

    from globalfit.sampling.engines import dask

    monkeypatch.setattr(dask, "PATIENCE", 1.0)
    fit = loose_fit(tmp_path)
    fit.run(tmp_path / "whole.h5", steps=60)
    engine = open_engine("dask", workers=2)
    engine.block = 4
    monkeypatch.setattr("globalfit.sampling.engines.engine.open_engine", lambda *args, **words: engine)
    clusters = []

    async def nothing(self, exitcode):
        pass

    def kill(progress):
        if engine.cluster not in clusters and len(clusters) < 2:
            clusters.append(engine.cluster)
            for nanny in engine.cluster.workers.values():
                os.kill(nanny.pid, signal.SIGKILL)

    monkeypatch.setattr(Nanny, "_on_worker_exit", nothing)
    fit.run(tmp_path / "out.h5", steps=60, progress=kill)
    assert len(clusters) == 2
    assert tree(tmp_path / "out.h5") == tree(tmp_path / "whole.h5")
