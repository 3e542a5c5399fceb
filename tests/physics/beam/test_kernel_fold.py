"""Kernels against a Monte Carlo of the whole chain and cross-sections; folding, lifetimes, smoothness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import qmc

from globalfit.arrays import Array
from globalfit.constants import HBARC_MEV_M, M_E, M_NEUTRON, M_PROTON
from globalfit.errors import GlobalfitError
from globalfit.physics.beam import cross_sections as cs
from globalfit.physics.beam import kernels, nuclei, pair_kernels, primakoff, two_body, upscattering
from globalfit.physics.beam.cards import read_card
from globalfit.physics.beam.detectors import Detector, detector
from globalfit.physics.beam.events import decay_in_flight, events, survival
from globalfit.physics.beam.grid import BINS, CENTRES, EDGES
from globalfit.physics.beam.pair_kernels import pair_kernel
from globalfit.physics.beam.response import Response

EXPERIMENTS = Path(__file__).parents[3] / "likelihoods" / "data" / "experiments"


def shipped(name: str) -> Detector:
    card = read_card(EXPERIMENTS / f"{name}.toml")
    return detector(card.name, card.composition, card.response)


MINIBOONE, LSND = shipped("miniboone"), shipped("lsnd")
ALL = Response(efficiency=((0.0, 1.0), (1.0, 1.0)))
OPEN = Detector("open", {"C": 2.0, "H": 4.0}, ALL, evis=(0.0, 1e5))
N = 200_000
COARSE = CENTRES[40:75:6]


def spectrum(energies: Array) -> Array:
    """A made-up spectrum in events per MeV that peaks like the neutrinos of the Booster beam."""
    return np.asarray(energies * np.exp(-energies / 250.0))


@pytest.mark.parametrize("process", primakoff.PROCESSES)
def test_an_open_detector_counts_the_cross_section(process: str) -> None:
    kernel = kernels.photon_kernel(process, OPEN, 10.0, 300.0, energies=COARSE)["evis"]
    for p, part in enumerate(OPEN.parts):
        sigma = cs.photon_cross_section(process, COARSE, 10.0, 300.0, part)
        assert kernel[p, :, 0] == pytest.approx(part.number * sigma, rel=1e-4)


@pytest.mark.parametrize(("masses", "on_shell"), [((8.0, 40.0, 17.0), 17.0), ((8.0, 50.0, 200.0), None)])
def test_an_open_detector_counts_upscattering(
    masses: tuple[float, float, float], on_shell: float | None
) -> None:
    kernel = pair_kernel(OPEN, *masses, m_on_shell=on_shell, energies=CENTRES[::8], points=16)["evis"]
    for p, part in enumerate(OPEN.parts):
        sigma = cs.upscattering_cross_section(CENTRES[::8], *masses, part)
        assert kernel[p, :, 0] == pytest.approx(part.number * sigma, rel=1e-4)


def sample_t(t_range: tuple[float, float], density: Array, t: Array, rng: np.random.Generator) -> Array:
    cdf = np.concatenate(([0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(-t))))
    return np.asarray(np.interp(rng.uniform(size=N), cdf / cdf[-1], t))


def reconstruct(energy: Array, cosine: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    sigma = np.deg2rad(np.log(1e3 / energy) + 2.7)
    tilt = sigma[:, None] * rng.standard_normal((N, 2))
    angle, psi = np.linalg.norm(tilt, axis=1), np.arctan2(tilt[:, 1], tilt[:, 0])
    c = cosine * np.cos(angle) - np.sqrt(1.0 - cosine**2) * np.sin(angle) * np.cos(psi)
    e = energy + (120.0 * np.sqrt(1e-3 * energy) + 10.0) * rng.standard_normal(N)
    p = np.sqrt(np.maximum(e**2 - M_E**2, 0.0))
    e_nu = (M_NEUTRON * e - 0.5 * (M_NEUTRON**2 + M_E**2 - M_PROTON**2)) / (M_NEUTRON - e + p * c)
    return e, c, np.where(e > 140.0, e_nu, -1.0)


def compare(
    kernel: dict[str, Array], part: int, scale: float, weight: Array, seen: tuple[Array, ...]
) -> None:
    """Every bin within five standard deviations, plus half a per cent of the largest for the nodes in t."""
    e, c, e_nu = seen
    inside = (e_nu > 200.0) & (e_nu < 1250.0)
    for name, values, cut in (("enuqe", e_nu, e_nu > 0.0), ("evis", e, inside), ("costheta", c, inside)):
        edges = getattr(MINIBOONE, name)
        counts = scale * np.histogram(values[cut], edges, weights=weight[cut])[0] / N
        squares = np.histogram(values[cut], edges, weights=weight[cut] ** 2)[0]
        error = scale * np.sqrt(np.maximum(squares, 0.02)) / N
        ours = kernel[name][part, 0]
        slack = (0.03 if name == "costheta" else 0.005) * counts.max()
        assert np.all(np.abs(ours - counts) < 5.0 * error + slack), name


@pytest.mark.parametrize(
    ("process", "m_x", "m_mediator", "part", "energy"),
    [
        ("scalar", 1.0, 49.0, 0, 600.0),
        ("scalar", 80.0, 100.0, 1, 700.0),
        ("vector-scalar", 5.0, 650.0, 2, 500.0),
    ],
)
def test_photon_kernel_against_monte_carlo(
    process: str, m_x: float, m_mediator: float, part: int, energy: float
) -> None:
    rng = np.random.default_rng(11)
    target = MINIBOONE.parts[part]
    e = np.array(energy)
    forward, backward = (float(x) for x in two_body.t_limits(e, m_x, 0.0, target.mass))
    t = -np.geomspace(max(-forward, 1e-4), -backward, 40_001)
    density = primakoff.differential_cross_section(process, t, e, m_x, m_mediator, target.mass)
    density = density * target.form_factor_squared(t)
    sampled = sample_t((forward, backward), density, t, rng)
    photon = energy + sampled / (2.0 * target.mass)
    p = np.sqrt(energy**2 - m_x**2)
    cosine = np.clip((sampled - m_x**2 + 2.0 * energy * photon) / (2.0 * p * photon), -1.0, 1.0)
    total = target.number * cs.photon_cross_section(process, e[None], m_x, m_mediator, target)[0]
    kernel = kernels.photon_kernel(process, MINIBOONE, m_x, m_mediator, energies=e[None])
    weight = MINIBOONE.response.efficiency_at(photon)
    compare(kernel, part, total, weight, reconstruct(photon, cosine, rng))


def boosted(rest: Array, momentum: Array, mass: Array) -> Array:
    """Boost four-momenta (N, 4) from the rest frame of a particle of `momentum` (N, 4), `mass` (N,)."""
    gamma = momentum[:, :1] / mass[:, None]
    u = momentum[:, 1:] / mass[:, None]
    along = np.sum(u * rest[:, 1:], axis=1, keepdims=True)
    e = gamma * rest[:, :1] + along
    return np.concatenate((e, rest[:, 1:] + u * (along / (1.0 + gamma) + rest[:, :1])), axis=1)


def isotropic(rng: np.random.Generator) -> Array:
    v = rng.standard_normal((N, 3))
    return np.asarray(v / np.linalg.norm(v, axis=1)[:, None])


@pytest.mark.parametrize(
    ("masses", "on_shell", "part"), [((8.0, 40.0, 17.0), 17.0, 0), ((8.0, 50.0, 200.0), None, 2)]
)
def test_pair_kernel_against_monte_carlo(
    masses: tuple[float, float, float], on_shell: float | None, part: int
) -> None:
    rng = np.random.default_rng(12)
    m, m_prime, m_v = masses
    energy = 500.0
    target = MINIBOONE.parts[part]
    e = np.array(energy)
    forward, backward = (float(x) for x in two_body.t_limits(e, m, m_prime, target.mass))
    t = -np.geomspace(-forward, -backward, 40_001)
    density = upscattering.differential_cross_section(t, e, m, m_prime, m_v, target.mass)
    sampled = sample_t((forward, backward), density * target.form_factor_squared(t), t, rng)
    e_prime = energy + sampled / (2.0 * target.mass)
    p_prime = np.sqrt(e_prime**2 - m_prime**2)
    c = (sampled - m**2 - m_prime**2 + 2 * energy * e_prime) / (2 * np.sqrt(energy**2 - m**2) * p_prime)
    c = np.clip(c, -1.0, 1.0)
    azimuth = rng.uniform(0.0, 2.0 * np.pi, N)
    s = np.sqrt(1.0 - c**2)
    excited = np.stack(
        (e_prime, p_prime * s * np.cos(azimuth), p_prime * s * np.sin(azimuth), p_prime * c), axis=1
    )
    if on_shell is not None:
        q = np.full(N, on_shell)
    else:  # accept and reject against the spectrum
        from globalfit.physics.beam.pair_decay import pair_mass_density

        q = np.zeros(0)
        top = 1.1 * np.max(
            [
                2.0 * x * float(pair_mass_density(np.array(x**2), m, m_prime, m_v))
                for x in np.linspace(1.03, 42, 500)
            ]
        )
        while q.size < N:
            x = rng.uniform(2.0 * M_E, m_prime - m, N)
            rate = 2.0 * x * pair_mass_density(x**2, m, m_prime, m_v)
            q = np.concatenate((q, x[rng.uniform(0.0, top, N) < rate]))
        q = q[:N]
    k = np.sqrt(((m + m_prime) ** 2 - q**2) * ((m_prime - m) ** 2 - q**2)) / (2.0 * m_prime)
    rest = np.concatenate((np.hypot(k, q)[:, None], k[:, None] * isotropic(rng)), axis=1)
    pair = boosted(rest, excited, np.full(N, m_prime))
    n = np.sqrt(q**2 / 4.0 - M_E**2)[:, None] * isotropic(rng)
    one = boosted(np.concatenate((q[:, None] / 2.0, n), axis=1), pair, q)
    two = boosted(np.concatenate((q[:, None] / 2.0, -n), axis=1), pair, q)
    norm = np.linalg.norm(one[:, 1:], axis=1) * np.linalg.norm(two[:, 1:], axis=1)
    opening = np.rad2deg(np.arccos(np.clip(np.sum(one[:, 1:] * two[:, 1:], axis=1) / norm, -1.0, 1.0)))
    merged = (opening < 13.0) | (np.minimum(one[:, 0], two[:, 0]) < 30.0)
    weight = MINIBOONE.response.efficiency_at(pair[:, 0]) * merged
    cosine = pair[:, 3] / np.linalg.norm(pair[:, 1:], axis=1)
    total = target.number * cs.upscattering_cross_section(e[None], m, m_prime, m_v, target)[0]
    kernel = pair_kernel(MINIBOONE, *masses, m_on_shell=on_shell, energies=e[None], nodes=32, points=256)
    compare(kernel, part, total, weight, reconstruct(pair[:, 0], np.clip(cosine, -1.0, 1.0), rng))


def test_default_nodes_are_enough() -> None:
    flux = spectrum(CENTRES) * np.diff(EDGES)
    weights = nuclei.charge_weights(MINIBOONE.parts, 1.0, 0.0)
    for process, m_x, m_mediator in (("scalar", 1.0, 49.0), ("vector-scalar", 5.0, 650.0)):
        fine, ours = (
            flux
            @ kernels.weighted(
                kernels.photon_kernel(
                    process, MINIBOONE, m_x, m_mediator, nodes=nodes, observables=("enuqe",)
                )["enuqe"],
                weights,
            )
            for nodes in (96, 48)
        )
        assert ours == pytest.approx(fine, rel=1e-4)


def test_lattice_of_the_decay_against_many_random_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide gap: few pairs are one ring, so that most points of the lattice count nothing."""
    rows, masses, one = CENTRES[36:76:5], (10.75, 146.75, 412.6), ("enuqe",)
    flux = (spectrum(CENTRES) * np.diff(EDGES))[36:76:5]
    weights = nuclei.charge_weights(MINIBOONE.parts, 1.0, 0.0)

    def folded(points: int) -> Array:
        made = pair_kernel(MINIBOONE, *masses, energies=rows, points=points, observables=one)
        return np.asarray(flux @ kernels.weighted(made["enuqe"], weights))

    found = {points: folded(points) for points in (128, 256)}
    many = qmc.Sobol(6, rng=7).random_base2(12)
    monkeypatch.setattr(pair_kernels, "_lattice", lambda points, dim: many)
    exact = folded(2**12)
    for few in found.values():
        assert few.sum() == pytest.approx(exact.sum(), rel=2e-3)
        assert np.abs(few - exact).max() < 5e-3 * exact.max()


def test_predictions_are_smooth_in_masses() -> None:
    rows = CENTRES[40:70:4]
    flux = (spectrum(CENTRES) * np.diff(EDGES))[40:70:4]
    weights = nuclei.charge_weights(MINIBOONE.parts, 1.0, 0.0)
    masses = np.linspace(49.0, 51.0, 5)
    one = ("enuqe",)
    photons = [
        kernels.photon_kernel("scalar", MINIBOONE, 1.0, m, energies=rows, observables=one) for m in masses
    ]
    pairs = [
        pair_kernel(MINIBOONE, 8.0, m, 200.0, energies=rows, points=128, nodes=16, observables=one)
        for m in masses
    ]
    for nodes, roughness in ((photons, 1e-6), (pairs, 5e-4)):
        folded = np.array([flux @ kernels.weighted(node["enuqe"], weights) for node in nodes])
        assert np.max(np.abs(np.diff(np.log(folded), n=3, axis=0))) < roughness


def test_charges_and_couplings_scale_exactly() -> None:
    kernel = kernels.photon_kernel("scalar", MINIBOONE, 1.0, 49.0, energies=COARSE, observables=("enuqe",))
    k = kernel["enuqe"]
    q_p, q_n = np.array([1.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0])
    folded = kernels.weighted(k, nuclei.charge_weights(MINIBOONE.parts, q_p, q_n))
    assert folded.shape == (3, COARSE.size, 11)
    assert folded[2] == pytest.approx(4.0 * folded[0], rel=1e-14)
    assert folded[1] == pytest.approx(144.0 * k[0] + 12.0 * k[1] + k[2], rel=1e-14)


def test_rows_that_cannot_be_seen_are_zero() -> None:
    kernel = pair_kernel(LSND, 8.0, 50.0, 200.0, energies=np.array([9.0, 45.0, 55.0]), points=16)
    assert sorted(kernel) == ["evis"]
    assert not kernel["evis"][:, :2].any()
    assert kernel["evis"][:, 2].sum() > 0.0
    below = kernels.photon_kernel("scalar", MINIBOONE, 1.0, 49.0, energies=np.array([0.5, 20.0]))
    assert not below["enuqe"].any()


def test_events() -> None:
    rng = np.random.default_rng(5)
    flux, kernel = rng.uniform(size=(4, BINS)), rng.uniform(size=(4, BINS, 11))
    ours = events(2.0, flux, kernel)
    assert ours.shape == (4, 11)
    assert ours[3] == pytest.approx(2.0 * flux[3] @ kernel[3], rel=1e-13)
    assert events(np.full(4, 3.0), flux, kernel[0]) == pytest.approx(3.0 * flux @ kernel[0], rel=1e-13)


def test_lifetimes() -> None:
    m, width = np.array([1.0, 30.0, 30.0]), np.array([0.0, 1e-14, 1e-12])
    kept = survival(m, width, 541.0)
    assert kept.shape == (3, BINS)
    assert kept[0] == pytest.approx(1.0)
    assert not kept[1, CENTRES < 30.0].any()
    i = 60
    momentum = np.sqrt(CENTRES[i] ** 2 - 900.0)
    length = momentum / 30.0 * HBARC_MEV_M / 1e-12  # beta gamma c tau in m
    assert kept[2, i] == pytest.approx(np.exp(-541.0 / length), rel=1e-12)
    decays = decay_in_flight(m, width, 541.0, 12.0)
    assert decays[2, i] == pytest.approx(np.exp(-541.0 / length) - np.exp(-553.0 / length), rel=1e-9)
    assert decays[0].tolist() == [0.0] * BINS
    assert not decays[1, CENTRES < 30.0].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m_chi": -8.0}, "kernel: 'm_chi' = -8.0 MeV; give a positive mass"),
        ({"m_mediator": 0.0}, "kernel: 'm_mediator' = 0.0 MeV; give a positive mass"),
        ({"m_chi_prime": float("nan")}, "kernel: 'm_chi_prime' = nan MeV; give a positive mass"),
        ({"points": 100}, "kernel: 'points' = 100; give a power of 2"),
    ],
)
def test_bad_kernels(change: dict[str, float], message: str) -> None:
    options = {"m_chi": 8.0, "m_chi_prime": 50.0, "m_mediator": 200.0} | change
    with pytest.raises(GlobalfitError) as error:
        pair_kernel(MINIBOONE, **options)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_unknown_observable() -> None:
    with pytest.raises(GlobalfitError) as error:
        kernels.photon_kernel("scalar", MINIBOONE, 1.0, 49.0, observables=("enuqr",))
    assert str(error.value) == "observables: no observable 'enuqr'; did you mean 'enuqe'?"
