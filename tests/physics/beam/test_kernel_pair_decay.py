"""The decay chi' -> chi e+ e-: width against traces and limits, kinematics against explicit boosts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import ks_1samp

from globalfit.constants import M_E
from globalfit.errors import GlobalfitError
from globalfit.physics import decays
from globalfit.physics.beam import pair_decay as pd
from globalfit.physics.beam.response import Response


def test_spectrum_is_a_chain_of_two_decays() -> None:
    # d Gamma/dq^2 = Gamma(chi' -> chi V_q) x q Gamma(V_q -> e e)/pi / (q^2 - m_V^2)^2, V_q a vector of mass q
    m, m_prime, m_v = 8.0, 50.0, 200.0
    q = np.array([1.5, 5.0, 20.0, 41.0])
    k = np.sqrt(((m + m_prime) ** 2 - q**2) * ((m_prime - m) ** 2 - q**2)) / (2.0 * m_prime)
    # spin sum by the trace of (p' + m')g(p + m)g, contracted with -g + qq/q^2
    e = np.hypot(k, m)
    p_p = m_prime * e
    p_q, pp_q = m_prime * e - m**2, m_prime**2 - m_prime * e
    trace = 4.0 * (2.0 * p_p - 4.0 * m * m_prime + (2.0 * pp_q * p_q) / q**2 - (p_p - m * m_prime))
    first = 0.5 * trace * k / (8.0 * np.pi * m_prime**2)
    second = decays.vector_to_dirac_pair(q, M_E, np.ones(4))
    expected = first * q * second / np.pi / (q**2 - m_v**2) ** 2
    assert pd.pair_mass_density(q**2, m, m_prime, m_v) == pytest.approx(expected, rel=1e-12)
    assert pd.pair_mass_density(np.array([1.0, 42.0**2 + 1.0]), m, m_prime, m_v).tolist() == [0.0, 0.0]


def test_width_against_quadrature() -> None:
    for m, m_prime, m_v in ((8.0, 50.0, 200.0), (8.0, 24.0, 17.0), (30.0, 32.0, 100.0)):
        total = quad(
            lambda q: 2.0 * q * float(pd.pair_mass_density(np.array(q**2), m, m_prime, m_v)),  # noqa: B023
            2.0 * M_E,
            m_prime - m,
            epsrel=1e-10,
            limit=200,
        )[0]
        assert pd.width(m, m_prime, m_v) == pytest.approx(total, rel=2e-6)


def test_width_of_a_small_gap() -> None:
    gap, m_v = 60.0, 1e5
    assert pd.width(1e5, 1e5 + gap, m_v) == pytest.approx(gap**5 / (60.0 * np.pi**3 * m_v**4), rel=3e-3)
    assert pd.width(10.0, 11.0, 100.0) == 0.0


def test_sampled_masses_follow_the_spectrum() -> None:
    masses = np.interp(np.linspace(0.0005, 0.9995, 1000), *pd.pair_mass_quantiles(8.0, 50.0, 200.0))
    grid = np.linspace(2.0 * M_E, 42.0, 20001)
    rate = 2.0 * grid * pd.pair_mass_density(grid**2, 8.0, 50.0, 200.0)
    cdf = np.concatenate(([0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]))))
    cdf /= cdf[-1]
    assert ks_1samp(masses, lambda x: np.interp(x, grid, cdf)).statistic < 1.5e-3


def test_pair_and_leptons_against_explicit_boosts() -> None:
    rng = np.random.default_rng(3)
    n = 2000
    m, m_prime, energy = 8.0, 50.0, 300.0
    q = rng.uniform(2.0 * M_E, 42.0, n)
    c_pair, c_lepton, phi = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    e_pair, cosine = pd.pair_in_flight(np.full(n, energy), q, c_pair, m, m_prime)

    k = np.sqrt(((m + m_prime) ** 2 - q**2) * ((m_prime - m) ** 2 - q**2)) / (2.0 * m_prime)
    rest = np.stack([np.hypot(k, q), k * np.sqrt(1 - c_pair**2), 0 * k, k * c_pair], axis=-1)
    gamma = energy / m_prime
    boost = np.sqrt(gamma**2 - 1.0)
    lab = rest.copy()
    lab[:, 0] = gamma * rest[:, 0] + boost * rest[:, 3]
    lab[:, 3] = gamma * rest[:, 3] + boost * rest[:, 0]
    assert e_pair == pytest.approx(lab[:, 0], rel=1e-12)
    momentum = np.linalg.norm(lab[:, 1:], axis=1)
    assert cosine == pytest.approx(lab[:, 3] / momentum, abs=1e-12)

    # a lepton at polar angle c_lepton from the pair's direction of flight, boosted along it
    axis = lab[:, 1:] / momentum[:, None]
    other = np.cross(axis, np.array([0.1, 1.0, 0.3]))
    other /= np.linalg.norm(other, axis=1)[:, None]
    third = np.cross(axis, other)
    p = np.sqrt(q**2 / 4 - M_E**2)
    across = p * np.sqrt(1 - c_lepton**2)
    lepton: list[np.ndarray] = []
    partner: list[np.ndarray] = []
    for sign, store in ((1.0, lepton), (-1.0, partner)):
        along = (lab[:, 0] * sign * p * c_lepton + momentum * q / 2) / q
        e = (lab[:, 0] * q / 2 + momentum * sign * p * c_lepton) / q
        vector = along[:, None] * axis + sign * across[:, None] * (
            np.cos(phi)[:, None] * other + np.sin(phi)[:, None] * third
        )
        store.extend([e, vector])
    opening = np.sum(lepton[1] * partner[1], axis=1) / (
        np.linalg.norm(lepton[1], axis=1) * np.linalg.norm(partner[1], axis=1)
    )
    assert lepton[0] + partner[0] == pytest.approx(e_pair, rel=1e-12)
    for angle, least in ((13.0, 30.0), (13.0, 0.0), (40.0, 10.0), (0.0, 60.0)):
        response = Response(efficiency=((0.0, 1.0), (1.0, 1.0)), ring_angle=angle, ring_energy=least)
        merged = (opening > np.cos(np.deg2rad(angle))) | (np.minimum(lepton[0], partner[0]) < least)
        share = response.one_ring(e_pair, q)
        error = np.sqrt(np.sum(share * (1.0 - share)))
        assert abs(np.sum(merged) - np.sum(share)) < 4.0 * error + 1e-9


def test_one_ring_against_a_scan_of_directions() -> None:
    c = (np.arange(20_000) + 0.5) / 20_000
    for angle, least, energy, q in (
        (13.0, 30.0, 300.0, 17.0),
        (13.0, 30.0, 160.0, 40.0),
        (13.0, 0.0, 400.0, 41.0),
        (60.0, 20.0, 90.0, 30.0),
        (13.0, 30.0, 250.0, 1.03),
    ):
        swing = np.sqrt(energy**2 - q**2) / q * np.sqrt(q**2 / 4 - M_E**2) * c
        e_1, e_2 = energy / 2 + swing, energy / 2 - swing
        cosine = (e_1 * e_2 - q**2 / 2 + M_E**2) / np.sqrt((e_1**2 - M_E**2) * (e_2**2 - M_E**2))
        merged = (cosine > np.cos(np.deg2rad(angle))) | (e_2 < least)
        response = Response(efficiency=((0.0, 1.0), (1.0, 1.0)), ring_angle=angle, ring_energy=least)
        assert float(response.one_ring(np.array(energy), np.array(q))) == pytest.approx(
            np.mean(merged), abs=1e-4
        )
    anything = Response(efficiency=((0.0, 1.0), (1.0, 1.0)))
    assert anything.one_ring(np.array([50.0]), np.array([40.0])).tolist() == [1.0]


def test_on_shell_or_virtual() -> None:
    assert pd.on_shell(8.0, 40.0, 17.0)
    assert not pd.on_shell(8.0, 50.0, 200.0)
    assert not pd.on_shell(8.0, 50.0, 1.0)  # below 2 m_e
    with pytest.raises(GlobalfitError) as error:
        pd.pair_mass_quantiles(8.0, 40.0, 17.0)
    assert str(error.value) == (
        "chi' decay: a vector of 17 MeV is on shell for m_chi' - m_chi = 32 MeV; use the on-shell decay"
    )
    with pytest.raises(GlobalfitError) as error:
        pd.pair_mass_quantiles(8.0, 8.5, 17.0)
    assert str(error.value) == (
        "chi' decay: m_chi' - m_chi = 0.5 MeV is below 2 m_e; choose a larger mass gap"
    )
    with pytest.raises(GlobalfitError, match="is not on shell"):
        pd.require_on_shell(8.0, 50.0, 200.0)
