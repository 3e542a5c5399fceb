"""The examples run as they stand: a likelihood in a loose file, and one in a package of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from globalfit.checking import check_fit
from globalfit.conformance import findings_for
from globalfit.constants import ALPHA, M_E
from globalfit.fitfile import load_fit

EXAMPLES = Path(__file__).parents[1] / "examples"
LOOSE = EXAMPLES / "gaussian.toml"
PACKAGE = EXAMPLES / "counting-experiment"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Environment of a process in which the example package is installed, and nothing else is new."""
    pytest.importorskip("setuptools", minversion="70.1")  # in the 'test' extra; builds the wheel
    root = tmp_path_factory.mktemp("counting-experiment")
    source, target = root / "source", root / "site"
    shutil.copytree(PACKAGE, source)
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *offline, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join(filter(None, [str(target), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def command(environment, folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "globalfit", *words],
        capture_output=True, text=True, check=False, cwd=folder, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loose_file_is_checked_and_runs(tmp_path):
    fit = load_fit(LOOSE)
    found = check_fit(fit)
    names = [row.name for row in found.likelihoods]
    reaction = dict(zip(found.parameters, found.sensitivity[:, names.index("electron-g2")], strict=True))
    assert found.failures == ()
    assert reaction["epsilon"] > 1.0
    assert reaction["m_aprime"] > 1.0
    assert reaction["m_phi"] == 0.0
    few = replace(fit, sampler=fit.sampler.model_copy(update={"particles": 500}))
    chain = few.run(tmp_path / "loose.h5", steps=3)
    assert chain.steps == 3
    assert {"ll_electron-g2", "ll_muon-g2", "delta_a_e"} < set(chain.quantities)


def test_electron_moment_of_kinetic_mixing():
    """A light A' shifts the electron's moment by alpha epsilon^2/(2 pi), as a photon would."""
    fit = load_fit(LOOSE)
    epsilon, m = np.array([1e-3, -2e-3]), np.full(2, 1e-3 * M_E)
    columns = {"vev": np.full(2, 1e4), "m_aprime": m, "m_phi": np.full(2, 90.0), "epsilon": epsilon}
    defaults = {"delta_eta": np.full(2, 0.01), "m_nus": np.full(2, 10.0)}
    point = fit.posterior.point(columns | defaults)
    predicted = fit.posterior.likelihoods["electron-g2"].predict(point)["delta_a_e"]
    np.testing.assert_allclose(predicted, ALPHA * epsilon**2 / (2.0 * np.pi), rtol=0.01)


@pytest.mark.parametrize(
    "name", ["gaussian_measurement.py:ElectronG2", "counting-experiment/dark_counter.py:DarkCounter"]
)
def test_contract_is_kept(name, monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    failed = [finding.message for finding in findings_for(name, "t3r-muon") if not finding.passed]
    assert failed == []


def test_package_announces_itself(installed, tmp_path):
    rows = json.loads(command(installed, tmp_path, "list", "--json"))
    found = [row for row in rows if row["name"] == "dark-counter"]
    assert [(row["kind"], row["from"]) for row in found] == [("likelihood", "globalfit-dark-counter 1.0")]
    findings = json.loads(command(installed, tmp_path, "test-likelihood", "dark-counter", "--json"))
    assert all(finding["passed"] for finding in findings)


def test_fit_with_the_package_runs(installed, tmp_path):
    fit = (PACKAGE / "fit.toml").read_text().replace("[sampler]", "[sampler]\nparticles = 200")
    (tmp_path / "fit.toml").write_text(fit)
    output = command(installed, tmp_path, "run", "fit.toml", "--steps", "3", "--quiet", "--json")
    summary = json.loads(output)
    assert [row["name"] for row in summary["likelihoods"]] == ["muon-g2", "dark-counter"]
    assert (tmp_path / "fit.h5").is_file()


def test_without_the_package_the_fit_says_what_is_missing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "globalfit", "check", str(PACKAGE / "fit.toml")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no likelihood named 'dark-counter'" in done.stderr
    assert "Traceback" not in done.stderr
