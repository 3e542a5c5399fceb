"""Meson decays: squared amplitudes against explicit Dirac traces, identities, branching ratios."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.integrate import dblquad

from globalfit.constants import E_CHARGE, M_MU
from globalfit.physics.beam.grid import COMBINATIONS, LEGS, combine
from globalfit.physics.beam.meson_decays import (
    Momenta,
    branching_ratio,
    dalitz,
    neutrino,
    scalar_amplitude2,
    t3r_legs,
    three_body,
    two_body,
    vector_amplitude2,
)
from globalfit.physics.beam.mesons import G_F, LEPTON_MASSES, MESONS
from globalfit.physics.beam.spectrum import Line, Spectrum, cascade

ONE, ZERO = np.eye(2), np.zeros((2, 2))
PAULI = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
GAMMA = [np.block([[ONE, ZERO], [ZERO, -ONE]])] + [np.block([[ZERO, s], [-s, ZERO]]) for s in PAULI]
GAMMA5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]
UNIT = np.eye(4)
LEFT, RIGHT = 0.5 * (UNIT - GAMMA5), 0.5 * (UNIT + GAMMA5)
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def slash(v):
    return sum(g * x for g, x in zip(GAMMA, METRIC @ v, strict=True))


def bar(matrix):
    return GAMMA[0] @ matrix.conj().T @ GAMMA[0]


def dot(u, v):
    return u @ METRIC @ v


def points(parent, lepton, m_x, n=6, seed=5):
    """Random interior points of the Dalitz plane as `Momenta` and explicit four-vectors."""
    meson, m_l = MESONS[parent], LEPTON_MASSES[lepton]
    rng = np.random.default_rng(seed)
    high = (meson.m**2 + m_x**2 - m_l**2) / (2 * meson.m)
    e_x = m_x + (high - m_x) * rng.uniform(0.1, 0.9, n)
    at, _ = dalitz(meson, m_l, m_x, e_x)
    one = at.e_nu[:, 11]
    at = Momenta(at.m_meson, m_l, m_x, e_x, at.k[:, 11], one, at.z_nu[:, 11], at.t_nu[:, 11])
    for i in range(n):
        k = np.array([at.e_x[i], at.k[i], 0.0, 0.0])
        nu = np.array([at.e_nu[i], at.z_nu[i], at.t_nu[i], 0.0])
        p = np.array([meson.m, 0.0, 0.0, 0.0])
        assert dot(nu, nu) == pytest.approx(0.0, abs=1e-6 * at.e_nu[i] ** 2)
        assert dot(p - k - nu, p - k - nu) == pytest.approx(m_l**2, abs=1e-9 * meson.m**2)
    return at, e_x


def vectors(at, i):
    k = np.array([at.e_x[i], at.k[i], 0.0, 0.0])
    nu = np.array([at.e_nu[i], at.z_nu[i], at.t_nu[i], 0.0])
    p = np.array([at.m_meson, 0.0, 0.0, 0.0])
    return p, k, nu, p - k - nu


def legs(at, i, chirality):
    """The three legs as 4x4 matrices between nbar and v, for each component of the polarisation (upper)."""
    p, k, _, lepton = vectors(at, i)
    q, m = lepton + k, at.m_lepton
    coupling = chirality[0] * LEFT + chirality[1] * RIGHT
    weak = UNIT - GAMMA5
    a = [slash(p) @ weak @ (-slash(q) + m * UNIT) @ g @ coupling / (dot(q, q) - m**2) for g in GAMMA]
    meson = dot(p - k, p - k) - at.m_meson**2
    b = [(2 * p - k)[mu] / meson * slash(p - k) @ weak for mu in range(4)]
    c = [g @ weak for g in GAMMA]
    return a, b, c


def traced(at, i, left, right):
    """Tr[nuslash L (lslash - m) Rbar], the spin sum of nbar L v (nbar R v)*."""
    _, _, nu, lepton = vectors(at, i)
    return np.trace(slash(nu) @ left @ (slash(lepton) - at.m_lepton * UNIT) @ bar(right))


@pytest.mark.parametrize(("parent", "lepton"), list(product(("pi+", "k+"), ("e", "mu"))))
@pytest.mark.parametrize("pseudoscalar", [False, True])
def test_scalar_amplitude_is_the_trace(parent, lepton, pseudoscalar):
    at, _ = points(parent, lepton, 7.0)
    vertex = 1j * GAMMA5 if pseudoscalar else UNIT
    ours = scalar_amplitude2(at, MESONS[parent].f_ckm, pseudoscalar=pseudoscalar)
    for i in range(at.e_x.size):
        p, k, _, lep = vectors(at, i)
        q, m = lep + k, at.m_lepton
        matrix = slash(p) @ (UNIT - GAMMA5) @ (-slash(q) + m * UNIT) @ vertex / (dot(q, q) - m**2)
        exact = 0.5 * (G_F * MESONS[parent].f_ckm) ** 2 * traced(at, i, matrix, matrix).real
        assert ours[i] == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize(("parent", "lepton"), list(product(("pi+", "k+"), ("e", "mu"))))
@pytest.mark.parametrize("chirality", [(1.0, 1.0), (0.0, 1.0), (0.6, -1.3)])
def test_vector_amplitude_is_the_trace_for_each_leg_and_polarisation(parent, lepton, chirality):
    m_x = 17.0
    at, _ = points(parent, lepton, m_x)
    ours = vector_amplitude2(at, MESONS[parent].f_ckm, chirality)
    for i in range(at.e_x.size):
        states = {
            0: [np.array([0, 0, 1, 0]), np.array([0, 0, 0, 1])],
            1: [np.array([at.k[i], at.e_x[i], 0, 0]) / m_x],
        }
        for polarisation, vectors_ in states.items():
            size = max(abs(ours[:, polarisation, i]))
            for c, name in enumerate(COMBINATIONS):
                first, second = ("abc".index(letter) for letter in name)
                exact = 0.0
                for eps in vectors_:
                    legs_ = [
                        sum(METRIC[mu, mu] * eps[mu] * leg[mu] for mu in range(4))
                        for leg in legs(at, i, chirality)
                    ]
                    value = traced(at, i, legs_[first], legs_[second]).real
                    exact += value if first == second else 2 * value
                exact *= 0.5 * (G_F * MESONS[parent].f_ckm) ** 2
                assert ours[c, polarisation, i] == pytest.approx(exact, rel=1e-10, abs=1e-13 * size)


def test_ward_identity_of_the_conserved_current():
    at, _ = points("k+", "mu", 17.0)
    for i in range(at.e_x.size):
        _, k, nu, lepton = vectors(at, i)
        parts = [
            slash(nu)
            @ sum(METRIC[mu, mu] * k[mu] * leg[mu] for mu in range(4))
            @ (slash(lepton) - M_MU * UNIT)
            for leg in legs(at, i, (1.0, 1.0))
        ]
        total = sum(w * part for w, part in zip(LEGS["gauge-invariant"], parts, strict=True))
        assert np.abs(total).max() < 1e-12 * np.abs(parts[0]).max()


def test_longitudinal_part_of_the_conserved_current_vanishes_with_the_mass():
    squares = {name: [] for name in ("gauge-invariant", "lepton")}
    for m in (0.5, 1.0):
        at, _ = dalitz(MESONS["k+"], M_MU, m, np.array([100.0, 180.0]))
        longitudinal = vector_amplitude2(at, MESONS["k+"].f_ckm)[:, 1]
        for name, values in squares.items():
            values.append(np.tensordot(combine(*LEGS[name]), longitudinal, axes=1).sum())
    conserved, lepton = squares["gauge-invariant"], squares["lepton"]
    assert conserved[1] / conserved[0] == pytest.approx(4.0, rel=0.01)
    assert lepton[1] / lepton[0] == pytest.approx(0.25, rel=0.01)


def test_goldstone_limit_of_a_right_handed_lepton():
    def ratio(m):
        vector = branching_ratio("pi+", "mu", "vector", m, (0.0, 1.0))[0].sum()
        goldstone = branching_ratio("pi+", "mu", "pseudoscalar", m) * (M_MU / m) ** 2
        return vector / goldstone

    # the longitudinal part of coupling 1 to P_R is a pseudoscalar of Yukawa coupling m_mu/m_V
    assert ratio(2.0) == pytest.approx(1.0, abs=0.10)
    assert ratio(0.2) == pytest.approx(1.0, abs=0.005)


TABLE = {
    ("pi+", "mu", "scalar"): {1: 4.813e-2, 5: 1.486e-2, 20: 5.022e-4},
    ("pi+", "mu", "pseudoscalar"): {1: 1.0885e-4, 5: 8.104e-5, 20: 7.083e-6},
    ("pi+", "e", "scalar"): {1: 9.868e-3, 5: 9.492e-3, 20: 6.841e-3},
    ("pi+", "e", "pseudoscalar"): {1: 9.845e-3, 5: 9.479e-3, 20: 6.836e-3},
    ("k+", "mu", "scalar"): {
        1: 9.225e-2,
        5: 6.632e-2,
        20: 4.314e-2,
        70: 1.979e-2,
        80: 1.719e-2,
        100: 1.293e-2,
        200: 2.391e-3,
    },
    ("k+", "mu", "pseudoscalar"): {
        1: 1.007e-2,
        5: 1.001e-2,
        20: 9.474e-3,
        70: 6.531e-3,
        80: 5.921e-3,
        100: 4.770e-3,
        200: 1.043e-3,
    },
    ("k+", "e", "scalar"): {1: 1.577e-2, 5: 1.570e-2, 20: 1.501e-2},
}


@pytest.mark.parametrize(("channel", "m_x"), [(c, m) for c, row in TABLE.items() for m in row])
def test_branching_ratios_of_scalars(channel, m_x):
    assert branching_ratio(*channel, float(m_x)) == pytest.approx(TABLE[channel][m_x], rel=5e-3)


# Lepton leg, conserved current, longitudinal share of the lepton leg; per g^2 at 17 MeV.
VECTORS = {
    ("pi+", "mu"): (8.281e-4, 4.250e-5, 0.97),
    ("pi+", "e"): (0.1633, 4.219e-6, 0.94),
    ("k+", "mu"): (3.078, 2.786e-2, 0.99),
    ("k+", "e"): (3.324, 2.141e-6, 0.99),
}


@pytest.mark.parametrize("channel", VECTORS)
def test_branching_ratios_of_vectors(channel):
    br = branching_ratio(*channel, "vector", 17.0)
    lepton, conserved, longitudinal = VECTORS[channel]
    assert (combine(*LEGS["lepton"]) @ br).sum() == pytest.approx(lepton, rel=5e-3)
    assert (combine(*LEGS["gauge-invariant"]) @ br).sum() == pytest.approx(conserved, rel=5e-3)
    assert br[0, 1] / br[0].sum() == pytest.approx(longitudinal, abs=0.01)


# BR (f/GeV)^2 of A' of U(1)_T3R with charges u -1, d +1, muon model (muon +1, electron 0): g_R = m/f.
T3R = {
    ("pi+", "e"): {1: 1.923e-4, 20: 1.864e-4, 80: 3.407e-5, 130: 9.48e-9},
    ("pi+", "mu"): {1: 2.396e-6, 10: 1.849e-6, 30: 1.025e-8},
    ("k+", "e"): {1: 9.608e-4, 100: 8.768e-4, 300: 1.245e-4},
    ("k+", "mu"): {1: 7.180e-4, 20: 7.372e-4, 300: 3.731e-5},
}


@pytest.mark.parametrize(("channel", "m_x"), [(c, m) for c, row in T3R.items() for m in row])
def test_branching_ratios_of_the_model(channel, m_x):
    parent, lepton = channel
    legs_ = t3r_legs(1.0 if lepton == "mu" else 0.0, -1.0, 1.0 if parent == "pi+" else 0.0)
    br = (combine(**legs_) @ branching_ratio(parent, lepton, "vector", float(m_x), (0.0, 1.0))).sum()
    assert br * m_x**2 * 1e-6 == pytest.approx(T3R[channel][m_x], rel=1.5e-3)


def test_contact_leg_carries_the_massless_limit():
    """pi -> e nu a for massless leptons: 2 theta^2 G_F^2 V_ud^2 M^5/(768 pi^3) tau with theta = F/f."""
    pion = MESONS["pi+"]
    f_pi_vud = pion.f_ckm / np.sqrt(2.0)  # 92 MeV normalisation, times V_ud
    exact = 2 * f_pi_vud**2 * G_F**2 * pion.m**5 / (768 * np.pi**3) / pion.width  # theta = F/f, f = 1 MeV
    br = branching_ratio("pi+", "e", "vector", 1.0, (0.0, 1.0))
    full = (combine(**t3r_legs(0.0, -1.0, 1.0)) @ br).sum()
    assert full == pytest.approx(exact, rel=1e-3)
    assert (combine(0.0, -0.5 * -2.0, 0.0) @ br).sum() < 1e-4 * full


def test_rate_is_the_dalitz_integral():
    """Brute force over (m12^2, m23^2) with the textbook limits."""
    parent, lepton, m_x = "k+", "mu", 60.0
    meson, m_l = MESONS[parent], M_MU
    big = meson.m

    def integrand(m23, m12):
        q2 = big**2 + m_l**2 + m_x**2 - m12 - m23
        e_x = (big**2 + m_x**2 - m12) / (2 * big)
        e_nu = np.array((big**2 - q2) / (2 * big))
        at = Momenta(big, m_l, m_x, np.array(e_x), np.zeros(()), e_nu, np.zeros(()), np.zeros(()))
        return float(scalar_amplitude2(at, meson.f_ckm))

    def limit(sign):
        def at(m12):
            e2 = (m12 - m_l**2) / (2 * np.sqrt(m12))
            e3 = (big**2 - m12 - m_x**2) / (2 * np.sqrt(m12))
            return (e2 + e3) ** 2 - (e2 + sign * np.sqrt(max(e3**2 - m_x**2, 0.0))) ** 2

        return at

    value, _ = dblquad(integrand, m_l**2, (big - m_x) ** 2, limit(1.0), limit(-1.0), epsrel=1e-6)
    width = value / ((2 * np.pi) ** 3 * 32 * big**3)
    assert branching_ratio(parent, lepton, "scalar", m_x) == pytest.approx(width / meson.width, rel=2e-5)


def test_quadrature_has_converged():
    for channel in (("pi+", "mu", "scalar", 1.0), ("k+", "e", "pseudoscalar", 1.0)):
        assert three_body(*channel).br == pytest.approx(three_body(*channel, nodes=1025).br, rel=1e-6)


def test_closed_channels_are_zero():
    assert branching_ratio("pi+", "mu", "scalar", 33.92) == 0.0
    assert branching_ratio("pi+", "mu", "scalar", 33.90) > 0.0
    assert not branching_ratio("k+", "mu", "vector", 400.0).any()


def test_standard_decays_at_tree_level():
    assert neutrino("pi+").br == pytest.approx(0.977, abs=0.002)
    assert neutrino("k+").br == pytest.approx(0.623, abs=0.002)
    assert neutrino("pi+").energy == pytest.approx(29.79, abs=0.01)


def test_two_body_line():
    x = two_body("pi0", 17.0)
    assert x.energy**2 - 17.0**2 == pytest.approx((MESONS["pi0"].m - x.energy) ** 2, rel=1e-12)  # photon
    epsilon2 = E_CHARGE**2
    assert x.br * epsilon2 == pytest.approx(2 * 0.98823 * (1 - (17.0 / 134.9768) ** 2) ** 3, rel=1e-12)


@pytest.mark.parametrize("polarised", [False, True])
@pytest.mark.parametrize("source", ["three-body", "line"])
def test_cascade_against_decays_one_by_one(source, polarised):
    m_v, m = 17.0, 8.0
    rng, n = np.random.default_rng(2), 400_000
    if source == "line":
        line = two_body("pi0", m_v)
        vector = Line(m_v, line.energy, line.br * np.array([0.7, 0.3]))
        e_v, weight = np.full(n, line.energy), np.tile(vector.br, (n, 1))
    else:
        full = three_body("pi+", "e", "vector", m_v)
        vector = Spectrum(m_v, full.low, full.high, full.density[0])
        e_v = rng.uniform(full.low, full.high, n)
        weight = vector.at(e_v) * (full.high - full.low)
    ours = cascade(vector, m, polarised=polarised)
    assert ours.br == pytest.approx(2 * np.asarray(vector.br), rel=2e-3)
    cosine = rng.uniform(-1, 1, n)
    p_0, p_v = np.sqrt(m_v**2 / 4 - m**2), np.sqrt(e_v**2 - m_v**2)
    energy = 0.5 * e_v + p_0 * p_v / m_v * cosine
    weight = 2 * weight.copy()
    if polarised:
        beta2 = 1 - 4 * m**2 / m_v**2
        weight[:, 0] *= (1 - 0.5 * beta2 * (1 - cosine**2)) / (1 - beta2 / 3)
        weight[:, 1] *= (1 - beta2 * cosine**2) / (1 - beta2 / 3)
    for quantile in (0.2, 0.5, 0.8):
        cut = np.quantile(energy, quantile)
        fine = np.linspace(ours.low, cut, 20001)
        below = np.trapezoid(ours.at(fine), fine, axis=0)
        np.testing.assert_allclose(below, (weight * (energy < cut)[:, None]).mean(0), rtol=8e-3)


def test_cascade_polarisation_is_the_vector_current():
    """Tr[kslash1 + m) epsslash (kslash2 - m) epsslash*] in V's rest frame, helicity 0 and transverse."""
    m_v, m = 17.0, 8.0
    p = np.sqrt(m_v**2 / 4 - m**2)
    beta2 = 4 * p**2 / m_v**2
    for c in (-0.7, 0.1, 0.9):
        k1 = np.array([m_v / 2, p * np.sqrt(1 - c**2), 0.0, p * c])
        k2 = np.array([m_v, 0, 0, 0]) - k1
        rates = []
        for states in ([(1, 0, 0), (0, 1, 0)], [(0, 0, 1)]):
            value = 0.0
            for state in states:
                e = slash(np.array([0.0, *state]))
                value += np.trace((slash(k1) + m * UNIT) @ e @ (slash(k2) - m * UNIT) @ e).real / len(states)
            rates.append(value)
        expected = (1 - 0.5 * beta2 * (1 - c**2)) / (1 - beta2 * c**2)
        assert rates[0] / rates[1] == pytest.approx(expected, rel=1e-12)
