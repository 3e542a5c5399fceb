"""The muon g-2 likelihood: complete density, theory error, measured values and their dates."""

from __future__ import annotations

import pickle
from datetime import date

import numpy as np
import pytest
from scipy.stats import norm

from globalfit.constants import ALPHA
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Likelihood
from globalfit.likelihoods.muon_g2 import MuonG2
from globalfit.model import Point
from globalfit.physics.magnetic_moment import delta_a_scalar, delta_a_vector

POINT = Point(
    {
        "g_mu_vector": np.array([3.5e-3, 1e-4, 0.0, 0.0]),
        "g_mu_axial": np.array([3.5e-3, 0.0, 3.5e-3, 0.0]),
        "y_mu": np.array([7.5e-3, 2e-4, 0.0, 7.5e-3]),
        "m_aprime": np.array([100.0, 17.0, 100.0, 50.0]),
        "m_phi": np.array([80.0, 300.0, 80.0, 80.0]),
    }
)


def test_contract() -> None:
    likelihood = MuonG2()
    assert isinstance(likelihood, Likelihood)
    assert likelihood.name == "muon-g2"
    assert pickle.loads(pickle.dumps(likelihood)) == likelihood


def test_prediction_and_theory_error() -> None:
    prediction = MuonG2(two_loop=2.0).predict(POINT)
    scalar = delta_a_scalar(POINT.y_mu, POINT.m_phi)
    vector = delta_a_vector(POINT.g_mu_vector, POINT.g_mu_axial, POINT.m_aprime)
    np.testing.assert_allclose(prediction["delta_a_mu"], scalar + vector, rtol=1e-14)
    larger = np.where(np.abs(scalar) > np.abs(vector), np.abs(scalar), np.abs(vector))
    np.testing.assert_allclose(prediction["error_delta_a_mu"], 2 * ALPHA / np.pi * larger, rtol=1e-14)


@pytest.mark.parametrize("measurement", MuonG2.vintages)
@pytest.mark.parametrize("two_loop", [0.0, 1.0])
def test_density_is_complete(measurement: str, two_loop: float) -> None:
    likelihood = MuonG2(measurement, two_loop=two_loop)
    prediction = likelihood.predict(POINT)
    total = np.sqrt(likelihood.error_observed**2 + prediction["error_delta_a_mu"] ** 2)
    expected = norm.logpdf(likelihood.observed, prediction["delta_a_mu"], total)
    np.testing.assert_allclose(likelihood.log_likelihood(prediction), expected, rtol=1e-12)


@pytest.mark.parametrize("measurement", MuonG2.vintages)
def test_density_integrates_to_one_over_the_measured_value(measurement: str) -> None:
    """Normalised in the observed difference, at fixed prediction with its theory error."""
    prediction = {"delta_a_mu": np.array([2e-9]), "error_delta_a_mu": np.array([1e-9])}
    observed = np.linspace(-1e-8, 1.4e-8, 2401)
    density = [
        np.exp(MuonG2(measurement, delta_a_mu=float(x)).log_likelihood(prediction)[0]) for x in observed
    ]
    assert np.trapezoid(density, observed) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("measurement", MuonG2.vintages)
def test_published_difference_is_that_of_its_parts(measurement: str) -> None:
    record = MuonG2(measurement)._record
    assert record["delta_a_mu"] == pytest.approx(record["a_mu"] - record["a_mu_sm"], abs=1.0)
    quadrature = np.hypot(record["error_a_mu"], record["error_a_mu_sm"])
    assert record["error_delta_a_mu"] == pytest.approx(quadrature, abs=1.0)


@pytest.mark.parametrize("measurement", MuonG2.vintages)
def test_published_numbers_are_reproduced(measurement: str) -> None:
    likelihood = MuonG2(measurement)
    assert likelihood.published
    for number in likelihood.published:
        prediction = {name: np.atleast_1d(value) for name, value in number.prediction.items()}
        got = likelihood.log_likelihood(prediction)[0]
        assert got == pytest.approx(number.log_likelihood, abs=number.tolerance)


def test_published_significances() -> None:
    published = {"bnl-2006-wp2020": 3.7, "fnal-2021-wp2020": 4.2}
    for measurement, sigmas in published.items():
        likelihood = MuonG2(measurement)
        zero, error = np.zeros(1), np.zeros(1)
        best = likelihood.log_likelihood(
            {"delta_a_mu": zero + likelihood.observed, "error_delta_a_mu": error}
        )
        without = likelihood.log_likelihood({"delta_a_mu": zero, "error_delta_a_mu": error})
        assert np.sqrt(2 * (best - without)) == pytest.approx(sigmas, abs=0.06)


def newest(as_of: date) -> str:
    return max((when, name) for name, when in MuonG2.vintages.items() if when <= as_of)[1]


def test_vintages_by_date() -> None:
    assert newest(date(2021, 1, 1)) == "bnl-2006-wp2020"
    assert newest(date(2022, 10, 15)) == "fnal-2021-wp2020"
    assert newest(date(2024, 1, 1)) == "fnal-2023-wp2020"
    assert newest(date(2026, 1, 1)) == MuonG2().measurement


def test_every_vintage_has_numbers_and_follows_what_it_supersedes() -> None:
    for name, when in MuonG2.vintages.items():
        record = MuonG2(name)._record
        assert "arXiv:" in MuonG2(name).reference
        if "supersedes" in record:
            assert MuonG2.vintages[record["supersedes"]] < when
            assert set(MuonG2(record["supersedes"]).data) < set(MuonG2(name).data)


def test_overrides_replace_the_published_numbers() -> None:
    likelihood = MuonG2(delta_a_mu=1e-9, error=2e-10, two_loop=0.0)
    prediction = {"delta_a_mu": np.array([1.4e-9]), "error_delta_a_mu": np.zeros(1)}
    assert likelihood.log_likelihood(prediction)[0] == pytest.approx(norm.logpdf(2.0) - np.log(2e-10))
    assert likelihood.published == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"measurement": "fnal-2021-wp2002"},
            "muon-g2: no measurement named 'fnal-2021-wp2002'; did you mean 'fnal-2021-wp2020'?",
        ),
        ({"error": 0.0}, "muon-g2: 'error' is 0.0; give a finite number above 0"),
        ({"error": -1e-10}, "muon-g2: 'error' is -1e-10; give a finite number above 0"),
        ({"error": float("nan")}, "muon-g2: 'error' is nan; give a finite number above 0"),
        ({"delta_a_mu": float("inf")}, "muon-g2: 'delta_a_mu' is inf; give a finite number"),
        (
            {"two_loop": -1.0},
            "muon-g2: 'two_loop' is -1.0; give a finite number not below 0 (0 switches it off)",
        ),
        (
            {"two_loop": float("nan")},
            "muon-g2: 'two_loop' is nan; give a finite number not below 0 (0 switches it off)",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(GlobalfitError) as caught:
        MuonG2(**arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message
