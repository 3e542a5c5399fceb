"""Widths against Dirac traces, loop integrals, low-energy theorems and measured hadronic cross-sections."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np
import pytest
from scipy.integrate import quad

from globalfit.arrays import Array
from globalfit.constants import ALPHA, E_CHARGE, M_MU, M_OMEGA, M_PI, M_PI0, M_RHO
from globalfit.physics import decays as d

ONE = np.ones(1)
I2, Z2 = np.eye(2), np.zeros((2, 2))
SIGMA = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.array([[1, 0], [0, -1]])]
G0 = np.block([[Z2, I2], [I2, Z2]]).astype(complex)
GAMMA = [G0, *(np.block([[Z2, s], [-s, Z2]]) for s in SIGMA)]
G5 = np.diag([-1.0, -1.0, 1.0, 1.0]).astype(complex)
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def slash(p: np.ndarray) -> np.ndarray:
    total: np.ndarray = np.einsum("ij,j,iab->ab", METRIC, p, np.array(GAMMA))
    return total


def two_body(m: float, m_1: float, m_2: float) -> tuple[np.ndarray, np.ndarray, float]:
    k = np.sqrt((m**2 - (m_1 + m_2) ** 2) * (m**2 - (m_1 - m_2) ** 2)) / (2.0 * m)
    p_1 = np.array([np.hypot(m_1, k), 0.36 * k, 0.48 * k, 0.8 * k])
    p_2 = np.array([np.hypot(m_2, k), *(-p_1[1:])])
    return p_1, p_2, k / (8.0 * pi * m**2)


def trace_vector(m: float, m_1: float, m_2: float, g_v: complex, g_a: complex) -> float:
    """Width of a vector to two fermions: spin sums with explicit matrices, all polarisations."""
    p_1, p_2, phase_space = two_body(m, m_1, m_2)
    p = np.array([m, 0.0, 0.0, 0.0])
    spin_sum = -METRIC + np.outer(p, p) / m**2
    total = 0.0
    for mu in range(4):
        for nu in range(4):
            vertex = [METRIC[i, i] * GAMMA[i] @ (g_v * np.eye(4) + g_a * G5) for i in (mu, nu)]
            bar = G0 @ vertex[1].conj().T @ G0
            trace = np.trace(
                (slash(p_1) + m_1 * np.eye(4)) @ vertex[0] @ (slash(p_2) - m_2 * np.eye(4)) @ bar
            )
            total += np.real(spin_sum[mu, nu] * trace)
    return total / 3.0 * phase_space


def trace_scalar(m: float, m_1: float, m_2: float, y: float) -> float:
    p_1, p_2, phase_space = two_body(m, m_1, m_2)
    trace = np.trace((slash(p_1) + m_1 * np.eye(4)) @ (slash(p_2) - m_2 * np.eye(4)))
    return float(y**2 * np.real(trace) * phase_space)


@pytest.mark.parametrize(("g_v", "g_a"), [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2), (0.1, -0.4)])
def test_vector_to_dirac_pair_is_the_trace(g_v: float, g_a: float) -> None:
    width = d.vector_to_dirac_pair(np.array([250.0]), M_MU, np.array([g_v]), np.array([g_a]))[0]
    assert width == pytest.approx(trace_vector(250.0, M_MU, M_MU, g_v, g_a), rel=1e-12)


@pytest.mark.parametrize("axial", [False, True])
@pytest.mark.parametrize(("m_1", "m_2"), [(30.0, 45.0), (0.0, 10.0), (40.0, 40.0)])
def test_vector_to_two_majorana_is_the_trace(m_1: float, m_2: float, axial: bool) -> None:
    width = d.vector_to_two_majorana(np.array([100.0]), m_1, m_2, np.array([0.2]), axial=axial)[0]
    couplings = (0.0, 0.2) if axial else (0.2j, 0.0)
    assert width == pytest.approx(trace_vector(100.0, m_1, m_2, *couplings), rel=1e-12)


def test_vector_to_majorana_pair_is_half_the_axial_trace() -> None:
    width = d.vector_to_majorana_pair(np.array([100.0]), 30.0, np.array([0.2]))[0]
    assert width == pytest.approx(0.5 * trace_vector(100.0, 30.0, 30.0, 0.0, 0.2), rel=1e-12)


def test_massless_limits_of_the_vector() -> None:
    m, g = np.array([100.0]), np.array([7.07e-3])
    weyl = d.vector_to_majorana_pair(m, 0.0, g)
    assert weyl[0] == pytest.approx(g[0] ** 2 * 100.0 / (24.0 * pi))
    # a right-handed Dirac fermion without mass is one Weyl field
    np.testing.assert_allclose(d.vector_to_dirac_pair(m, 0.0, 0.5 * g, 0.5 * g), weyl)


def test_total_width_of_a_mixed_neutrino_is_that_of_the_charged_field() -> None:
    theta, m, g = 0.3, np.array([100.0]), np.array([0.1])
    s, c = np.sin(theta), np.cos(theta)
    diagonal = d.vector_to_majorana_pair(m, 0.0, c**2 * g) + d.vector_to_majorana_pair(m, 0.0, s**2 * g)
    mixed = d.vector_to_two_majorana(m, 0.0, 0.0, s * c * g)
    np.testing.assert_allclose(diagonal + mixed, d.vector_to_majorana_pair(m, 0.0, g))


def test_pseudo_dirac_pair_without_gap_is_a_dirac_fermion() -> None:
    m, g = np.array([100.0]), np.array([0.1])
    dirac = d.vector_to_dirac_pair(m, 30.0, g)
    np.testing.assert_allclose(d.vector_to_two_majorana(m, 30.0, 30.0, g), dirac)
    np.testing.assert_allclose(d.vector_to_two_majorana(m, 30.0, 30.0 + 1e-6, g), dirac, rtol=1e-6)


def test_scalar_widths_are_the_traces() -> None:
    m, y = np.array([250.0]), np.array([0.03])
    assert d.scalar_to_dirac_pair(m, M_MU, y)[0] == pytest.approx(trace_scalar(250.0, M_MU, M_MU, 0.03))
    assert d.scalar_to_majorana_pair(m, 40.0, y)[0] == pytest.approx(
        0.5 * trace_scalar(250.0, 40.0, 40.0, 0.03)
    )
    assert d.scalar_to_two_majorana(m, 20.0, 70.0, y)[0] == pytest.approx(
        trace_scalar(250.0, 20.0, 70.0, 0.03)
    )


@pytest.mark.parametrize("m_v", [1.0, 20.0, 49.0])
def test_scalar_to_vectors_is_the_polarisation_sum(m_v: float) -> None:
    m, f = 100.0, 2e4
    p_1, p_2, phase_space = two_body(m, m_v, m_v)
    sums = [-METRIC + np.outer(p, p) / m_v**2 for p in (p_1, p_2)]
    square = np.einsum("ab,cd,ac,bd->", sums[0], sums[1], METRIC, METRIC)
    expected = 0.5 * (2.0 * m_v**2 / f) ** 2 * square * phase_space
    assert d.scalar_to_vectors(np.array([m]), np.array([m_v]), np.array([f]))[0] == pytest.approx(
        expected, rel=1e-9
    )


def test_scalar_to_longitudinal_vectors_is_scalar_to_goldstones() -> None:
    # L = (phi'/f) (d a)^2: amplitude 2 p1.p2/f = m^2/f, identical particles
    m, f = 100.0, 2.0**0.5 * 1e4
    goldstones = 0.5 * (m**2 / f) ** 2 / (16.0 * pi * m)
    width = d.scalar_to_vectors(np.array([m]), np.array([1e-3]), np.array([f]))[0]
    assert width == pytest.approx(goldstones, rel=1e-8)
    assert width == pytest.approx(5e-5, rel=0.01)  # MeV, at V = 10 GeV


def loop_integral(m: float, m_f: float) -> complex:
    """A_{1/2} as Feynman parameters: 4 int dx dy (1 - 4xy)/(1 - a x y - i0); the y integral by hand."""
    a = (m / m_f) ** 2

    def inner(x: float) -> complex:
        den = 1.0 - a * x * (1.0 - x)
        log = np.log(abs(den)) - (1j * pi if den < 0.0 else 0.0)
        return complex(4.0 * (1.0 - x) / a - (1.0 - 4.0 / a) * log / (a * x))

    points = [0.5] if a <= 4.0 else [0.5 * (1.0 + sign * (1.0 - 4.0 / a) ** 0.5) for sign in (-1, 1)]
    real = quad(lambda x: inner(x).real, 1e-13, 1.0, points=points, limit=400)[0]
    imag = quad(lambda x: inner(x).imag, 1e-13, 1.0, points=points, limit=400)[0]
    return 4.0 * complex(real, imag)


@pytest.mark.parametrize("m", [30.0, 80.0, 150.0, 205.0, 220.0, 500.0, 5000.0])
def test_fermion_loop_is_the_feynman_integral(m: float) -> None:
    found = complex(d.fermion_loop(np.array([m]), M_MU)[0])
    expected = loop_integral(m, M_MU)
    assert found.real == pytest.approx(expected.real, rel=1e-6, abs=1e-8)
    assert abs(found.imag) == pytest.approx(abs(expected.imag), rel=1e-6, abs=1e-8)


def test_fermion_loop_limits() -> None:
    assert d.fermion_loop(np.array([1e-6]), M_MU)[0] == pytest.approx(4.0 / 3.0)
    seam = 2.0 * M_MU * 1e-3**0.5
    below, above = d.fermion_loop(seam * np.array([1.0 - 1e-12, 1.0 + 1e-12]), M_MU)
    assert below == pytest.approx(above, rel=1e-11)
    assert abs(d.fermion_loop(np.array([1e6]), M_MU)[0]) < 1e-4  # light fermions decouple
    threshold = d.fermion_loop(2.0 * M_MU * np.array([1.0 - 1e-12, 1.0, 1.0 + 1e-12]), M_MU)
    np.testing.assert_allclose(threshold, 2.0, rtol=1e-5)


def test_scalar_to_photons_at_the_reference_point() -> None:
    f = 2.0**0.5 * 1e4
    width = d.scalar_to_photons(np.array([80.0]), {M_MU: np.array([1.0 / f])})[0]
    assert width == pytest.approx(3.274e-11, rel=2e-4)
    assert d.decay_length(np.array([width]))[0] == pytest.approx(6.0e-3, rel=0.01)


def test_scalar_to_photons_heavy_limit_is_the_beta_function() -> None:
    # low-energy theorem: L = (alpha/6 pi)(phi'/f) F F for a Dirac fermion of unit charge, m proportional to f
    m, f = 1.0, 1e4
    coupling = ALPHA / (6.0 * pi * f)  # width = c^2 m^3 / (4 pi) for L = c phi F F
    found = d.scalar_to_photons(np.array([m]), {1e5: np.array([1.0 / f])})[0]
    assert found == pytest.approx(coupling**2 * m**3 / (4.0 * pi), rel=1e-6)


def test_pions_from_a_higgs() -> None:
    # for three heavy quarks and all light ones: amplitude (2/9)(s + 11/2 m_pi^2)/v (Voloshin)
    m, v = np.array([400.0]), 246e3
    width = d.scalar_to_pi_pi(m, 2.16 / v * ONE, 4.70 / v * ONE, 3.0 / v)[0]
    amplitude = 2.0 / 9.0 * (400.0**2 + 5.5 * M_PI**2) / v
    charged, neutral = (np.sqrt(1.0 - 4.0 * (x / 400.0) ** 2) for x in (M_PI, M_PI0))
    assert width == pytest.approx(amplitude**2 / (16.0 * pi * 400.0) * (charged + neutral / 2.0), rel=1e-9)


def cross_section_nb(m: float, width: float) -> float:
    """sigma(e+e- -> gamma* -> X) in nb of a width computed with the couplings e Q of the photon."""
    ratio = width / (ALPHA * m / 3.0)
    return 4.0 * pi * ALPHA**2 / (3.0 * m**2) * ratio * 0.3893794e12


def test_pi_pi_reproduces_e_e_annihilation() -> None:
    g_u, g_d = 2.0 / 3.0 * E_CHARGE * ONE, -1.0 / 3.0 * E_CHARGE * ONE
    # scalar QED without form factor: R = beta^3/4
    m = np.array([300.0])
    beta = (1.0 - 4.0 * (M_PI / 300.0) ** 2) ** 0.5
    point_like = d.vector_to_pi_pi(m, g_u, g_d) / np.abs(d.pion_form_factor(m)) ** 2
    assert point_like[0] / (ALPHA * 300.0 / 3.0) == pytest.approx(beta**3 / 4.0)
    # rho: 12 pi BR(rho -> e e)/m^2 with BR = 4.72e-5 (PDG 2024); one rho alone comes out 17 % low
    peak = cross_section_nb(M_RHO, d.vector_to_pi_pi(np.array([M_RHO]), g_u, g_d)[0])
    assert peak == pytest.approx(12.0 * pi * 4.72e-5 / M_RHO**2 * 0.3893794e12, rel=0.20)


def test_pi0_gamma_reproduces_e_e_annihilation_at_the_omega() -> None:
    # BR(omega -> e e) BR(omega -> pi0 gamma) = 7.38e-5 * 0.0835 (PDG); vector dominance is good to 20 %
    g_u, g_d = 2.0 / 3.0 * E_CHARGE * ONE, -1.0 / 3.0 * E_CHARGE * ONE
    peak = cross_section_nb(M_OMEGA, d.vector_to_pi0_gamma(np.array([M_OMEGA]), g_u, g_d)[0])
    assert peak == pytest.approx(12.0 * pi * 7.38e-5 * 0.0835 / M_OMEGA**2 * 0.3893794e12, rel=0.20)


def test_pi0_gamma_is_the_anomaly_of_pi0_to_two_photons() -> None:
    # the amplitude of pi0 -> gamma gamma, 7.802 eV (PrimEx-II, Science 368, 506), with one e replaced by g
    m, g = 140.0, 0.01
    found = d.vector_to_pi0_gamma(np.array([m]), g / 3.0 * ONE, g / 3.0 * ONE)[0]
    found *= abs(1.0 - (m / M_OMEGA) ** 2 - 1j * d.WIDTH_OMEGA / M_OMEGA) ** 2
    amplitude2 = 64.0 * pi * 7.802e-6 / M_PI0**3 * (g / E_CHARGE) ** 2
    expected = amplitude2 * (m**2 - M_PI0**2) ** 3 / (96.0 * pi * m**3)
    assert found == pytest.approx(expected, rel=0.02)


def test_pion_form_factor_at_low_energy() -> None:
    near = np.abs(d.pion_form_factor(np.array([1e-3])))[0]
    assert near == pytest.approx(1.0, abs=1e-9)
    m = np.array([20.0])
    slope = (d.pion_form_factor(m)[0].real - 1.0) / 400.0
    radius2 = 6.0 * slope * (197.327) ** 2
    assert radius2 == pytest.approx(0.6603**2, rel=0.15)  # fm^2, Hanhart et al., arXiv:1611.09359
    ends = d.pion_form_factor(2.0 * M_PI * np.array([1.0 - 1e-9, 1.0 + 1e-9]))
    assert ends[0] == pytest.approx(ends[1], rel=1e-6)


ZERO_BELOW: list[tuple[Callable[[Array], Array], float]] = [
    (lambda m: d.vector_to_dirac_pair(m, 50.0, ONE, ONE), 100.0),
    (lambda m: d.vector_to_majorana_pair(m, 50.0, ONE), 100.0),
    (lambda m: d.vector_to_two_majorana(m, 30.0, 70.0, ONE), 100.0),
    (lambda m: d.vector_to_two_majorana(m, 30.0, 70.0, ONE, axial=True), 100.0),
    (lambda m: d.vector_to_pi_pi(m, ONE, -ONE), 2.0 * M_PI),
    (lambda m: d.vector_to_pi0_gamma(m, ONE, ONE), M_PI0),
    (lambda m: d.scalar_to_dirac_pair(m, 50.0, ONE), 100.0),
    (lambda m: d.scalar_to_majorana_pair(m, 50.0, ONE), 100.0),
    (lambda m: d.scalar_to_two_majorana(m, 30.0, 70.0, ONE), 100.0),
    (lambda m: d.scalar_to_vectors(m, 50.0 * ONE, 1e4 * ONE), 100.0),
    (lambda m: d.scalar_to_pi_pi(m, ONE, ONE), 2.0 * M_PI0),
]


@pytest.mark.parametrize(("width", "threshold"), ZERO_BELOW)
def test_widths_are_exactly_zero_below_threshold(
    width: Callable[[Array], Array], threshold: float, recwarn: pytest.WarningsRecorder
) -> None:
    below = width(threshold * np.array([1e-3, 0.3, 0.999999]))
    assert below.tolist() == [0.0, 0.0, 0.0]
    above = width(threshold * np.array([1.000001, 2.0, 10.0]))
    assert np.all(above > 0.0)
    assert np.all(np.isfinite(above))
    assert not recwarn.list


def test_zero_width_is_legal() -> None:
    width = np.array([0.0, 1.0])
    np.testing.assert_array_equal(d.branching_ratio(np.array([0.0, 0.25]), width), [0.0, 0.25])
    lengths = d.decay_length(width)
    assert lengths[0] == np.inf
    assert lengths[1] == pytest.approx(1.973269804e-13)
