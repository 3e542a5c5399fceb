"""Couplings against the numbers of the papers' convention and the algebra of the Lagrangian."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.constants import ALPHA, M_D, M_E, M_MU, M_U
from globalfit.physics import couplings as c

V = np.array([1e4])


@pytest.mark.parametrize(("m", "y"), [(M_MU, 7.471e-3), (M_E, 3.61e-5), (M_U, 1.5e-4), (M_D, 3.3e-4)])
def test_yukawas_at_10_gev(m: float, y: float) -> None:
    assert c.yukawa(m, c.breaking_scale(V, "sqrt2"))[0] == pytest.approx(
        y, rel=0.02 if m in (M_U, M_D) else 1e-3
    )


def test_right_handed_coupling_at_10_gev() -> None:
    g = c.right_handed_coupling(np.array([100.0, 5.0]), c.breaking_scale(V, "sqrt2"))
    np.testing.assert_allclose(g, [7.0711e-3, 3.5355e-4], rtol=1e-5)


@pytest.mark.parametrize("kappa", ["sqrt2", "1"])
def test_masses_follow_from_the_lagrangian(kappa: c.Kappa) -> None:
    # |D phi|^2 and the potential, with phi = <phi> + ..., <phi> = f/sqrt2 in either normalisation
    f = c.breaking_scale(V, kappa)
    g = c.gauge_coupling(np.array([100.0]), f)
    vacuum = f / 2.0**0.5
    assert (2.0 * (g * c.T3R_CHARGE_PHI * vacuum) ** 2)[0] == pytest.approx(100.0**2)
    lam = c.quartic(np.array([80.0]), f)[0]
    step = 1.0

    def potential(h: float) -> float:
        size2 = ((f[0] + h) / 2.0**0.5) ** 2
        return float(lam * (size2 - f[0] ** 2 / 2.0) ** 2)

    curvature = (potential(step) - 2.0 * potential(0.0) + potential(-step)) / step**2
    assert curvature == pytest.approx(80.0**2, rel=1e-6)
    # right-handed current: charge 2 times the gauge coupling
    assert (2.0 * g)[0] == pytest.approx(c.right_handed_coupling(np.array([100.0]), f)[0])


def test_m_aprime_of_the_canonical_normalisation() -> None:
    g = c.gauge_coupling(np.array([100.0]), c.breaking_scale(V, "sqrt2"))[0]
    assert 8.0 * g**2 * V[0] ** 2 == pytest.approx(100.0**2)
    assert 4.0 * c.quartic(np.array([80.0]), c.breaking_scale(V, "sqrt2"))[0] * V[0] ** 2 == pytest.approx(
        6400.0
    )


def test_nucleons_are_isovector_in_t3r_and_count_baryon_number() -> None:
    g_p, g_n = c.nucleon_charges(np.array([-1.0]), np.array([1.0]))
    assert (g_p[0], g_n[0]) == (-1.0, 1.0)
    third = np.array([1.0 / 3.0])
    np.testing.assert_allclose(c.nucleon_charges(third, third), [[1.0], [1.0]])
    charge_u, charge_d = (np.array([c.ELECTRIC_CHARGE[q]]) for q in "ud")
    np.testing.assert_allclose(c.nucleon_charges(charge_u, charge_d), [[1.0], [0.0]], atol=1e-15)


def test_kinetic_mixing_is_the_electric_charge() -> None:
    shift = c.kinetic_mixing(np.array([1e-4]), -1.0)[0]
    assert shift == pytest.approx(-1e-4 * (4.0 * np.pi * ALPHA) ** 0.5)


def test_t3r_quadruple_is_free_of_anomalies() -> None:
    assert c.anomalies(c.t3r_quadruple()) == (0.0,) * 6


def test_each_member_of_the_quadruple_is_needed() -> None:
    fields = c.t3r_quadruple()
    for i in range(4):
        assert any(c.anomalies(fields[:i] + fields[i + 1 :]))


def test_eta_pair() -> None:
    for charges in ("literal", "hybrid"):
        found = c.anomalies(c.eta_pair(charges))
        assert (found.gravitational, found.cubic) == (2.0, 2.0)
    assert not any(c.anomalies(c.eta_pair("pseudo-dirac")))


def test_b_minus_x_l_is_free_of_anomalies_if_x_sums_to_3() -> None:
    def fields(x: tuple[float, float, float]) -> list[c.Chiral]:
        found = []
        for x_l in x:
            found += [
                c.Chiral(1 / 3, 1 / 6, 3, 2),
                c.Chiral(1 / 3, 2 / 3, 3, right_handed=True),
                c.Chiral(1 / 3, -1 / 3, 3, right_handed=True),
                c.Chiral(-x_l, -1 / 2, 1, 2),
                c.Chiral(-x_l, -1.0, right_handed=True),
                c.Chiral(-x_l, 0.0, right_handed=True),
            ]
        return found

    np.testing.assert_allclose(c.anomalies(fields((0.0, 3.0, 0.0))), 0.0, atol=1e-12)
    np.testing.assert_allclose(c.anomalies(fields((1.0, 1.0, 1.0))), 0.0, atol=1e-12)
    assert abs(c.anomalies(fields((0.0, 1.0, 0.0))).su2) > 1.0


def mass_basis(m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takagi factorisation of a real symmetric mass matrix: masses and the unitary matrix."""
    values, vectors = np.linalg.eigh(m)
    phase = np.where(values < 0.0, 1j, 1.0)
    order = np.argsort(np.abs(values))
    return np.abs(values)[order], (vectors * phase)[:, order]


def test_eta_yukawas_against_diagonalised_mass_matrices() -> None:
    f, lam_dirac, lam_majorana = 2e3, 0.04, 0.005  # left-right symmetric, in the basis (eta_L, eta_R^c)
    # all from phi: Majorana terms and Dirac term scale with f
    matrix = f * np.array([[lam_majorana, lam_dirac], [lam_dirac, lam_majorana]])
    masses, u = mass_basis(matrix)
    yukawas = np.real(np.diag(u.T @ (matrix / f) @ u))
    m_1, delta = np.array([masses[0]]), np.array([masses[1] - masses[0]])
    np.testing.assert_allclose(
        np.ravel(c.eta_yukawas("literal", m_1, delta, np.array([f]))), yukawas, rtol=1e-12
    )
    # pseudo-Dirac: the Dirac mass is bare, the Majorana masses come from phi
    bare = np.array([[0.0, 80.0], [80.0, 0.0]])
    from_phi = f * lam_majorana * np.eye(2)
    masses, u = mass_basis(bare + from_phi)
    yukawas = np.real(np.diag(u.T @ (from_phi / f) @ u))
    m_1, delta = np.array([masses[0]]), np.array([masses[1] - masses[0]])
    found = np.ravel(c.eta_yukawas("pseudo-dirac", m_1, delta, np.array([f])))
    np.testing.assert_allclose(found, yukawas, rtol=1e-12)


def test_currents_of_eta_in_the_mass_basis() -> None:
    _, u = mass_basis(np.array([[5.0, 80.0], [80.0, 5.0]]))
    literal = u.conj().T @ np.diag([1.0, 1.0]) @ u  # eta_R = -1: both Weyl fields carry +1
    np.testing.assert_allclose(literal, np.eye(2), atol=1e-12)
    inelastic = u.conj().T @ np.diag([1.0, -1.0]) @ u  # eta_R = +1
    np.testing.assert_allclose(np.abs(inelastic), [[0.0, 1.0], [1.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize("c_nu", [0.0, 0.5, 1.0])
def test_neutrino_couplings_against_a_diagonalised_seesaw(c_nu: float) -> None:
    f, m_d, m_s = 1e4, 1e-3, 10.0
    _, u = mass_basis(np.array([[0.0, m_d], [m_d, m_s]]))
    y = u.T @ np.array([[0.0, m_d], [m_d, c_nu * m_s]]) @ u / f
    expected = c.nua_nus_yukawa(c_nu, m_d, np.array([f]))[0]
    assert abs(y[0, 1]) == pytest.approx(expected, rel=1e-6, abs=1e-15)
    assert abs(y[1, 1]) == pytest.approx(c_nu * m_s / f, rel=1e-6, abs=1e-10)
    assert abs(u[1, 0]) == pytest.approx(c.neutrino_mixing(m_d, np.array([m_s]))[0], rel=1e-6)
