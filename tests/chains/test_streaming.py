"""Chains longer than the memory: the same numbers, in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.signal import lfilter

from globalfit.chains import Chain, histories, samples
from globalfit.chains import chain as module
from globalfit.chains.header import DERIVED_COLUMNS, LIKELIHOOD_COLUMNS, PARAMETER_COLUMNS
from globalfit.chains.samples import Held, Stored
from globalfit.chains.summary import summarise
from globalfit.chains.tables import write_table, write_text
from globalfit.errors import ChainError

ROOT = Path(__file__).parents[2]
RHO = 0.9  # of the processes that are written: tau = (1 + rho) / (1 - rho) = 19


def write_long(path, steps, walkers, dim=2, derived=1, *, ensembles=1, seed=1, block=1024):
    """Write a chain of independent autoregressive walkers, means 0, 1, ..., unit variances.

    Every quantity is a real process of its own; `block` steps are made at a time.
    """
    names = [f"x{i}" for i in range(dim)]
    more = [f"y{i}" for i in range(derived)]
    rng = np.random.default_rng(seed)
    width = dim + derived
    with h5py.File(path, "w") as file:
        mcmc = file.create_group("mcmc")
        mcmc.attrs.update({"nwalkers": walkers, "ndim": dim, "iteration": steps, "has_blobs": True})
        mcmc.attrs["version"] = "3.1.6"
        kind = np.dtype([(name, "f8") for name in ("lnprior", "ll_one", *(f"d_{each}" for each in more))])
        filters = {"compression": "gzip", "compression_opts": 1, "fletcher32": True}
        for name, shape, each in (("chain", (walkers, dim), "f8"), ("log_prob", (walkers,), "f8"),
                                  ("blobs", (walkers,), kind)):  # fmt: skip
            mcmc.create_dataset(name, (steps, *shape), each, chunks=(64, *shape), **filters)
        mcmc["accepted"] = np.full(walkers, float(steps))
        mcmc["walker_ensemble"] = np.repeat(np.arange(ensembles), walkers // ensembles)
        now = rng.standard_normal((walkers, width))
        for begin in range(0, steps, block):
            shape = (min(block, steps - begin), walkers, width)
            noise = np.sqrt(1 - RHO**2) * rng.standard_normal(shape)
            rows = lfilter([1.0], [1.0, -RHO], noise, axis=0, zi=RHO * now[None])[0]
            now = rows[-1]
            # As rejected steps do in a real chain, rounding makes the numbers compressible.
            rows = np.round(rows, 3)
            part = slice(begin, begin + len(rows))
            mcmc["chain"][part] = rows[..., :dim] + np.arange(dim)
            blobs = np.zeros(rows.shape[:2], dtype=kind)
            blobs["ll_one"] = -0.5 * np.sum(rows[..., :dim] ** 2, axis=2)
            for i, name in enumerate(more):
                blobs[f"d_{name}"] = rows[..., dim + i]
            mcmc["log_prob"][part] = blobs["ll_one"]
            mcmc["blobs"][part] = blobs
        group = file.create_group("globalfit")
        group.attrs.update({"model": "gaussian", "as_of": "2022-10-15", "fingerprint": "f" * 64})
        blank = {"label": "", "unit": "", "role": "sampled", "prior": "{}", "scale": "linear", "tied": ""}
        blank |= {"low": -np.inf, "high": np.inf, "value": np.nan}
        write_table(group, "parameters", [{"name": each} | blank for each in names], PARAMETER_COLUMNS)
        one = dict.fromkeys(LIKELIHOOD_COLUMNS, "") | {"name": "one"}
        write_table(group, "likelihoods", [one], LIKELIHOOD_COLUMNS)
        rows = [{"name": each, "label": "", "unit": "", "kind": "derived"} for each in more]
        write_table(group, "derived", rows, DERIVED_COLUMNS)
        for name, text in (
            ("config", ""),
            ("config_resolved", "{}"),
            ("environment", "{}"),
            ("warnings", "[]"),
        ):
            write_text(group, name, text)
        write_text(group, "run", json.dumps({"seed": 1, "engine": "serial", "segments": []}))


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.h5"
    write_long(path, 3000, 24, ensembles=4)
    return path


@pytest.fixture
def little_memory(monkeypatch):
    """As if a chain of 3 MB were long: pieces of 100 kB, 1.2 MB at once."""
    monkeypatch.setattr(module, "MEMORY", 1_200_000)
    monkeypatch.setattr(module, "EXACT", 100_000_000)
    monkeypatch.setattr(samples, "PIECE", 100_000)
    monkeypatch.setattr(histories, "HISTORY", 10_000_000)


def same(one, other):
    for name in (*one.quantities, "log_prob"):
        for options in (
            {"discard": 0},
            {"discard": 777},
            {"discard": 100, "thin": 7},
            {"discard": 0, "thin": 64},
        ):
            a, b = one.get(name, flat=False, **options), other.get(name, flat=False, **options)
            assert a.tobytes() == np.ascontiguousarray(b).tobytes(), (name, options)


def test_a_chain_read_in_pieces_is_the_same(long, little_memory):
    whole = Chain.open(long, max_bytes=None)
    assert isinstance(whole.samples, Stored)
    assert whole.stride == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MEMORY", 1 << 30)
        held = Chain.open(long)
    assert isinstance(held.samples, Held)
    same(whole, held)
    assert whole.best() == held.best()
    assert whole.verdict == held.verdict
    assert summarise(whole) == summarise(held)
    assert (whole.values == held.values).all()
    assert whole.blobs.tobytes() == held.blobs.tobytes()
    frames = [each.to_dataframe(discard=10, thin=3) for each in (whole, held)]
    assert frames[0].equals(frames[1])


def test_a_very_long_chain_is_judged_by_some_of_it(long, little_memory, monkeypatch):
    """Sixteen of the walkers, every second step; intervals from every third: near the truth."""
    held = summarise(Chain.open(long))
    monkeypatch.setattr(module, "EXACT", 0)
    chain = Chain.open(long, max_bytes=None)
    monkeypatch.setattr(histories, "HISTORY", 16 * 3000 * 8 * (1 + len(chain.quantities)) // 2)
    assert chain.stride == -(-chain.samples.bytes // 1_200_000) == 3
    found = summarise(chain)
    assert (found.steps, found.walkers, found.converged) == (3000, 24, True)
    for row, other in zip((*found.rows, *found.derived), (*held.rows, *held.derived), strict=True):
        assert row.median == pytest.approx(other.median, abs=0.05)
        assert row.high95 - row.low95 == pytest.approx(2 * 1.96, rel=0.05)
        assert row.best == other.best
    for row in found.rows:
        # The slowest of four ensembles, each from four walkers and every second of 3000 steps: by Madras and
        # Sokal's formula one scatters by 0.18, so the largest of four is 1.19 +- 0.13, and this is 3 sigma.
        assert 0.8 < row.tau * (1 - RHO) / (1 + RHO) < 1.5
        assert row.ess == pytest.approx((3000 - found.discard) * 24 / row.tau)


def test_walkers_that_are_stuck_or_late_are_found_among_all(long, little_memory, tmp_path, monkeypatch):
    path = tmp_path / "stuck.h5"
    path.write_bytes(long.read_bytes())
    with h5py.File(path, "r+") as file:
        for name, value in (("chain", 0.3), ("log_prob", -0.5)):
            file["mcmc"][name][:, 7] = value
        file["mcmc/log_prob"][:900, 11] = -1e6
    monkeypatch.setattr(histories, "FEWEST", 4)
    monkeypatch.setattr(histories, "HISTORY", 4 * 3000 * 8 * 3)
    chain = Chain.open(path)
    followed, lag = histories.followed(chain.samples, 3)
    assert (followed, lag) == ([0, 8, 15, 23], 1)
    assert chain.verdict.discard >= 900
    assert chain.verdict.reasons[0].startswith("1 of 24 walkers never moved")


def test_ensembles(long, short):
    chain = Chain.open(long)
    assert chain.ensembles.tolist() == [0, 1, 2, 3]
    assert chain.walker_ensemble.tolist() == [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6
    apart = chain.get("x1", discard=100, by_ensemble=True)
    assert apart.shape == (4, 2900, 6)
    assert (apart[2] == chain.get("x1", discard=100, flat=False)[:, 12:18]).all()
    old = Chain.open(short)
    assert old.ensembles.tolist() == [0]
    assert old.get("vev", discard=0, by_ensemble=True).shape == (1, 120, 32)


def test_ensembles_of_other_numbers_and_orders(long, tmp_path):
    path = tmp_path / "mixed.h5"
    path.write_bytes(long.read_bytes())
    with h5py.File(path, "r+") as file:
        file["mcmc/walker_ensemble"][:] = np.tile([7, 3], 12)
    chain = Chain.open(path)
    assert chain.ensembles.tolist() == [3, 7]
    assert (
        chain.get("x0", discard=0, by_ensemble=True)[1] == chain.get("x0", discard=0, flat=False)[:, ::2]
    ).all()
    with h5py.File(path, "r+") as file:
        file["mcmc/walker_ensemble"][0] = 3
    with pytest.raises(ChainError, match="its ensembles differ in size"):
        Chain.open(path).get("x0", by_ensemble=True)


def test_a_chain_that_was_published_anew_is_still_read(long, little_memory, tmp_path):
    path, new = tmp_path / "live.h5", tmp_path / "new.h5"
    path.write_bytes(long.read_bytes())
    write_long(new, 100, 24, seed=2)
    before = Chain.open(long).get("x0", discard=0)
    with Chain.open(path) as chain:
        new.replace(path)
        assert (chain.get("x0", discard=0) == before).all()
    assert Chain.open(path).steps == 100


def test_damage_that_only_a_late_read_meets_takes_one_line(long, little_memory, tmp_path):
    path = tmp_path / "damaged.h5"
    path.write_bytes(long.read_bytes())
    with h5py.File(path) as file:
        place = file["mcmc/blobs"].id.get_chunk_info(20)
    with path.open("r+b") as raw:
        raw.seek(place.byte_offset + place.size // 2)
        raw.write(b"\xff\x00\xff\x00")
    chain = Chain.open(path)  # the blobs are not looked at yet
    with pytest.raises(ChainError, match=r"damaged.h5: is damaged: .*; restore a copy") as caught:
        chain.get("y0")
    assert "\n" not in str(caught.value)


def test_thin_must_leave_something(long):
    chain = Chain.open(long)
    for thin in (0, -1, 3000, 10**9):
        with pytest.raises(ChainError, match=f"thin = {thin} leaves nothing of 3000 steps"):
            chain.get("x0", discard=0, thin=thin)
    with pytest.raises(ChainError, match="thin = 2000 leaves nothing of 3000 steps, 2500 discarded"):
        chain.get("x0", discard=2500, thin=2000)


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")

MEASURE = """
import re, sys
from globalfit.chains import Chain, chain, histories, samples
megabytes = int(sys.argv[2])
if megabytes:
    chain.MEMORY = chain.EXACT = megabytes << 20
    histories.HISTORY = samples.PIECE = chain.MEMORY // 2
from globalfit.chains.summary import summarise
import emcee, scipy.fft

def peak():  # of this image alone: the maximum of getrusage counts the parent that forked it too
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

before = peak()
found = summarise(Chain.open(sys.argv[1]))
assert found.steps and not found.converged, "one ensemble"
print(before, peak())
"""


def peak(path, megabytes=0):
    """Peak resident memory of a summary in a process of its own, before and after, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), str(megabytes)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = map(float, done.stdout.split())
    return before, after


@linux
def test_memory_does_not_grow_with_the_chain(tmp_path):
    """With a budget of 8 MiB, a chain of 62 MiB takes no more than one of 16 MiB."""
    more = []
    for steps in (4_000, 16_000):
        path = tmp_path / f"{steps}.h5"
        write_long(path, steps, 64, dim=3, derived=2)
        before, after = peak(path, 8)
        more.append(after - before)
    assert 16_000 * 64 * 8 * 8 / 2**20 > 62.0
    assert max(more) < 50.0
    assert more[1] < more[0] + 10.0


@linux
@pytest.mark.slow
def test_a_chain_of_several_gigabytes_takes_less_than_one(tmp_path):
    path = tmp_path / "huge.h5"
    write_long(path, 100_000, 256, dim=8, derived=6)
    assert 100_000 * 256 * 17 * 8 > 3.4e9
    assert peak(path)[1] < 1000.0
