"""Thermal average, plasma and Boltzmann equation against closed forms, limits and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import k1e, kve

from globalfit.errors import GlobalfitError
from globalfit.physics import decays
from globalfit.physics.freeze_out import annihilation, boltzmann, relic, thermal_average
from globalfit.physics.freeze_out.annihilation import Channel, Resonance
from globalfit.physics.freeze_out.channels import channels
from globalfit.physics.freeze_out.dark_sector import DarkSector, FinalState
from globalfit.physics.freeze_out.degrees_of_freedom import degrees_of_freedom
from globalfit.physics.freeze_out.nodes import nodes
from globalfit.physics.freeze_out.photons import width_to_photons

CM3_S = boltzmann.SIGMA_V_CM3_S
ALONE = 60.0  # a gap, in units of m, that leaves eta_1 alone


def constant(sigma_v_of_x, m):
    """Omega h^2 of one Majorana fermion with a given <sigma v>(x) in cm^3/s."""
    steps, _ = relic.grid()
    m = np.asarray(m, dtype=float)
    kappa = boltzmann.effective_k2(np.full(m.size, ALONE), steps.x)
    sigma_v = np.broadcast_to(sigma_v_of_x(steps.x) / CM3_S, (m.size, steps.x.size))
    return boltzmann.omega_h2(m, boltzmann.solve(m, kappa, sigma_v, steps).yield_today)


def test_constant_s_wave():
    """4e-26 cm^3/s: values of an ODE solution, and the canonical <sigma v> for Omega h^2 = 0.12."""
    omega = constant(lambda x: 4e-26 + 0 * x, [10.0, 40.0, 100.0, 1000.0])
    assert omega == pytest.approx([0.1168, 0.1228, 0.1288, 0.1292], rel=1e-3)
    masses = [10.0, 20.0, 38.0, 40.0, 60.0, 100.0]
    for m, canonical in zip(masses, [3.88, 3.97, 4.09, 4.10, 4.19, 4.31], strict=True):
        assert constant(lambda x, c=canonical: c * 1e-26 + 0 * x, [m]) == pytest.approx(0.12, rel=3e-3)


def test_constant_p_wave():
    """sigma v = 6 b/x: the canonical b for Omega h^2 = 0.12."""
    masses = [10.0, 20.0, 38.0, 40.0, 60.0, 100.0]
    for m, b in zip(masses, [1.98, 2.15, 2.33, 2.35, 2.47, 2.63], strict=True):
        assert constant(lambda x, b=b: 6.0 * b * 1e-25 / x, [m]) == pytest.approx(0.12, rel=5e-3)


def test_doubling_s_wave():
    one, two = (constant(lambda x, s=s: s + 0 * x, [40.0]) for s in (4e-26, 8e-26))
    assert two / one == pytest.approx(0.51, abs=0.02)


def test_stable_over_the_whole_range():
    for sigma_v in (1e-60, 1e-40, 1e-30, 1e-20, 1e-16):
        omega = constant(lambda x, s=sigma_v: s + 0 * x, [5.0, 100.0])
        assert np.all(np.isfinite(omega) & (omega > 0.0))
    assert constant(lambda x: 1e-60 + 0 * x, [100.0]) > 1e5  # the relativistic yield
    assert constant(lambda x: 1e-18 + 0 * x, [100.0]) < 2e-8


def test_steps_have_converged():
    """Three times as many steps: s-wave, p-wave, and a forbidden rate that falls like exp(-6 x)."""
    m = np.array([10.0, 40.0])
    for rate in (lambda x: 4e-26 + 0 * x, lambda x: 1e-24 / x, lambda x: 1e-18 * np.exp(-6.0 * x)):
        found = []
        for count in (96, 288):
            steps = boltzmann.steps(count, panels=6)
            kappa = boltzmann.effective_k2(np.full(2, ALONE), steps.x)
            sigma_v = np.broadcast_to(np.maximum(rate(steps.x), 1e-80) / CM3_S, (2, steps.x.size))
            found.append(boltzmann.solve(m, kappa, sigma_v, steps).yield_today)
        assert found[0] == pytest.approx(found[1], rel=2e-3)


def average(channel, m, x):
    grid = nodes(tuple(x))
    kappa = boltzmann.effective_k2(np.array([ALONE]), np.asarray(x))
    return thermal_average.thermal_average(np.array([m]), kappa, [channel], grid)[0]


def test_constant_cross_section_times_flux():
    """Without a pole: sigma (s - 4 m^2) sqrt s integrated with scipy, Gondolo and Gelmini eq. 3.8."""
    m, x = 40.0, [1.0, 3.0, 20.0, 300.0, 2e4]
    channel = Channel(slice(None), np.array([2 * m]), lambda w: 1e-9 * 8 * w**2 * (w**2 / 4 - m**2))

    def exact(x):
        t = m / x

        def integrand(v):  # s = 4 m^2 + v^2
            root = np.sqrt(4 * m**2 + v**2)
            return 1e-9 * v**2 * root * k1e(root / t) * np.exp((2 * m - root) / t) * 2 * v

        total = quad(integrand, 0, 40 * m / np.sqrt(x), epsabs=0, epsrel=1e-11, points=[m / np.sqrt(x)])[0]
        total += quad(integrand, 40 * m / np.sqrt(x), np.inf, epsabs=0, epsrel=1e-8)[0]
        return total / (8 * m**4 * t * kve(2, x) ** 2)

    assert average(channel, m, x) == pytest.approx([exact(each) for each in x], rel=2e-6)


@pytest.mark.parametrize("power", [1, 3])
@pytest.mark.parametrize(("ratio", "relative"), [(2.001, 1e-12), (2.02, 1e-9), (2.02, 1e-12), (2.3, 1e-10)])
def test_narrow_width(power, ratio, relative):
    """Above threshold a narrow resonance is a delta function: int ds/|D|^2 = pi/(M Gamma)."""
    m, x = 40.0, np.array([10.0, 20.0, 40.0])
    mass, width = ratio * m, relative * ratio * m

    def numerator(w):
        return m**6 * (np.sqrt(np.maximum(w**2 - 4 * m**2, 0.0)) / m) ** power

    channel = Channel(
        slice(None), np.array([2 * m]), numerator, Resonance(np.array([mass]), np.array([width]))
    )
    at_pole = numerator(np.array(mass)) * np.pi / (2 * mass**2 * width) / m
    peak = x / (8 * m**4 * kve(2, x) ** 2) * at_pole * k1e(ratio * x) * np.exp((2 - ratio) * x)
    assert average(channel, m, x) == pytest.approx(peak, rel=1e-4)


def test_width_does_not_matter_in_the_narrow_limit():
    """The peak scales like 1/Gamma, the tail not at all, from 1e-4 to 1e-12."""
    m, x = 40.0, [15.0, 25.0, 60.0]
    values = []
    for relative in (1e-5, 1e-8, 1e-12):
        pole = Resonance(np.array([2.1 * m]), np.array([relative * m]))
        channel = Channel(
            slice(None), np.array([2 * m]), lambda w: w**3 * np.sqrt(w**2 - 4 * m**2) ** 3, pole
        )
        values.append(average(channel, m, x) * relative)
    assert values[1] == pytest.approx(values[2], rel=1e-4)
    assert values[0] == pytest.approx(values[2], rel=3e-3)


def test_threshold_law():
    """Exactly on threshold and narrow: <sigma v> = y^2 Gamma_X x/(4 m^3)."""
    m, y, width = 40.0, 0.01, 1e-9
    pole = Resonance(np.array([2 * m]), np.array([1e-14]))

    def numerator(w):
        return annihilation.scalar_exchange(w, np.array([[m]]), np.array([[y]]), np.full_like(w, width))

    x = np.array([2e3, 4e3, 1e4])
    law = y**2 * width * x / (4 * m**3)
    ours = average(Channel(slice(None), np.array([2 * m]), numerator, pole), m, x)
    assert ours == pytest.approx(law, rel=3e-3)
    assert ours[1] / ours[0] == pytest.approx(2.0, rel=1e-3)


def dark(m_eta=40.0, m_phi=80.0, m_aprime=1e6, kappa=2**0.5, m_nus=10.0, delta=None, **change):
    """One Majorana eta and phi' -> nu_s nu_s and gamma gamma alone: V = 10 GeV."""
    n = np.size(m_phi)
    full = lambda value: np.broadcast_to(np.asarray(value, dtype=float), (n,)).copy()  # noqa: E731
    m_eta, m_phi, f = full(m_eta), full(m_phi), full(kappa * 1e4)
    y, y_nus, m_nus = m_eta / f, m_nus / f, full(m_nus)
    delta = ALONE * m_eta if delta is None else full(delta)
    loops = {105.6583755: 1.0 / f}
    width = decays.scalar_to_majorana_pair(m_phi, m_nus, y_nus) + decays.scalar_to_photons(m_phi, loops)
    width = width + decays.scalar_to_majorana_pair(m_phi, m_eta, y)
    finals = [
        FinalState(2 * m_nus, lambda w, r: decays.scalar_to_majorana_pair(w, m_nus[r, None], y_nus[r, None])),
        FinalState(full(0.0), lambda w, r: width_to_photons(w, {105.6583755: (1.0 / f)[r, None]})),
    ]
    values = {
        "m_eta": m_eta, "delta_eta": delta, "m_aprime": full(m_aprime), "m_phi": m_phi,
        "width_aprime": full(1.0), "width_phi": width, "g_eta": full(0.0), "y_1": y, "y_2": full(0.0), "f": f,
        "finals_aprime": [], "finals_phi": finals,
    }  # fmt: skip
    return DarkSector(**(values | change))


@pytest.mark.parametrize(
    ("kappa", "expected"),
    [
        (1.0, [9.6, 0.228, 0.0486, 1.2e-5, 5e-7, 1.9e-5, 1.04]),
        (2**0.5, [33.0, 0.87, 0.191, 2.4e-5, 1e-6, 3.3e-5, 1.45]),
    ],
)
def test_landscape(kappa, expected):
    """Omega h^2 against m_phi/(2 m_eta) - 1, m_eta = 40 MeV, V = 10 GeV: an independent calculation."""
    offset = np.array([-0.1, -1e-3, 0.0, 1e-4, 3e-3, 0.1, 0.5])
    points = dark(m_phi=80 * (1 + offset), kappa=kappa)
    omega = relic.relic_of(points.m_eta, points.delta_eta, channels(points)[:1], *relic.grid()).omega_h2
    assert omega == pytest.approx(expected, rel=0.05)


def test_degrees_of_freedom():
    """Values of an independent ideal-gas integration, and the massless limits."""
    t = np.array([2.0000001, 1.0, 0.5, 0.1, 0.01])
    found = degrees_of_freedom(t)
    assert found.g == pytest.approx([10.733, 10.588, 10.03, 4.31, 3.371], rel=1e-3)
    assert found.h == pytest.approx([10.725, 10.583, 10.05, 4.79, 3.918], rel=1e-3)
    assert found.root == pytest.approx([3.281, 3.291, 3.314, 2.77, 2.134], rel=2e-3)
    late = degrees_of_freedom(np.array(1e-4))
    assert late.g == pytest.approx(2.0 + 5.25 * (4 / 11) ** (4 / 3), rel=4e-3)
    assert late.h == pytest.approx(43 / 11, rel=4e-3)


def test_entropy_is_conserved_through_neutrino_decoupling():
    """g*^{1/2} from finite differences of h: the table's derivative term."""
    t = np.array([50.0, 10.0, 1.0, 0.3, 0.05])
    step = 1e-3
    up, down, at = (degrees_of_freedom(t * factor) for factor in (1 + step, 1 - step, 1.0))
    slope = (np.log(up.h) - np.log(down.h)) / (2 * step)
    assert at.root == pytest.approx(at.h / np.sqrt(at.g) * (1 + slope / 3), rel=1e-4)


def test_photon_width_table():
    m = np.exp(np.linspace(np.log(5.0), np.log(900.0), 400))[:, None]
    loops = {105.6583755: np.array([[1e-4]]), 0.511: np.array([[3e-5]])}
    exact = decays.scalar_to_photons(m, loops)
    assert width_to_photons(m, loops) == pytest.approx(exact, rel=3e-5)


def test_batch_equals_single_points():
    points = dark(m_phi=np.array([60.0, 79.9, 80.0, 90.0, 120.0]))
    together = relic.relic(points)
    for i, m_phi in enumerate((60.0, 79.9, 80.0, 90.0, 120.0)):
        alone = relic.relic(dark(m_phi=np.array([m_phi])))
        assert alone.omega_h2[0] == pytest.approx(together.omega_h2[i], rel=1e-10)


def test_coannihilation_with_a_twin():
    """A second species of equal mass that annihilates alike, no mixed process: <sigma v> halves."""
    one = relic.relic(dark(m_phi=90.0))
    two = dark(m_phi=90.0, delta=0.0)
    two = DarkSector(**(vars(two) | {"y_2": two.y_1}))
    both = relic.relic(two)
    assert both.sigma_v_freeze_out / one.sigma_v_freeze_out == pytest.approx(0.5, rel=0.1)
    assert both.omega_h2 / one.omega_h2 == pytest.approx(2.0, rel=0.06)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"m_eta": np.array([-1.0])},
            "relic density: m_eta = -1 MeV is not a positive mass; give a mass in MeV",
        ),
        (
            {"m_eta": np.array([0.0])},
            "relic density: m_eta = 0 MeV is not a positive mass; give a mass in MeV",
        ),
        (
            {"m_phi": np.array([np.nan])},
            "relic density: m_phi = nan MeV is not a positive mass; give a mass in MeV",
        ),
        (
            {"delta_eta": np.array([-0.1])},
            "relic density: delta_eta = -0.1 MeV is negative; eta_1 is the lighter state",
        ),
        (
            {"width_phi": np.array([np.nan])},
            "relic density: width_phi = nan MeV is not a width; check the masses it is computed from",
        ),
        (
            {"m_eta": np.array([5e3])},
            "relic density: m_eta = 5000 MeV freezes out where g*(T) is not known, outside 1e-06 to 150 MeV; "
            "keep it within 0.03 to 1200 MeV",
        ),
    ],
)
def test_bad_points(change, message):
    with pytest.raises(GlobalfitError) as error:
        relic.relic(dark(**change))
    assert str(error.value) == message


@pytest.mark.parametrize("t", [0.0, -1.0, 200.0, np.nan])
def test_temperature_out_of_range(t):
    with pytest.raises(
        GlobalfitError, match=r"relic density: g\*\(T\) is asked at T = .* outside 1e-06 to 150 MeV"
    ):
        degrees_of_freedom(np.array([1.0, t]))
