"""Chains for other programs: ArviZ, GetDist, CSV."""

from __future__ import annotations

import csv
import shutil

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.chains import Chain, samples
from globalfit.chains import chain as module
from globalfit.chains.export import getdist as getdist_files
from globalfit.chains.export.arviz import save_arviz, to_arviz
from globalfit.chains.export.formats import export
from globalfit.chains.export.getdist import save_getdist
from globalfit.chains.export.table import save_csv
from globalfit.cli import app
from globalfit.errors import ChainError


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def ensembles(short, tmp_path):
    """The short chain, said to be of two ensembles."""
    path = tmp_path / "two.h5"
    shutil.copy(short, path)
    with h5py.File(path, "r+") as file:
        file["mcmc/walker_ensemble"][16:] = 1
    return path


@pytest.fixture(params=["held", "in pieces"])
def chain(request, short, monkeypatch):
    """The short chain, as one that fits into memory and as one that does not."""
    if request.param == "in pieces":
        monkeypatch.setattr(module, "MEMORY", 100_000)
        monkeypatch.setattr(samples, "PIECE", 30_000)
        monkeypatch.setattr(getdist_files, "BYTES", 20_000)
    return Chain.open(short)


def read_csv(path):
    lines = path.read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    return comments, list(csv.DictReader(lines[len(comments) :]))


def test_csv(chain, short, tmp_path):
    output = tmp_path / "out.csv"
    save_csv(chain, output, discard=50, thin=7)
    comments, rows = read_csv(output)
    whole = Chain.open(short, max_bytes=None)
    assert len(rows) == 10 * 32  # steps 56, 63, ..., 119
    for name in (*chain.names, "log_prob", "lnprior", "ll_muon-g2", "delta_a_mu"):
        found = np.array([float(row[name]) for row in rows])
        assert (found == whole.get(name, discard=50, thin=7)).all(), name
    assert [int(row["step"]) for row in rows[::32]] == list(range(56, 120, 7))
    assert [int(row["walker"]) for row in rows[:32]] == list(range(32))
    assert any(chain.attributes["fingerprint"] in line for line in comments)
    assert comments[0].startswith("# NOT CONVERGED: ")


def test_a_converged_chain_has_no_warning(converged, tmp_path):
    output = tmp_path / "out.csv"
    done = run("export", converged, "--to", "csv", "-o", output, "--thin", "50")
    assert done.exit_code == 0, done.exception
    assert "NOT CONVERGED" not in done.stderr
    assert "NOT CONVERGED" not in output.read_text()


@pytest.mark.parametrize(("to", "name"), [("csv", "out.csv"), ("getdist", "out"), ("arviz", "out.nc")])
def test_the_command(short, tmp_path, to, name):
    words = ("export", short, "--to", to, "-o", tmp_path / name, "--discard", "20")
    done = run(*words)
    assert done.exit_code == 0, done.exception
    assert "NOT CONVERGED: " in done.stderr
    files = {each.name for each in tmp_path.iterdir()}
    assert files == ({"out.txt", "out.paramnames", "out.ranges"} if to == "getdist" else {name})
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    again = run(*words)
    assert again.exit_code == 1
    assert "exists; choose another -o, or --overwrite" in str(again.exception)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before
    assert run(*words, "--overwrite").exit_code == 0


def test_the_default_name_is_that_of_the_chain(short, tmp_path):
    path = tmp_path / "mine.h5"
    shutil.copy(short, path)
    for to in ("csv", "getdist", "arviz"):
        export(Chain.open(path), to)
    expected = {"mine.h5", "mine.csv", "mine.nc", "mine.txt", "mine.paramnames", "mine.ranges"}
    assert {each.name for each in tmp_path.iterdir()} == expected
    assert path.read_bytes() == short.read_bytes()


def test_what_cannot_be_exported_is_refused(short, tmp_path, monkeypatch):
    chain = Chain.open(short)
    before = short.read_bytes()
    for to, output, message in (
        ("fits", tmp_path / "out.fits", "unknown format 'fits'; use arviz, getdist, csv"),
        ("csv", tmp_path / "out.h5", "unknown format '.h5'; 'csv' writes .csv"),
        ("arviz", short, "unknown format '.h5'; 'arviz' writes .nc"),
        ("csv", tmp_path / "none" / "out.csv", "there is no folder '.*none'; create it first"),
        ("getdist", tmp_path / "none" / "out", "there is no folder '.*none'; create it first"),
    ):
        with pytest.raises(ChainError, match=message):
            export(chain, to, output, overwrite=True)
    with pytest.raises(ChainError, match="thin = 500 leaves nothing of 120 steps"):
        export(chain, "csv", tmp_path / "out.csv", thin=500)
    with pytest.raises(ChainError, match="discard = 120 leaves nothing of 120 steps"):
        export(chain, "getdist", tmp_path / "out", discard=120)
    odd = tmp_path / "chain.csv"
    shutil.copy(short, odd)
    with pytest.raises(ChainError, match="is the chain itself"):
        export(Chain.open(odd), "csv", odd, overwrite=True)
    assert odd.read_bytes() == short.read_bytes() == before
    odd.unlink()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("to", "name"), [("csv", "out.csv"), ("getdist", "out"), ("arviz", "out.nc")])
def test_an_export_that_fails_leaves_nothing(short, tmp_path, monkeypatch, to, name):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("globalfit.chains.export.writing.Path.replace", full)
    with pytest.raises(ChainError, match="cannot be written: No space left on device"):
        export(Chain.open(short), to, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_getdist_files(chain, short, tmp_path):
    written = save_getdist(chain, tmp_path / "out", discard=20, thin=2)
    assert [each.name for each in written] == ["out.txt", "out.paramnames", "out.ranges"]
    rows = np.loadtxt(tmp_path / "out.txt")
    whole = Chain.open(short, max_bytes=None)
    assert rows.shape == (50 * 32, 2 + 3 + len(whole.quantities) - 3)
    assert (rows[:, 0] == 1.0).all()
    history = whole.get("ll_muon-g2", discard=20, thin=2, flat=False).T.reshape(-1)
    assert (rows[:, 1] == -history).all()
    assert (rows[:50, 2] == whole.get("vev", discard=20, thin=2, flat=False)[:, 0]).all()
    names = (tmp_path / "out.paramnames").read_text().splitlines()
    assert names[0].split("\t") == ["vev", "V"]
    assert [line.split("\t")[0] for line in names[3:]] == [f"{name}*" for name in chain.quantities[3:]]
    assert (tmp_path / "out.ranges").read_text().splitlines()[0] == "vev 5000.0 20000.0"


def test_getdist_reads_them(converged, tmp_path):
    getdist = pytest.importorskip("getdist")
    chain = Chain.open(converged)
    save_getdist(chain, tmp_path / "out")
    found = getdist.loadMCSamples(str(tmp_path / "out"), settings={"ignore_rows": 0})
    assert list(found.getParamNames().getRunningNames()) == list(chain.names)
    assert found.mean("m_phi") == pytest.approx(chain.get("m_phi").mean(), rel=1e-12)
    assert found.std("delta_a_mu") == pytest.approx(chain.get("delta_a_mu").std(), rel=1e-3)
    assert found.ranges.getLower("m_aprime") == 5.0
    assert found.loglikes.min() == pytest.approx(-chain.get("ll_muon-g2").max())
    # It takes rows for a Markov chain: the number of independent ones is near ours.
    ours = chain.verdict.ess["m_phi"]
    assert ours / 3 < found.getEffectiveSamples(found.paramNames.numberOfName("m_phi")) < 3 * ours


def test_getdist_gets_one_file_an_ensemble(ensembles, tmp_path):
    getdist = pytest.importorskip("getdist")
    chain = Chain.open(ensembles)
    written = save_getdist(chain, tmp_path / "out", discard=20)
    assert [each.name for each in written] == ["out_1.txt", "out_2.txt", "out.paramnames", "out.ranges"]
    second = chain.get("vev", discard=20, by_ensemble=True)[1].T.reshape(-1)
    assert (np.loadtxt(tmp_path / "out_2.txt")[:, 2] == second).all()
    found = getdist.loadMCSamples(str(tmp_path / "out"), settings={"ignore_rows": 0})
    assert len(found.getSeparateChains()) == 2


def test_netcdf_as_plain_hdf5(chain, short, tmp_path):
    output = tmp_path / "out.nc"
    save_arviz(chain, output, discard=20, thin=5)
    whole = Chain.open(short, max_bytes=None)
    with h5py.File(output) as file:
        assert set(file) == {"posterior", "log_likelihood", "sample_stats", "prior"}
        for group, name, quantity in (
            ("posterior", "m_phi", "m_phi"),
            ("posterior", "delta_a_mu", "delta_a_mu"),
            ("log_likelihood", "muon-g2", "ll_muon-g2"),
            ("sample_stats", "lp", "log_prob"),
        ):
            expected = whole.get(quantity, discard=20, thin=5, flat=False).T
            assert (file[group][name][()] == expected).all()
            assert [axis.label or axis.keys()[0] for axis in file[group][name].dims] == ["chain", "draw"]
        assert file["posterior/draw"][()].tolist() == list(range(20, 120, 5))
        assert (file["sample_stats/acceptance_rate"][()] == whole.accepted / 120).all()
        assert file["posterior"].attrs["remarks"].startswith("NOT CONVERGED")
        prior = file["prior/m_aprime"][0]
        # ln x is flat between ln 5 and ln 200: 2000 draws give its mean to 0.024.
        assert np.log(prior).mean() == pytest.approx(np.log(np.sqrt(5.0 * 200.0)), abs=0.1)
        assert 5.0 <= prior.min() < 6.0
        assert 180.0 < prior.max() <= 200.0


def group_of(data, name):
    return data[name].to_dataset() if hasattr(data[name], "to_dataset") else data[name]


def test_arviz_in_memory(chain, short):
    pytest.importorskip("xarray")
    data = to_arviz(chain, discard=20)
    whole = Chain.open(short, max_bytes=None)
    expected = whole.get("m_phi", discard=20, flat=False).T
    assert (group_of(data, "posterior")["m_phi"].to_numpy() == expected).all()
    assert group_of(data, "log_likelihood")["muon-g2"].dims == ("chain", "draw")
    assert group_of(data, "prior")["vev"].shape == (1, 2000)
    assert group_of(data, "sample_stats").attrs["converged"] == 0


def test_arviz_reads_the_file(converged, tmp_path):
    arviz = pytest.importorskip("arviz")
    pytest.importorskip("h5netcdf")
    chain = Chain.open(converged)
    save_arviz(chain, tmp_path / "out.nc")
    data = arviz.from_netcdf(tmp_path / "out.nc")
    assert (group_of(data, "posterior")["m_phi"].to_numpy() == chain.get("m_phi", flat=False).T).all()
    assert "lp" in group_of(data, "sample_stats")


def test_arviz_that_is_missing_says_what_to_install(short, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(ChainError, match=r"to_arviz needs arviz; pip install 'globalfit\[export\]'"):
        to_arviz(Chain.open(short))


def test_no_prior_where_it_is_not_known(short):
    from globalfit.chains.export.arviz import _prior

    chain = Chain.open(short)
    assert set(_prior(chain)) == set(chain.names)
    chain.resolved["constraints"] = {"perturbativity": {}}
    assert _prior(chain) == {}
    chain = Chain.open(short)
    chain.parameters[0]["prior"] = '{"shape": "os.system", "low": 1.0}'
    assert _prior(chain) == {}
