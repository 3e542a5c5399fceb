"""The muon g-2 ridge is a bijection with an exact Jacobian and changes no density."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.constants import ALPHA, E_CHARGE, M_MU
from globalfit.models.ridge import FLOOR, MuonG2Ridge
from globalfit.physics.couplings import KAPPA, Kappa
from globalfit.physics.magnetic_moment import delta_a_scalar, delta_a_vector

KAPPAS = pytest.mark.parametrize("kappa", ["sqrt2", "1"])


def columns(n: int, seed: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "vev": np.exp(rng.uniform(np.log(1e3), np.log(2e4), n)),
        "m_aprime": np.exp(rng.uniform(np.log(1.0), np.log(1e3), n)),
        "epsilon": rng.choice([-1, 1], n) * 10 ** rng.uniform(-8, -3, n),
    }


@KAPPAS
def test_coordinate_is_the_one_loop_moment(kappa: Kappa) -> None:
    at = columns(200)
    m_phi = np.random.default_rng(1).uniform(1.0, 300.0, 200)
    y = M_MU / (KAPPA[kappa] * at["vev"])
    g_right = at["m_aprime"] / (KAPPA[kappa] * at["vev"])
    vector = delta_a_vector(g_right / 2 - at["epsilon"] * E_CHARGE, g_right / 2, at["m_aprime"])
    total = delta_a_scalar(y, m_phi) + vector
    u = MuonG2Ridge(kappa).from_physical(m_phi, at)
    np.testing.assert_allclose(u * np.hypot(FLOOR, ALPHA / np.pi * vector), total, rtol=1e-12, atol=1e-22)


@KAPPAS
def test_round_trip(kappa: Kappa) -> None:
    ridge, at = MuonG2Ridge(kappa), columns(5000)
    m_phi = np.exp(np.random.default_rng(2).uniform(np.log(1.0), np.log(1e3), 5000))
    back, _ = ridge.to_physical(ridge.from_physical(m_phi, at), at)
    np.testing.assert_allclose(back, m_phi, rtol=1e-10)


@KAPPAS
def test_jacobian_is_the_derivative(kappa: Kappa) -> None:
    ridge, at = MuonG2Ridge(kappa), columns(500)
    m_phi = np.random.default_rng(3).uniform(20.0, 200.0, 500)
    u = ridge.from_physical(m_phi, at)
    _, log_slope = ridge.to_physical(u, at)
    step = 1e-4 * m_phi
    numerical = (ridge.from_physical(m_phi + step, at) - ridge.from_physical(m_phi - step, at)) / (2 * step)
    np.testing.assert_allclose(log_slope, -np.log(np.abs(numerical)), atol=1e-6)


def test_density_is_preserved() -> None:
    """A flat density in m_phi stays normalised, with the same mean, when it is written in u."""
    ridge, n = MuonG2Ridge(), 200_001
    at = {"vev": np.full(n, 1e4), "m_aprime": np.full(n, 100.0), "epsilon": np.full(n, 1e-4)}
    one = {name: values[:2] for name, values in at.items()}
    last, first = ridge.from_physical(np.array([60.0, 120.0]), one)
    u = np.linspace(first, last, n)
    m_phi, log_slope = ridge.to_physical(u, at)
    density = np.exp(log_slope) / 60.0
    assert np.trapezoid(density, u) == pytest.approx(1.0, abs=1e-8)
    assert np.trapezoid(density * m_phi, u) == pytest.approx(90.0, abs=1e-6)


def test_nan_where_no_mass_gives_the_moment() -> None:
    ridge, at = MuonG2Ridge(), {name: np.full(4, x) for name, x in (("vev", 1e4), ("m_aprime", 100.0))}
    at["epsilon"] = np.zeros(4)
    vector = ridge.from_physical(np.full(4, 1e30), at)[0]  # the scalar decoupled
    g = np.full(1, 100.0 / (2**1.5 * 1e4))
    unit = np.hypot(FLOOR, ALPHA / np.pi * delta_a_vector(g, g, np.full(1, 100.0)))
    scalar_limit = 1.5 * (M_MU / (2**0.5 * 1e4)) ** 2 / (8 * np.pi**2) / unit[0]  # S = 3/2 at m_phi = 0
    u = vector + scalar_limit * np.array([-1e-3, 1e-3, 0.999, 1.001])
    m_phi, log_slope = ridge.to_physical(u, at)
    assert np.isnan(m_phi).tolist() == [True, False, False, True]
    assert np.isnan(log_slope).tolist() == [True, False, False, True]


def test_only_kappa_times_vev_matters() -> None:
    at = columns(100)
    other = {**at, "vev": at["vev"] * 2**0.5}
    m_phi = np.full(100, 80.0)
    one, two = MuonG2Ridge("sqrt2").from_physical(m_phi, at), MuonG2Ridge("1").from_physical(m_phi, other)
    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-9)


def test_kinetic_mixing_shifts_by_its_sign() -> None:
    """A positive epsilon lowers the moment by 60e-11 at (100 MeV, V = 10 GeV, 1e-4): u falls."""
    epsilon = np.array([1e-4, 0.0, -1e-4])
    at = {"vev": np.full(3, 1e4), "m_aprime": np.full(3, 100.0), "epsilon": epsilon}
    g = np.full(3, 100.0 / (2**1.5 * 1e4))
    vector = delta_a_vector(g - epsilon * E_CHARGE, g, at["m_aprime"])
    np.testing.assert_allclose((vector - vector[1]) / 1e-11, [-60.0, 0.0, 60.0], atol=0.5)
    assert (np.diff(MuonG2Ridge().from_physical(np.full(3, 80.0), at)) > 0.0).all()
