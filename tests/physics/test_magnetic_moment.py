"""Loop functions against quadrature, limits and published asymptotics; delta a_mu of the U(1)_T3R model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy.optimize import brentq

from globalfit.constants import ALPHA, M_E, M_MU
from globalfit.physics.loop_functions import (
    axial_loop,
    pseudoscalar_loop,
    scalar_loop,
    scalar_loop_and_derivative,
    scalar_ratio_from_loop,
    vector_and_axial_loops,
    vector_loop,
)
from globalfit.physics.magnetic_moment import (
    delta_a_pseudoscalar,
    delta_a_scalar,
    delta_a_scalar_and_slope,
    delta_a_vector,
    error_two_loop,
    scalar_mass,
)

# Around every place where the code changes its method: r = 2, |4/t - 1| = 0.1, t = 6.
BOUNDARIES = np.concatenate(
    [
        at * (1.0 + np.array([-1e-3, -1e-6, -1e-12, 0.0, 1e-12, 1e-6, 1e-3]))
        for at in (1.907, 2.0, 2.108, 6.0**0.5)
    ]
)
RATIOS = np.unique(np.concatenate([np.geomspace(1e-3, 1e4, 300), BOUNDARIES]))


def by_quadrature(r: np.ndarray) -> dict[str, np.ndarray]:
    """Return S, V, A, P, dS/dr by 40-point Gauss-Legendre on panels halving towards both ends.

    In the upper half the variable is 1 - x, so that the peak of width 1/r^2 at x = 1 is resolved without
    cancellation. All integrands have one sign.
    """
    nodes, weights = leggauss(40)
    edges = np.concatenate([[0.0], 0.5 ** np.arange(60, 0, -1)])
    middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    near = (middle[:, None] + half[:, None] * nodes).ravel()
    w = np.tile((half[:, None] * weights).ravel(), 2)
    x, bar = np.concatenate([near, 1.0 - near]), np.concatenate([1.0 - near, near])
    t = np.square(r)[:, None]
    d = x**2 + bar * t
    return {
        "S": (w * x**2 * (2 - x) / d).sum(1),
        "V": (w * 2 * x**2 * bar / d).sum(1),
        "A": (w * (2 * x * bar * (x - 4) * t - 4 * x**3) / d).sum(1) / t[:, 0],
        "P": -(w * x**3 / d).sum(1),
        "dS": -2 * r * (w * x**2 * (2 - x) * bar / d**2).sum(1),
    }


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    return by_quadrature(RATIOS)


def test_functions_agree_with_quadrature(reference: dict[str, np.ndarray]) -> None:
    vector, axial = vector_and_axial_loops(RATIOS)
    value, slope = scalar_loop_and_derivative(RATIOS)
    ours = {"S": scalar_loop(RATIOS), "V": vector, "A": axial, "P": pseudoscalar_loop(RATIOS), "dS": slope}
    for name, values in ours.items():
        np.testing.assert_allclose(values, reference[name], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(value, reference["S"], rtol=1e-12)


def test_values_of_the_notes() -> None:
    table = np.array(
        [
            [0.05, 1.365805, 0.8710648, -807.5454],
            [0.30, 0.9586493, 0.5236868, -24.58909],
            [0.70, 0.6372218, 0.2938688, -5.066515],
            [0.95, 0.5192185, 0.2205206, -2.887743],
            [1.50, 0.3584418, 0.1317247, -1.243001],
            [2.01, 0.2712237, 0.08973537, -0.7206521],
            [5.00, 0.09371957, 0.02150126, -0.1269438],
            [50.0, 2.666191e-3, 2.648249e-4, -1.331333e-3],
        ]
    )
    r = table[:, 0]
    np.testing.assert_allclose(scalar_loop(r), table[:, 1], rtol=1e-6)
    np.testing.assert_allclose(vector_loop(r), table[:, 2], rtol=1e-6)
    np.testing.assert_allclose(axial_loop(r), table[:, 3], rtol=1e-6)


def test_light_limits() -> None:
    r = np.array([1e-7])
    assert scalar_loop(r) == pytest.approx(1.5, abs=1e-6)
    assert vector_loop(r) == pytest.approx(1.0, abs=1e-6)
    assert r**2 * axial_loop(r) == pytest.approx(-2.0, abs=1e-6)
    assert pseudoscalar_loop(r) == pytest.approx(-0.5, abs=1e-6)
    at_zero = np.zeros(1)
    assert scalar_loop(at_zero) == 1.5
    assert vector_loop(at_zero) == 1.0
    assert scalar_loop_and_derivative(at_zero)[1] == pytest.approx(-np.pi)  # S = 3/2 - pi r + ...


def test_heavy_asymptotics() -> None:
    r = np.array([1e4, 1e6, 1e9])
    log_t = 2.0 * np.log(r)
    np.testing.assert_allclose(r**2 * vector_loop(r), 2.0 / 3.0, rtol=1e-6)
    np.testing.assert_allclose(r**2 * axial_loop(r), -10.0 / 3.0, rtol=1e-6)
    # Leading terms in 1/t of the moments: J_n = (ln t - H_n)/t.
    np.testing.assert_allclose(r**2 * scalar_loop(r), log_t - 7.0 / 6.0, rtol=1e-6)
    np.testing.assert_allclose(r**2 * pseudoscalar_loop(r), -(log_t - 11.0 / 6.0), rtol=1e-6)


def test_batches_that_cross_the_split_equal_single_points() -> None:
    together = scalar_loop_and_derivative(RATIOS)
    for k in range(0, RATIOS.size, 17):
        alone = scalar_loop_and_derivative(RATIOS[k : k + 1])
        assert alone[0][0] == together[0][k]
        assert alone[1][0] == together[1][k]


def test_nan_stays_nan_and_infinity_is_zero() -> None:
    r = np.array([np.nan, np.inf])
    for function in (scalar_loop, vector_loop, axial_loop, pseudoscalar_loop):
        nan, far = function(r)
        assert np.isnan(nan)
        assert abs(far) < 1e-200


def test_scalar_loop_is_inverted() -> None:
    r = np.geomspace(1e-6, 1e8, 4001)
    s = scalar_loop(r)
    found = scalar_ratio_from_loop(s)
    np.testing.assert_allclose(scalar_loop(found), s, rtol=1e-13)
    sensitive = (r > 1e-3) & (r < 1e4)  # below, S is 3/2 to many digits and r is ill-determined
    np.testing.assert_allclose(found[sensitive], r[sensitive], rtol=1e-11)


@pytest.mark.parametrize("s", [0.0, 1.5, -0.3, 2.0, np.nan, np.inf, -np.inf])
def test_inverse_is_nan_outside(s: float) -> None:
    assert np.isnan(scalar_ratio_from_loop(np.array([s, 0.5]))).tolist() == [True, False]


def test_goldstone_identity() -> None:
    """A light vector's axial coupling acts as its Goldstone boson: y_P = 2 g_A m_mu/M."""
    m = np.array([1e-3])
    g = np.array([1e-6])
    longitudinal = delta_a_vector(np.zeros(1), g, m)
    assert longitudinal == pytest.approx(delta_a_pseudoscalar(2 * g * M_MU / m, m), rel=1e-3)
    assert longitudinal == pytest.approx(-((2 * g * M_MU / m) ** 2) / (16 * np.pi**2), rel=1e-3)


def test_massless_photon_gives_schwinger() -> None:
    e = np.sqrt(4 * np.pi * ALPHA) * np.ones(1)
    assert delta_a_vector(e, np.zeros(1), np.array([1e-9])) == pytest.approx(ALPHA / (2 * np.pi), rel=1e-9)


def test_heavy_mediators() -> None:
    g, m, none = np.array([0.3]), np.array([50 * M_MU]), np.zeros(1)
    unit = g**2 * M_MU**2 / (12 * np.pi**2 * m**2)
    assert delta_a_vector(g, none, m) == pytest.approx(unit, rel=0.01)
    assert delta_a_vector(none, g, m) == pytest.approx(-5 * unit, rel=0.01)


def test_other_leptons_scale_with_their_mass() -> None:
    y, m = np.array([1e-3]), np.array([40.0])
    assert delta_a_scalar(y, m * M_E / M_MU, M_E) == pytest.approx(delta_a_scalar(y, m), rel=1e-14)


def test_slope_and_inverse_of_the_scalar_part() -> None:
    m, y = np.geomspace(1.0, 1e4, 50), np.full(50, 7e-3)
    step = 1e-5 * m
    value, slope = delta_a_scalar_and_slope(y, m)
    numerical = (delta_a_scalar(y, m + step) - delta_a_scalar(y, m - step)) / (2 * step)
    np.testing.assert_allclose(slope, numerical, rtol=1e-8)
    np.testing.assert_allclose(scalar_mass(value, y), m, rtol=1e-11)
    assert np.isnan(scalar_mass(np.array([1e-9, -1e-9]), np.zeros(2))).all()


def t3r(m_phi: float, m_aprime: float, vev: float = 1e4, kappa: float = 2**0.5) -> float:
    """Return delta a_mu of the U(1)_T3R model, couplings written out."""
    y = np.array([M_MU / (kappa * vev)])
    g = np.array([m_aprime / (2 * kappa * vev)])
    total = delta_a_scalar(y, np.array([m_phi])) + delta_a_vector(g, g, np.array([m_aprime]))
    return float(total[0])


@pytest.mark.parametrize(
    ("m_aprime", "masses"),
    [
        (5, (104.05, 103.59, 103.13, 104.58)),
        (10, (102.24, 101.79, 101.34, 102.76)),
        (20, (98.34, 97.90, 97.47, 98.83)),
        (50, (89.02, 88.64, 88.25, 89.46)),
        (100, (80.62, 80.27, 79.93, 81.01)),
        (150, (76.41, 76.09, 75.77, 76.78)),
        (200, (74.03, 73.72, 73.41, 74.39)),
        (500, (69.77, 69.475, 69.18, 70.10)),  # 69.4749: on the edge of rounding
    ],
)
def test_masses_on_the_band(m_aprime: float, masses: tuple[float, ...]) -> None:
    for delta_a, expected in zip((133e-11, 251e-11, 369e-11, 0.0), masses, strict=True):
        found = brentq(lambda m, d=delta_a: t3r(m, m_aprime) - d, 30.0, 200.0, xtol=1e-9)
        assert found == pytest.approx(expected, abs=0.005)


def test_the_claim_of_70_to_100_mev() -> None:
    exact = {5: 103.587, 50: 88.635, 100: 80.274, 150: 76.090, 200: 73.719}
    for m_aprime, expected in exact.items():
        found = brentq(lambda m, a=m_aprime: t3r(m, a) - 251e-11, 30.0, 200.0, xtol=1e-9)
        assert found == pytest.approx(expected, abs=0.005)
    grid = [brentq(lambda m, a=a: t3r(m, a) - 251e-11, 30.0, 200.0) for a in np.linspace(5, 200, 40)]
    assert max(grid) < 105
    assert min(grid) > 70
    assert (np.diff(grid) < 0).all()


def test_relic_benchmarks_are_off_the_band() -> None:
    assert t3r(80.0, 150.0) == pytest.approx(-1136e-11, abs=0.6e-11)
    assert t3r(76.0, 180.0) == pytest.approx(-293e-11, abs=0.6e-11)


def test_only_kappa_times_vev_matters() -> None:
    assert t3r(90.0, 60.0, 1e4, 2**0.5) == pytest.approx(t3r(90.0, 60.0, 1e4 * 2**0.5, 1.0), rel=1e-12)
    assert t3r(90.0, 60.0, 2e4) == pytest.approx(t3r(90.0, 60.0, 1e4) / 4, rel=1e-12)


def test_two_loop_error_is_of_the_largest_term() -> None:
    error = error_two_loop(np.array([2.0, 1.0]), np.array([-1.0, -3.0]))
    np.testing.assert_allclose(error, ALPHA / np.pi * np.array([2.0, 3.0]))
