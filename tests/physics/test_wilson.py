from __future__ import annotations

import numpy as np
import pytest

from globalfit.physics import wilson
from globalfit.physics.wilson import Exchange


def one(value: float) -> np.ndarray:
    return np.array([value])


def test_contact_mapping_of_the_talk() -> None:
    made = wilson.contact(one(-5.67), one(4.55), one(-1.28), one(0.02), one(0.03))
    muon, electron = made.constant["mu"], made.constant["e"]
    ratio = -(1 - 4 * 0.2312)
    assert muon["C9"] == pytest.approx(ratio * -5.67 + 4.55)
    assert muon["C10"] == pytest.approx(-5.67 + 4.55)
    exact = {"C9p": -1.28, "C10p": -1.28, "CS": 0.02, "CP": 0.03}
    assert {op: muon[op][0] for op in exact} == exact
    assert electron["C9"] == pytest.approx(ratio * -5.67)
    assert electron["C10"] == pytest.approx(-5.67)
    assert made.scale == 160.0


def test_z_induced_equals_tree_level_exchange_of_the_z() -> None:
    theta = 4.8e-4
    m_z = 91.1876
    g_over_c = 2.0 * m_z / wilson.VEV_HIGGS
    g_sb = m_z / wilson.VEV_HIGGS * theta
    s2 = wilson.SIN2_THETA_W
    vector, axial = g_over_c * (-0.25 + s2), g_over_c * 0.25
    found = wilson.z_induced(one(theta))
    for lepton in ("mu", "e"):
        assert found[lepton]["C9"] == pytest.approx(-g_sb * vector / (m_z**2 * wilson.NORMALISATION))
        assert found[lepton]["C10"] == pytest.approx(-g_sb * axial / (m_z**2 * wilson.NORMALISATION))
    assert abs(found["mu"]["C10"][0]) == pytest.approx(4.85, rel=0.01)


def test_heavy_mediators_are_contact_terms() -> None:
    x = wilson.aprime_exchange(one(1e5), one(1.0), one(1e-3), one(2e-3), {"mu": one(0.3)}, {"mu": one(0.2)})
    real, imaginary = x.propagator(np.array([0.1, 6.0, 20.0]))
    np.testing.assert_allclose(real[:, 0], -1e-4, rtol=3e-3)
    assert np.all(np.abs(imaginary) < 1e-8)
    numerators = x.numerators("mu", strange=False)
    assert numerators["C9"] == pytest.approx(1e-3 * 0.3 / wilson.NORMALISATION)
    assert numerators["C10p"] == pytest.approx(2e-3 * 0.2 / wilson.NORMALISATION)


def test_propagator_is_breit_wigner() -> None:
    x = Exchange("aprime", one(300.0), one(40.0), {})
    q2 = np.array([0.05, 0.09, 0.3])
    exact = 1.0 / (q2 - 0.09 + 1j * 0.3 * 0.04)
    real, imaginary = x.propagator(q2)
    np.testing.assert_allclose(real[:, 0], exact.real, rtol=1e-13)
    np.testing.assert_allclose(imaginary[:, 0], exact.imag, rtol=1e-13)


@pytest.mark.parametrize("m_aprime", [5.0, 50.0, 200.0])
def test_longitudinal_part_makes_bs_a_contact_term(m_aprime: float) -> None:
    # P = C10 - C10' + m_B^2 m_b/(2 m_mu (m_b + m_s)) (C_P - C_P') has no pole: with the longitudinal part, at
    # q^2 = m_B^2: P = -kappa / m^2.
    x = wilson.aprime_exchange(
        one(m_aprime), one(0.0), one(2e-9), one(-1e-9), {"mu": one(3e-3)}, {"mu": one(3e-3)}
    )
    m_b, m_s, m_bs, m_mu = wilson.M_B, wilson.M_S, 5.36692, wilson.M_LEPTON["mu"]
    real, _ = x.propagator(np.array([m_bs**2]))
    c = {op: value * real[0] for op, value in x.numerators("mu", strange=True).items()}
    p = c["C10"] - c["C10p"] + m_bs**2 * m_b / (2 * m_mu * (m_b + m_s)) * (c["CP"] - c["CPp"])
    kappa = x.strengths["mu"]["C10"] - x.strengths["mu"]["C10p"]
    np.testing.assert_allclose(p, -kappa / (1e-3 * m_aprime) ** 2, rtol=1e-12)


def test_scalar_exchange() -> None:
    x = wilson.phi_exchange(one(80.0), one(0.0), one(1e-7), {"mu": one(7.5e-3)})
    real, _ = x.propagator(np.array([28.8]))
    found = x.numerators("mu", strange=False)["CS"] * real[0]
    exact = -1e-7 * 7.5e-3 / (28.8 - 0.08**2) / (wilson.NORMALISATION * wilson.M_B)
    np.testing.assert_allclose(found, exact, rtol=1e-13)
    assert x.numerators("e", strange=False) == {}


def test_take_selects_points() -> None:
    made = wilson.mediator(
        np.array([1e-4, 2e-4]),
        wilson.aprime_exchange(*(np.array([1.0, 2.0]),) * 4, {"mu": np.ones(2)}, {"mu": np.ones(2)}),
        wilson.phi_exchange(*(np.array([3.0, 4.0]),) * 3, {"mu": np.ones(2)}),
    )
    second = made.take(slice(1, 2))
    assert second.n == 1
    assert second.exchanges[0].mass == 2.0
    assert second.exchanges[1].strengths["mu"]["CS"] == made.exchanges[1].strengths["mu"]["CS"][1]
    assert second.constant["e"]["C10"] == made.constant["e"]["C10"][1]
