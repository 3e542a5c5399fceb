"""BR(pi, K -> l nu A'): explicit Dirac traces, closed forms, the Goldstone limit, adaptive quadrature."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import dblquad

from globalfit.constants import F_PI, HBAR_MEV_S, M_E, M_K, M_MU, M_PI
from globalfit.physics.meson_limits import F_K, G_FERMI, MESONS, br_lepton_nu_aprime, squared_amplitude

Matrix = NDArray[np.complex128]

_S = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ZERO = np.zeros((2, 2))
GAMMA = [np.block([[np.eye(2), _ZERO], [_ZERO, -np.eye(2)]])] + [
    np.block([[_ZERO, s], [-s, _ZERO]]) for s in _S
]
GAMMA5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]
RIGHT, LEFT = 0.5 * (np.eye(4) + GAMMA5), 0.5 * (np.eye(4) - GAMMA5)
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
GEV = 1000.0

# BR x (f/GeV)^2 with first-generation charges, from a separate calculation: m_A' in MeV, pi -> e, pi -> mu
# (muon charged, electron charged), K -> e, K -> mu (muon charged, electron charged)
TABLE = [
    (1, 1.923e-4, 2.396e-6, 3.540e-6, 9.608e-4, 7.180e-4, 7.179e-4),
    (5, 1.923e-4, 2.316e-6, 2.621e-6, 9.608e-4, 7.200e-4, 7.173e-4),
    (20, 1.864e-4, 5.368e-7, 2.411e-7, 9.603e-4, 7.372e-4, 7.113e-4),
    (30, 1.724e-4, 1.025e-8, 3.18e-9, 9.590e-4, 7.510e-4, 7.046e-4),
    (80, 3.407e-5, 0.0, 0.0, 9.175e-4, 7.672e-4, 6.337e-4),
    (130, 9.48e-9, 0.0, 0.0, 7.878e-4, 6.463e-4, 4.955e-4),
    (300, 0.0, 0.0, 0.0, 1.245e-4, 3.731e-5, 2.603e-5),
]


def slash(p: NDArray[np.float64]) -> Matrix:
    return np.asarray(sum(METRIC[i, i] * p[i] * GAMMA[i] for i in range(4)))


def by_traces(m: float, m_l: float, a: float, s: float, cos: float, q_l: float, difference: float) -> float:
    """m_A'^2 sum |M|^2 from 4 x 4 matrices, momenta built in the rest frame of l nu."""
    e_n = 0.5 * (s - m_l**2) / np.sqrt(s)
    e_a = 0.5 * (m**2 - a**2 - s) / np.sqrt(s)
    p_a = np.sqrt(e_a**2 - a**2)
    k = np.array([e_a, 0.0, 0.0, p_a])
    n = e_n * np.array([1.0, np.sqrt(1.0 - cos**2), 0.0, cos])
    lepton = np.array([np.sqrt(e_n**2 + m_l**2), *(-n[1:])])
    p = k + n + lepton
    q2 = (k + lepton) @ METRIC @ (k + lepton)
    pk = p @ METRIC @ k
    total = 0.0 + 0.0j
    vertices = []
    for mu in range(4):
        unit = np.zeros(4)
        unit[mu] = 1.0
        gamma_mu = slash(METRIC @ unit)  # gamma^mu
        vertices.append(
            -q_l * m_l / (q2 - m_l**2) * slash(p) @ gamma_mu @ RIGHT
            - 0.5 * difference * 2.0 * p[mu] / (a**2 - 2.0 * pk) * slash(p - k) @ LEFT
            + difference * gamma_mu @ LEFT
        )
    lower = METRIC @ k
    spin_l = slash(lepton) - m_l * np.eye(4)
    for mu in range(4):
        for nu in range(4):
            polarisations = -METRIC[mu, nu] + lower[mu] * lower[nu] / a**2
            if polarisations == 0.0:
                continue
            bar = GAMMA[0] @ vertices[nu].conj().T @ GAMMA[0]
            total += polarisations * np.trace(slash(n) @ vertices[mu] @ spin_l @ bar)
    assert abs(total.imag) < 1e-9 * abs(total)
    return float(total.real) * a**2


@pytest.mark.parametrize(("m", "m_l"), [(M_PI, M_E), (M_PI, M_MU), (M_K, M_E), (M_K, M_MU)])
@pytest.mark.parametrize(("q_l", "difference"), [(1.0, -2.0), (0.0, -1.0), (1.0, 0.0), (-0.7, 1.3)])
def test_squared_amplitude_against_traces(m: float, m_l: float, q_l: float, difference: float) -> None:
    rng = np.random.default_rng(11)
    for _ in range(10):
        a = rng.uniform(0.05, 0.95) * (m - m_l)
        s = rng.uniform(m_l**2, (m - a) ** 2)
        cos = rng.uniform(-1.0, 1.0)
        e_n = 0.5 * (s - m_l**2) / np.sqrt(s)
        e_a = 0.5 * (m**2 - a**2 - s) / np.sqrt(s)
        t = a**2 + 2.0 * e_n * (e_a - np.sqrt(e_a**2 - a**2) * cos)
        point = np.array([a]), np.array([s]), np.array([t])
        got = squared_amplitude(m, m_l, *point, q_l, difference)[0]
        assert got == pytest.approx(by_traces(m, m_l, a, s, cos, q_l, difference), rel=1e-9)


def test_table() -> None:
    cases = [
        ("pi", "e", 1.0, -2.0),
        ("pi", "mu", 1.0, -2.0),
        ("pi", "mu", 0.0, -2.0),
        ("k", "e", 0.0, -1.0),
        ("k", "mu", 1.0, -1.0),
        ("k", "mu", 0.0, -1.0),
    ]
    m = np.array([row[0] for row in TABLE], dtype=np.float64)
    for column, (meson, lepton, q_l, difference) in enumerate(cases, start=1):
        got = br_lepton_nu_aprime(meson, lepton, m, np.full(m.shape, GEV), q_l, difference)
        np.testing.assert_allclose(got, [row[column] for row in TABLE], rtol=5e-3, atol=0.0)


@pytest.mark.parametrize(("meson", "f_meson", "difference"), [("pi", F_PI, -2.0), ("k", F_K, -1.0)])
def test_light_limit_is_the_closed_form(meson: str, f_meson: float, difference: float) -> None:
    """Massless lepton and A': mixing with the neutral pion times pi_l3, theta = F D/(2 f)."""
    known = MESONS[meson]
    theta = f_meson * difference / (2.0 * GEV)
    width = 2.0 * theta**2 * G_FERMI**2 * known.ckm**2 * known.m**5 / (768.0 * pi**3)
    expected = width * known.lifetime / HBAR_MEV_S
    got = br_lepton_nu_aprime(meson, "e", np.array([1.0]), np.array([GEV]), 0.0, difference)[0]
    # corrections: m_A'^2 and m_e^2 over m_pi^2
    assert got == pytest.approx(expected, rel=4e-4)


def test_light_aprime_is_a_goldstone_boson() -> None:
    """The rate tends to a constant, and that of the lepton leg alone to a pseudoscalar with y = m_mu/f."""
    m = np.array([0.02, 0.05, 0.1])
    f = np.full(3, GEV)
    got = br_lepton_nu_aprime("pi", "mu", m, f, 1.0, -2.0)
    np.testing.assert_allclose(got, got[0], rtol=1e-3)
    # pi -> mu nu P: 1.0885e-4 y^2 at 1 MeV, from a three-body calculation with another amplitude
    lepton_leg = br_lepton_nu_aprime("pi", "mu", np.array([1.0]), np.array([GEV]), 1.0, 0.0)[0]
    assert lepton_leg == pytest.approx(1.0885e-4 * (M_MU / GEV) ** 2, rel=0.03)


@pytest.mark.parametrize(
    ("meson", "lepton", "q_l", "difference", "m_a"),
    [
        ("pi", "e", 0.0, -2.0, 5.0),
        ("k", "mu", 1.0, -1.0, 150.0),
    ],
)
def test_quadrature(meson: str, lepton: str, q_l: float, difference: float, m_a: float) -> None:
    known, m_l = MESONS[meson], {"e": M_E, "mu": M_MU}[lepton]

    def edge(s: float, sign: float) -> float:
        e_n = 0.5 * (s - m_l**2) / np.sqrt(s)
        e_a = 0.5 * (known.m**2 - m_a**2 - s) / np.sqrt(s)
        return float(m_a**2 + 2 * e_n * (e_a + sign * np.sqrt(max(e_a**2 - m_a**2, 0.0))))

    def integrand(t: float, s: float) -> float:
        args = np.array([m_a]), np.array([s]), np.array([t])
        return float(squared_amplitude(known.m, m_l, *args, q_l, difference)[0])

    integral = dblquad(
        integrand, m_l**2, (known.m - m_a) ** 2, lambda s: edge(s, -1), lambda s: edge(s, 1), epsrel=1e-5
    )[0]
    width = 4.0 * (G_FERMI * known.ckm * known.decay_constant / GEV) ** 2 * integral
    width /= (2.0 * pi) ** 3 * 32.0 * known.m**3
    got = br_lepton_nu_aprime(meson, lepton, np.array([m_a]), np.array([GEV]), q_l, difference)[0]
    assert got == pytest.approx(width * known.lifetime / HBAR_MEV_S, rel=2e-4)


def test_contact_term_lifts_the_helicity_suppression() -> None:
    """Without it the electron's rate is the lepton leg's, 1e-5 of the whole."""
    m, f = np.array([5.0]), np.array([GEV])
    whole = br_lepton_nu_aprime("pi", "e", m, f, 1.0, -2.0)[0]
    leg = br_lepton_nu_aprime("pi", "e", m, f, 1.0, 0.0)[0]
    assert 1.0e-5 < leg / whole < 1.5e-5


def test_scaling_thresholds_and_batches() -> None:
    m = np.linspace(0.5, 400.0, 333)
    once = br_lepton_nu_aprime("k", "mu", m, np.full(m.shape, 1e4), 1.0, -1.0)
    twice = br_lepton_nu_aprime("k", "mu", m, np.full(m.shape, 2e4), 1.0, -1.0)
    np.testing.assert_allclose(once, 4.0 * twice, rtol=1e-14)
    assert ((once == 0.0) == (m >= M_K - M_MU)).all()
    one_by_one = [
        br_lepton_nu_aprime("k", "mu", m[i : i + 1], np.full(1, 1e4), 1.0, -1.0)[0] for i in range(9)
    ]
    np.testing.assert_allclose(once[:9], one_by_one, rtol=1e-12)
    assert br_lepton_nu_aprime("pi", "mu", np.array([50.0]), np.array([1e4]), 1.0, -2.0).tolist() == [0.0]
    assert br_lepton_nu_aprime("pi", "mu", np.empty(0), np.empty(0), 1.0, -2.0).shape == (0,)
