"""Mixtures of t distributions: their density against scipy's, their draws, and fits to populations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from globalfit.sampling.mixture import FREEDOM, HALO, ROWS, SPAN, Mixture, power_law
from globalfit.sampling.mixture_fit import BROAD, fit_mixture, follow


def some_mixture(dim, components, rng, width=1.0):
    roots = np.tril(rng.standard_normal((components, dim, dim)) * 0.3 * width)
    roots[:, range(dim), range(dim)] = width * rng.uniform(0.5, 2.0, (components, dim))
    weights = rng.dirichlet(np.ones(components))
    return Mixture(weights, 3.0 * rng.standard_normal((components, dim)), roots)


def by_scipy(mixture, x):
    """ln density (n,): a core and a halo for each component."""
    terms = [
        np.log(weight * share) + stats.multivariate_t(mean, width**2 * root @ root.T, df=FREEDOM).logpdf(x)
        for weight, mean, root in zip(mixture.weights, mixture.means, mixture.roots, strict=True)
        for share, width in ((1.0 - HALO, 1.0), (HALO, SPAN))
    ]
    return np.logaddexp.reduce(terms, axis=0)


@pytest.mark.parametrize("dim", [2, 5, 12])
@pytest.mark.parametrize("distance", [1.0, 1e6, 1e60])  # the last is summed up in logarithms
def test_density_is_that_of_scipy(dim, distance):
    rng = np.random.default_rng(dim)
    mixture = some_mixture(dim, 7, rng)
    x = distance * 4.0 * rng.standard_normal((ROWS + 100, dim))
    found = mixture.log_density(x)
    assert np.isfinite(found).all()
    # At great distances a sum of squares loses the digits of the means, as it must.
    np.testing.assert_allclose(found, by_scipy(mixture, x), rtol=1e-9 if distance < 10.0 else 1e-5)


@pytest.mark.parametrize("dim", [1, 2, 3, 12, 31])
def test_powers_are_products(dim):
    squares = np.append(0.0, np.geomspace(1e-8, 1e8, 50))
    direct = (1.0 + squares / FREEDOM) ** (-0.5 * (FREEDOM + dim))
    np.testing.assert_allclose(power_law(squares, dim), direct, rtol=1e-13)


def test_a_fit_finds_the_mixture_that_points_are_drawn_from():
    """Two t distributions far apart, in five dimensions: weights, means and scale matrices."""
    rng = np.random.default_rng(5)
    root = np.tril(rng.standard_normal((5, 5)) * 0.3 + np.eye(5))
    stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (40_000, 1)))
    x = stretch * (rng.standard_normal((40_000, 5)) @ root.T)
    x[:12_000] = 0.01 * x[:12_000] + 20.0
    found = fit_mixture(x, 2, np.random.default_rng(0))
    for mean, weight, scale in ((0.0, 0.7, 1.0), (20.0, 0.3, 0.01)):
        (k,) = np.flatnonzero(np.abs(found.means[:-1, 0] - mean) < 1.0)
        assert found.weights[k] == pytest.approx(weight * (1.0 - BROAD), abs=0.01)
        np.testing.assert_allclose(found.means[k], mean, atol=0.05 * scale)
        shape = found.roots[k] @ found.roots[k].T
        np.testing.assert_allclose(shape, scale**2 * root @ root.T, atol=0.06 * scale**2)


def test_a_fit_survives_points_far_from_all_components():
    """Forty dimensions, one point in a hundred a thousand widths away: its shares underflow but for logs."""
    rng = np.random.default_rng(6)
    x = rng.standard_normal((4000, 40)) * 1e-4
    x[:2000] += 1.0
    x[:20] *= 1e3
    found = fit_mixture(x, 4, np.random.default_rng(0))
    assert np.isfinite(found.log_density(x)).all()
    assert found.weights.sum() == pytest.approx(1.0)


def test_draws_of_a_mixture_have_core_and_halo():
    mixture = Mixture(np.ones(1), np.array([[1.0]]), np.array([[[2.0]]]))
    x = np.linspace(-400.0, 400.0, 400_001)[:, None]
    density = np.exp(mixture.log_density(x))
    assert density.sum() * 0.002 == pytest.approx(1.0, abs=1e-6)
    drawn = mixture.draw(200_000, np.random.RandomState(3))[:, 0]
    variance = 4.0 * FREEDOM / (FREEDOM - 2.0) * (1.0 - HALO + HALO * SPAN**2)
    assert drawn.mean() == pytest.approx(1.0, abs=4 * np.sqrt(variance / 2e5))
    for q in (0.001, 0.05, 0.5, 0.95, 0.999):
        inside = density[x[:, 0] < np.quantile(drawn, q)].sum() * 0.002
        assert inside == pytest.approx(q, abs=4 * np.sqrt(q * (1 - q) / 2e5) + 1e-4)


def test_a_thin_sheet_is_resolved_to_rounding():
    """Distances as one product with monomials: cancellation stays far below what a verdict minds."""
    rng = np.random.default_rng(4)
    root = np.array([[[1.0, 0.0], [1.0, 1e-5]]])
    mixture = Mixture(np.ones(1), np.array([[3.0, -2.0]]), root)
    x = mixture.means + rng.standard_normal((500, 2)) @ root[0].T
    direct = np.square(np.linalg.solve(root[0], (x - mixture.means).T)).sum(axis=0)
    np.testing.assert_allclose(mixture._squares(x)[:, 0], direct, atol=1e-4)


def test_rounds_of_refinement_cover_what_a_fit_leaves_out():
    """A bent sheet with a narrow neck: the mean stay of a chain of independent proposals falls."""
    rng = np.random.default_rng(7)

    def sheet(n):
        t = rng.uniform(-3.0, 3.0, n)
        width = 0.002 + 0.1 * np.abs(t) ** 3
        z = rng.standard_normal(n)
        return np.column_stack([t, t**2 + width * z]), -0.5 * z**2 - np.log(width)

    (x, log_density), (test, log_test) = sheet(4000), sheet(20_000)

    def stay(mixture):
        log_ratio = log_test - mixture.log_density(test)
        return np.mean(np.exp(log_ratio)) * np.mean(np.exp(-log_ratio))

    plain = stay(fit_mixture(x, 64, np.random.default_rng(0)))
    refined = stay(follow(x, log_density, np.random.default_rng(0), 4))
    assert refined < 0.7 * plain
    assert refined < 3.0
