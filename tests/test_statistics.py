from __future__ import annotations

import subprocess
import sys
import warnings
from decimal import Decimal, getcontext
from itertools import pairwise
from math import factorial, lgamma

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import dblquad, quad

from globalfit.statistics import (
    asymmetric_gaussian,
    correlated_gaussian,
    gaussian,
    lower_limit,
    poisson,
    poisson_upper_limit,
    poisson_with_background,
    upper_limit,
)

SHAPES = ("gamma", "truncated-normal", "log-normal")
EXTREME = np.array([-1e308, -1e30, -1.0, 0.0, 5e-324, 1e-12, 1.0, 1e5, 1e30, 1e308])


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_gaussian_is_scipys():
    x = np.linspace(-40.0, 60.0, 101)
    error = np.linspace(0.5, 9.0, 101)
    np.testing.assert_allclose(gaussian(3.0, x, error), stats.norm.logpdf(3.0, x, error), rtol=1e-13)


def test_asymmetric_gaussian_falls_by_half_at_the_published_errors():
    top, low, high = asymmetric_gaussian(0.846, 0.041, 0.044, np.array([0.846, 0.846 - 0.041, 0.846 + 0.044]))
    np.testing.assert_allclose([low - top, high - top], -0.5, rtol=1e-12)


@pytest.mark.parametrize("theory", [0.0, 0.3, 5.0])
def test_asymmetric_gaussian_integrates_to_one_over_either_argument(theory):
    def by_prediction(x):
        return np.exp(asymmetric_gaussian(1.0, 0.5, 2.0, np.array([x]), theory)[0])

    def by_observation(x):
        return np.exp(asymmetric_gaussian(x, 0.5, 2.0, np.array([1.0]), theory)[0])

    for density in (by_prediction, by_observation):
        total = quad(density, -80.0, 1.0, epsabs=1e-12)[0] + quad(density, 1.0, 80.0, epsabs=1e-12)[0]
        assert total == pytest.approx(1.0, abs=1e-10)


def test_asymmetric_gaussian_with_equal_errors_is_gaussian_with_theory_in_quadrature():
    x, theory = np.linspace(-9.0, 9.0, 50), np.linspace(0.0, 4.0, 50)
    np.testing.assert_allclose(
        asymmetric_gaussian(1.0, 3.0, 3.0, x, theory), gaussian(1.0, x, np.hypot(3.0, theory)), rtol=1e-13
    )


def test_asymmetric_gaussian_has_no_kink_and_parabolic_tails():
    step = 1e-6
    near = asymmetric_gaussian(1.0, 0.5, 2.0, np.array([1.0 - step, 1.0, 1.0 + step]))
    assert abs((near[2] - near[1]) / step) < 1e-5
    assert abs((near[1] - near[0]) / step) < 1e-5
    far = asymmetric_gaussian(0.0, 0.5, 2.0, np.array([-100.0, 0.0, 100.0]))
    np.testing.assert_allclose(far - far[1], [-20000.0, 0.0, -1250.0], rtol=1e-12)


def test_correlated_gaussian_is_scipys():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(20, 4, 4))
    cov = a @ a.transpose(0, 2, 1) + 0.1 * np.eye(4)
    x, y = rng.normal(size=(20, 4)), rng.normal(size=4)
    each = [stats.multivariate_normal.logpdf(y, x[i], cov[i]) for i in range(20)]
    np.testing.assert_allclose(correlated_gaussian(y, x, cov), each, rtol=1e-10)
    one = stats.multivariate_normal.logpdf(x, y, cov[0])
    np.testing.assert_allclose(correlated_gaussian(y, x, cov[0]), one, rtol=1e-10)


def test_correlated_gaussian_without_correlation_is_a_product_in_any_unit():
    x, error = np.array([[1.0, 2e-9, 3e9]]), np.array([0.1, 3e-10, 2e9])
    product = sum(gaussian(0.0, x[:, i], error[i]) for i in range(3))
    np.testing.assert_allclose(correlated_gaussian(np.zeros(3), x, np.diag(error**2)), product, rtol=1e-13)


def test_correlated_gaussian_integrates_to_one():
    cov = np.array([[1.0, 1.2], [1.2, 4.0]])

    def density(a, b):
        return np.exp(correlated_gaussian([a, b], np.zeros((1, 2)), cov)[0])

    assert dblquad(density, -14.0, 14.0, -8.0, 8.0, epsabs=1e-5)[0] == pytest.approx(1.0, abs=1e-5)


def test_poisson_is_scipys():
    mu = np.array([1e-3, 0.5, 3.0, 8.8, 40.0, 2309.0])
    for k in (0, 1, 6, 33, 2400):
        np.testing.assert_allclose(poisson(k, mu), stats.poisson.logpmf(k, mu), rtol=1e-11)


def _exact_poisson(k: int, mu: float) -> float:
    getcontext().prec = 60
    return float(k * Decimal(mu).ln() - Decimal(mu) - Decimal(factorial(k)).ln())


@pytest.mark.parametrize("k", [0, 1, 31, 32, 33, 1000, 5000])
def test_poisson_is_exact_at_large_counts(k):
    mu = np.array([1e-6, 0.3 * k + 0.1, 0.999 * k + 0.01, k + 0.5, 1.4 * k + 1.0, 5.0 * k + 2.0])
    exact = [_exact_poisson(k, each) for each in mu]
    np.testing.assert_allclose(poisson(k, mu), exact, rtol=2e-15, atol=2e-13)


def test_poisson_bins_are_summed_and_fractions_allowed():
    observed = np.array([93.1, 130.0, 0.0])
    expected = np.array([[74.3, 107.6, 0.0], [90.0, 120.0, 2.0]])
    by_hand = np.array([stats.poisson.logpmf([130.0, 0.0], row[1:]).sum() for row in expected])
    by_hand += 93.1 * np.log(expected[:, 0]) - expected[:, 0] - lgamma(94.1)
    np.testing.assert_allclose(poisson(observed, expected), by_hand, rtol=1e-12)


def test_poisson_at_the_edges():
    mu = np.array([-1.0, 0.0, np.inf, np.nan, 2.0])
    np.testing.assert_array_equal(poisson(0, mu), [-np.inf, 0.0, -np.inf, np.nan, -2.0])
    np.testing.assert_array_equal(poisson(3, mu)[:4], [-np.inf, -np.inf, -np.inf, np.nan])


def _background_density(b, background, error, shape):
    if shape == "gamma":
        return stats.gamma.pdf(b, (background / error) ** 2, scale=error**2 / background)
    if shape == "log-normal":
        return stats.lognorm.pdf(b, np.log(1.0 + error / background), scale=background)
    return stats.truncnorm.pdf(b, -background / error, np.inf, loc=background, scale=error)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("k", "s", "b", "error"),
    [(0, 0.0, 3.0, 1.0), (6, 2.1, 8.8, 2.0), (6, 0.0, 8.8, 0.5), (3, 0.0, 2.0, 1.5), (100, 30.0, 60.0, 15.0)],
)
def test_marginal_is_the_integral_by_adaptive_quadrature(k, s, b, error, shape):
    def integrand(x):
        return _background_density(x, b, error, shape) * stats.poisson.pmf(k, s + x)

    edges = [0.0, 0.3 * b, b, 1.6 * b, 4.0 * b, 15.0 * b, 200.0 * b]
    total = sum(
        quad(integrand, low, high, epsabs=0.0, epsrel=1e-12, limit=200)[0] for low, high in pairwise(edges)
    )
    value = poisson_with_background(k, np.array([s]), b, error, shape)
    np.testing.assert_allclose(value, np.log(total), rtol=1e-9)


CORNERS = [(200, 1.0, 300.0, 5.0), (1000, 1e4, 850.0, 50.0), (1000, 100.0, 850.0, 200.0), (4, 1.0, 0.9, 1.0)]
WIDE = [
    (50, 5.0, 4.0, 20.0),
    (10, 1.0, 0.1, 0.7),
    (40, 3.0, 5.0, 50.0),
]  # gamma: b^(small power) does not die


@pytest.mark.parametrize(
    ("shape", "k", "s", "b", "error"),
    [(shape, *case) for shape in SHAPES for case in (CORNERS if shape == "gamma" else CORNERS + WIDE)],
)
def test_marginal_is_the_integral_by_brute_force(shape, k, s, b, error):
    ln_b = np.linspace(
        -80.0, 14.0, 200_001
    )  # the trapezoidal rule on a smooth integrand that dies at both ends
    x = np.exp(ln_b)
    if shape == "gamma":
        ln_p = stats.gamma.logpdf(x, (b / error) ** 2, scale=error**2 / b)
    elif shape == "log-normal":
        ln_p = stats.lognorm.logpdf(x, np.log(1.0 + error / b), scale=b)
    else:
        ln_p = stats.truncnorm.logpdf(x, -b / error, np.inf, loc=b, scale=error)
    h = ln_p + stats.poisson.logpmf(k, s + x) + ln_b
    total = np.log(np.exp(h - h.max()).sum() * (ln_b[1] - ln_b[0])) + h.max()
    np.testing.assert_allclose(poisson_with_background(k, np.array([s]), b, error, shape), total, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_marginal_is_a_probability_of_the_count(shape):
    s = np.array([0.0, 0.7, 12.0])
    total = sum(np.exp(poisson_with_background(k, s, 4.0, 2.5, shape)) for k in range(130))
    np.testing.assert_allclose(total, 1.0, atol=1e-9)


def test_gamma_without_signal_is_the_negative_binomial_distribution():
    for k in (0, 3, 50):
        value = poisson_with_background(k, np.zeros(1), 9.0, 3.0)
        np.testing.assert_allclose(value, stats.nbinom.logpmf(k, 9.0, 0.5), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_marginal_tends_to_plain_poisson(shape):
    s = np.array([0.0, 1.0, 50.0, 3000.0])
    for k in (0, 7, 400):
        plain = poisson(k, s + 8.8)
        np.testing.assert_allclose(poisson_with_background(k, s, 8.8, 0.0, shape), plain, rtol=1e-11)
        np.testing.assert_allclose(poisson_with_background(k, s, 8.8, 1e-9, shape), plain, rtol=1e-11)


def test_marginal_does_not_jump_with_a_tiny_error():
    for shape in SHAPES:
        for error in (1e-200, 1e-100, 1e-14, 1e-8):
            value = poisson_with_background(7, np.array([1.0]), 8.8, error, shape)
            np.testing.assert_allclose(value, poisson(7, np.array([9.8])), rtol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_marginal_is_finite_and_falls_for_signals_far_from_the_data(shape):
    s = np.concatenate([[0.0], np.geomspace(1e-300, 1e300, 400)])
    for k, b, error in ((0, 1.0, 0.1), (6, 8.8, 2.0), (10000, 9000.0, 400.0), (10000, 1.0, 3.0)):
        values = poisson_with_background(k, s, b, error, shape)
        assert np.all(np.isfinite(values))
        assert np.all(np.diff(values[s > 2.0 * k + 10.0]) < 0.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_background_per_point_is_the_same_as_one_at_a_time(shape):
    rng = np.random.default_rng(2)
    s, b, error = rng.uniform(0, 20, 30), rng.uniform(0.5, 20, 30), rng.uniform(0.1, 9, 30)
    error[:3] = 0.0
    batch = poisson_with_background(12, s, b, error, shape)
    single = [poisson_with_background(12, s[i : i + 1], b[i], error[i], shape)[0] for i in range(30)]
    np.testing.assert_allclose(batch, single, rtol=1e-12)


def test_half_normal_background_around_zero():
    total = quad(lambda b: 2.0 * stats.norm.pdf(b) * stats.poisson.pmf(2, 1.0 + b), 0.0, 40.0, epsrel=1e-12)[
        0
    ]
    value = poisson_with_background(2, np.ones(1), 0.0, 1.0, "truncated-normal")
    np.testing.assert_allclose(value, np.log(total), rtol=1e-9)


def test_marginal_at_the_edges():
    s = np.array([-1.0, np.inf, np.nan, 1.0])
    values = poisson_with_background(2, s, 1.0, 0.5)
    np.testing.assert_array_equal(values[:3], [-np.inf, -np.inf, np.nan])
    assert poisson_with_background(2, np.empty(0), 1.0, 0.5).shape == (0,)


@pytest.mark.parametrize(("level", "pull"), [(0.9, 1.6448536269514722), (0.95, 1.959963984540054)])
def test_upper_limit_has_its_credibility(level, pull):
    def density(x):
        return np.exp(upper_limit(4.4e-11, np.array([x * 1e-11]), level)[0])

    below, total = quad(density, 0.0, 4.4, epsrel=1e-12)[0], quad(density, 0.0, 80.0, points=[4.4])[0]
    assert below / total == pytest.approx(level, abs=1e-9)
    error = 4.4e-11 / pull
    assert upper_limit(4.4e-11, np.array([1e-10]), level) == pytest.approx(
        gaussian(0.0, np.array([1e-10]), error)
    )


def test_upper_limit_is_constant_below_and_smooth_at_best():
    x = np.array([-1e300, -1.0, 0.0, 0.5])
    np.testing.assert_array_equal(
        upper_limit(2.0, x, best=0.5), gaussian(0.5, np.array([0.5]), 1.5 / 1.6448536269514722)[0]
    )
    slope = np.diff(upper_limit(2.0, np.array([0.5, 0.5 + 1e-6]), best=0.5)) / 1e-6
    assert abs(slope[0]) < 1e-5


def test_limit_curve_compares_with_the_null_result():
    limits = np.geomspace(1e-9, 1e-3, 7)
    np.testing.assert_array_equal(upper_limit(limits, np.zeros(7), curve=True), 0.0)
    at_limit = upper_limit(limits, limits, curve=True)
    np.testing.assert_allclose(at_limit, -0.5 * 1.6448536269514722**2, rtol=1e-12)
    np.testing.assert_allclose(
        upper_limit(limits, limits) - at_limit, -np.log(np.sqrt(2 * np.pi) * limits / 1.6448536269514722)
    )


def test_lower_limit_is_the_mirror_image():
    x = np.linspace(-9.0, 9.0, 40)
    mirrored = upper_limit(-2.0, -x, 0.95, best=-5.0)
    np.testing.assert_array_equal(lower_limit(2.0, x, 0.95, best=5.0), mirrored)


def test_poisson_upper_limit_is_zero_counts():
    x = np.linspace(0.0, 9.0, 20)
    events = 2.302585092994046 * x / 4.0
    np.testing.assert_allclose(poisson_upper_limit(4.0, x), poisson(0, events), rtol=1e-13)
    assert np.exp(poisson_upper_limit(4.0, np.array([4.0])))[0] == pytest.approx(0.1)


DENSITIES = {
    "gaussian": lambda x: gaussian(1.0, x, 1e-9),
    "asymmetric": lambda x: asymmetric_gaussian(1.0, 1e-9, 1.0, x, 1e-300),
    "correlated": lambda x: correlated_gaussian(
        [1.0, 1.0], np.column_stack([x, x]), [[1.0, 0.999], [0.999, 1.0]]
    ),
    "upper": lambda x: upper_limit(1e-9, x),
    "lower": lambda x: lower_limit(1e-9, x, best=1.0),
    "zero-counts": lambda x: poisson_upper_limit(1e-9, x),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_tails_are_finite_and_fall_and_batch_is_scalar(name):
    density = DENSITIES[name]
    values = density(EXTREME)
    assert np.all(np.isfinite(values))
    single = [density(EXTREME[i : i + 1])[0] for i in range(EXTREME.size)]
    np.testing.assert_allclose(values, single, rtol=1e-12)
    grid = density(np.concatenate([-np.geomspace(1e100, 2.0, 100), np.geomspace(2.0, 1e100, 100)]))
    rise, fall = np.diff(grid[:100]), np.diff(grid[100:])
    assert np.all(rise >= 0.0)
    assert np.all(fall <= 0.0) or name == "lower"
    assert np.any(rise > 0.0) or np.any(fall < 0.0)


def test_nan_stays_nan():
    for density in DENSITIES.values():
        assert np.isnan(density(np.array([np.nan, 0.0]))).tolist() == [True, False]


X = np.zeros(3)
BAD = [
    (lambda: gaussian(0.0, X, 0.0), "'error' must be finite and positive, not 0"),
    (lambda: gaussian(0.0, X, [1.0, -1.0, 1.0]), "not -1 at point 1"),
    (lambda: gaussian(0.0, X, [1.0, np.nan, 1.0]), "not nan at point 1"),
    (lambda: gaussian(0.0, X, np.ones(2)), "shape"),
    (lambda: gaussian(0.0, np.zeros((3, 1)), 1.0), "shape"),
    (lambda: gaussian(np.nan, X, 1.0), "measured value"),
    (lambda: asymmetric_gaussian(0.0, -1.0, 1.0, X), "error_low"),
    (lambda: asymmetric_gaussian(0.0, 1.0, 1.0, X, -1.0), "error_theory"),
    (
        lambda: correlated_gaussian(np.zeros(2), np.zeros((3, 2)), [[1.0, 2.0], [2.0, 1.0]]),
        "not positive definite",
    ),
    (lambda: correlated_gaussian(np.zeros(2), np.zeros((3, 2)), [[1.0, 0.0], [0.5, 1.0]]), "not symmetric"),
    (lambda: correlated_gaussian(np.zeros(2), np.zeros((3, 2)), [[np.nan, 0.0], [0.0, 1.0]]), "not finite"),
    (lambda: correlated_gaussian(np.zeros(2), X, np.eye(2)), "shapes"),
    (lambda: poisson(-1.0, X), "'observed'"),
    (lambda: poisson(1.0, np.zeros((3, 2))), "shape"),
    (lambda: poisson(np.ones(3), X), "shape"),
    (lambda: poisson_with_background(1.5, X, 1.0, 1.0), "whole number"),
    (lambda: poisson_with_background(1, X, -1.0, 1.0), "negative"),
    (lambda: poisson_with_background(1, X, 0.0, 1.0), "above zero"),
    (lambda: poisson_with_background(1, X, np.ones(2), 1.0), "shapes"),
    (lambda: poisson_with_background(1, X, 1.0, 1.0, "normal"), "unknown shape 'normal'"),
    (lambda: upper_limit(0.0, X), "limit"),
    (lambda: upper_limit(1.0, X, 90.0), "'level'"),
    (lambda: lower_limit(2.0, X, best=1.0), "limit"),
    (lambda: poisson_upper_limit(0.0, X), "limit"),
]


@pytest.mark.parametrize(("call", "text"), BAD)
def test_bad_input_is_told_in_one_line(call, text):
    with pytest.raises(ValueError, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_not_definite_covariance_is_named_by_its_point():
    cov = np.stack([np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]])])
    with pytest.raises(ValueError, match="at point 1"):
        correlated_gaussian(np.zeros(2), np.zeros((2, 2)), cov)


def test_theory_error_in_quadrature_is_near_the_convolution_as_documented():
    x = np.linspace(-2.0, 2.0, 9)
    for theory, most in ((0.3, 0.015), (1.0, 0.095)):
        convolved = [
            quad(
                lambda t, at=at, theory=theory: (
                    np.exp(asymmetric_gaussian(0.0, 1.0, 1.5, np.array([t]))[0])
                    * stats.norm.pdf(t, at, theory)
                ),
                -15.0,
                15.0,
                points=[at, 0.0],
                limit=200,
            )[0]
            for at in x
        ]
        difference = np.abs(asymmetric_gaussian(0.0, 1.0, 1.5, x, theory) - np.log(convolved)).max()
        assert 0.5 * most < difference < most


def test_import_leaves_scipy_out():
    code = "import sys, globalfit.statistics, globalfit.testing; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
