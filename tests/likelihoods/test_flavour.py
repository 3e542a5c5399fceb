from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from globalfit.arrays import Columns
from globalfit.coordinates import Coordinate
from globalfit.errors import GlobalfitError
from globalfit.likelihoods.bs_to_mumu import BsToMuMu
from globalfit.likelihoods.flavio_observable import FlavioObservable
from globalfit.likelihoods.flavour_measurements import (
    Measurement,
    check_combination,
    correlated_asymmetric_gaussian,
    measurement,
    standard_model,
    standard_model_pull,
)
from globalfit.likelihoods.lepton_universality import LeptonUniversality
from globalfit.likelihoods.rare_b_decays import RareBDecays
from globalfit.model import Point
from globalfit.parameters import Parameter, Quantity
from globalfit.physics.flavour.channels import RATES, RATIOS
from globalfit.physics.flavour.observables import COVARIANCE
from globalfit.physics.wilson import WilsonCoefficients, contact
from globalfit.priors.shapes import Uniform
from globalfit.testing import check_likelihood

# The talk's BMA, BMB, BMC, BMD: C10^U, C9=C10 of right-handed muons, primed, C_S, C_P (GeV^-1).
BENCHMARKS = np.array(
    [
        [4.85, -0.30, 0, 0.033, 0],
        [-5.86, 3.65, 0, 0.024, 0.030],
        [2.7, -0.8, 0, 0.011, 0.043],
        [-5.67, 4.55, -1.28, 0, 0],
    ]
)


def points(values: np.ndarray) -> Point:
    return cast(Point, SimpleNamespace(wilson_coefficients=contact(*np.atleast_2d(values).T.astype(float))))


SM = points(np.zeros((1, 5)))


def without_theory(prediction: Any) -> dict[str, np.ndarray]:
    return {key: 0.0 * value if key == COVARIANCE else value for key, value in prediction.items()}


def chi2(likelihood: Any, point: Point) -> float:
    """chi^2 of one point, central theory: distance in ln L from the density's maximum."""
    prediction = without_theory(likelihood.predict(point))
    at = dict(prediction)
    for name, value in zip(likelihood.measured.observables, likelihood.measured.value, strict=True):
        at[name] = np.array([value])
    return float(2 * (likelihood.log_likelihood(at) - likelihood.log_likelihood(prediction))[0])


# --- chi^2 of the Standard Model, against flavio with the experiments' tabulated likelihoods


@pytest.mark.parametrize(
    ("name", "flavio", "tolerance"),
    [
        ("lhcb-rk-2019", 5.41, 0.1),
        ("lhcb-rk-2021", 10.30, 0.2),
        (
            "lhcb-rkstar-2017",
            12.14,
            0.4,
        ),  # two half Gaussians of the published errors for a tabulated likelihood
        ("lhcb-2022", 1.69, 0.05),
    ],
)
def test_standard_model_in_lepton_universality(name: str, flavio: float, tolerance: float) -> None:
    assert chi2(LeptonUniversality(name), SM) == pytest.approx(flavio, abs=tolerance)


@pytest.mark.parametrize(("name", "flavio"), [("gsss-2022", 2.55), ("combination-2021", 5.46)])
def test_standard_model_in_bs_to_mumu_with_b0(name: str, flavio: float) -> None:
    measured = BsToMuMu(name).measured
    assert measured.b0 is not None
    value, error, rho = measured.b0
    covariance = np.array([[measured.error_low[0] ** 2, rho * error * measured.error_low[0]], [0, error**2]])
    covariance[1, 0] = covariance[0, 1]
    likelihood = BsToMuMu(name, "standard-model")
    found = likelihood.log_likelihood(without_theory(likelihood.predict(SM)))[0]
    # the peak of a two-dimensional Gaussian, written out because the numbers are of order 1e-10
    peak = -np.log(2 * np.pi * measured.error_low[0] * error * np.sqrt(1 - rho**2))
    assert 2 * (peak - found) == pytest.approx(flavio, abs=0.03)
    pull = np.array([3.62893e-9 - measured.value[0], 1.0135e-10 - value])
    assert 2 * (peak - found) == pytest.approx(pull @ np.linalg.inv(covariance) @ pull, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "expected"), [("lhcb-2021", 1.24), ("cms-2022", 0.23), ("hflav-2022", 0.38)]
)
def test_standard_model_in_bs_to_mumu(name: str, expected: float) -> None:
    likelihood = BsToMuMu(name)
    measured = likelihood.measured
    distance = 3.628931e-9 - measured.value[0]
    width = (measured.error_high if distance > 0 else measured.error_low)[0]
    assert chi2(likelihood, SM) == pytest.approx((distance / width) ** 2, rel=1e-4)
    assert chi2(likelihood, SM) == pytest.approx(expected, abs=0.01)


def test_pulls_of_the_talk() -> None:
    # 4.4, 4.6, 3.8, 4.2 on the slide, data set and definition not stated
    likelihoods = (LeptonUniversality("lhcb-rk-2021-rkstar-2017"), BsToMuMu("combination-2021"))
    here = [each.predict(points(BENCHMARKS)) for each in likelihoods]
    there = [each.predict(SM) for each in likelihoods]
    pulls = standard_model_pull(likelihoods, here, there)
    np.testing.assert_allclose(pulls, [4.4, 4.6, 3.8, 4.2], atol=0.4)


def test_preference_is_gone_with_the_data_of_2022() -> None:
    likelihoods = (LeptonUniversality("lhcb-2022"),)
    here = [each.predict(points(BENCHMARKS)) for each in likelihoods]
    pulls = standard_model_pull(likelihoods, here, [each.predict(SM) for each in likelihoods])
    assert np.all(pulls < -2.0)


# --- density


def test_density_against_closed_forms() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.normal(1.0, 0.2, (20, 3))
    errors = np.array([0.05, 0.1, 0.08])
    rho = np.array([[1, 0.3, -0.2], [0.3, 1, 0.1], [-0.2, 0.1, 1]])
    a = rng.normal(0, 0.03, (20, 3, 3))
    theory = a @ np.swapaxes(a, 1, 2)
    value = np.array([0.9, 1.1, 1.0])
    found = correlated_asymmetric_gaussian(value, errors, errors, rho, predicted, theory)
    exact = [
        multivariate_normal(value, rho * errors * errors[:, None] + t).logpdf(x)
        for x, t in zip(predicted, theory, strict=True)
    ]
    np.testing.assert_allclose(found, exact, rtol=1e-11)


@pytest.mark.parametrize("variable_width", [False, True])
def test_one_asymmetric_error(variable_width: bool) -> None:
    def density(x: float) -> float:
        return float(
            correlated_asymmetric_gaussian(
                np.array([0.846]), np.array([0.041]), np.array([0.044]), np.eye(1), np.array([[x]]),
                np.zeros((1, 1, 1)), np.array([variable_width]),
            )[0]
        )  # fmt: skip

    peak = density(0.846)
    assert density(0.846 - 0.041) == pytest.approx(peak - 0.5, abs=1e-12)
    assert density(0.846 + 0.044) == pytest.approx(peak - 0.5, abs=1e-12)
    for x in (-1e6, -1.0, 0.0, 5.0, 1e6):
        assert np.isfinite(density(x))
    far = [density(x) for x in np.linspace(0.9, 50.0, 200)]
    assert np.all(np.diff(far) < 0.0)
    near = [density(x) for x in np.linspace(-50.0, 0.8, 200)]
    assert np.all(np.diff(near) > 0.0)
    total = quad(lambda x: np.exp(density(x)), 0.3, 1.6, points=[0.846])[0]
    assert total == pytest.approx(1.0, abs=1e-10 if not variable_width else 3e-3)


def test_profile_of_rk_2021() -> None:
    # -2 ln L of LHCb's published profile likelihood (tabulated in flavio 2.7.1), not the errors alone
    record = measurement("lepton_universality.toml", "test", "lhcb-rk-2021")
    x = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3])
    table = np.array([15.11, 1.25, 1.47, 10.26, 24.10, 41.46, 62.31])
    density = correlated_asymmetric_gaussian(
        record.value, record.error_low, record.error_high, record.correlation,
        np.append(x, record.value)[:, None], np.zeros((8, 1, 1)), record.variable_width,
    )  # fmt: skip
    np.testing.assert_allclose(2 * (density[-1] - density[:-1]), table, rtol=0.04)


def test_theory_error_widens() -> None:
    likelihood = LeptonUniversality("lhcb-2022")
    prediction = likelihood.predict(points(BENCHMARKS))
    with_theory = likelihood.log_likelihood(prediction)
    central = likelihood.log_likelihood(without_theory(prediction))
    assert np.all(with_theory > central)  # all four are far from the data
    assert np.all(np.isfinite(with_theory))


# --- predictions


def test_predictions_and_their_standard_model() -> None:
    for likelihood, keys in (
        (LeptonUniversality(), {each.name for each in RATIOS}),
        (BsToMuMu(), {"br_bs_mumu"}),
        (RareBDecays(), {each.name for each in RATES}),
    ):
        prediction = likelihood.predict(points(BENCHMARKS))
        expected = keys | {"error_" + key for key in keys} | {"sm_" + key for key in keys} | {COVARIANCE}
        assert set(prediction) == expected
        for key in keys:
            assert prediction[key].shape == (4,)
            np.testing.assert_allclose(prediction["sm_" + key], likelihood.predict(SM)[key][0], rtol=1e-12)
        assert likelihood.log_likelihood(prediction).shape == (4,)
        assert pickle.loads(pickle.dumps(likelihood)) == likelihood


def test_published_numbers() -> None:
    cases: list[Any] = [
        *(LeptonUniversality(name) for name in ("lhcb-rk-2019", "lhcb-rkstar-2017", "lhcb-2022")),
        BsToMuMu("lhcb-2021"),
        BsToMuMu(),
    ]
    for likelihood in cases:
        (published,) = likelihood.published
        prediction = {key: np.array([value]) for key, value in published.prediction.items()}
        found = likelihood.log_likelihood(prediction)[0]
        assert found == pytest.approx(published.log_likelihood, abs=published.tolerance)
    assert LeptonUniversality().published == ()


def test_rare_decays_only_predict_unless_asked() -> None:
    silent, scored = RareBDecays(), RareBDecays(mode="likelihood")
    prediction = silent.predict(points(BENCHMARKS))
    assert np.all(silent.log_likelihood(prediction) == 0.0)
    assert silent.data == ()
    assert len(scored.data) == 4
    values = scored.log_likelihood(prediction)
    assert np.argmin(values) in (1, 3)  # rates eight times the Standard Model's
    assert np.all(np.isfinite(values))


# --- the contract, on a model that is nothing but its coefficients


class ContactPoint(Point):
    @cached_property
    def wilson_coefficients(self) -> WilsonCoefficients:
        return contact(
            self.c10_universal, self.c_muon, self.c_muon_primed, self.c_scalar, self.c_pseudoscalar
        )


@dataclass(frozen=True)
class ContactModel:
    name: str = "contact"
    reference: str = "arXiv:2105.07655"
    parameters: tuple[Parameter, ...] = (
        Parameter("c10_universal", prior=Uniform(-6.0, 6.0)),
        Parameter("c_muon", prior=Uniform(-5.0, 5.0)),
        Parameter("c_muon_primed", prior=Uniform(-2.0, 2.0)),
        Parameter("c_scalar", "GeV^-1", prior=Uniform(0.0, 0.05)),
        Parameter("c_pseudoscalar", "GeV^-1", prior=Uniform(0.0, 0.05)),
    )
    derived: tuple[Quantity, ...] = ()
    coordinates: Mapping[str, Mapping[str, Coordinate]] = field(default_factory=dict)

    def point(self, columns: Columns) -> Point:
        return ContactPoint(columns, self.name)


@pytest.mark.parametrize(
    "likelihood",
    [
        LeptonUniversality(),
        LeptonUniversality("lhcb-rk-2021-rkstar-2017"),
        BsToMuMu(),
        BsToMuMu("combination-2021", "standard-model"),
        RareBDecays(mode="likelihood"),
    ],
    ids=lambda each: each.name + " " + each.measurement,
)
def test_contract(likelihood: Any) -> None:
    findings = check_likelihood(likelihood, cast(Any, ContactModel()))
    assert findings
    assert all(finding.passed for finding in findings), [str(each) for each in findings]


# --- vintages and data


def test_vintages() -> None:
    def newest(likelihood: Any, day: date) -> str:
        return str(max((d, name) for name, d in likelihood.vintages.items() if d <= day)[1])

    day = date(2022, 10, 15)
    assert newest(LeptonUniversality, day) == "lhcb-rk-2021-rkstar-2017"
    assert newest(BsToMuMu, day) == "combination-2021"
    assert BsToMuMu("combination-2021").measured.value[0] == 2.933e-9
    for likelihood in (LeptonUniversality, BsToMuMu, RareBDecays):
        for name in likelihood.vintages:
            assert cast(Any, likelihood)(name).measurement == name
        assert likelihood().measurement == newest(likelihood, date(2100, 1, 1))


def test_superseded_measurements_share_data() -> None:
    def shared(a: Any, b: Any) -> set[str]:
        return set(a.data) & set(b.data)

    assert shared(LeptonUniversality("lhcb-2022"), LeptonUniversality("lhcb-rk-2021"))
    assert shared(LeptonUniversality("lhcb-2022"), LeptonUniversality("lhcb-rkstar-2017"))
    assert shared(LeptonUniversality("lhcb-rk-2021"), LeptonUniversality("lhcb-rk-2019"))
    assert not shared(LeptonUniversality("lhcb-rk-2021"), LeptonUniversality("lhcb-rkstar-2017"))
    assert not shared(LeptonUniversality("lhcb-2022"), LeptonUniversality("cms-rk-2024"))
    for average in ("hflav-2022", "gsss-2022", "pdg-2024"):
        for single in ("lhcb-2021", "cms-2022", "atlas-2018"):
            assert shared(BsToMuMu(average), BsToMuMu(single)), (average, single)
    assert not shared(BsToMuMu("lhcb-2021"), BsToMuMu("cms-2022"))
    names = ("lhcb-rk-2021", "lhcb-2022")
    parts: list[Measurement] = [measurement("lepton_universality.toml", "test", name) for name in names]
    with pytest.raises(
        GlobalfitError, match="'lhcb-rk-2021' and 'lhcb-2022' share the data 'lhcb-r_k-2015-2016'"
    ):
        check_combination("lepton-universality", names, parts)


def test_bad_input() -> None:
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (LeptonUniversality, {"measurement": "lhcb-2023"}, "no measurement named 'lhcb-2023'; did"),
        (LeptonUniversality, {"error_qed": -0.1}, "'error_qed' is -0.1; give a number from 0 to 1"),
        (BsToMuMu, {"measurement": "hflv-2022"}, "did you mean 'hflav-2022'"),
        (BsToMuMu, {"b0_mumu": "free"}, "no b0_mumu 'free'"),
        (BsToMuMu, {"measurement": "lhcb-2021", "b0_mumu": "standard-model"}, "without its correlation"),
        (RareBDecays, {"mode": "both"}, "no mode 'both'"),
        (RareBDecays, {"measurement": "x"}, "known: 'lhcb-2014-2015', 'lhcb-2014-2018'"),
        (FlavioObservable, {"engine": "smelli"}, "no engine 'smelli'"),
        (FlavioObservable, {"observables": ()}, "'observables' is empty"),
    ]  # fmt: skip
    for made, arguments, message in cases:
        with pytest.raises(GlobalfitError) as caught:
            made(**arguments)
        assert message in str(caught.value)
        assert str(caught.value).startswith(made.name)
        assert "\n" not in str(caught.value)


def test_standard_model_point() -> None:
    made = standard_model()
    assert made.n == 1
    assert all(np.all(values == 0.0) for part in made.constant.values() for values in part.values())
