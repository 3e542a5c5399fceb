"""The command: every subcommand on real files, exit codes, and what a user reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest
import typer
from typer.testing import CliRunner

from globalfit import __version__
from globalfit.cli import app
from globalfit.registry import GROUPS, names

FITS = Path(__file__).parent.parent / "fits"
QUICK = Path(__file__).parent / "fits" / "t3r-muon.toml"  # starts from the prior: one ensemble, at once
POINT = ("vev=10000", "m_aprime=70", "m_phi=60")

BROKEN = """
class Mine:
    name = "mine"
    reference = "an example"
    needs = ("y_mu",)

    def predict(self, point):
        return {"coupling": point.y_mu}

    def log_likelihood(self, prediction):
        return prediction["coupling"] * float("nan")
"""


def run(*words: str | Path) -> Any:
    """Run the command in this process; errors of the user's input are raised."""
    return CliRunner().invoke(app, [str(word) for word in words])


def good(*words: str | Path) -> str:
    done = run(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return str(done.stdout)


def command(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    line = [sys.executable, "-m", "globalfit", *map(str, words)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short chain of the quick start, run by the command."""
    folder = tmp_path_factory.mktemp("chain")
    done = command("run", QUICK, "--steps", "20", "-o", "out.h5", "--corner", "out.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "wrote out.h5 and out.png" in done.stderr
    assert "NOT CONVERGED" in done.stderr
    assert "m_aprime" in done.stdout
    assert "Traceback" not in done.stderr
    return folder / "out.h5"


def test_list_names_every_plugin() -> None:
    text = good("list")
    rows = json.loads(good("list", "--json"))
    assert [(row["kind"], row["name"]) for row in rows] == [
        (kind, name) for kind in GROUPS for name in names(kind)
    ]
    for row in rows:
        assert row["name"] in text
        assert row["what"]
        assert "cannot be loaded" not in row["what"]


@pytest.mark.parametrize("name", [name for kind in GROUPS for name in names(kind)])
def test_show_every_plugin(name: str) -> None:
    text = good("show", name)
    found = json.loads(good("show", name, "--json"))
    assert text.startswith(f"{name} ({found['kind']}, from globalfit {__version__})")
    assert "Raises" not in text
    for option in found["options"]:
        assert option in text
    if found["kind"] == "model":
        assert all(parameter["range"] for parameter in found["parameters"])


def test_show_measurements_with_value_and_citation() -> None:
    text = good("show", "muon-g2")
    for words in ("fnal-2021-wp2020", "2021-04-07", "2.51e-09 +- 5.9e-10", "arXiv:2104.03281"):
        assert words in text
    measurements = json.loads(good("show", "muon-g2", "--json"))["measurements"]
    assert measurements[1]["value"] == pytest.approx(251e-11)
    assert measurements[1]["error"] == pytest.approx(59e-11)
    assert measurements[0]["name"] == "bnl-2006-wp2020"


def test_show_choices_of_an_option() -> None:
    assert "'sqrt2' or '1'" in good("show", "t3r-muon")


def test_schema_is_json() -> None:
    schema = json.loads(good("schema"))
    assert schema["title"] == "globalfit fit file"
    assert set(schema["required"]) == {"model", "parameters", "likelihoods"}


def test_check() -> None:
    text = good("check", QUICK)
    for words in ("m_aprime", "log-uniform 5 .. 200", "sampled", "default", "muon-g2", "fnal-2025-wp2025"):
        assert words in text
    found = json.loads(good("check", QUICK, "--as-of", "2022-10-15", "--json"))
    assert found["as_of"] == "2022-10-15"
    assert set(found["sensitivity"]) == {"vev", "m_aprime", "m_phi"}
    assert all(row["muon-g2"] > 1.0 for row in found["sensitivity"].values())
    assert found["failures"] == []


def test_check_fails_where_nothing_is_possible(tmp_path: Path) -> None:
    text = QUICK.read_text() + "\n[constraints.perturbativity]\nlimit = 1e-9\n"
    (tmp_path / "fit.toml").write_text(text)
    done = run("check", tmp_path / "fit.toml")
    assert done.exit_code == 1
    assert "error: the constraints forbid all of 256 draws of the prior" in done.stderr


def test_eval() -> None:
    text = good("eval", QUICK, *POINT)
    record = json.loads(good("eval", QUICK, *POINT, "--json"))
    assert set(record) == {"parameters", "derived", "likelihoods", "ln_prior", "ln_posterior"}
    value = record["likelihoods"]["muon-g2"]["ln_likelihood"]
    assert f"{value:.6g}" in text
    assert record["ln_posterior"] == pytest.approx(value + record["ln_prior"], rel=1e-12)


def test_eval_of_a_file_with_a_failing_row(tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text("# a scan\nm_phi,m_aprime\n60,70\n60,heavy\n")
    done = run("eval", QUICK, "vev=10000", "--points", points)
    assert done.exit_code == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == json.loads(good("eval", QUICK, *POINT, "--json"))
    assert second == {"error": f"{points} line 4, m_aprime: 'heavy' is not a number; give a number"}
    points.write_text("m_phi,m_aprime\n60,70\n")
    assert len(good("eval", QUICK, "vev=10000", "--points", points).splitlines()) == 1


def test_run_writes_a_chain_that_emcee_can_read(chain: Path) -> None:
    with h5py.File(chain) as file:
        assert file["mcmc/chain"].shape == (20, 256, 3)
        assert file["mcmc"].attrs["iteration"] == 20
    assert (chain.parent / "out.png").read_bytes().startswith(b"\x89PNG")


def test_run_again_goes_on_and_does_nothing_twice(chain: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(chain.read_bytes())
    done = run("run", QUICK, "--steps", "25", "-o", copy, "--quiet")
    assert done.exit_code == 0
    assert f"continuing {copy} after 20 steps" in done.stderr
    with h5py.File(copy) as file:
        assert file["mcmc"].attrs["iteration"] == 25


def test_summary(chain: Path) -> None:
    assert "NOT CONVERGED" in good("summary", chain)
    found = json.loads(good("summary", chain, "--json"))
    assert found["converged"] is False
    assert found["steps"] == 20
    assert [row["name"] for row in found["rows"]] == ["vev", "m_aprime", "m_phi"]
    assert all(row["median"] is None for row in found["rows"])
    assert found["likelihoods"][0]["measurement"] == "fnal-2025-wp2025"


def test_corner(chain: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.png"
    done = run("corner", chain, "-o", plot, "-p", "m_aprime,m_phi", "--bins", "10")
    assert done.exit_code == 0, done.exception
    assert plot.read_bytes().startswith(b"\x89PNG")
    again = run("corner", chain, "-o", plot)
    assert again.exit_code == 1
    assert "exists" in str(again.exception)


def test_new_likelihood_then_check(tmp_path: Path) -> None:
    paths = good("new-likelihood", "my-experiment", "--folder", tmp_path).splitlines()
    assert [Path(path).name for path in paths] == [
        "my_experiment.py",
        "test_my_experiment.py",
        "my_experiment.toml",
    ]
    assert "my-experiment" in good("check", paths[2])
    assert "FAIL" not in good("test-likelihood", f"{paths[0]}:MyExperiment")


@pytest.mark.parametrize("name", names("likelihood"))
def test_test_likelihood_passes(name: str) -> None:
    assert "FAIL" not in good("test-likelihood", name)
    findings = json.loads(good("test-likelihood", name, "--json", "--points", "16"))
    assert {"protocol", "batch", "published", "time"} <= {finding["check"] for finding in findings}


def test_broken_plugin(tmp_path: Path) -> None:
    """The same fault in the words of the conformance test and of a run, which writes nothing."""
    (tmp_path / "mine.py").write_text(BROKEN)
    tested = command("test-likelihood", "mine.py:Mine", cwd=tmp_path)
    assert tested.returncode == 1
    assert re.search(r"FAIL nan +mine: log_likelihood is nan at ", tested.stdout)
    before = {path.name for path in tmp_path.iterdir()}
    done = command("run", QUICK, "--likelihood", "mine.py:Mine", "--steps", "5", cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"error: mine: log_likelihood is nan at [^\n]+\n", done.stderr)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_plugin_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    def __init__(self):\n        raise OSError('no table')\n"
    )
    done = run("test-likelihood", f"{tmp_path / 'mine.py'}:Mine")
    assert done.exit_code == 1
    assert str(done.exception).endswith(
        "cannot be made without options: OSError: no table; give its fields defaults"
    )


def test_plugin_without_any_member(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Mine:\n    parameters = 3\n")
    done = run("test-likelihood", f"{tmp_path / 'mine.py'}:Mine")
    assert done.exit_code == 1
    assert "FAIL protocol" in done.stdout


def test_exit_codes_and_streams(tmp_path: Path) -> None:
    done = command("eval", QUICK, "vev=1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: eval: 'm_aprime', 'm_phi' are missing; give every sampled parameter as name=value\n"
    )
    done = command("show", "muon-g3", "--debug", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "did you mean 'muon-g2'?" in done.stderr
    done = command("check", cwd=tmp_path)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("run",),
        ("run", QUICK, "--stepps", "3"),
        ("run", QUICK, "--steps", "0"),
        ("run", QUICK, "--steps", "3", "--steps-more", "3"),
        ("run", QUICK, "--fresh", "--steps-more", "3"),
        ("check", QUICK, "--as-of", "October"),
        ("show",),
        ("test-likelihood", "muon-g2", "--points", "1"),
    ],
)
def test_wrong_usage(words: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words).exit_code == 2
    assert list(tmp_path.iterdir()) == []


COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_there_is_a_command_for_everything() -> None:
    assert {
        "list", "show", "check", "eval", "run", "summary", "corner", "schema",
        "new-likelihood", "test-likelihood",
    } <= set(COMMANDS)  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_help_mentions_every_option(name: str) -> None:
    text = good(name, "--help")
    assert good(name, "-h") == text
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in text
    assert re.search(r"[A-Z][a-z]+ .*[.:]", text)


def test_version() -> None:
    assert good("--version").strip() == __version__
