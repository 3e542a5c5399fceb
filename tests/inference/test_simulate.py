"""Simulated data follow the density that log_likelihood is the logarithm of.

For data y drawn at a prediction x the mean of p(y | x') / p(y | x) is 1 at any other prediction x': a density
integrates to 1 over the data.
"""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.errors import GlobalfitError
from globalfit.likelihoods.bs_to_mumu import BsToMuMu
from globalfit.likelihoods.lepton_universality import LeptonUniversality
from globalfit.likelihoods.lsnd import LSND
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.likelihoods.miniboone_dump import MiniBooNEDump
from globalfit.likelihoods.muon_g2 import MuonG2
from globalfit.likelihoods.rare_b_decays import RareBDecays
from globalfit.likelihoods.relic_density import RelicDensity
from globalfit.models.t3r import T3RMuon

MODEL = T3RMuon(flavour="contact")


def flavour(likelihood, *points):
    """Predictions of a flavour likelihood at Wilson coefficients (c10, c_muon), side by side."""
    c10, c_muon = np.transpose(points)
    zero = np.zeros(len(points))
    columns = {"c10_universal": c10, "c_muon": c_muon}
    columns |= dict.fromkeys(("c_muon_primed", "c_scalar", "c_pseudoscalar"), zero)
    return likelihood.predict(MODEL.point(columns))


def spectra(*scales):
    shape = np.linspace(60.0, 2.0, 11)
    nu = np.outer(scales, shape)
    return {"signal_nu": nu, "signal_nubar": 0.15 * nu}


def numbers(**values):
    return {name: np.array(value, dtype=float) for name, value in values.items()}


CASES = {
    "muon-g2": (
        MuonG2(), numbers(delta_a_mu=[2e-10, 5e-10], error_delta_a_mu=[1e-10, 3e-10]), 0.0),
    "relic-density": (
        RelicDensity(), numbers(omega_h2=[0.1, 0.13], error_ln_omega_h2=[0.1, 0.3]), 0.0),
    "relic-density, published error": (
        RelicDensity(error_floor=0.0), numbers(omega_h2=[0.1, 0.1005], error_ln_omega_h2=[0.0, 0.0]), 0.0),
    "lsnd": (
        LSND(), numbers(signal_lsnd=[900.0, 2e3], correlated_lsnd=[9.0, 20.0],
                        error_correlated_lsnd=[2.7, 6.0]), 0.0),
    "miniboone-dump": (
        MiniBooNEDump(), numbers(signal_dump=[3.0, 6.0], background_dump=[8.0, 8.0]), 0.0),
    "miniboone": (MiniBooNE(), spectra(1.0, 1.1), 0.02),  # draws have no negative bin
    "lepton-universality": (
        LeptonUniversality(), flavour(LeptonUniversality(), (0.2, -0.1), (0.0, -0.15)), 0.02),
    "lepton-universality, 2021": (
        LeptonUniversality(measurement="lhcb-rk-2021-rkstar-2017"),
        flavour(LeptonUniversality(), (0.2, -0.2), (0.0, -0.2)), 0.03),
    "bs-to-mumu": (BsToMuMu(), flavour(BsToMuMu(), (0.2, 0.0), (0.1, 0.0)), 0.01),
    "rare-b-decays": (
        RareBDecays(mode="likelihood"), flavour(RareBDecays(), (0.1, 0.0), (0.0, 0.0)), 0.03),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_ratio_of_densities_averages_to_one(case):
    likelihood, prediction, allowed = CASES[case]
    rng = np.random.default_rng(4)
    first = {name: values[:1] for name, values in prediction.items()}
    drawn = [likelihood.simulate(first, rng) for _ in range(150)]
    ln_p = np.array([each.log_likelihood(prediction) for each in drawn])
    assert np.isfinite(ln_p).all()
    assert np.ptp(ln_p[:, 0]) > 1.0  # the data do differ
    ratio = np.exp(ln_p[:, 1] - ln_p[:, 0])
    assert 0.02 < np.std(ratio) < 3.0
    assert abs(ratio.mean() - 1.0) < 4.0 * np.std(ratio) / np.sqrt(150) + allowed


def test_gaussian_draws_have_the_errors_of_experiment_and_theory():
    rng = np.random.default_rng(5)
    at = numbers(delta_a_mu=[1e-9], error_delta_a_mu=[4e-10])
    drawn = np.array([MuonG2().simulate(at, rng).observed for _ in range(4000)])
    width = np.hypot(MuonG2().error_observed, 4e-10)
    assert drawn.mean() == pytest.approx(1e-9, abs=5 * width / np.sqrt(4000))
    assert drawn.std() == pytest.approx(width, rel=0.06)


def test_asymmetric_draws_lie_on_each_side_in_proportion_to_the_errors():
    from globalfit.likelihoods.flavour_measurements import draw_values

    rng = np.random.default_rng(6)
    low, high = np.array([1.0]), np.array([2.0])
    none = np.zeros((1, 1))
    drawn = np.array([draw_values((low, high), np.eye(1), np.zeros(1), none, rng)[0] for _ in range(1500)])
    # predicted below measured: the lower error counts, so a third of the data lie above the prediction
    assert np.mean(drawn > 0.0) == pytest.approx(1 / 3, abs=0.05)
    assert np.quantile(drawn[drawn > 0.0], 0.6827) == pytest.approx(1.0, abs=0.15)
    assert np.quantile(-drawn[drawn < 0.0], 0.6827) == pytest.approx(2.0, abs=0.25)


def test_spectrum_draws_reproduce_the_covariance():
    from globalfit.likelihoods.miniboone import _release

    rng = np.random.default_rng(7)
    at = {name: values[:1] for name, values in spectra(0.0).items()}
    drawn = [MiniBooNE().simulate(at, rng) for _ in range(2000)]
    events = np.array([[*each.data_nu, *each.data_nubar] for each in drawn])
    mean, covariance = _release("miniboone-2020").constrained_background()
    width = np.sqrt(np.diagonal(covariance))
    # `constrained_background` adds the muon samples' Poisson errors, the likelihood's Schur complement not
    assert np.abs(events.mean(axis=0) - mean).max() < 0.35 * width.max()
    assert events.std(axis=0) == pytest.approx(width, rel=0.25)


def test_what_is_no_density_of_data_says_so():
    rng = np.random.default_rng(1)
    with pytest.raises(GlobalfitError, match="relic-density: mode = 'upper-limit' is no density"):
        RelicDensity(mode="upper-limit").simulate(numbers(omega_h2=[0.1], error_ln_omega_h2=[0.1]), rng)
    with pytest.raises(GlobalfitError, match="lsnd: singles = true is a limit"):
        LSND(singles=True).simulate(numbers(correlated_lsnd=[1.0]), rng)


def test_values_of_a_flavour_measurement_are_checked():
    with pytest.raises(GlobalfitError, match="give 1 finite number"):
        BsToMuMu(values=(1e-9, 2e-9, 3e-9))
