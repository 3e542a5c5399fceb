"""Bad inputs of chains, of going on, of signals and engines: each case, and the test that refuses it.

The table is in bad_inputs.toml; those of fit files alone are in `test_broken_fits`.
"""

from __future__ import annotations

import ast
import functools
import locale
import os
import shutil
import time
import tomllib
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest

from globalfit import identity
from globalfit.chains import Chain
from globalfit.chains.room import bytes_needed
from globalfit.errors import ChainError
from globalfit.fitfile import load_fit
from globalfit.likelihoods.muon_g2 import MuonG2
from globalfit.sampling.engines.worker import THREADS, one_thread

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
particles = 400
"""

MUON = """
model = { name = "t3r-muon" }
[parameters.vev]
prior = { shape = "log-uniform", low = 5000.0, high = 20000.0 }
[parameters.m_phi]
prior = { shape = "log-uniform", low = 50.0, high = 150.0 }
[parameters.m_aprime]
fixed = 60.0
[likelihoods.muon-g2]
[sampler]
start = "prior"
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


def test_a_raised_version_of_a_plug_in_is_named(tmp_path, monkeypatch):
    """Installed plug-ins are compared by the version they declare."""
    path = tmp_path / "out.h5"
    (tmp_path / "fit.toml").write_text(MUON)
    load_fit(tmp_path / "fit.toml").run(path, steps=5)
    before = path.read_bytes()
    monkeypatch.setattr(MuonG2, "version", "99")
    with pytest.raises(ChainError, match=r'\(likelihoods.muon-g2.version: "\d+" -> "99"\)'):
        load_fit(tmp_path / "fit.toml").run(path, steps=9)
    assert path.read_bytes() == before


def test_what_controls_a_run_may_change_and_nothing_else(tmp_path):
    loose_fit(tmp_path).run(tmp_path / "out.h5", steps=5)
    text = (tmp_path / "fit.toml").read_text()
    (tmp_path / "fit.toml").write_text(text + "steps = 9\nmax_steps = 50\ntarget = { ess = 7 }\n")
    fit = load_fit(tmp_path / "fit.toml")
    assert fit.run(tmp_path / "out.h5", engine="processes", workers=1).steps == 9
    for line, key in (
        ("walkers = 8", "walkers = 10"), ("seed = 5", "seed = 6"), ("seed = 5", 'seed = 5\nstart = "prior"'),
    ):  # fmt: skip
        (tmp_path / "fit.toml").write_text(text.replace(line, key))
        with pytest.raises(ChainError, match=rf"another fit \(.*sampler.{key.split()[-3]}: .* -> "):
            load_fit(tmp_path / "fit.toml").run(tmp_path / "out.h5", steps=12)


def test_every_change_of_the_shipped_data_is_seen(tmp_path, monkeypatch):
    """By it workers, and chains that go on, tell that they have other measurements."""
    whole = identity.shipped_data()
    shutil.copytree(str(resources.files("globalfit.likelihoods") / "data"), tmp_path / "data")
    monkeypatch.setattr(identity, "files", lambda package: tmp_path)
    assert identity.shipped_data() == whole
    seen = {whole}
    for path in [each for each in sorted((tmp_path / "data").rglob("*")) if each.suffix in identity.DATA]:
        content = path.read_bytes()
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        seen.add(identity.shipped_data())
        path.write_bytes(content)
        if len(seen) > 8:
            break
    assert len(seen) == 9
    (tmp_path / "data" / "muon_g2.toml").rename(tmp_path / "data" / "muon.toml")
    assert identity.shipped_data() not in seen


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
