"""The posterior predictive against what the chain stores, and measured numbers against their release."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from globalfit.chains.chain import Chain
from globalfit.cli import app
from globalfit.errors import ChainError
from globalfit.physics.beam.raw_events import raw_events
from globalfit.report.data import Datum
from globalfit.report.elsewhere import MESONS, card_of, elsewhere
from globalfit.report.predictive import predict
from globalfit.stored import stored_fit


@pytest.fixture(scope="module")
def found(beam):
    chain = Chain.open(beam)
    return chain, predict(chain, stored_fit(chain), samples=100, discard=20)


def test_samples_evaluated_again_are_those_of_the_chain(found):
    """20 steps of 16 walkers are kept; every 3.2th of them is evaluated, and gives what the run stored."""
    chain, predictive = found
    assert predictive.samples == 100
    assert predictive.difference < 1e-8
    places = np.linspace(0, 319, 100).astype(int)
    for name in ("excess_nu", "signal_dump", "signal_lsnd"):
        stored = chain.get(name, discard=20)[places]
        np.testing.assert_allclose(predictive.draws[name], stored, rtol=1e-9)
        assert float(predictive.best[name]) == pytest.approx(chain.best()[name], rel=1e-9)


def test_bands_are_quantiles_bin_by_bin(found):
    predictive = found[1]
    spectra = predictive.draws["signal_nu"]
    assert spectra.shape == (100, 11)
    np.testing.assert_allclose(spectra[:, :9].sum(axis=1), predictive.draws["excess_nu"], rtol=1e-12)
    bands = predictive.quantiles("signal_nu")
    assert bands.shape == (5, 11)
    for i in (0, 5):
        ordered = np.sort(spectra[:, i])
        assert ordered[15] <= bands[1, i] <= ordered[16]  # 16 % of 100
        assert bands[2, i] == pytest.approx(0.5 * (ordered[49] + ordered[50]))


def test_data_minus_background_are_those_of_the_paper(found):
    """MiniBooNE 2020, Table I: excesses of 560.6 +- 119.6 and 77.4 +- 28.5 events in 200 to 1250 MeV."""
    data = {each.observable: each for each in found[1].data}
    assert data["excess_nu"].value == pytest.approx(560.6, abs=1.0)
    assert data["excess_nu"].error_low == pytest.approx(119.6, abs=0.5)
    assert data["excess_nubar"].value == pytest.approx(77.4, abs=1.0)
    assert data["excess_nubar"].error_low == pytest.approx(28.5, abs=0.5)
    curves = {each.observable: each for each in found[1].spectra}
    assert curves["signal_nu"].excess[:9].sum() == pytest.approx(data["excess_nu"].value)
    assert curves["signal_nubar"].edges[[0, -1]] == pytest.approx([200.0, 3000.0])
    assert (data["signal_dump"].value, data["signal_dump"].plus) == (6.0, "background_dump")
    assert (data["correlated_lsnd"].value, data["correlated_lsnd"].error_low) == pytest.approx(
        (87.9, math.hypot(22.4, 6.0)), rel=1e-3
    )


def test_pulls_by_hand(found):
    chain, predictive = found
    best = chain.best()
    pulls = {each.likelihood: each.value for each in predictive.pulls}
    error = math.hypot(math.hypot(22.4, 6.0), 0.3 * best["correlated_lsnd"])
    assert pulls["lsnd"] == pytest.approx((best["correlated_lsnd"] - 87.9) / error, abs=0.01)
    assert abs(pulls["miniboone-dump"]) < 3.0


@pytest.mark.parametrize(
    ("datum", "predicted", "theory", "pull"),
    [
        (Datum("a", "x", 1.0, 0.5, 0.25), 1.5, 0.0, 2.0),
        (Datum("a", "x", 1.0, 0.5, 0.25), 0.5, 0.0, -1.0),
        (Datum("a", "x", 0.0, 3.0, 3.0), 10.0, 4.0, 2.0),
        (Datum("a", "x", 0.12, 0.1, 0.1, "log"), 0.12 * math.exp(0.3), 0.0, 3.0),
        (Datum("a", "x", 6.0, 1.0, 1.0, "count"), 6.0, 0.0, 0.0),
        (Datum("a", "x", 0.0, 0.0, 0.0, "count"), 2.0, 0.0, 2.0),  # sqrt(2 mu)
        (
            Datum("a", "x", 9.0, 3.0, 3.0, "count"),
            4.0,
            0.0,
            -math.sqrt(2.0 * (9.0 * math.log(9.0 / 4.0) - 5.0)),
        ),
        (Datum("a", "x", 0.12, 0.1, 0.1, "log"), 0.0, 0.0, -math.inf),
    ],
)
def test_pull_in_closed_form(datum, predicted, theory, pull):
    assert datum.pull(predicted, theory) == pytest.approx(pull)


def test_pulls_of_a_likelihood_that_tells_them(muon):
    """A likelihood's own account is taken before ours."""
    chain = Chain.open(muon)
    fit = stored_fit(chain, muon.with_suffix(".toml"))

    class Telling:
        def __init__(self, inner):
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def pulls(self, prediction):
            return {"delta_a_mu": 7.0 + 0.0 * prediction["delta_a_mu"]}

        ideal = 25.0

    fit.posterior.likelihoods["muon-g2"] = Telling(fit.posterior.likelihoods["muon-g2"])
    predictive = predict(chain, fit, samples=5, discard=20)
    assert [each.value for each in predictive.pulls if each.likelihood == "muon-g2"] == [7.0]
    assert predictive.ideal["muon-g2"] == 25.0


def test_command(beam):
    done = CliRunner().invoke(app, ["predict", str(beam), "--json", "--samples", "20"])
    assert done.exit_code == 0, done.stderr
    assert "NOT CONVERGED" in done.stderr
    found = json.loads(done.stdout)["observables"]
    assert "median" not in found["excess_nu"]  # not converged: no intervals
    assert found["excess_nu"]["best"] == pytest.approx(sum(found["signal_nu"]["best"][:9]))
    assert found["excess_nu"]["data"]["value"] == pytest.approx(560.6, abs=1.0)
    done = CliRunner().invoke(app, ["predict", str(beam), "--samples", "20"])
    assert "signal_nu[10]" in done.stdout
    assert "68 %" not in done.stdout


def test_intervals_of_a_converged_chain(found):
    rows = found[1].to_dict()["observables"]
    row = rows["excess_nu"]
    assert row["low95"] <= row["low68"] <= row["median"] <= row["high68"] <= row["high95"]
    assert len(rows["signal_nu"]["high95"]) == 11
    assert len(rows["signal_nu"]["data"]["edges"]) == 12
    assert json.dumps(rows, allow_nan=False)


def test_a_chain_of_other_data_is_noticed(beam):
    chain = Chain.open(beam)
    fit = stored_fit(chain)
    fit.posterior.likelihoods["lsnd"] = replace(fit.posterior.likelihoods["lsnd"], excess=50.0)
    assert predict(chain, fit, samples=10, discard=20).difference > 0.1


def test_null_of_miniboone(found):
    """At zero signal: the 38 x 38 form of the released covariance, and LSND's excess left unexplained."""
    null = found[1].null
    assert null["miniboone"] == pytest.approx(-221.6203073, abs=1e-6)
    assert null["lsnd"] == pytest.approx(
        -math.log(math.hypot(22.4, 6.0) * math.sqrt(2.0 * math.pi))
        - 0.5 * (87.9 / math.hypot(22.4, 6.0)) ** 2
    )


def test_events_in_an_experiment_of_no_fit(beam):
    """Interpolated over the masses: those of `raw_events` at the point itself."""
    chain = Chain.open(beam)
    fit = stored_fit(chain)
    card = card_of("ccm")
    found = elsewhere(chain, fit, card, samples=5)
    best = chain.best()
    setup = fit.posterior.point({name: np.array([best[name]]) for name in chain.names}).setup
    again = raw_events(
        card, setup, best["m_x"], best["m_aprime"], best["portal_coupling"], above=20.0, n=MESONS
    )
    assert found.best == pytest.approx(again.total, rel=0.05)
    assert found.draws.shape == (5,)
    assert "median" not in found.to_dict(intervals=False)
    done = CliRunner().invoke(app, ["predict", str(beam), "--experiment", "cmm"])
    assert str(done.exception).startswith("--experiment: no card named 'cmm'; did you mean 'ccm'?")


def test_a_model_without_a_long_lived_particle_predicts_none(muon):
    chain = Chain.open(muon)
    fit = stored_fit(chain, muon.with_suffix(".toml"))
    with pytest.raises(ChainError, match=r"has no long-lived particle \(portal = 'none'\)"):
        elsewhere(chain, fit, card_of("sbnd"))
