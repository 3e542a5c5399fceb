"""Reading by command: foreign files, odd chains, places that cannot be written, plug-ins that are gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import emcee
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.chains import Chain
from globalfit.chains.axes import axis_for
from globalfit.chains.corner import draw_corner
from globalfit.chains.summary import summarise
from globalfit.cli import app
from globalfit.errors import ChainError

ROOT = Path(__file__).parents[2]


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words):
    """The error of a command that fails with exit code 1."""
    done = run(*words)
    assert done.exit_code == 1
    assert isinstance(done.exception, ChainError), done.exception
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory, monkeypatch):
    """A folder where the plots of a user do not lie."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def foreign(tmp_path):
    """A chain of stock emcee, 60 steps of 8 walkers in two dimensions."""
    path = tmp_path / "emcee.h5"
    backend = emcee.backends.HDFBackend(path)
    sampler = emcee.EnsembleSampler(8, 2, lambda x: -0.5 * float(x @ x), backend=backend)
    np.random.seed(2)  # noqa: NPY002  (emcee draws from it)
    sampler.run_mcmc(np.random.default_rng(1).standard_normal((8, 2)), 60)
    return path


@pytest.fixture
def changed(short, tmp_path):
    """Return a copy of the short chain, changed by a function of the file."""

    def make(change):
        path = tmp_path / "changed.h5"
        shutil.copy(short, path)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return make


def test_a_file_of_emcee_is_drawn_only_with_names(foreign, tmp_path):
    output = tmp_path / "corner.png"
    before = foreign.read_bytes()
    said = refused("corner", foreign, "-o", output)
    assert "is a file of emcee: its 2 parameters have no names; give them, as in --names" in said
    assert not output.exists()
    done = run("corner", foreign, "-o", output, "--names", "mass,coupling", "--discard", "20", "--thin", "2")
    assert done.exit_code == 0, done.exception
    assert output.read_bytes()[:4] == b"\x89PNG"
    assert "has 2 parameters; give 2 different names" in refused("corner", foreign, "--names", "mass")
    found = json.loads(run("summary", foreign, "--names", "mass,coupling", "--json").stdout)
    assert [row["name"] for row in found["rows"]] == ["mass", "coupling"]
    assert "it says nothing of what was fitted" in found["warnings"][0]
    assert foreign.read_bytes() == before


def test_a_file_of_emcee_is_exported(foreign, tmp_path):
    words = ("export", foreign, "--names", "mass,coupling", "--discard", "20", "--thin", "2")
    for to in ("csv", "getdist", "arviz"):
        assert run(*words, "--to", to).exit_code == 0
    rows = np.loadtxt(tmp_path / "emcee.txt")
    reader = emcee.backends.HDFBackend(foreign, read_only=True)
    assert rows.shape == (20 * 8, 4)
    assert np.sort(rows[:, 1]).tolist() == np.sort(-reader.get_log_prob()[20::2].reshape(-1)).tolist()
    header = next(line for line in (tmp_path / "emcee.csv").read_text().splitlines() if line[0] != "#")
    assert header == "step,walker,ensemble,mass,coupling,log_prob"


def test_one_of_ours_beside_one_of_emcee(short, foreign, tmp_path):
    words = ("corner", short, foreign, "-o", tmp_path / "both.png")
    assert "is a file of emcee" in refused(*words)
    assert run(*words, "--names", "vev,m_phi").exit_code == 0
    assert "has its own names: vev, m_aprime, m_phi" in refused("corner", short, "--names", "a,b,c")


def test_discard_and_thin_must_leave_something(short, tmp_path):
    drawn, written = ("corner", short, "-o", tmp_path / "a.png"), ("export", short, "--to", "csv")
    for words in (("summary", short), drawn, written):
        assert "discard = 120 leaves nothing of 120 steps" in refused(*words, "--discard", "120")
        assert "discard = -1 leaves nothing of 120 steps" in refused(*words, "--discard", "-1")
    for words in (drawn, written):
        assert "thin = 120 leaves nothing of 120 steps" in refused(*words, "--thin", "120")
        assert run(*words, "--thin", "0").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_usage(short, tmp_path):
    assert run("export", short).exit_code == 2
    assert run("export", short, "--to", "root").exit_code == 2
    assert run("corner").exit_code == 2
    assert run("corner", short, short, "--labels", "one").exit_code == 2


def test_a_chain_that_is_missing_or_no_chain(tmp_path):
    (tmp_path / "text.h5").write_text("not HDF5")
    (tmp_path / "empty.h5").touch()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones(3)
    for name, message in (
        ("none.h5", "is not a file; name a chain"),
        (".", "is not a file; name a chain"),
        ("text.h5", "cannot be opened as a chain"),
        ("empty.h5", "cannot be opened as a chain"),
        ("other.h5", "is not a globalfit chain"),
    ):
        path = tmp_path / name
        drawn, written = ("corner", path, "-o", tmp_path / "a.png"), ("export", path, "--to", "csv")
        for words in (("summary", path), drawn, written):
            assert message in refused(*words)
    assert len(list(tmp_path.iterdir())) == 3


def test_places_that_cannot_be_written(short, tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.csv").mkdir()
    for words, message in (
        (("corner", short, "-o", tmp_path / "no" / "a.png"), "there is no folder"),
        (("corner", short, "-o", tmp_path / "a.jpg"), "unknown format '.jpg'; use .png, .pdf, .svg"),
        (("corner", short, "-o", tmp_path / "a"), "unknown format ''"),
        (
            ("corner", short, "-o", tmp_path / "folder.png", "--overwrite"),
            "cannot be written: Is a directory",
        ),
        (("export", short, "--to", "csv", "-o", tmp_path / "folder.csv", "--overwrite"), "is a folder"),
        (("export", short, "--to", "csv", "-o", tmp_path / "no" / "a.csv"), "there is no folder"),
    ):
        assert message in refused(*words)
    assert {each.name for each in tmp_path.iterdir()} == {"folder.png", "folder.csv"}


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no files")
def test_a_folder_that_takes_no_files(short):
    assert "cannot be written" in refused("corner", short, "-o", "/proc/globalfit.png")
    for to, name in (("csv", "globalfit.csv"), ("arviz", "globalfit.nc"), ("getdist", "globalfit")):
        assert "cannot be written" in refused("export", short, "--to", to, "-o", f"/proc/{name}")


def test_an_unknown_parameter(short, tmp_path):
    said = refused("corner", short, "-p", "vev,m_aprim", "-o", tmp_path / "a.png")
    assert "has no quantity 'm_aprim'; did you mean 'm_aprime'?" in said
    assert list(tmp_path.iterdir()) == []


def test_a_constant_parameter_is_named_and_the_rest_is_drawn(changed, tmp_path):
    def constant(file):
        file["mcmc/chain"][:, :, 1] = 100.0

    path = changed(constant)
    said = refused("corner", path, "-o", tmp_path / "a.png")
    assert "'m_aprime' is constant in the samples; leave it out" in said
    assert run("corner", path, "-o", tmp_path / "a.png", "-p", "vev,m_phi").exit_code == 0
    found = summarise(Chain.open(path))
    assert found.rows[1].tau == 1.0


def test_a_derived_quantity_that_is_not_finite(changed, tmp_path):
    def broken(file):
        rows = file["mcmc/blobs"][()]
        rows["d_delta_a_mu"][-30, 3] = np.nan
        file["mcmc/blobs"][...] = rows

    path = changed(broken)
    said = refused("corner", path, "-p", "vev,delta_a_mu", "-o", tmp_path / "a.png")
    assert "'delta_a_mu' is not finite in the samples; leave it out" in said
    found = json.loads(run("summary", path, "--json").stdout)  # strict JSON in spite of the nan
    assert {row["name"] for row in found["derived"]} >= {"delta_a_mu"}
    assert run("export", path, "--to", "csv").exit_code == 0


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_few_samples(changed, tmp_path, steps):
    def cut(file):
        file["mcmc"].attrs["iteration"] = steps

    path = changed(cut)
    found = json.loads(run("summary", path, "--json").stdout)
    assert (found["steps"], found["converged"]) == (steps, False)
    assert run("corner", path, "-o", tmp_path / "a.png").exit_code == 0
    assert run("export", path, "--to", "getdist").exit_code == 0


@pytest.mark.parametrize("label", [r"\frac{m", r"\nonsense", "m_$", "m}", r"\text{", "m__phi", "^"])
def test_a_label_that_cannot_be_drawn_becomes_the_name(changed, tmp_path, label):
    def relabel(file):
        rows = file["globalfit/parameters"][()]
        kind = [(n, "S40" if n == "label" else rows.dtype[n]) for n in rows.dtype.names]
        rows = rows.astype(kind)
        rows["label"][0] = label.encode()
        del file["globalfit/parameters"]
        file["globalfit/parameters"] = rows

    path = changed(relabel)
    assert axis_for(Chain.open(path), "vev").label == "vev"
    assert run("corner", path, "-p", "vev,m_phi", "-o", tmp_path / "a.png").exit_code == 0


def test_names_with_signs_of_mathematics(foreign, tmp_path):
    chain = Chain.open(foreign, names=("$a", "b$_^{"))
    figure = draw_corner([chain])
    figure.savefig(tmp_path / "a.png")
    assert figure.axes[2].get_xlabel() == r"\$a"


PLUGIN = """
class Centre:
    name, reference, needs = "centre", "none", ("m_phi",)

    def predict(self, point):
        return {"distance": point.m_phi - 90.0}

    def log_likelihood(self, prediction):
        return -0.5 * (prediction["distance"] / 5.0) ** 2
"""
FIT = """
model = { name = "t3r-muon" }
[parameters.m_phi]
prior = { shape = "uniform", low = 50.0, high = 150.0 }
[likelihoods.centre]
class = "centre.py:Centre"
[sampler]
start = "prior"
walkers = 16
seed = 5
"""


def test_a_chain_is_read_where_its_plug_in_is_not(tmp_path):
    """Moved to another folder, in a process of its own, after the plug-in and the fit are gone."""
    (tmp_path / "centre.py").write_text(PLUGIN)
    (tmp_path / "fit.toml").write_text(FIT)
    away = tmp_path / "away"
    away.mkdir()

    def globalfit(*words, cwd):
        return subprocess.run(
            [sys.executable, "-m", "globalfit", *words], cwd=cwd, text=True, capture_output=True, check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    made = globalfit("run", "fit.toml", "-o", "away/chain.h5", "--steps", "200", "--quiet", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "centre.py").unlink()
    (tmp_path / "fit.toml").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    words = "; ".join(
        f"assert CliRunner().invoke(app, {line!r}.split()).exit_code == 0, {line!r}"
        for line in (
            "summary chain.h5", "info chain.h5", "corner chain.h5 -p m_phi,distance",
            "export chain.h5 --to csv", "export chain.h5 --to getdist", "export chain.h5 --to arviz",
        )
    )  # fmt: skip
    program = f"from typer.testing import CliRunner\nfrom globalfit.cli import app\n{words}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=away, text=True, capture_output=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(globalfit("summary", "chain.h5", "--json", cwd=away).stdout)
    assert [row["name"] for row in found["likelihoods"]] == ["centre"]
    assert {each.name for each in away.iterdir()} == {
        "chain.h5", "corner.png", "chain.csv", "chain.txt", "chain.paramnames", "chain.ranges", "chain.nc",
    }  # fmt: skip
