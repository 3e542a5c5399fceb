"""What a chain says of no new physics: stored when it begins, read where no plug-in is."""

from __future__ import annotations

import json
import math
import shutil

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.analysis.pulls import best_point
from globalfit.chains import Chain
from globalfit.chains.compare import compare
from globalfit.chains.merge import merge
from globalfit.cli import app
from globalfit.errors import LikelihoodError, PluginError
from globalfit.likelihoods.muon_g2 import MuonG2
from globalfit.null import Null, from_rows, null_evidence, null_log_likelihoods, to_rows


@pytest.fixture
def without_plug_ins(monkeypatch):
    def missing(*_):
        raise PluginError("", "no likelihood named 'muon-g2'", "")

    monkeypatch.setattr("globalfit.stored.stored_fit", missing)


@pytest.fixture
def older(short, tmp_path):
    """A chain from before nulls were stored."""
    path = tmp_path / "older.h5"
    shutil.copyfile(short, path)
    with h5py.File(path, "r+") as file:
        del file["globalfit/nulls"]
    return path


def test_a_chain_stores_its_nulls(short, make_fit):
    posterior = make_fit().posterior
    expected = null_log_likelihoods(posterior)
    assert from_rows(Chain.open(short).nulls) == expected
    # no new physics is a prediction of zero
    likelihood = posterior.likelihoods["muon-g2"]
    prediction = likelihood.predict(
        posterior.point(posterior.space.columns(posterior.space.draw(1, np.random.default_rng(1))))
    )
    zero = {name: 0.0 * values for name, values in prediction.items()}
    assert expected["muon-g2"].log_likelihood == pytest.approx(float(likelihood.log_likelihood(zero)[0]))


def test_rows_hold_what_there_is():
    nulls = {"a": Null(1.5, 1.25), "b": Null(None, None, "it has none"), "c": Null(-math.inf, -math.inf)}
    assert from_rows(to_rows(nulls)) == nulls
    assert null_evidence(to_rows(nulls)) is None
    assert null_evidence(to_rows({"a": Null(1.5, 1.25), "d": Null(2.0, 2.0)})) == 3.25
    assert null_evidence([]) is None


@pytest.mark.usefixtures("without_plug_ins")
def test_without_plug_ins_the_stored_nulls_remain(short, older):
    (found,) = best_point(Chain.open(short)).experiments
    assert found.null == Chain.open(short).nulls[0]["log_likelihood"]
    assert found.gain == found.best - found.null
    done = CliRunner().invoke(app, ["summary", str(short)])
    assert "no ideal and pulls: no likelihood named 'muon-g2'" in done.stdout
    assert f"{found.null:.2f}" in done.stdout
    (found,) = best_point(Chain.open(older)).experiments
    assert found.null is None
    done = CliRunner().invoke(app, ["summary", str(older)])
    assert "no null, ideal and pulls" in done.stdout


def test_older_chains_open_go_on_and_compare(short, older, make_fit):
    assert Chain.open(older).nulls == []
    chain = make_fit().run(older, steps=125)
    assert chain.nulls == []
    found = compare([Chain.open(short), chain])
    assert found.nulls == {"muon-g2": [Chain.open(short).nulls[0]["log_likelihood"], None]}
    assert found.against_null == [None, None]


def test_a_chain_that_goes_on_keeps_its_nulls(tmp_path, make_fit, monkeypatch):
    path = tmp_path / "out.h5"
    make_fit().run(path, steps=5)
    before = Chain.open(path).nulls
    monkeypatch.setattr(MuonG2, "null", lambda self, point: {"delta_a_mu": 0.0 * point.vev + 1e-9})
    assert make_fit().run(path, steps=9).nulls == before


def test_merged_chains_keep_their_nulls(tmp_path, make_fit):
    fit = make_fit().with_ensembles(2)
    for k in range(2):
        fit.run(tmp_path / f"{k}.h5", steps=3, only_ensemble=k)
    merge([tmp_path / "0.h5", tmp_path / "1.h5"], tmp_path / "out.h5")
    assert Chain.open(tmp_path / "out.h5").nulls == Chain.open(tmp_path / "0.h5").nulls


def test_a_null_that_fails_does_not_stop_the_run(tmp_path, make_fit, monkeypatch):
    def fails(self, point):
        raise LikelihoodError("muon-g2", "no null today", "try tomorrow")

    monkeypatch.setattr(MuonG2, "null", fails)
    (row,) = make_fit().run(tmp_path / "out.h5", steps=3).nulls
    assert math.isnan(row["log_likelihood"])
    assert row["reason"] == "muon-g2: no null today; try tomorrow"


def test_the_bayes_factor_against_the_null(short, tmp_path):
    """Of a chain whose tempered starts left ln Z: that minus the stored ln Z without new physics."""
    paths = []
    for i, log_z in enumerate((3.0, 7.5)):
        paths.append(tmp_path / f"z{i}.h5")
        shutil.copyfile(short, paths[-1])
        with h5py.File(paths[-1], "r+") as file:
            rows = [{"ensemble": k, "log_evidence": log_z + k, "error": 0.1} for k in (-1, 1)]
            file["globalfit"].attrs["evidence"] = json.dumps(rows)
    found = compare([Chain.open(path) for path in paths])
    null = Chain.open(short).nulls[0]["log_evidence"]
    assert [each["log_bayes"] for each in found.against_null] == pytest.approx([3.0 - null, 7.5 - null])
    assert found.against_null[0]["error"] == pytest.approx(1.0)
    done = CliRunner().invoke(app, ["compare", *map(str, paths)])
    assert "ln L without new physics" in done.stdout
    assert f"against no new physics {7.5 - null:+.2f} +- 1.00, for these priors:" in done.stdout
