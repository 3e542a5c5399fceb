"""B - xL: purely vector couplings, no link of phi to fermion masses."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.errors import ModelError
from globalfit.model import Model, probe
from globalfit.models.bxl import BXL, BXLPoint

COLUMNS = {"g_x": 1e-3, "m_aprime": 100.0, "m_phi": 300.0, "m_eta": 30.0, "delta_eta": 0.5, "epsilon": 0.0}


def point(model: BXL, **changes: float) -> BXLPoint:
    return model.point({name: np.array([value]) for name, value in (COLUMNS | changes).items()})


def test_model_protocol() -> None:
    model = BXL()
    assert isinstance(model, Model)
    assert model.name == "b-xl"
    at = point(model)
    for quantity in model.derived:
        assert np.all(np.isfinite(getattr(at, quantity.name))), quantity.name
    assert probe(model, ("g_mu_vector",))["g_mu_vector"] == {"g_x", "epsilon"}


def test_charges() -> None:
    at = point(BXL())
    assert at.g_mu_vector[0] == pytest.approx(-3e-3)
    assert at.g_e_vector[0] == 0.0
    assert at.g_p[0] == at.g_n[0] == pytest.approx(1e-3)
    assert at.g_mu_axial.tolist() == at.y_mu.tolist() == at.y_e.tolist() == [0.0]
    equal = point(BXL(x_e=1.0, x_mu=1.0, x_tau=1.0))
    assert equal.g_e_vector[0] == equal.g_mu_vector[0] == pytest.approx(-1e-3)


def test_gauge_boson_mass_and_gap_follow_from_phi() -> None:
    at = point(BXL(q_eta=0.5))
    assert (2.0 * 0.5 * at.g_x * at.f)[0] == pytest.approx(100.0)
    assert at.g_eta[0] == pytest.approx(0.5e-3)
    assert (at.y_eta2 - at.y_eta)[0] * at.f[0] == pytest.approx(0.5)  # both gaps are made by phi


def test_branching_ratios() -> None:
    at = point(BXL(), m_aprime=600.0)
    shares = {name: float(getattr(at, f"br_aprime_{name}")[0]) for name in at.widths_aprime}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["pi_pi"] == 0.0  # isoscalar
    # far above threshold a charged lepton is two Weyl fields, a neutrino one
    heavy = point(BXL(), m_aprime=1e5)
    assert (heavy.widths_aprime["mu_mu"] / heavy.widths_aprime["nu_nu"])[0] == pytest.approx(2.0, rel=1e-5)
    assert (at.br_phi_aprime_aprime + at.br_phi_eta_eta)[0] == pytest.approx(1.0)


def test_pi0_gamma_of_baryon_number_below_the_pion_pair() -> None:
    # x_tau = 3: neither e nor mu; Tulin's formula with alpha_B = g^2/4 pi
    at = point(BXL(x_mu=0.0, x_tau=3.0), m_aprime=200.0, g_x=1e-2)
    alpha_b, alpha, f = 1e-4 / (4.0 * np.pi), 1.0 / 137.036, 92.1
    form = abs(1.0 / (1.0 - (200.0 / 782.66) ** 2))
    expected = (
        alpha_b * alpha * 200.0**3 / (96.0 * np.pi**3 * f**2) * (1.0 - (134.9768 / 200.0) ** 2) ** 3 * form**2
    )
    assert at.widths_aprime["pi0_gamma"][0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x_mu": 1.0}, "b-xl: x_e + x_mu + x_tau = 1 leaves an anomaly; choose charges that sum to 3"),
        ({"q_eta": 0.0}, "b-xl: 'q_eta' = 0 leaves phi without charge; give eta a charge"),
        ({"x_e": float("nan")}, "b-xl: 'x_e' = nan is not finite; give a number"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, float], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        BXL(**options)
    assert str(caught.value) == message
