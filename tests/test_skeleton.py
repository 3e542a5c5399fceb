"""``globalfit new-likelihood`` writes a likelihood that works, with a test that passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from globalfit.conformance import findings_for
from globalfit.errors import PluginError
from globalfit.fitfile import load_fit
from globalfit.skeleton import KINDS, write_skeleton

TAKEN = "'{0}' is a word or a module of Python; choose another name, such as '{0}-experiment'"


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_work(tmp_path: Path, kind: str) -> None:
    paths = write_skeleton("my-experiment-2", kind, tmp_path)
    assert [path.name for path in paths] == [
        "my_experiment_2.py",
        "test_my_experiment_2.py",
        "my_experiment_2.toml",
    ]
    fit = load_fit(paths[2])
    assert tuple(fit.posterior.likelihoods) == ("my-experiment-2",)
    assert fit.warnings == ()
    assert np.isfinite(fit.posterior(fit.posterior.space.draw(100, np.random.default_rng(1)))).all()
    for finding in findings_for(f"{paths[0]}:MyExperiment2", "t3r-muon"):
        assert finding.passed, finding.message


def test_its_own_test_passes(tmp_path: Path) -> None:
    tests = [write_skeleton(f"my-{kind}", kind, tmp_path)[1] for kind in KINDS]
    assert pytest_of(*tests) == 0


def test_its_own_test_can_fail(tmp_path: Path) -> None:
    source, test, _ = write_skeleton("my-experiment", "gaussian", tmp_path)
    text = source.read_text()
    source.write_text(text.replace('("y_mu", "m_phi")', '("y_mu", "m_phi", "m_eta")'))
    assert pytest_of(test) == 1


def pytest_of(*tests: Path) -> int:
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(test.name for test in tests)]
    return subprocess.run(line, cwd=tests[0].parent, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_tidy(tmp_path: Path, kind: str) -> None:
    for path in write_skeleton("my-experiment", kind, tmp_path):
        text = path.read_text()
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert max(map(len, text.splitlines())) <= 110
        assert "{" not in text.replace('{"', "").replace("{ ", "").replace("{name", "").replace("{observ", "")
        if path.suffix == ".py":
            compile(text, path.name, "exec")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "my_experiment.toml").write_text("mine")
    with pytest.raises(PluginError) as caught:
        write_skeleton("my-experiment", "gaussian", tmp_path)
    assert str(caught.value) == (
        f"new-likelihood: '{tmp_path / 'my_experiment.toml'}' exists; choose another name or --folder"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["my_experiment.toml"]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("MyExperiment", "gaussian", "'MyExperiment' is not kebab-case; write for example 'my-experiment'"),
        ("my_experiment", "gaussian", "'my_experiment' is not kebab-case; write for example 'my-experiment'"),
        ("../mine", "gaussian", "'../mine' is not kebab-case; write for example 'my-experiment'"),
        ("", "gaussian", "'' is not kebab-case; write for example 'my-experiment'"),
        ("mine", "gausian", "unknown kind 'gausian'; did you mean 'gaussian'?"),
        ("muon-g2", "gaussian", "'muon-g2' is an installed likelihood; choose another name"),
        ("class", "gaussian", TAKEN.format("class")),
        ("json", "counting", TAKEN.format("json")),
        ("numpy", "counting", TAKEN.format("numpy")),
    ],
)
def test_refused(tmp_path: Path, name: str, kind: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        write_skeleton(name, kind, tmp_path)
    assert str(caught.value) == f"new-likelihood: {message}"
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"there is no folder .*; create it first"):
        write_skeleton("mine", "gaussian", tmp_path / "nowhere")
