"""U(1)_T3R models: what a point provides, what it reads, and the options."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from globalfit.constants import E_CHARGE, M_E, M_MU
from globalfit.errors import ModelError
from globalfit.model import MissingParameterError, Model, probe
from globalfit.models.t3r import T3R, T3RElectron, T3RMuon, T3RSecondGeneration
from globalfit.models.t3r_point import T3RPoint
from globalfit.priors.constraints import MassOrdering, Perturbativity

VARIANTS = [T3RMuon, T3RElectron, T3RSecondGeneration]


def point(model: T3R, **changes: float | list[float]) -> T3RPoint:
    values: dict[str, float | list[float]] = {
        "vev": 1e4, "m_aprime": 100.0, "m_phi": 80.0, "m_eta": 30.0, "delta_eta": 0.01, "m_nus": 10.0,
        "epsilon": 0.0, **changes,
    }  # fmt: skip
    n = max(np.size(value) for value in values.values())
    return model.point({name: np.broadcast_to(np.asarray(value, float), n) for name, value in values.items()})


@pytest.mark.parametrize("variant", VARIANTS)
def test_model_protocol(variant: type[T3R]) -> None:
    model = variant()
    assert isinstance(model, Model)
    assert model.name == {T3RMuon: "t3r-muon", T3RElectron: "t3r-electron"}.get(
        variant, "t3r-second-generation"
    )
    assert pickle.loads(pickle.dumps(model)) == model
    assert hash(model) == hash(variant())
    names = [parameter.name for parameter in model.parameters]
    assert names == ["vev", "m_aprime", "m_phi", "m_eta", "delta_eta", "m_nus", "epsilon"]
    defaults = {p.name: float(p.prior.quantile(np.array([0.5]))[0]) for p in model.parameters if p.prior}
    assert defaults == {"delta_eta": 0.01, "m_nus": 10.0, "epsilon": 0.0}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("charges", ["hybrid", "literal", "pseudo-dirac"])
def test_every_derived_quantity_is_there(variant: type[T3R], charges: str) -> None:
    model = variant(eta_charges=charges)  # type: ignore[arg-type]
    at = point(model, m_aprime=[5.0, 100.0, 250.0, 700.0], m_phi=[300.0, 80.0, 100.0, 20.0], epsilon=1e-4)
    names = [quantity.name for quantity in model.derived]
    assert len(set(names)) == len(names)
    for name in names:
        values = getattr(at, name)
        assert values.shape == (4,), name
        assert np.all(np.isfinite(values)), name


def test_muon_couplings_at_the_reference_point() -> None:
    at = point(T3RMuon())
    assert at.y_mu[0] == pytest.approx(7.471e-3, rel=1e-4)
    assert at.g_r[0] == pytest.approx(7.071e-3, rel=1e-4)
    assert at.g_mu_vector[0] == at.g_mu_axial[0] == pytest.approx(3.5355e-3, rel=1e-4)
    assert at.g_eta[0] == pytest.approx(3.5355e-3, rel=1e-4)
    assert at.y_eta[0] == pytest.approx(30.0 / (2.0**0.5 * 1e4))
    assert at.y_nus[0] == pytest.approx(10.0 / (2.0**0.5 * 1e4))
    assert (at.g_p[0], at.g_n[0]) == pytest.approx((-3.5355e-3, 3.5355e-3), rel=1e-4)
    assert (at.y_e[0], at.g_e_axial[0]) == (0.0, 0.0)


def test_kinetic_mixing_shifts_vector_couplings_by_the_electric_charge() -> None:
    plain, mixed = point(T3RMuon()), point(T3RMuon(), epsilon=1e-4)
    shift = 1e-4 * E_CHARGE
    assert (mixed.g_mu_vector - plain.g_mu_vector)[0] == pytest.approx(-shift)
    assert (mixed.g_p - plain.g_p)[0] == pytest.approx(shift)
    assert (mixed.g_n - plain.g_n)[0] == pytest.approx(0.0, abs=1e-18)
    assert mixed.g_mu_axial[0] == plain.g_mu_axial[0]


def test_electron_variant_reaches_muons_through_mixing_alone() -> None:
    at = point(T3RElectron(), epsilon=1e-3)
    assert at.y_e[0] == pytest.approx(M_E / (2.0**0.5 * 1e4))
    assert at.g_e_vector[0] == pytest.approx(3.5355e-3 - 1e-3 * E_CHARGE, rel=1e-4)
    assert at.g_mu_vector[0] == pytest.approx(-1e-3 * E_CHARGE)
    assert (at.y_mu[0], at.g_mu_axial[0]) == (0.0, 0.0)
    assert at.br_phi_e_e[0] > 0.0


def test_second_generation_has_no_coherent_nucleon_charge() -> None:
    at = point(T3RSecondGeneration())
    assert (at.g_p[0], at.g_n[0]) == (0.0, 0.0)
    assert at.y_u[0] == at.y_d[0] == 0.0
    assert at.y_c[0] == pytest.approx(1273.0 / (2.0**0.5 * 1e4))
    # the charm loop adds 3 (2/3)^2 = 4/3 of a heavy lepton
    ratio = at.widths_phi["gamma_gamma"] / point(T3RMuon()).widths_phi["gamma_gamma"]
    loop = 4.0 / 3.0 * (1.0 + 7.0 / 30.0 * (40.0 / M_MU) ** 2 + 2.0 / 21.0 * (40.0 / M_MU) ** 4)
    assert ratio[0] == pytest.approx((1.0 + (4.0 / 3.0) * (4.0 / 3.0) / loop) ** 2, rel=2e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_kappa_times_vev_matters(variant: type[T3R]) -> None:
    one = point(variant(kappa="sqrt2"), vev=1e4, m_phi=220.0, epsilon=1e-4)
    other = point(variant(kappa="1"), vev=2.0**0.5 * 1e4, m_phi=220.0, epsilon=1e-4)
    for quantity in variant().derived:
        np.testing.assert_allclose(
            getattr(one, quantity.name), getattr(other, quantity.name), rtol=1e-14, err_msg=quantity.name
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_branching_ratios_sum_to_one_or_vanish(variant: type[T3R]) -> None:
    rng = np.random.default_rng(5)
    columns = {
        "m_aprime": np.exp(rng.uniform(0.0, 6.7, 200)), "m_phi": np.exp(rng.uniform(0.0, 6.7, 200)),
        "vev": np.exp(rng.uniform(7.0, 10.0, 200)), "m_eta": rng.uniform(1.0, 100.0, 200),
        "delta_eta": rng.uniform(0.0, 20.0, 200), "m_nus": np.full(200, 10.0), "epsilon": np.zeros(200),
    }  # fmt: skip
    at = variant().point(columns)
    names = [quantity.name for quantity in variant().derived]
    for boson, total in (("aprime", at.width_aprime), ("phi", at.width_phi)):
        ratios = np.array([getattr(at, name) for name in names if name.startswith(f"br_{boson}_")])
        assert np.all((ratios >= 0.0) & (ratios <= 1.0))
        np.testing.assert_allclose(ratios.sum(axis=0), np.where(total > 0.0, 1.0, 0.0), rtol=1e-13)
        assert set(names) >= {f"br_{boson}_{channel}" for channel in getattr(at, f"widths_{boson}")}


def test_stable_aprime_has_no_branching_ratios(recwarn: pytest.WarningsRecorder) -> None:
    at = point(T3RMuon(), m_aprime=8.0)  # below every threshold but nu_a nu_s at m_nus = 10
    assert at.width_aprime[0] == 0.0
    assert at.ctau_aprime[0] == np.inf
    assert at.br_aprime_nus_nus[0] == at.br_aprime_e_e[0] == 0.0
    assert not recwarn.list


def test_reference_widths() -> None:
    at = point(T3RMuon(), m_nus=1e-6, m_aprime=[20.0, 1e-3], m_phi=[80.0, 100.0])
    assert at.widths_aprime["nus_nus"][0] == pytest.approx(at.g_r[0] ** 2 * 20.0 / (24.0 * np.pi))
    assert at.widths_phi["gamma_gamma"][0] == pytest.approx(3.274e-11, rel=2e-4)
    assert at.widths_phi["aprime_aprime"][1] == pytest.approx(5e-5, rel=0.01)
    assert point(T3RMuon()).widths_phi["nus_nus"][0] == pytest.approx(7.2e-7, rel=0.01)


def test_eta_options() -> None:
    hybrid, literal, pseudo = (
        point(T3RMuon(eta_charges=name), delta_eta=2.0) for name in ("hybrid", "literal", "pseudo-dirac")
    )
    f = 2.0**0.5 * 1e4
    assert hybrid.y_eta[0] == literal.y_eta[0] == pytest.approx(30.0 / f)
    assert literal.y_eta2[0] == pytest.approx(32.0 / f)
    assert (pseudo.y_eta[0], pseudo.y_eta2[0]) == pytest.approx((-1.0 / f, 1.0 / f))
    assert hybrid.widths_aprime["eta_eta"][0] == pseudo.widths_aprime["eta_eta"][0]
    # literal is axial: p-wave, each eta is a Weyl field of coupling g_eta
    betas = [1.0 - 4.0 * (m / 100.0) ** 2 for m in (30.0, 32.0)]
    expected = literal.g_eta[0] ** 2 * 100.0 / (24.0 * np.pi) * sum(beta**1.5 for beta in betas)
    assert literal.widths_aprime["eta_eta"][0] == pytest.approx(expected)
    assert hybrid.y_nus[0] > 0.0
    assert literal.y_nus[0] == pseudo.y_nus[0] == 0.0
    assert point(T3RMuon(eta_charges="literal", c_nu=1.0)).y_nus[0] == hybrid.y_nus[0]
    assert point(T3RMuon(r_eta=0.25)).g_eta[0] == pytest.approx(0.5 * hybrid.g_eta[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_constraints_read_the_models(variant: type[T3R]) -> None:
    at = point(variant(), vev=[1e4, 3.0], m_eta=[30.0, 60.0])  # V = 3 MeV: y_mu, g and the quartic blow up
    assert Perturbativity().allows(at).tolist() == [True, False]
    assert MassOrdering(("m_eta", "m_eta"), ("m_aprime",)).allows(at).tolist() == [True, False]


def test_notes_name_the_anomaly() -> None:
    assert "gravitational 2, cubic 2" in T3RMuon(eta_charges="literal").notes["m_eta"]
    assert "phenomenological" in T3RMuon().notes["m_eta"]
    assert "anomal" not in T3RMuon(eta_charges="pseudo-dirac").notes["m_eta"]


def test_a_quantity_reads_only_what_it_needs() -> None:
    few = T3RMuon().point({name: np.array([1e2]) for name in ("vev", "m_aprime", "m_phi", "epsilon")})
    for name in ("y_mu", "g_mu_vector", "g_mu_axial", "lambda_phi", "gauge_coupling", "g_p"):
        assert np.isfinite(getattr(few, name))
    for name in ("width_aprime", "width_phi", "br_phi_gamma_gamma", "y_eta"):
        with pytest.raises(MissingParameterError, match="'m_eta' is not in the fit"):
            getattr(few, name)
    read = probe(T3RMuon(), ("y_mu", "g_mu_vector", "g_mu_axial", "y_eta"))
    assert read["y_mu"] == {"vev"}
    assert read["g_mu_vector"] == {"vev", "m_aprime", "epsilon"}
    assert read["g_mu_axial"] == {"vev", "m_aprime"}


def test_unknown_channel_is_an_error() -> None:
    with pytest.raises(MissingParameterError, match="br_phi_tau_tau"):
        _ = point(T3RMuon()).br_phi_tau_tau
    with pytest.raises(ModelError, match="has no quantity 'br_phi_e_e'"):
        probe(T3RMuon(), ("br_phi_e_e",))


def test_batch_equals_single_points_and_take_keeps_options() -> None:
    model = T3RMuon(kappa="1", eta_charges="literal")
    batch = point(model, m_aprime=[5.0, 50.0, 300.0], m_phi=[20.0, 110.0, 400.0], epsilon=[0.0, 1e-4, -1e-3])
    for i in range(3):
        single = batch.take(slice(i, i + 1))
        assert single.model is model
        for quantity in model.derived:
            assert getattr(single, quantity.name)[0] == getattr(batch, quantity.name)[i], quantity.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kappa": "sqrt"}, "t3r-muon: no kappa 'sqrt'; did you mean 'sqrt2'?"),
        ({"eta_charges": "litteral"}, "t3r-muon: no eta_charges 'litteral'; did you mean 'literal'?"),
        ({"r_eta": float("nan")}, "t3r-muon: 'r_eta' = nan is not finite; give a number"),
        ({"c_nu": float("inf")}, "t3r-muon: 'c_nu' = inf is not finite; give a number"),
        ({"m_nu_dirac": -1.0}, "t3r-muon: 'm_nu_dirac' = -1.0 is negative; give a mass in MeV"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        T3RMuon(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message
