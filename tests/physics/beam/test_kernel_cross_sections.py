"""Cross-sections against adaptive quadrature, kinematics by boosts, nuclei, and tabulated numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import spherical_jn

from globalfit.constants import M_PROTON
from globalfit.errors import GlobalfitError
from globalfit.physics.beam import cross_sections as cs
from globalfit.physics.beam import nuclei, primakoff, two_body, upscattering

PARTS = {part.label: part for part in nuclei.scatterers({"C": 1.0, "H": 1.0, "Ar": 1.0})}
GEV = 1e-3

# sigma/(coupling^2) x 1/0.3894e-27 cm^2 with charges squared: independent implementation
PRIMAKOFF = [
    (49.0, "C coherent", 36.0, (0.685, 0.699, 0.703)),
    (49.0, "H", 1.0, (0.0458, 0.0553, 0.0591)),
    (49.0, "Ar coherent", 324.0, (4.22, 4.28, 4.29)),
    (85.0, "C coherent", 36.0, (0.299, 0.308, 0.310)),
    (85.0, "H", 1.0, (0.0281, 0.0365, 0.0400)),
    (85.0, "Ar coherent", 324.0, (1.58, 1.61, 1.62)),
]
VECTOR = [
    (5.0, 650.0, "C coherent", 144.0, (9.2e-4, 1.83e-4, 4.6e-5, 1.6e-5)),
    (5.0, 650.0, "C incoherent", 12.0, (1.6e-4, 2.53e-3, 3.31e-3, 2.20e-3)),
    (5.0, 650.0, "H", 1.0, (1.8e-5, 2.12e-4, 2.76e-4, 1.83e-4)),
    (10.0, 550.0, "C coherent", 144.0, (1.74e-3, 3.3e-4, 8.4e-5, 3.0e-5)),
    (10.0, 550.0, "C incoherent", 12.0, (3.0e-4, 4.08e-3, 4.68e-3, 2.91e-3)),
    (10.0, 550.0, "H", 1.0, (3.4e-5, 3.42e-4, 3.91e-4, 2.42e-4)),
]
UPSCATTERING = [
    ((8.0, 40.0, 17.0), "C coherent", 36.0, (9053.0, 9250.0, 9293.0)),
    ((8.0, 40.0, 17.0), "C incoherent", 6.0, (86.0, 89.7, 90.7)),
    ((8.0, 40.0, 17.0), "H", 1.0, (263.9, 270.5, 272.0)),
    ((8.0, 40.0, 17.0), "Ar coherent", 324.0, (7.89e4, 8.06e4, 8.10e4)),
    ((8.0, 50.0, 200.0), "C coherent", 36.0, (17.13, 17.60, 17.71)),
    ((8.0, 50.0, 200.0), "C incoherent", 6.0, (4.16, 5.21, 5.54)),
    ((8.0, 50.0, 200.0), "H", 1.0, (1.139, 1.331, 1.391)),
    ((8.0, 50.0, 200.0), "Ar coherent", 324.0, (104.8, 106.8, 107.2)),
]
ENERGIES = np.array([300.0, 600.0, 1000.0])


@pytest.mark.parametrize(("m_mediator", "label", "charge", "expected"), PRIMAKOFF)
def test_table_of_the_inverse_primakoff(
    m_mediator: float, label: str, charge: float, expected: tuple[float, ...]
) -> None:
    ours = charge * cs.photon_cross_section("scalar", ENERGIES, 1.0, m_mediator, PARTS[label])
    assert ours / cs.MEV2_CM2 == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("m_x", "m_mediator", "label", "charge", "expected"), VECTOR)
def test_table_of_the_long_lived_vector(
    m_x: float, m_mediator: float, label: str, charge: float, expected: tuple[float, ...]
) -> None:
    energies = np.array([100.0, 300.0, 600.0, 1000.0])
    ours = charge * cs.photon_cross_section("vector-scalar", energies, m_x, m_mediator, PARTS[label])
    rounding = [0.01 + 0.5 * 10.0 ** (np.floor(np.log10(x)) - 1) / x for x in expected]  # two digits given
    assert np.all(np.abs(ours / cs.MEV2_CM2 / expected - 1.0) < rounding)


@pytest.mark.parametrize(("masses", "label", "charge", "expected"), UPSCATTERING)
def test_table_of_upscattering(
    masses: tuple[float, float, float], label: str, charge: float, expected: tuple[float, ...]
) -> None:
    ours = charge * cs.upscattering_cross_section(ENERGIES, *masses, PARTS[label])
    assert ours / cs.MEV2_CM2 / GEV**2 == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize("label", ["C coherent", "C incoherent", "H"])
@pytest.mark.parametrize(
    ("m_in", "m_out", "m_mediator"), [(1.0, 0.0, 5.0), (5.0, 0.0, 650.0), (8.0, 40.0, 17.0)]
)
@pytest.mark.parametrize("energy", [60.0, 400.0, 3000.0])
def test_quadrature_in_t_is_exact(
    label: str, m_in: float, m_out: float, m_mediator: float, energy: float
) -> None:
    part = PARTS[label]
    forward, backward = (float(x) for x in two_body.t_limits(np.array(energy), m_in, m_out, part.mass))

    def integrand(root: float) -> float:
        t = np.array(-(root**2))
        if m_out > 0.0:
            ds = upscattering.differential_cross_section(
                t, np.array(energy), m_in, m_out, m_mediator, part.mass
            )
        else:
            ds = primakoff.differential_cross_section(
                "scalar", t, np.array(energy), m_in, m_mediator, part.mass
            )
        return float(2.0 * root * ds * part.form_factor_squared(t))

    low, high = np.sqrt(-forward), np.sqrt(-backward)
    breaks = [x for x in (1.0, 5.0, 20.0, 50.0, 100.0, 200.0, 400.0, 700.0, 1200.0) if low < x < high]
    total = quad(integrand, low, high, points=breaks, limit=400, epsrel=1e-9)[0] * cs.MEV2_CM2
    e = np.array([energy])
    for nodes, accuracy in ((64, 1e-6), (24, 1e-4)):
        if m_out > 0.0:
            ours = cs.upscattering_cross_section(e, m_in, m_out, m_mediator, part, nodes=nodes)
        else:
            ours = cs.photon_cross_section("scalar", e, m_in, m_mediator, part, nodes=nodes)
        assert ours[0] == pytest.approx(total, rel=accuracy)


@pytest.mark.parametrize(("m_in", "m_out"), [(1.0, 0.0), (8.0, 40.0), (0.0, 0.0)])
@pytest.mark.parametrize("target", [M_PROTON, 37000.0])
def test_kinematics_by_a_boost(m_in: float, m_out: float, target: float) -> None:
    energy = np.array([70.0, 500.0, 5000.0])
    s = target**2 + m_in**2 + 2.0 * target * energy
    p = np.sqrt(energy**2 - m_in**2)
    gamma, boost = (energy + target) / np.sqrt(s), p / np.sqrt(s)
    k = np.sqrt((s - (m_out + target) ** 2) * (s - (m_out - target) ** 2)) / (2.0 * np.sqrt(s))
    e_star = np.hypot(k, m_out)
    forward, backward = two_body.t_limits(energy, m_in, m_out, target)
    for cosine, limit in ((1.0, forward), (0.3, None), (-1.0, backward)):
        e_3 = gamma * e_star + boost * k * cosine
        along, across = gamma * k * cosine + boost * e_star, k * np.sqrt(1.0 - cosine**2)
        t = -2.0 * target * (energy - e_3)
        if limit is not None:
            assert limit == pytest.approx(t, rel=1e-9, abs=1e-5)
        assert two_body.outgoing_energy(energy, t, target) == pytest.approx(e_3, rel=1e-12)
        ours = two_body.outgoing_cosine(energy, t, m_in, m_out, target)
        assert ours == pytest.approx(along / np.hypot(along, across), abs=1e-9)


def test_thresholds() -> None:
    carbon = PARTS["C coherent"].mass
    assert two_body.threshold(8.0, np.array([40.0, 50.0]), carbon) == pytest.approx([40.1, 50.1], abs=0.1)
    assert two_body.threshold(8.0, np.array([40.0, 50.0]), M_PROTON) == pytest.approx([40.8, 51.3], abs=0.1)
    assert two_body.threshold(40.0, 0.0, M_PROTON) == 40.0
    edge = float(two_body.threshold(8.0, 40.0, M_PROTON))
    sigma = cs.upscattering_cross_section(np.array([edge - 1e-6, edge + 1e-3]), 8.0, 40.0, 17.0, PARTS["H"])
    assert sigma[0] == 0.0
    assert sigma[1] > 0.0
    below = cs.photon_cross_section("scalar", np.array([5.0, 10.0]), 10.0, 49.0, PARTS["H"])
    assert below.tolist() == [0.0, 0.0]


def test_photon_that_ejects_a_neutron_from_carbon() -> None:
    assert float(two_body.knock_out_energy(18.7)) == pytest.approx(84.8, abs=0.1)


def test_vertex_and_coupling_scale_the_rate_exactly() -> None:
    args = (ENERGIES, 1.0, 49.0, PARTS["H"])
    for process in primakoff.PROCESSES:
        doubled = cs.photon_cross_section(process, *args)
        single = cs.photon_cross_section(process, *args, vertex="single")
        assert doubled == pytest.approx(4.0 * single, rel=1e-14)
    same = cs.photon_cross_section("pseudoscalar", *args)
    assert same.tolist() == cs.photon_cross_section("scalar", *args).tolist()


def test_helm_form_factor() -> None:
    q = np.array([0.0, 1e-3, 1.0, 3.0, 80.0, 300.0])
    x = q * nuclei.helm_radius(12)
    with np.errstate(invalid="ignore"):
        bessel = np.where(x > 0.0, 3.0 * spherical_jn(1, x) / np.where(x > 0.0, x, 1.0), 1.0)
    direct = bessel**2 * np.exp(-((q * nuclei.HELM_SKIN) ** 2))
    assert nuclei.helm_squared(-(q**2), 12) == pytest.approx(direct, rel=1e-11)
    # charge radius of carbon-12, 2.470 fm (Angeli and Marinova 2013), from the slope at zero
    slope = (1.0 - float(nuclei.helm_squared(np.array(-1.0), 12))) / 1.0
    assert np.sqrt(3.0 * slope) / nuclei.FM == pytest.approx(2.470, rel=0.06)
    assert float(nuclei.helm_squared(np.array(-(658.0**2)), 12)) < 1e-6


def test_nucleon_form_factor() -> None:
    t = -np.array([0.0, 1e4, 1e6])
    tau = -t / (4.0 * M_PROTON**2)
    g_e = (1.0 - t / 0.71e6) ** -2
    f_1 = (g_e + tau * nuclei.MU_PROTON * g_e) / (1.0 + tau)
    assert nuclei.nucleon_squared(t) == pytest.approx(f_1**2, rel=1e-13)


def test_incoherent_part_vanishes_at_zero_momentum_transfer() -> None:
    assert float(PARTS["C incoherent"].form_factor_squared(np.array(-1e-4))) < 1e-6
    assert float(PARTS["C incoherent"].form_factor_squared(np.array(-5e5))) == pytest.approx(
        float(PARTS["H"].form_factor_squared(np.array(-5e5))), rel=1e-3
    )


@pytest.mark.parametrize(
    ("option", "carbon", "argon"),
    [
        ("Z", (36.0, 6.0, 1.0), (324.0, 18.0)),
        ("A", (144.0, 12.0, 1.0), (1600.0, 40.0)),
        ("quark", (324.0, 30.0, 4.0), (58.0**2, 94.0)),
        ("isovector", (0.0, 12.0, 1.0), (16.0, 40.0)),
    ],
)
def test_charges(option: str, carbon: tuple[float, ...], argon: tuple[float, ...]) -> None:
    q_p, q_n = nuclei.named_charges(option)
    weights = nuclei.charge_weights(nuclei.scatterers({"C": 1.0, "H": 2.0, "Ar": 1.0}), q_p, q_n)
    assert weights.tolist() == [*carbon, *argon]


def test_charges_of_many_points() -> None:
    q_p, q_n = np.array([1.0, 0.3, -0.5]), np.array([0.0, -0.3, 0.5])
    weights = nuclei.charge_weights(nuclei.scatterers({"C": 1.0, "H": 2.0}), q_p, q_n)
    assert weights.shape == (3, 3)
    assert weights[:, 0] == pytest.approx([36.0, 0.0, 0.0], abs=1e-12)


def test_masses_of_nuclei() -> None:
    assert nuclei.nucleus("C").mass == pytest.approx(11174.863, abs=1e-2)  # 12 u - 6 m_e
    assert nuclei.nucleus("H").mass == M_PROTON
    for symbol in nuclei.ISOTOPES:
        nuc = nuclei.nucleus(symbol)
        assert nuc.mass / nuc.a == pytest.approx(933.0, abs=6.0)
        assert nuclei.helm_radius(nuc.a) > 0.0


@pytest.mark.parametrize(
    ("composition", "message"),
    [
        ({"Hx": 1.0}, "composition: no nucleus named 'Hx'; did you mean 'H'?"),
        ({"C": -1.0}, "composition: 'C' = -1.0 nuclei; give a positive number"),
        ({"C": float("nan")}, "composition: 'C' = nan nuclei; give a positive number"),
    ],
)
def test_bad_compositions(composition: dict[str, float], message: str) -> None:
    with pytest.raises(GlobalfitError) as error:
        nuclei.scatterers(composition)
    assert str(error.value) == message


def test_bad_charge() -> None:
    with pytest.raises(GlobalfitError) as error:
        nuclei.named_charges("z")
    assert str(error.value).startswith("nuclear_charge: no option 'z'; ")
