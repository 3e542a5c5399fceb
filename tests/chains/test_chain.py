from __future__ import annotations

import importlib.util
import json
import math
import sys

import numpy as np
import pytest

from globalfit.chains import Chain
from globalfit.chains.summary import summarise
from globalfit.errors import ChainError


def test_get(short):
    chain = Chain.open(short)
    assert chain.get("vev", discard=20).shape == (100 * 32,)
    assert chain.get("vev", discard=20, flat=False).shape == (100, 32)
    assert (chain.get("m_phi", discard=0, flat=False) == chain.values[:, :, 2]).all()
    assert (chain.get("log_prob", discard=0, flat=False) == chain.log_prob).all()
    assert (chain.get("y_mu", discard=0, flat=False) == chain.blobs["d_y_mu"]).all()
    assert (chain.get("ll_muon-g2", discard=0, flat=False) == chain.blobs["ll_muon-g2"]).all()
    assert len(chain.get("vev")) == (120 - chain.verdict.discard) * 32
    for name in chain.quantities:
        assert np.isfinite(chain.get(name)).all()


def test_unknown_names_are_answered_with_the_nearest(short):
    chain = Chain.open(short)
    for wrong, right in (("m_aprim", "m_aprime"), ("delta_a_m", "delta_a_mu"), ("log_probs", "log_prob")):
        with pytest.raises(ChainError, match=f"has no quantity '{wrong}'; did you mean '{right}'?"):
            chain.get(wrong)


@pytest.mark.parametrize("discard", [120, 121, -1])
def test_discard_must_leave_something(short, discard):
    chain = Chain.open(short)
    for act in (
        lambda: chain.get("vev", discard=discard),
        lambda: chain.assess(discard),
        lambda: summarise(chain, discard=discard),
    ):
        with pytest.raises(
            ChainError, match=f"discard = {discard} leaves nothing of 120 steps; discard fewer"
        ):
            act()


def test_best_is_the_sample_with_the_highest_likelihood(short):
    chain = Chain.open(short)
    best = chain.best()
    assert best["ll_muon-g2"] == chain.blobs["ll_muon-g2"].max()
    step, walker = np.argwhere(chain.blobs["ll_muon-g2"] == best["ll_muon-g2"])[0]
    assert [best[name] for name in chain.names] == chain.values[step, walker].tolist()
    assert set(best) == set(chain.quantities)


def test_facts(short):
    chain = Chain.open(short)
    assert (chain.steps, chain.walkers, chain.names) == (120, 32, ("vev", "m_aprime", "m_phi"))
    moved = np.any(np.diff(chain.values, axis=0) != 0.0, axis=2).mean()
    assert chain.acceptance == pytest.approx(moved, abs=0.02)  # the first step is not in the difference
    assert not chain.interrupted
    assert chain.attributes["model"] == "t3r-muon"


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed")
def test_to_dataframe(short):
    chain = Chain.open(short)
    frame = chain.to_dataframe(discard=100)
    assert len(frame) == 20 * 32
    assert list(frame.columns[:4]) == ["vev", "m_aprime", "m_phi", "log_prob"]
    assert (frame["vev"].to_numpy() == chain.get("vev", discard=100)).all()


def test_to_dataframe_without_pandas_says_what_to_install(short, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ChainError, match="to_dataframe needs pandas; pip install pandas"):
        Chain.open(short).to_dataframe()


def test_summary_numbers(converged):
    chain = Chain.open(converged)
    found = summarise(chain)
    assert found.converged
    assert found.discard == chain.verdict.discard
    for row in (*found.rows, *found.derived):
        samples = chain.get(row.name)
        expected = np.percentile(samples, [2.5, 16, 50, 84, 97.5])
        assert [row.low95, row.low68, row.median, row.high68, row.high95] == pytest.approx(expected.tolist())
        assert row.best == chain.best()[row.name]
    for row in found.rows:
        assert row.ess == pytest.approx((chain.steps - found.discard) * 32 / row.tau)
        assert row.ess >= 1500
    (likelihood,) = found.likelihoods
    assert likelihood["mean"] == pytest.approx(chain.get("ll_muon-g2").mean())
    assert found.fixed == {"delta_eta": 0.01, "m_nus": 10.0, "epsilon": 0.0}


def test_parameters_that_run_into_their_prior_are_labelled(converged):
    """g-2 leaves m_aprime free between its edges and pushes vev up; m_phi is measured."""
    bounded = {row.name: row.bounded for row in summarise(Chain.open(converged)).rows}
    assert bounded == {"vev": "high", "m_aprime": "low and high", "m_phi": ""}


def test_a_chain_that_is_not_converged_gives_no_intervals(short):
    found = summarise(Chain.open(short))
    assert not found.converged
    text = json.dumps(found.to_dict(), allow_nan=False)
    for row in (*json.loads(text)["rows"], *json.loads(text)["derived"]):
        assert row["median"] is row["low68"] is row["high95"] is None
        assert math.isfinite(row["best"])


def test_summary_is_strict_json(converged):
    found = json.loads(json.dumps(summarise(Chain.open(converged)).to_dict(), allow_nan=False))
    assert found["converged"] is True
    assert found["reasons"] == []
    assert found["rows"][2]["name"] == "m_phi"
    assert 50 < found["rows"][2]["median"] < 150
    assert found["rows"][0]["unit"] == "MeV"
