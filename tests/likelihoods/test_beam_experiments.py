"""MiniBooNE's dump and histograms, LSND and the meson decays: densities, published numbers, combinations."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, poisson

from globalfit.arrays import Array
from globalfit.errors import FitErrors, GlobalfitError, LikelihoodError
from globalfit.fitfile import load_fit
from globalfit.likelihood import Likelihood
from globalfit.likelihoods.lsnd import LSND
from globalfit.likelihoods.measurements import Vintages, record, table
from globalfit.likelihoods.meson_decays import MesonDecays, limit
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.likelihoods.miniboone_dump import MiniBooNEDump
from globalfit.likelihoods.miniboone_shapes import DigitisedHistogram, MiniBooNECosTheta, MiniBooNEEvis
from globalfit.model import Model
from globalfit.registry import load_file
from globalfit.testing import check_likelihood

HERE = Path(__file__).parent
ALL = [MiniBooNECosTheta, MiniBooNEEvis, MiniBooNEDump, LSND, MesonDecays]
Make = Callable[[], Likelihood]


@pytest.fixture(scope="module")
def template() -> Model:
    model: Model = load_file("template_model.py:Template", HERE)()
    return model


@pytest.mark.parametrize("make", [*ALL, MiniBooNE, lambda: LSND(singles=True)])
def test_contract_on_a_model(make: Make, template: Model) -> None:
    likelihood = make()
    assert isinstance(likelihood, Likelihood)
    assert pickle.loads(pickle.dumps(likelihood)) == likelihood
    rng = np.random.default_rng(4)
    columns = {name: prior.quantile(rng.random(32)) for name, prior in template.ranges.items()}
    for parameter in getattr(likelihood, "parameters", ()):
        columns[parameter.name] = parameter.prior.quantile(rng.random(32))
    failed = [each for each in check_likelihood(likelihood, template, columns=columns) if not each.passed]
    assert [each.message for each in failed] == []


@pytest.mark.parametrize("make", [MiniBooNE, MiniBooNECosTheta, MiniBooNEEvis, MiniBooNEDump, LSND])
def test_default_is_the_newest_vintage(make: Any) -> None:
    assert isinstance(vars(make).get("vintages") or vars(DigitisedHistogram)["vintages"], Vintages)
    dates = make.vintages
    assert max(dates, key=lambda name: dates[name]) == make().measurement
    assert "arXiv:" in make().reference


def test_null_chi2_with_the_variance_of_the_data() -> None:
    """75 for the angle, if the data's own counts are taken for the Poisson variance."""
    events = MiniBooNECosTheta().events
    b, data = events["background"], events["data"]
    assert np.sum((data - b) ** 2 / (data + (0.1 * b) ** 2)) == pytest.approx(75.1, abs=0.1)


def fit_with(tmp_path: Path, *experiments: str) -> Path:
    tables = "".join(f"[likelihoods.{name}]\n" for name in experiments)
    text = f"""model = {{ name = "{HERE / "template_model.py"}:Template" }}
{tables}
[parameters.events]
prior = {{ shape = "uniform", low = 0.0, high = 2000.0 }}
[parameters.ratio]
fixed = 7.2
[parameters.neutral]
fixed = 0.0
[sampler]
start = "prior"
walkers = 8
"""
    path = tmp_path / "fit.toml"
    path.write_text(text)
    return path


def test_histograms_of_the_same_events_are_not_combined(tmp_path: Path) -> None:
    for other in ("miniboone-costheta", "miniboone-evis"):
        with pytest.raises(FitErrors, match="uses the data 'miniboone-nu-2020' that 'miniboone' uses"):
            load_fit(fit_with(tmp_path, "miniboone", other))


def test_spectra_and_dump_and_lsnd_in_one_fit(tmp_path: Path) -> None:
    fit = load_fit(fit_with(tmp_path, "miniboone", "miniboone-dump", "lsnd"))
    space = fit.posterior.space
    assert set(space.names) == {"events", "dump_flux_ratio", "dump_background"}
    assert space.fixed["lsnd_neutron_fraction"] == 0.01
    evaluation = fit.posterior.evaluate(space.draw(64, np.random.default_rng(0)))
    assert np.isfinite(evaluation.log_posterior).all()
    assert set(fit.posterior.observables) >= {"excess_nu", "excess_nubar", "signal_dump", "signal_lsnd"}


class TestDump:
    def ln_l(
        self, charged: float, neutral: float, ratio: float = 1.0 / 34.0, background: float = 8.8
    ) -> float:
        model: Model = load_file("template_model.py:Template", HERE)()
        total = charged * 34.0 + neutral / 1.11
        columns = {
            "events": np.array([total / (1.86 / 18.75)]),
            "neutral": np.array([neutral / 1.11 / total if total else 0.0]),
            "dump_flux_ratio": np.array([ratio]),
            "dump_background": np.array([background]),
        }
        likelihood = MiniBooNEDump()
        return float(likelihood.log_likelihood(likelihood.predict(model.point(columns)))[0])

    def test_poisson(self) -> None:
        for charged, neutral, ratio, b in (
            (0.0, 0.0, 1 / 34, 8.8),
            (2.0, 3.0, 0.05, 7.0),
            (0.0, 60.0, 0.01, 9.0),
        ):
            expected = poisson.logpmf(6, charged * ratio * 34.0 + neutral + b)
            assert self.ln_l(charged, neutral, ratio, b) == pytest.approx(expected, rel=1e-12)

    def test_probabilities_of_the_count(self) -> None:
        """At most 6 events over 8.8: 0.226 without a signal, 1.0e-6 with 18.5, 3e-23 with 62."""
        background = record("miniboone_dump.toml", "miniboone-dm-2018", "test")["background"]
        for signal, expected, rel in ((0.0, 0.226, 2e-3), (18.5, 1.0e-6, 0.05), (62.0, 3e-23, 0.1)):
            p = sum(
                np.exp(
                    MiniBooNEDump(observed=k).log_likelihood(
                        {"signal_dump": np.array([signal]), "background_dump": np.array([background])}
                    )[0]
                )
                for k in range(7)
            )
            assert p == pytest.approx(expected, rel=rel)

    def test_neutral_mesons_are_excluded_charged_ones_are_not(self) -> None:
        """560.6 events in neutrino mode cost 0.6 in ln L if charged mesons make them, 49 if pi0 do."""
        events = 560.6 * 1.86 / 18.75
        null = self.ln_l(0.0, 0.0)
        assert null - self.ln_l(events / 34.0, 0.0) < 0.7
        assert null - self.ln_l(0.0, 1.11 * events) > 20.0

    def test_the_nuisance_scales_charged_mesons_alone(self) -> None:
        assert self.ln_l(2.0, 0.0, 1 / 34) != self.ln_l(2.0, 0.0, 1 / 27)
        assert self.ln_l(0.0, 5.0, 1 / 34) == self.ln_l(0.0, 5.0, 1 / 27)

    def test_nominal_ratio_of_the_prediction(self, template: Model) -> None:
        columns = {
            "events": np.full(3, 400.0),
            "neutral": np.zeros(3),
            "dump_flux_ratio": np.array([1 / 48, 1 / 34, 1 / 27]),
            "dump_background": np.full(3, 8.8),
        }
        got = MiniBooNEDump(flux_ratio=1 / 27).predict(template.point(columns))["signal_dump"]
        np.testing.assert_allclose(got / got[2], [27 / 48, 27 / 34, 1.0], rtol=1e-12)
        assert got[2] == template.point(columns).signal_dump_charged[2]

    def test_beam_independent_expectation(self) -> None:
        """35.5 +- 7.4 is the 2018 excess, 381.2 + 79.3 +- 95.8, scaled by protons on target."""
        known = record("miniboone_dump.toml", "miniboone-dm-2018", "test")
        scale = known["protons_on_target"] / (12.84e20 + 11.27e20)
        assert known["expected_beam_independent"] == pytest.approx((381.2 + 79.3) * scale, abs=0.05)
        assert known["error_expected_beam_independent"] == pytest.approx(95.8 * scale, abs=0.05)


@pytest.mark.parametrize("make", [MiniBooNECosTheta, MiniBooNEEvis])
class TestHistograms:
    def test_digitised_sums(self, make: type[DigitisedHistogram]) -> None:
        """Both show the 2870 events over 2322.6 of Table I, read from figures to 1 or 2 events a bin."""
        events = make().events
        assert events["data"].sum() == pytest.approx(2870.0, rel=0.006)
        assert events["background"].sum() == pytest.approx(2322.6, rel=0.001)
        np.testing.assert_allclose(events["low"][1:], events["high"][:-1])

    def test_density(self, make: type[DigitisedHistogram]) -> None:
        likelihood = make(error_bin=0.07, error_normalisation=0.03)
        events, (name,) = likelihood.events, likelihood.needs
        b, data = events["background"], events["data"]
        signal = np.random.default_rng(1).random((4, b.size)) * 40.0
        got = likelihood.log_likelihood({name: signal})
        for i, s in enumerate(signal):
            v = np.diag(b + s + (0.07 * b) ** 2) + 0.03**2 * np.outer(b, b)
            assert got[i] == pytest.approx(multivariate_normal(b + s, v).logpdf(data), abs=1e-9)

    def test_bad_input(self, make: type[DigitisedHistogram]) -> None:
        with pytest.raises(GlobalfitError, match=r"'error_bin' is -0\.1; give a finite relative error"):
            make(error_bin=-0.1)
        with pytest.raises(LikelihoodError, match=r"has shape \(2, 3\)"):
            make().log_likelihood({make.needs[0]: np.zeros((2, 3))})


def test_null_chi2_of_the_histograms() -> None:
    """Figures of docs/physics/miniboone.md."""
    for make, independent, correlated in ((MiniBooNECosTheta, 99.95, 57.70), (MiniBooNEEvis, 74.29, 44.48)):
        for error, expected in ((0.0, independent), (0.0518, correlated)):
            likelihood = make(error_normalisation=error)
            b, data = likelihood.events["background"], likelihood.events["data"]
            v = np.diag(b + (0.1 * b) ** 2) + error**2 * np.outer(b, b)
            zero = likelihood.log_likelihood({likelihood.needs[0]: np.zeros((1, b.size))})[0]
            chi2 = -2.0 * zero - np.linalg.slogdet(2.0 * np.pi * v)[1]
            assert chi2 == pytest.approx(expected, abs=0.01)
            assert chi2 == pytest.approx((data - b) @ np.linalg.solve(v, data - b), rel=1e-9)


class TestLSND:
    def prediction(self, signal: Array, fraction: float, error_flux: float = 0.3) -> dict[str, Array]:
        correlated = fraction * signal
        return {
            "signal_lsnd": signal,
            "correlated_lsnd": correlated,
            "error_correlated_lsnd": error_flux * correlated,
        }

    def test_density(self) -> None:
        signal = np.array([0.0, 87.9, 1000.0])
        got = LSND().log_likelihood(self.prediction(signal, 0.5))
        error = np.sqrt(22.4**2 + 6.0**2 + (0.15 * signal) ** 2)
        np.testing.assert_allclose(got, norm.logpdf(87.9, 0.5 * signal, error), rtol=1e-12)

    def test_significance_is_3_8(self) -> None:
        gain = LSND().log_likelihood(self.prediction(np.array([87.9, 0.0]), 1.0, 0.0))
        assert np.sqrt(2.0 * (gain[0] - gain[1])) == pytest.approx(3.8, abs=0.05)

    def test_probability_has_the_same_relative_error(self) -> None:
        """0.264 % +- 0.067 % +- 0.045 %: 25 % statistical, as 22.4 of 87.9."""
        known = record("lsnd.toml", "lsnd-2001", "test")
        relative = known["error_probability_statistical"] / known["probability"]
        assert known["error_statistical"] / known["excess"] == pytest.approx(relative, rel=0.01)

    def test_predict_multiplies_by_the_neutron_fraction(self, template: Model) -> None:
        point = template.point(
            {"events": np.array([300.0, 600.0]), "lsnd_neutron_fraction": np.array([0.01, 0.02])}
        )
        got = LSND(error_flux=0.2).predict(point)
        np.testing.assert_allclose(got["signal_lsnd"], [99.0, 198.0])
        np.testing.assert_allclose(got["correlated_lsnd"], [0.99, 3.96])
        np.testing.assert_allclose(got["error_correlated_lsnd"], [0.198, 0.792])

    def test_singles_bound(self) -> None:
        """118 events of error: g_e = g_mu predicts a thousand untagged showers and is excluded."""
        likelihood = LSND(singles=True, error_flux=0.0)
        assert likelihood.error_singles == pytest.approx(118.3, abs=0.1)
        signal = np.array([0.0, 118.3, 1124.0])
        with_bound = likelihood.log_likelihood(self.prediction(signal, 0.0, 0.0))
        without = LSND(error_flux=0.0).log_likelihood(self.prediction(signal, 0.0, 0.0))
        drop = (with_bound - without) - (with_bound - without)[0]
        np.testing.assert_allclose(
            drop, -0.5 * (signal / likelihood.error_singles) ** 2, rtol=1e-9, atol=1e-12
        )
        softened = LSND(singles=True).log_likelihood(self.prediction(signal, 0.0))
        assert drop[2] < -40.0
        assert softened[2] - softened[0] < -5.0

    def test_replaced_numbers(self) -> None:
        got = LSND(excess=10.0, error=5.0, error_flux=0.0).log_likelihood(self.prediction(np.zeros(1), 0.1))
        assert got[0] == pytest.approx(norm.logpdf(10.0, 0.0, 5.0))
        assert LSND(excess=10.0).published == ()


class TestMesonDecays:
    def test_at_the_limit(self) -> None:
        """Each channel falls by 1.645^2/2 = 1.353 to its limit."""
        m = np.array([5.0, 20.0, 20.0, 100.0])
        likelihood = MesonDecays()
        none = dict.fromkeys(likelihood.needs[1:], np.zeros(4)) | {"mass_tested": m}
        np.testing.assert_array_equal(likelihood.log_likelihood(none), 0.0)
        for channel in likelihood.channels:
            at = none | {f"br_{channel}": np.minimum(limit(channel, m), 1.0)}
            tested = np.isfinite(limit(channel, m))
            got = likelihood.log_likelihood(at)
            np.testing.assert_allclose(got[tested], -1.3528, atol=1e-4)
            np.testing.assert_array_equal(got[~tested], 0.0)

    def test_curves(self) -> None:
        np.testing.assert_allclose(
            limit("k_mu_nu_x", np.array([9.9, 10.0, 190.0, 370.0, 371.0])), [np.inf, 1e-5, 1e-6, 1e-7, np.inf]
        )
        np.testing.assert_allclose(limit("pi_mu_nu_x", np.array([1.0, 33.9, 34.0])), [8.6e-6, 8.6e-6, np.inf])
        sindrum = table("limit_pi_e_nu_ee.csv")
        np.testing.assert_allclose(limit("pi_e_nu_ee", sindrum["m_x"]), sindrum["limit"], rtol=1e-12)

    def test_pion_decay_excludes_the_benchmark_scale(self, template: Model) -> None:
        """pi -> e nu A' at V = 10 GeV is 6 times the invisible limit: V > 24 GeV."""
        likelihood = MesonDecays(channels=("pi_e_nu_x",))
        point = template.point({"mass": np.array([5.0, 80.0])})
        prediction = likelihood.predict(point)
        ratio = prediction["br_pi_e_nu_x"] / limit("pi_e_nu_x", prediction["mass_tested"])
        np.testing.assert_allclose(ratio, [6.0, 1.07], rtol=0.02)
        expected = -0.5 * (1.644854 * ratio) ** 2
        np.testing.assert_allclose(likelihood.log_likelihood(prediction), expected, rtol=1e-5)

    def test_needs_follow_the_options(self) -> None:
        likelihood = MesonDecays(channels=["pi_e_nu_ee"], mass="m_aprime")  # type: ignore[arg-type]
        assert likelihood.needs == ("m_aprime", "br_pi_e_nu_ee")
        assert likelihood.data == ("sindrum-1989",)
        assert "SINDRUM" in likelihood.reference
        assert hash(likelihood) == hash(MesonDecays(channels=("pi_e_nu_ee",), mass="m_aprime"))


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (
            MiniBooNEDump,
            {"measurement": "miniboone-dm-2081"},
            "miniboone-dump: no measurement named 'miniboone-dm-2081'; did you mean 'miniboone-dm-2018'?",
        ),
        (
            MiniBooNEDump,
            {"observed": -1},
            "miniboone-dump: 'observed' is -1; give a whole number not below 0",
        ),
        (MiniBooNEDump, {"flux_ratio": 0.0}, "miniboone-dump: 'flux_ratio' is 0.0; give a number above 0"),
        (LSND, {"measurement": "lsnd"}, "lsnd: no measurement named 'lsnd'; did you mean 'lsnd-2001'?"),
        (
            LSND,
            {"error_flux": -0.1},
            "lsnd: 'error_flux' is -0.1; give a finite relative error, not below 0",
        ),
        (LSND, {"error": 0.0}, "lsnd: 'error' is 0.0; give a finite number above 0"),
        (LSND, {"excess": float("nan")}, "lsnd: 'excess' is nan; give a finite number of events"),
        (
            MesonDecays,
            {"channels": ("k_mu_nu_y",)},
            "meson-decays: no measurement named 'k_mu_nu_y'; did you mean 'k_mu_nu_x'?",
        ),
        (MesonDecays, {"channels": ()}, "meson-decays: 'channels' is empty; name one, such as 'k_mu_nu_x'"),
        (
            MesonDecays,
            {"channels": ("k_mu_nu_x", "k_mu_nu_x")},
            "meson-decays: channel 'k_mu_nu_x' stands twice; name it once",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(make: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(GlobalfitError) as caught:
        make(**arguments)
    assert str(caught.value) == message
