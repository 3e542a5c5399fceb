"""Shapes: normalisation, quantiles and draws against numerical integration, and bad input."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise
from math import exp, inf, log, nan

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, truncnorm

from globalfit.coordinates import coordinate_for
from globalfit.errors import GlobalfitError
from globalfit.parameters import Prior
from globalfit.priors.shapes import (
    Fixed,
    LogNormal,
    LogUniform,
    Normal,
    SignedLogUniform,
    TruncatedNormal,
    Uniform,
)

# (prior, pieces between which the density is smooth)
SHAPES: list[tuple[Prior, list[float]]] = [
    (Uniform(-2.0, 5.0), [-2.0, 5.0]),
    (Uniform(3.0, 3.001), [3.0, 3.001]),
    (LogUniform(1e-3, 20.0), [1e-3, 1e-2, 0.1, 1.0, 20.0]),
    (SignedLogUniform(1e-2, 3.0), [-3.0, -0.3, -1e-2, 1e-2, 0.3, 3.0]),
    (Normal(1.5, 0.3), [-inf, 1.5, inf]),
    (LogNormal(1.0 / 34.0, 0.25), [0.0, 0.01, 1.0 / 34.0, 0.1, 1.0]),
    (LogNormal(10.0, 2.0), [0.0, 1e-3, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e6]),
    (TruncatedNormal(0.0, 1.0), [-inf, 0.0, inf]),
    (TruncatedNormal(0.01, 0.02, low=0.0), [0.0, 0.05, inf]),
    (TruncatedNormal(2.0, 0.5, high=1.0), [-inf, 0.0, 1.0]),
    (TruncatedNormal(2.0, 1.0, low=-1.0, high=2.5), [-1.0, 2.5]),
    (TruncatedNormal(0.0, 1.0, low=12.0, high=13.0), [12.0, 12.3, 13.0]),
    (TruncatedNormal(0.0, 1.0, low=-60.0, high=-50.0), [-60.0, -51.0, -50.3, -50.0]),
    (TruncatedNormal(0.0, 1.0, low=1.0, high=1.001), [1.0, 1.001]),
]
IDS = [repr(prior) for prior, _ in SHAPES]


def density(prior: Prior, x: float) -> float:
    return exp(prior.log_density(np.array([x]))[0])


def mass(prior: Prior, pieces: list[float], upto: float = inf) -> float:
    total = 0.0
    for low, high in pairwise(pieces):
        if low < upto:
            total += quad(lambda x: density(prior, x), low, min(high, upto), epsabs=1e-12, epsrel=1e-10)[0]
    return total


@pytest.mark.parametrize(("prior", "pieces"), SHAPES, ids=IDS)
def test_satisfies_the_protocol(prior: Prior, pieces: list[float]) -> None:
    assert isinstance(prior, Prior)
    coordinate = coordinate_for(prior)
    x = prior.quantile(np.linspace(0.02, 0.98, 7))
    back, _ = coordinate.to_physical(coordinate.from_physical(x, {}), {})
    np.testing.assert_allclose(back, x, rtol=1e-12)


@pytest.mark.parametrize(("prior", "pieces"), SHAPES, ids=IDS)
def test_density_integrates_to_one(prior: Prior, pieces: list[float]) -> None:
    missing = 2e-7 if isinstance(prior, LogNormal) else 1e-8
    assert mass(prior, pieces) == pytest.approx(1.0, abs=missing)


@pytest.mark.parametrize(("prior", "pieces"), SHAPES, ids=IDS)
def test_quantile_inverts_the_integrated_cdf(prior: Prior, pieces: list[float]) -> None:
    u = np.array([0.001, 0.03, 0.25, 0.499, 0.501, 0.75, 0.97, 0.999])
    for probability, x in zip(u, prior.quantile(u), strict=True):
        assert mass(prior, pieces, x) == pytest.approx(probability, abs=3e-7)


@pytest.mark.parametrize(("prior", "pieces"), SHAPES, ids=IDS)
def test_draws_follow_the_density(prior: Prior, pieces: list[float]) -> None:
    x = prior.quantile(np.random.default_rng(11).random(100))
    assert np.all(np.isfinite(prior.log_density(x)))
    result = kstest([mass(prior, pieces, value) for value in x], "uniform")
    assert result.pvalue > 1e-3


@pytest.mark.parametrize(("prior", "pieces"), SHAPES, ids=IDS)
def test_edges_and_nan(prior: Prior, pieces: list[float]) -> None:
    edges = prior.quantile(np.array([0.0, 1.0]))
    finite = [edge for edge in edges if np.isfinite(edge)]
    if not isinstance(prior, LogNormal):
        assert np.all(np.isfinite(prior.log_density(np.array(finite))))
    assert prior.log_density(np.array([nan, inf, -inf])).tolist() == [-inf] * 3
    for edge, outwards in zip(edges, (-1.0, 1.0), strict=True):
        if np.isfinite(edge):
            assert prior.log_density(np.array([edge + outwards * 1e-3 * max(abs(edge), 1e-3)]))[0] == -inf


def test_signed_log_uniform_has_a_gap_and_both_signs() -> None:
    prior = SignedLogUniform(1e-8, 1e-3)
    assert prior.log_density(np.array([0.0, 9e-9, -9e-9])).tolist() == [-inf] * 3
    x = np.array([1e-5, -1e-5])
    np.testing.assert_allclose(prior.log_density(x), -log(1e-5) - log(2.0 * log(1e5)))
    assert np.mean(prior.quantile(np.random.default_rng(2).random(4000)) < 0.0) == pytest.approx(
        0.5, abs=0.03
    )


def test_truncated_normal_agrees_with_scipy_where_scipy_is_safe() -> None:
    prior = TruncatedNormal(2.0, 1.5, low=1.0, high=6.0)
    other = truncnorm(-1.0 / 1.5, 4.0 / 1.5, 2.0, 1.5)
    x = np.linspace(1.0, 6.0, 41)
    np.testing.assert_allclose(prior.log_density(x), other.logpdf(x), rtol=1e-12, atol=1e-12)
    u = np.linspace(0.0, 1.0, 41)
    np.testing.assert_allclose(prior.quantile(u), other.ppf(u), rtol=1e-10)


@pytest.mark.parametrize("edge", [1e2, 1e3, 1e4])
def test_truncated_normal_far_in_a_tail_is_exponential(edge: float) -> None:
    # for z0 >> 1 the density above z0 is z0 exp(-z0 (z - z0)) up to relative terms 1/z0^2
    prior = TruncatedNormal(0.0, 1.0, low=edge)
    t = np.array([0.0, 0.5, 2.0])
    density = prior.log_density(edge + t / edge)
    np.testing.assert_allclose(density, log(edge) - t, atol=5.0 / edge**2 + 1e-15 * edge**2)
    mirror = TruncatedNormal(0.0, 1.0, high=-edge).log_density(-(edge + t / edge))
    np.testing.assert_array_equal(density, mirror)
    median = prior.quantile(np.array([0.5]))[0]
    assert (median - edge) * edge == pytest.approx(log(2.0), abs=2.0 / edge**2 + 1e-13 * edge**2)


def test_fixed() -> None:
    prior = Fixed(0.01)
    assert isinstance(prior, Prior)
    assert prior.log_density(np.array([0.01, 0.010001, nan])).tolist() == [0.0, -inf, -inf]
    assert prior.quantile(np.array([0.0, 0.3, 1.0])).tolist() == [0.01] * 3


def test_no_warnings_outside_the_support(recwarn: pytest.WarningsRecorder) -> None:
    x = np.array([-1.0, 0.0, 1e-300, 1e300, nan])
    for prior, _ in SHAPES:
        with np.errstate(over="ignore"):
            prior.log_density(x)
    assert not recwarn.list


def test_shapes_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        Uniform(0.0, 1.0).low = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(5.0, 2.0), "'low' = 5.0 is not below 'high' = 2.0; swap or correct them"),
        (lambda: Uniform(2.0, 2.0), "'low' = 2.0 is not below 'high' = 2.0; swap or correct them"),
        (lambda: Uniform(nan, 2.0), "'low' = nan is not finite; give a number"),
        (lambda: Uniform(0.0, inf), "'high' = inf is not finite; give a number"),
        (lambda: LogUniform(0.0, 2.0), "'low' = 0.0 is not positive; give a number above 0"),
        (lambda: LogUniform(5.0, 2.0), "'low' = 5.0 is not below 'high' = 2.0; swap or correct them"),
        (lambda: SignedLogUniform(-1.0, 2.0), "'low' = -1.0 is not positive; give a number above 0"),
        (lambda: Normal(0.0, 0.0), "'sigma' = 0.0 is not positive; give a number above 0"),
        (lambda: LogNormal(-1.0, 1.0), "'median' = -1.0 is not positive; give a number above 0"),
        (lambda: TruncatedNormal(0.0, -1.0), "'sigma' = -1.0 is not positive; give a number above 0"),
        (lambda: TruncatedNormal(0.0, 1.0, 3.0, 1.0), "'low' = 3.0 is not below 'high' = 1.0"),
        (lambda: TruncatedNormal(0.0, 1.0, low=-inf), "'low' = -inf is not finite"),
        (lambda: Fixed(nan), "'value' = nan is not finite; give a number"),
    ],
)
def test_bad_input_is_one_line(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GlobalfitError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_logarithmic_shapes_over_more_than_the_range_of_a_ratio() -> None:
    u = np.array([0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(
        LogUniform(1e-300, 1e300).quantile(u), [1e-300, 1e-150, 1.0, 1e300], rtol=1e-12
    )
    density = LogUniform(1e-300, 1e300).log_density(np.array([1.0]))
    np.testing.assert_allclose(density, -log(600.0 * log(10.0)), rtol=1e-14)
    signed = SignedLogUniform(1e-300, 1e300).log_density(np.array([-1.0]))
    np.testing.assert_allclose(signed, -log(1200.0 * log(10.0)), rtol=1e-14)
