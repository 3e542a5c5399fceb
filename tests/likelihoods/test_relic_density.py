"""The relic density likelihood: density, options, flags, benchmark rows, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import log_ndtr

from globalfit.errors import GlobalfitError
from globalfit.likelihood import Likelihood, published
from globalfit.likelihoods.relic_density import RelicDensity, error_kinetic_decoupling
from globalfit.models.t3r import T3RElectron, T3RMuon, T3RSecondGeneration

BENCHMARK = {
    "vev": 1e4,
    "m_aprime": 150.0,
    "m_phi": 80.0,
    "m_eta": 40.0,
    "delta_eta": 0.01,
    "m_nus": 10.0,
    "epsilon": 0.0,
}


def columns(**change):
    values = BENCHMARK | change
    n = max(np.size(each) for each in values.values())
    return {name: np.broadcast_to(np.asarray(each, float), (n,)).copy() for name, each in values.items()}


def predict(model=None, **change):
    return RelicDensity().predict((model or T3RMuon()).point(columns(**change)))


def given(omega_h2, error=0.0):
    return {"omega_h2": np.atleast_1d(np.asarray(omega_h2, float)), "error_ln_omega_h2": np.atleast_1d(error)}


def test_protocol_and_defaults():
    likelihood = RelicDensity()
    assert isinstance(likelihood, Likelihood)
    assert likelihood.name == "relic-density"
    assert (likelihood.observed, likelihood.error_floor, likelihood.mode) == (0.12, 0.3, "gaussian")
    assert likelihood.error_ln_observed == pytest.approx(0.01)
    assert "1807.06209" in likelihood.reference
    assert set(RelicDensity.vintages) == {"planck-2018"}


@pytest.mark.parametrize("error", [0.0, 0.69])
def test_density_is_complete(error):
    """It integrates to one over ln Omega h^2, whatever the error."""
    total = quad(
        lambda z: math.exp(RelicDensity().log_likelihood(given(math.exp(z), error))[0]),
        math.log(0.12) - 9,
        math.log(0.12) + 9,
    )[0]
    assert total == pytest.approx(1.0, rel=1e-8)


def test_density_by_hand():
    sigma = math.hypot(0.3, 0.2)
    z = math.log(0.24 / 0.12) / sigma
    expected = -0.5 * z**2 - math.log(sigma) - 0.5 * math.log(2 * math.pi)
    assert RelicDensity().log_likelihood(given(0.24, 0.2)) == pytest.approx(expected)
    # without a floor the measurement's own error stays
    narrow = RelicDensity(error_floor=0.0).log_likelihood(given(0.12))
    assert narrow == pytest.approx(-math.log(0.01 * math.sqrt(2 * math.pi)))


def test_upper_limit():
    likelihood = RelicDensity(mode="upper-limit")
    values = likelihood.log_likelihood(given([1e-6, 0.12, 1.2]))
    assert values == pytest.approx([0.0, math.log(0.5), log_ndtr(-math.log(10) / 0.3)], abs=1e-12)


def test_published_numbers_are_reproduced():
    for likelihood in (RelicDensity(), RelicDensity(mode="upper-limit")):
        for number in published(likelihood):
            prediction = {name: np.atleast_1d(value) for name, value in number.prediction.items()}
            assert likelihood.log_likelihood(prediction) == pytest.approx(number.log_likelihood, abs=1e-6)


def test_error_on_the_resonance():
    error = error_kinetic_decoupling(np.array([80.0, 88.0, 72.0, 120.0]), np.full(4, 40.0))
    assert error == pytest.approx([0.6908, 0.3454, 0.3454, 0.6908 / 626], rel=1e-3)


def test_rows_of_the_benchmark_table():
    """(m_A', m_phi, m_eta) = (150, 80, 40), (180, 76, 38): our values with all channels, V = 10 GeV."""
    for kappa, omega in (("sqrt2", [0.1666, 0.2048]), ("1", [0.0442, 0.0540])):
        found = predict(T3RMuon(kappa=kappa), m_aprime=[150.0, 180.0], m_phi=[80.0, 76.0], m_eta=[40.0, 38.0])
        assert found["omega_h2"] == pytest.approx(omega, rel=2e-2)
        assert found["error_ln_omega_h2"] == pytest.approx(0.3 * math.log(10))


@pytest.mark.parametrize(
    "model",
    [
        T3RMuon(),
        T3RElectron(),
        T3RSecondGeneration(),
        T3RMuon(eta_charges="literal"),
        T3RMuon(eta_charges="pseudo-dirac"),
        T3RMuon(c_nu=0.0),
    ],
)
def test_every_model_option(model):
    rng = np.random.default_rng(3)
    change = {
        "m_aprime": (5, 300),
        "m_phi": (20, 300),
        "m_eta": (5, 150),
        "m_nus": (1, 50),
        "delta_eta": (0, 5),
    }
    drawn = {name: rng.uniform(*limits, 64) for name, limits in change.items()}
    found = predict(model, epsilon=rng.uniform(-1e-3, 1e-3, 64), **drawn)
    for name, values in found.items():
        assert values.shape == (64,), name
        assert np.isfinite(values).all(), name
    assert (found["omega_h2"] > 0).all()
    assert np.isfinite(RelicDensity().log_likelihood(found)).all()


def test_batch_equals_single_points():
    change = {
        "m_phi": np.array([60.0, 80.0, 80.8, 130.0, 95.0]),
        "m_eta": np.array([40.0, 40.0, 40.0, 40.0, 8.0]),
    }
    together = predict(**change)["omega_h2"]
    alone = [predict(**{name: values[i] for name, values in change.items()})["omega_h2"][0] for i in range(5)]
    assert together == pytest.approx(alone, rel=1e-9)


def test_axial_current_forbids_coannihilation():
    """With A' diagonal and axial the s-wave through A' is gone: more is left where A' dominates."""
    change = {"m_aprime": 90.0, "m_phi": 150.0}
    literal = predict(T3RMuon(eta_charges="literal", c_nu=1.0), **change)["omega_h2"]
    assert literal > 3.0 * predict(T3RMuon(c_nu=1.0), **change)["omega_h2"]


def test_heavier_partner_drops_out():
    """A large gap switches co-annihilation through A' off; phi' alone remains."""
    change = {"m_aprime": 150.0, "m_phi": 60.0}
    omega = predict(delta_eta=np.array([0.01, 4.0, 12.0]), **change)["omega_h2"]
    assert omega[0] < omega[1] < omega[2]


def test_flags():
    found = predict(
        m_aprime=[150.0, 3.0, 150.0],
        m_phi=[80.0, 80.0, 199.0],
        m_nus=[10.0, 10.0, 50.0],
        m_eta=[40.0, 40.0, 5.0],
        vev=[1e4, 1e4, 2e6],
    )
    assert found["n_eff_dangerous"].tolist() == [0.0, 1.0, 0.0]
    assert found["out_of_equilibrium"].tolist() == [0.0, 0.0, 1.0]
    assert (found["x_freeze_out"][:2] > 10).all()
    assert found["sigma_v_freeze_out"][0] == pytest.approx(2e-26, rel=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"measurement": "planck-2019"},
            "relic-density: no measurement named 'planck-2019'; did you mean 'planck-2018'?",
        ),
        ({"mode": "gausian"}, "relic-density: no mode 'gausian'; did you mean 'gaussian'?"),
        ({"error_floor": -0.1}, "relic-density: 'error_floor' is -0.1; give a finite number not below 0"),
        ({"error": 0.0}, "relic-density: 'error' is 0.0; give a finite number above 0"),
        ({"omega_h2": math.nan}, "relic-density: 'omega_h2' is nan; give a finite number above 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(GlobalfitError) as error:
        RelicDensity(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"m_eta": -1.0}, "m_eta = -1 MeV is not a positive mass"),
        ({"delta_eta": -0.5}, "delta_eta = -0.5 MeV is negative"),
        ({"m_phi": 0.0}, "m_phi = 0 MeV is not a positive mass"),
        ({"m_eta": 5e3}, "where g*(T) is not known"),
    ],
)
def test_bad_points(change, words):
    with np.errstate(all="ignore"), pytest.raises(GlobalfitError) as error:
        predict(**change)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
