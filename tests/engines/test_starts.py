"""The tempered start as work that is never lost: interrupted, killed, damaged, it ends in the same bits."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from globalfit.chains import Chain
from globalfit.chains.beginning import find_start
from globalfit.chains.places import starts_of
from globalfit.chains.starting import read_head
from globalfit.chains.store import Store, open_store
from globalfit.chains.watch import follow
from globalfit.cli import app
from globalfit.errors import ChainError, LikelihoodError
from globalfit.fitfile import load_fit
from globalfit.progress import describe, fraction
from globalfit.sampling.engines.serial import Serial

LOOSE = """
from __future__ import annotations

import os
import signal
import time
from pathlib import Path

HERE = Path(__file__).parent


class Loose:
    name, reference, needs = "loose", "none", ("m_phi",)

    def predict(self, point):
        {body}
        return {{"m": point.m_phi}}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - 90.0) / 2.0) ** 2
"""
FIT = """
model = {{ name = "t3r-muon" }}
[parameters.m_phi]
prior = {{ shape = "uniform", low = 50.0, high = 150.0 }}
[likelihoods.loose]
class = "loose.py:Loose"
[sampler]
walkers = 8
seed = {seed}
ensembles = {ensembles}
particles = 300
"""


def loose_fit(folder, body="pass", seed=5, ensembles=3):
    folder.mkdir(exist_ok=True)
    (folder / "loose.py").write_text(LOOSE.format(body=body))
    (folder / "fit.toml").write_text(FIT.format(seed=seed, ensembles=ensembles))
    return load_fit(folder / "fit.toml")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """A stage is a piece of work."""
    monkeypatch.setattr(Serial, "seconds", 0.0)


@pytest.fixture
def whole(tmp_path, tree):
    """The chain of 20 steps by one process without a break, and its fit."""
    fit = loose_fit(tmp_path / "whole")
    fit.run(tmp_path / "whole" / "out.h5", steps=20)
    return SimpleNamespace(fit=fit, tree=tree(tmp_path / "whole" / "out.h5"))


class Stop(Exception):
    """In place of the death of the process."""


def stopped_after(pieces, monkeypatch, fit, path):
    """Run until so many pieces of starts are stored."""
    done = 0
    keep = Store.keep

    def count(self, *what):
        nonlocal done
        keep(self, *what)
        done += 1
        if done == pieces:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Store, "keep", count)
        try:
            fit.run(path, steps=20)
        except Stop:
            return True
    return False


def test_a_start_goes_on_after_every_stage_with_the_same_bits(tmp_path, monkeypatch, tree):
    fit = loose_fit(tmp_path, ensembles=1)
    fit.run(tmp_path / "whole.h5", steps=20)
    expected = tree(tmp_path / "whole.h5")
    stages = json.loads(Chain.open(tmp_path / "whole.h5").attributes["evidence"])[0]["stages"]
    assert stages >= 3
    pieces = 0
    while stopped_after(pieces + 1, monkeypatch, fit, tmp_path / f"cut{pieces}.h5"):
        path = tmp_path / f"cut{pieces}.h5"
        pieces += 1
        assert not path.exists()
        assert len(starts_of(path)) == 1
        notices = []
        fit.run(path, steps=20, notice=notices.append)
        assert f"continuing the start of {path}: ensemble" in notices[0]
        assert tree(path) == expected
        assert sorted(each.name for each in tmp_path.glob(f"cut{pieces - 1}*")) == [path.name]
    assert pieces == stages


def test_a_start_through_a_break_after_each_stage_has_the_same_bits(tmp_path, monkeypatch, tree):
    fit, path = loose_fit(tmp_path), tmp_path / "out.h5"
    fit.run(tmp_path / "whole.h5", steps=20)
    breaks = 0
    while stopped_after(1, monkeypatch, fit, path):
        breaks += 1
    assert breaks >= 9
    assert tree(path) == tree(tmp_path / "whole.h5")


def test_a_seed_that_was_drawn_is_kept(tmp_path, monkeypatch):
    loose_fit(tmp_path)
    (tmp_path / "fit.toml").write_text(FIT.replace("seed = {seed}\n", "").format(ensembles=3))
    fit, path = load_fit(tmp_path / "fit.toml"), tmp_path / "out.h5"
    assert stopped_after(4, monkeypatch, fit, path)
    seed = find_start(path).header["seed"]
    chain = fit.run(path, steps=5)
    assert chain.run["seed"] == seed
    (tmp_path / "fit.toml").write_text(FIT.format(seed=seed, ensembles=3))
    other = load_fit(tmp_path / "fit.toml").run(tmp_path / "other.h5", steps=5)
    assert other.values.tobytes() == chain.values.tobytes()


DIES = """
        if os.environ.get("GLOBALFIT_TEST_PARENT", "") != str(os.getpid()) and len(point.m_phi) > 100:
            for token in sorted(HERE.glob("token*")):
                try:
                    token.unlink()
                except FileNotFoundError:
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("engine", ["processes", pytest.param("dask", marks=pytest.mark.slow)])
def test_workers_that_die_in_a_start_change_nothing(whole, tmp_path, monkeypatch, tree, engine):
    """Begun by one process, a stage a piece; gone on with by workers, several stages a piece."""
    fit = loose_fit(tmp_path, DIES.strip())
    monkeypatch.setenv("GLOBALFIT_TEST_PARENT", str(os.getpid()))
    for i in range(2):
        (tmp_path / f"token{i}").touch()
    path, seen = tmp_path / "out.h5", []
    assert stopped_after(5, monkeypatch, fit, path)
    fit.run(path, steps=20, engine=engine, workers=2, progress=seen.append)
    assert not list(tmp_path.glob("token*"))
    assert tree(path)["mcmc/chain"] == whole.tree["mcmc/chain"]
    starts = [describe(each) for each in seen if each.start]
    assert re.match(r"tempered start: ensembles 1-3 of 3, stage 0, beta 0", starts[0])
    assert all(re.match(r"tempered start: ensembles? [1-3, -]+ of 3, stage \d", line) for line in starts)


# What is damaged, foreign or strange


@pytest.fixture
def starting(tmp_path, monkeypatch):
    """A run that died after seven pieces of the starts of its three ensembles."""
    fit, path = loose_fit(tmp_path), tmp_path / "out.h5"
    assert stopped_after(7, monkeypatch, fit, path)
    return path


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "tail", "foreign"])
def test_a_damaged_start_is_noticed_and_made_again(starting, tree, damage):
    file = starts_of(starting)[1]
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    file.write_bytes(
        {
            "flip": bytes(flipped), "cut": whole[:-1], "empty": b"", "tail": whole + b"\0",
            "foreign": b"x" * 500,
        }[damage]
    )  # fmt: skip
    fit = load_fit(starting.parent / "fit.toml")
    notices = []
    fit.run(starting, steps=20, notice=notices.append)
    assert f"{file}: is damaged; ensemble 1 begins anew, with the same result" in notices
    fit.run(starting.parent / "whole.h5", steps=20)
    assert tree(starting) == tree(starting.parent / "whole.h5")


def test_every_flip_and_cut_of_a_start_is_noticed(starting):
    file = starts_of(starting)[0]
    whole = file.read_bytes()
    for place in range(0, len(whole), 61):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        file.write_bytes(bytes(flipped))
        assert read_head(file) is None
        file.write_bytes(whole[:place])
        assert read_head(file) is None
    file.write_bytes(whole)
    assert read_head(file).stage == 2


def test_the_start_of_another_fit_is_refused(starting):
    other = loose_fit(starting.parent, seed=6)
    before = {each: each.read_bytes() for each in starting.parent.glob("out*")}
    with pytest.raises(ChainError, match=r"is the chain of another fit \(sampler.seed: 5 -> 6\)"):
        other.run(starting, steps=20)
    elsewhere = starting.parent / "elsewhere.h5"
    with open_store(elsewhere, other) as store:
        store._begun_journal(6)
    shutil.copyfile(starts_of(starting)[2], elsewhere.with_name("elsewhere.start-2"))
    with pytest.raises(ChainError, match=r"elsewhere.start-2: is not the start of the fit whose journal"):
        other.run(elsewhere, steps=20)
    assert {each: each.read_bytes() for each in starting.parent.glob("out*")} == before


def test_a_start_without_its_journal_is_refused_and_moved_aside_when_asked(starting):
    fit = load_fit(starting.parent / "fit.toml")
    starting.with_name("out.journal").unlink()
    with pytest.raises(ChainError, match=r"out.start-0: stands there without its journal 'out.journal'"):
        fit.run(starting, steps=5)
    assert len(starts_of(starting)) == 3
    fit.run(starting, steps=5, fresh=True)
    assert [each.name for each in starts_of(starting.with_name("out.1.h5"))] == [
        f"out.1.start-{k}" for k in range(3)
    ]
    assert not starts_of(starting)


def test_fresh_moves_a_start_aside_whole(starting, tree):
    fit = load_fit(starting.parent / "fit.toml")
    fit.run(starting, steps=20, fresh=True)
    aside = starting.with_name("out.1.h5")
    assert find_start(aside).reached.keys() == {0, 1, 2}
    fit.run(aside, steps=20)
    assert tree(aside) == tree(starting)


def test_an_error_in_the_first_draws_leaves_nothing(tmp_path):
    fit = loose_fit(tmp_path, 'assert len(point.m_phi) != 300, "too many"')
    with pytest.raises(LikelihoodError, match="loose: predict raised AssertionError: too many"):
        fit.run(tmp_path / "out.h5", steps=5)
    assert not list(tmp_path.glob("out*"))


def test_a_disk_that_fills_again_and_again_in_a_start(tmp_path, monkeypatch, tree):
    """Each attempt fails at another write or force: one line, and the same command goes on."""
    fit, path = loose_fit(tmp_path), tmp_path / "out.h5"
    fit.run(tmp_path / "whole.h5", steps=20)
    kept = {name: getattr(os, name) for name in ("write", "pwrite", "fsync")}

    def failing(count):
        calls = iter(range(1, 10**6))

        def wrapped(name):
            def call(*given):
                if next(calls) >= count:
                    raise OSError(28, os.strerror(28))
                return kept[name](*given)

            return call

        return {name: wrapped(name) for name in kept}

    attempts = 0
    while not path.with_name("out.journal").exists() or find_start(path) is not None:
        assert attempts < 100
        with monkeypatch.context() as patch:
            for name, function in failing(1 + attempts % 11).items():
                patch.setattr(os, name, function)
            with pytest.raises(ChainError, match="No space left") as caught:
                fit.run(path, steps=20, sync="none")
        assert "\n" not in str(caught.value)
        attempts += 1
    assert attempts > 10
    fit.run(path, steps=20)
    assert tree(path) == tree(tmp_path / "whole.h5")


# Seen from outside


def test_info_and_watch_of_a_start(starting, monkeypatch):
    done = CliRunner().invoke(app, ["info", str(starting), "--json"])
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    stages = [each["stage"] for each in found["start"]["ensembles"].values()]
    assert stages == [2, 1, 1]
    assert (found["steps"], found["walkers"], found["writer"], found["seed"]) == (0, 24, None, 5)
    assert found["parameters"] == ["m_phi"]
    text = CliRunner().invoke(app, ["info", str(starting)]).stdout
    assert re.search(r"start +ensembles 1-3 of 3, stage 1, beta 0.\d+", text)
    done = CliRunner().invoke(app, ["watch", str(starting)])
    assert done.exit_code == 0, done.exception
    assert re.fullmatch(
        r"start: ensembles 1-3 of 3, stage 1, beta [\d.]+; no run is writing it\n", done.stdout
    )
    fit = load_fit(starting.parent / "fit.toml")
    lines = []

    def look(self, *what):
        keep(self, *what)
        view = next(follow(starting))
        assert view.writing
        lines.append(view)

    keep = Store.keep
    monkeypatch.setattr(Store, "keep", look)
    fit.run(starting, steps=5)
    assert lines[-1].seconds_left >= 0.0
    assert sum(stage for stage, _ in lines[0].reached.values()) == sum(stages) + 1
    with open_store(starting.with_name("none.h5"), fit) as store:
        store._begun_journal(5)
        view = next(follow(starting.with_name("none.h5")))
    assert view.reached == {0: None, 1: None, 2: None}


def test_watch_follows_a_start_into_its_chain(starting):
    """A start, its chain without a step, the finished chain."""
    fit, pauses = load_fit(starting.parent / "fit.toml"), []

    def pause(seconds):
        if not pauses:
            fit.run(starting, steps=5)
        pauses.append(seconds)

    with open_store(starting, fit):  # a run is going on
        views = follow(starting, sleep=pause)
        assert next(views).reached.keys() == {0, 1, 2}
    assert [view.steps for view in views] == [5]


def test_progress_of_a_start(starting):
    seen = []
    load_fit(starting.parent / "fit.toml").run(starting, steps=5, progress=seen.append)
    starts = [each for each in seen if each.start]
    assert describe(starts[0]).startswith("tempered start: ensembles 1-3 of 3, stage 1, beta 0.")
    assert re.search(r", about \d+ s left$", describe(starts[1]))
    assert all(0.0 <= fraction(each) <= 1.0 for each in starts)
    assert describe(starts[-1]).startswith("tempered start: ensemble 3 of 3, stage ")


# Signals

SLOW = 'time.sleep(float(os.environ.get("GLOBALFIT_TEST_SLEEP", "0")) if len(point.m_phi) > 100 else 0)'


def started(folder, sleep, *words):
    process = subprocess.Popen(
        [sys.executable, "-m", "globalfit", "run", "fit.toml", "-o", "out.h5", "--steps", "20", *words],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"GLOBALFIT_TEST_SLEEP": sleep},
    )  # fmt: skip
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end and not (folder / "out.start-1").exists():
        time.sleep(0.02)
    assert process.poll() is None, process.stderr.read()
    return process


@pytest.mark.parametrize(
    ("which", "sleep", "words"),
    [
        (signal.SIGINT, "0.2", ["--engine", "processes", "--workers", "2"]),
        pytest.param(signal.SIGTERM, "0.2", [], marks=pytest.mark.slow),
        (signal.SIGTERM, "30", []),  # the stage is given up
        (signal.SIGKILL, "0.2", []),
    ],
)
def test_signals_in_a_start(whole, tmp_path, tree, which, sleep, words):
    fit = loose_fit(tmp_path, SLOW)
    process = started(tmp_path, sleep, *words) if sleep != "30" else slow_stage(tmp_path)
    stages = [read_head(each).stage for each in starts_of(tmp_path / "out.h5")]
    process.send_signal(which)
    sent = time.monotonic()
    _, messages = process.communicate(timeout=60)
    assert "Traceback" not in messages
    if which == signal.SIGKILL:
        assert process.returncode == -which
    else:
        assert process.returncode == 130, messages
        assert time.monotonic() - sent < 10
        go_on = f"To go on: globalfit run fit.toml -o out.h5 --steps 20 {' '.join(words)}".strip()
        assert f"interrupted before the first step; what has begun is kept. {go_on}\n" in messages
    path = tmp_path / "out.h5"
    assert not path.exists()
    for before, each in zip(stages, starts_of(path), strict=False):
        assert read_head(each).stage >= before
    fit.run(path, steps=20)
    assert tree(path)["mcmc/chain"] == whole.tree["mcmc/chain"]
    assert sorted(each.name for each in tmp_path.glob("out*")) == ["out.h5"]


def slow_stage(folder):
    """Start a run that sleeps for half a minute in a stage: its first draws are there already."""
    (folder / "loose.py").write_text(LOOSE.format(body=SLOW))
    fit = load_fit(folder / "fit.toml")
    with pytest.MonkeyPatch.context() as patch:
        assert stopped_after(3, patch, fit, folder / "out.h5")
    process = started(folder, "30")
    while "ensembles 1-3" not in (line := process.stderr.readline()):
        assert line, "it ended"
    time.sleep(1.0)
    return process
