from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import emcee
import numpy as np
import pytest

from globalfit.chains import Chain
from globalfit.errors import SamplingError
from globalfit.priors.shapes import Uniform
from globalfit.progress import describe, fraction
from globalfit.sampling.ensemble import advance
from globalfit.sampling.run import FIRST_CHECK, Progress, check_at, interruptible, run
from globalfit.sampling.start import start
from globalfit.sampling.stopping import assess
from globalfit.sampling.watching import CHUNK

ROOT = Path(__file__).parents[2]


def gaussian_fit(toy, **options):
    def log_density(x):
        return -0.5 * (x**2).sum(axis=1)

    return toy.fit(toy.posterior([Uniform(-8.0, 8.0)] * 2, log_density), **options)


def test_steps_are_the_total(toy):
    fit = gaussian_fit(toy)
    store = toy.store(fit)
    assert run(fit, store, steps=100) == "steps"
    assert store.steps == 100
    assert [len(block.values) for block in store.blocks] == [64, 36]
    assert run(fit, store, steps=150) == "steps"
    assert store.steps == 150
    assert run(fit, store, steps=120) == "steps"
    assert store.steps == 150  # nothing is taken away
    assert run(fit, store, steps_more=30) == "steps"
    assert store.steps == 180


def test_the_seed_is_kept_or_drawn(toy):
    fit = gaussian_fit(toy)
    store = toy.store(fit)
    run(fit, store, steps=2)
    assert store.seed == 1
    seeds = set()
    for _ in range(2):
        free = replace(fit, sampler=fit.sampler.model_copy(update={"seed": None}))
        store = toy.store(free)
        run(free, store, steps=2)
        seeds.add(store.seed)
    assert len(seeds) == 2


def test_cutting_a_run_does_not_change_a_bit(toy):
    fit = gaussian_fit(toy)
    whole, cut = toy.store(fit), toy.store(fit)
    run(fit, whole, steps=150)
    for steps in (1, 7, 64, 65, 129, 150):
        run(fit, cut, steps=steps)
    assert len(cut.blocks) > len(whole.blocks)
    for name in ("coords", "values", "log_prob", "blobs"):
        a, b = (np.concatenate([getattr(block, name) for block in s.blocks]) for s in (whole, cut))
        assert (a == b).all()
    assert (sum(b.accepted for b in whole.blocks) == sum(b.accepted for b in cut.blocks)).all()


def test_a_run_to_a_target_is_converged_for_its_reader_too(toy):
    fit = gaussian_fit(toy, ess=3000)
    store = toy.store(fit)
    assert run(fit, store) == "converged"
    verdict = assess(store.samples(), ("x0", "x1", "ln posterior"))
    assert verdict.reasons == ("one ensemble cannot see a mode it missed; run with ensembles = 4",)
    assert verdict.finished
    assert verdict.worst_ess >= 3000
    assert store.steps == check_at(store.steps)
    before = store.steps
    assert run(fit, store) == "converged"  # asked again, nothing is added
    assert store.steps == before
    assert run(fit, store, target_ess=2 * int(verdict.worst_ess)) == "converged"
    assert store.steps > before
    x = store.values()[verdict.discard :]
    for power, expected in ((1, 0.0), (2, 1.0)):
        error = (x**power).std() * math.sqrt(2 * verdict.worst_tau / x[:, :, 0].size)
        assert abs((x**power).mean() - expected) < 4 * error


def test_where_a_run_stops_does_not_depend_on_interruptions(toy):
    fit = gaussian_fit(toy, ess=3000)
    whole, cut = toy.store(fit), toy.store(fit)
    run(fit, whole)
    run(fit, cut, steps=FIRST_CHECK + 33)
    run(fit, cut)
    assert cut.steps == whole.steps


def test_checks_come_at_whole_blocks_at_growing_distances():
    checks = sorted({check_at(n) for n in range(1, 20_000)})
    assert checks[0] == FIRST_CHECK
    assert all(check % CHUNK == 0 for check in checks)
    ratio = np.array(checks[1:]) / checks[:-1]
    assert ratio.max() <= 1.25
    assert ratio[-1] == pytest.approx(1.1, abs=0.01)
    assert check_at(FIRST_CHECK + 1) == FIRST_CHECK + CHUNK


def test_max_steps_end_a_run_that_does_not_converge(toy):
    fit = gaussian_fit(toy, ess=10**9, max_steps=300)
    store = toy.store(fit)
    assert run(fit, store) == "max-steps"
    assert store.steps == 300
    assert run(fit, store) == "max-steps"
    assert store.steps == 300


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 5, "steps_more": 5}, "run: both steps and steps-more are given; give one of the two"),
        ({"steps": 0}, "run: steps = 0; give a positive number"),
        ({"steps_more": -1}, "run: steps-more = -1; give a positive number"),
        ({"target_ess": 0}, "run: target-ess = 0; give a positive number"),
    ],
)
def test_contradictions_are_refused_before_anything_is_done(toy, options, message):
    fit = gaussian_fit(toy)
    store = toy.store(fit)
    with pytest.raises(SamplingError, match=message):
        run(fit, store, **options)
    assert not store.states


def test_progress_is_plausible(toy):
    seen: list[Progress] = []
    fit = gaussian_fit(toy)
    run(fit, toy.store(fit), steps=640, progress=seen.append)
    assert [each.steps for each in seen] == [*range(64, 641, 64), 640]
    assert seen[-1].finished == "steps"
    assert all(not each.finished for each in seen[:-1])
    assert all(0.2 < each.acceptance < 0.9 for each in seen)
    left = [each.seconds_left for each in seen]
    assert left[-1] == 0.0
    for each in seen[:-1]:  # what is left is what was needed so far, scaled
        assert each.seconds_left == pytest.approx(each.seconds / each.steps * (640 - each.steps))
    assert left[-2] < left[0]
    assert math.isnan(seen[0].tau)
    assert 2 < seen[-1].tau < 60
    assert seen[-1].ess == pytest.approx(64 * 600 / seen[-1].tau, rel=0.35)
    assert fraction(seen[4]) == pytest.approx(0.5)
    assert "320/640 steps x 64 walkers, acceptance 0." in describe(seen[4])


def test_progress_towards_a_target(toy):
    seen: list[Progress] = []
    fit = gaussian_fit(toy, ess=8000)
    run(fit, toy.store(fit), progress=seen.append)
    assert math.isnan(seen[0].seconds_left)
    assert seen[-1].finished == "converged"
    known = [each for each in seen if math.isfinite(each.seconds_left)]
    needed = [each.steps + each.seconds_left * each.steps / each.seconds for each in known]
    assert needed[0] == pytest.approx(seen[-1].steps, rel=0.5)  # from the first estimate on
    assert known[-1].seconds_left < known[0].seconds_left
    assert "ESS " in describe(seen[-1])
    assert "/8000, target reached after" in describe(seen[-1])


def test_a_block_ends_when_asked_or_when_time_is_up(toy):
    posterior = gaussian_fit(toy).posterior
    state = start(posterior, 16, 1)
    assert len(advance(posterior, state, 50, stop=lambda: True)[0].values) == 1
    assert len(advance(posterior, state, 50, seconds=0.0)[0].values) == 1
    assert len(advance(posterior, state, 50)[0].values) == 50


def test_other_moves_can_be_used(toy):
    posterior = gaussian_fit(toy).posterior
    state = start(posterior, 16, 1)
    moves = [(emcee.moves.GaussianMove(1e-18), 1.0)]
    block, after = advance(posterior, state, 3, moves=moves)
    assert np.abs(block.coords - state.coords).max() < 1e-7
    assert after.step == 3


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_and_the_old_handlers_come_back(which):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with interruptible() as stop:
        assert not stop()
        os.kill(os.getpid(), which)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


SLOW = """
from __future__ import annotations
import time
import numpy as np

class Slow:
    name, reference, needs = "slow", "none", ("m_phi",)

    def predict(self, point):
        time.sleep(0.01)
        return {"m": point.m_phi}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - 90.0) / 5.0) ** 2
"""

SLOW_FIT = """
model = { name = "t3r-muon" }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.slow]
class = "slow.py:Slow"
[sampler]
start = "prior"
walkers = 8
seed = 5
"""


def command(folder, *words):
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "globalfit", "run", "fit.toml", "-o", "out.h5", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_everything_and_goes_on(tmp_path, which):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "fit.toml").write_text(SLOW_FIT)
    out = tmp_path / "out.h5"
    running = command(tmp_path, "--steps", "150")
    deadline = time.monotonic() + 60
    while not out.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.4)
    running.send_signal(which)
    sent = time.monotonic()
    _, messages = running.communicate(timeout=60)
    assert running.returncode == 130, messages
    assert time.monotonic() - sent < 5
    assert "Traceback" not in messages
    assert "interrupted; everything sampled is in out.h5. To go on: globalfit run fit.toml" in messages
    chain = Chain.open(out)
    assert 1 <= chain.steps < 150
    assert chain.interrupted
    assert chain.run["segments"][-1]["reason"] == "interrupted"
    running = command(tmp_path, "--steps", "150", "--json")
    result, messages = running.communicate(timeout=60)
    assert running.returncode == 0, messages
    assert f"continuing out.h5 after {chain.steps} steps" in messages
    assert json.loads(result)["steps"] == 150
    whole = Chain.open(out)
    assert not whole.interrupted
    assert (whole.values[: chain.steps] == chain.values).all()
    assert [each["reason"] for each in whole.run["segments"]] == ["interrupted", "steps"]
