"""Bad inputs of chains, of going on, of signals and engines: each case, and the test that refuses it.

The table is in bad_inputs.toml; those of fit files alone are in `test_broken_fits`.
"""

from __future__ import annotations

import ast
import functools
import locale
import os
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from globalfit.chains import Chain
from globalfit.chains.room import bytes_needed
from globalfit.errors import ChainError
from globalfit.fitfile import load_fit
from globalfit.sampling.engines.processes import THREADS, one_thread

HERE = Path(__file__).parent

TABLE = tomllib.loads((HERE / "bad_inputs.toml").read_text())


@functools.cache
def defined(path):
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("case", TABLE["tests"])
def test_each_case_has_a_test(case):
    for each in TABLE["tests"][case]:
        file, _, name = each.partition("::")
        assert (HERE / file).is_file(), each
        assert not name or name in defined(HERE / file), each
    assert not TABLE["tests"].keys() & TABLE["open"].keys()


LOOSE = """
class Loose:
    name, reference, needs = "loose", "none", ("m_phi",)

    def predict(self, point):
        return {{"m": point.m_phi}}

    def log_likelihood(self, prediction):
        return -0.5 * ((prediction["m"] - {centre}) / 5.0) ** 2
"""
FIT = """
model = { name = "t3r-muon" }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.loose]
class = "loose.py:Loose"
[sampler]
walkers = 8
seed = 5
"""


def loose_fit(folder, centre=90.0):
    (folder / "loose.py").write_text(LOOSE.format(centre=centre))
    (folder / "fit.toml").write_text(FIT)
    return load_fit(folder / "fit.toml")


def test_a_changed_likelihood_file_is_named(tmp_path):
    path = tmp_path / "out.h5"
    loose_fit(tmp_path).run(path, steps=5)
    before = path.read_bytes()
    with pytest.raises(
        ChainError, match=r"is the chain of another fit \(likelihoods.loose.source: "
    ) as caught:
        loose_fit(tmp_path, 91.0).run(path, steps=9)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert loose_fit(tmp_path).run(path, steps=9).steps == 9


def test_a_disk_too_small_is_told_before(tmp_path, monkeypatch):
    fit, notices = loose_fit(tmp_path), []
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10_000))
    fit.run(tmp_path / "out.h5", steps=40, notice=notices.append)
    assert notices[0].startswith(
        "40 steps take up to 0.0 GB beside 'out.h5', and 0.0 GB are free; on a full disk"
    )
    size = (tmp_path / "out.h5").stat().st_size
    monkeypatch.undo()
    notices.clear()
    fit.run(tmp_path / "out.h5", steps_more=40, notice=notices.append)
    assert notices == [f"continuing {tmp_path / 'out.h5'} after 40 steps"]
    row = 8 * (1 + 1 + len(fit.posterior.blob_names))
    assert bytes_needed(fit, 40, 3) == 3 * 3 * 40 * 8 * row
    assert size > 0


def test_clock_time_zone_and_locale_change_nothing(tmp_path, monkeypatch):
    fit = loose_fit(tmp_path)
    fit.run(tmp_path / "whole.h5", steps=300)
    clock = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    kept = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
                break
            except locale.Error:  # the machine has no such locale
                continue
        fit = loose_fit(tmp_path)
        for steps in (100, 300):
            fit.run(tmp_path / "out.h5", steps=steps)
    finally:
        locale.setlocale(locale.LC_ALL, kept)
        monkeypatch.undo()
        time.tzset()
    chain, whole = Chain.open(tmp_path / "out.h5"), Chain.open(tmp_path / "whole.h5")
    assert chain.values.tobytes() == whole.values.tobytes()
    assert chain.attributes["fingerprint"] == whole.attributes["fingerprint"]


def test_workers_use_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    with one_thread():
        assert {os.environ[name] for name in THREADS} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "16"
    assert "NUMBA_NUM_THREADS" not in os.environ
