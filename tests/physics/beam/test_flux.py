"""Boosted decay flux: number, limits, brute force; survival; sources and volumes."""

from __future__ import annotations

import numpy as np
import pytest

from globalfit.physics.beam.events import survival
from globalfit.physics.beam.flux import arrival, flux
from globalfit.physics.beam.geometry import Volume
from globalfit.physics.beam.grid import CENTRES, EDGES, LEGS, combine, into_bins
from globalfit.physics.beam.meson_decays import neutrino, three_body
from globalfit.physics.beam.mesons import MESONS, MesonSample
from globalfit.physics.beam.production import sobol
from globalfit.physics.beam.sources import stopped
from globalfit.physics.beam.spectrum import Line, Spectrum, cascade


def beam_of(parent, p, n=4096, seed=1):
    """Mesons of one momentum along z, decaying at the origin, one decay per proton."""
    forward = np.tile([0.0, 0.0, 1.0], (n, 1))
    return MesonSample(
        MESONS[parent], np.zeros((n, 3)), forward, np.full(n, float(p)), np.full(n, 1 / n), sobol(n, 5, seed)
    )


def test_grid():
    assert EDGES.size == 90
    assert EDGES[0] == pytest.approx(10.0)
    assert EDGES[-1] == pytest.approx(1e4)
    assert ((EDGES[:-1] < CENTRES) & (EDGES[1:] > CENTRES)).all()
    h = into_bins(np.array([9.0, 20.0, 2e4]), np.array([1.0, 2.0, 4.0]))
    assert h.sum() == 2.0
    amplitude = 0.3 * np.array([1.0, 2, 3]) @ np.array([1.0, -1, 1])
    terms = 0.09 * np.array([1, 4, 9, 2 * 2, 2 * 3, 2 * 6.0])
    assert combine(*LEGS["gauge-invariant"]) @ terms == pytest.approx(amplitude**2)


@pytest.mark.parametrize(
    ("p", "m", "e_rest"),
    [(0.0, 1.0, 20.0), (300.0, 0.0, 29.8), (2000.0, 1.0, 50.0), (60.0, 40.0, 65.0), (5000.0, 100.0, 100.5)],
)
def test_every_particle_goes_somewhere(p, m, e_rest):
    """dN/dA r^2 over the sphere is one, also where slow particles have two energies at one angle."""
    # nodes in the angle that resolve the forward cone and its edge
    cosine, weight = [], []
    beta, gamma = p / np.hypot(p, 139.57039), np.hypot(p, 139.57039) / 139.57039
    sine2 = ((e_rest / gamma) ** 2 / m**2 - 1 / gamma**2) / beta**2 if m and beta else 2.0
    nodes, w = np.polynomial.legendre.leggauss(256)
    v, wv = 0.5 * (nodes + 1), 0.5 * w
    if sine2 < 1.0:  # a cone: sin^2 = sine2 (1 - v^2) takes the root's singularity away
        c = np.sqrt(1.0 - sine2 * (1 - v**2))
        cosine, weight = c, wv * sine2 * v / c
    else:
        lnx = np.log(1e-9) + v * (np.log(2.0) - np.log(1e-9))  # x = 1 - cos
        cosine, weight = 1.0 - np.exp(lnx), wv * (np.log(2.0) - np.log(1e-9)) * np.exp(lnx)
    n = cosine.size
    sample = beam_of("pi+", p, n)
    y = 7.0 * np.column_stack((np.sqrt(1 - cosine**2), np.zeros(n), cosine))
    _, density = arrival(sample, y, m, np.full(n, e_rest))
    total = 2 * np.pi * 49.0 * (density.sum(0) * weight).sum()
    assert total == pytest.approx(1.0, rel=2e-5)


def test_decay_at_rest_is_the_limit_of_slow_mesons():
    volume = Volume("point", (3.0, 0.0, 29.0))
    spectrum = three_body("pi+", "mu", "scalar", 5.0)
    rest = flux(stopped("pi+", 1.0, (0.0, 0.0, 0.0), 4096), volume, spectrum, 4)
    slow = flux(beam_of("pi+", 1e-3, 4096), volume, spectrum, 4)
    assert slow.sum() == pytest.approx(rest.sum(), rel=1e-3)
    seen = np.linspace(EDGES[0], spectrum.high, 4001)
    exact = np.trapezoid(spectrum.at(seen), seen) / (4 * np.pi * (9.0 + 841.0) * 1e4)
    assert rest.sum() == pytest.approx(exact, rel=1e-3)


def test_flux_against_tracked_decays():
    """Decay by decay, with a sphere's path lengths: the flux in a volume is path per volume."""
    rng = np.random.default_rng(3)
    n, radius, centre, m, e_rest = 2_000_000, 2.0, np.array([1.0, 0.0, 12.0]), 20.0, 60.0
    pion = MESONS["pi+"]
    p = rng.uniform(200.0, 800.0, n)
    c, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    p_rest = np.sqrt(e_rest**2 - m**2)
    gamma, beta_gamma = np.hypot(p, pion.m) / pion.m, p / pion.m
    pz = gamma * p_rest * c + beta_gamma * e_rest
    pt = p_rest * np.sqrt(1 - c**2)
    energy = gamma * e_rest + beta_gamma * p_rest * c
    u = np.column_stack((pt * np.cos(phi), pt * np.sin(phi), pz))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    along = u @ centre
    chord2 = radius**2 - (centre @ centre - along**2)
    path = np.where((chord2 > 0) & (along > 0), 2 * np.sqrt(np.maximum(chord2, 0.0)), 0.0)
    volume = Volume("sphere", tuple(centre), (radius,))
    edges = np.array([20.0, 150.0, 220.0, 300.0, 450.0])
    brute, _ = np.histogram(energy, edges, weights=path / volume.volume / n * 1e-4)
    error = np.sqrt(np.histogram(energy, edges, weights=(path / volume.volume / n * 1e-4) ** 2)[0])
    k = 2**14
    forward = np.tile([0.0, 0.0, 1.0], (k, 1))
    grid = 200.0 + 600.0 * (np.arange(k) + 0.5) / k
    sample = MesonSample(
        pion,
        np.zeros((k, 3)),
        forward,
        np.random.default_rng(1).permutation(grid),
        np.full(k, 1 / k),
        sobol(k, 5, 2),
    )
    ours = flux(sample, volume, Line(m, e_rest, np.array(1.0)), 4, edges)
    assert np.abs(ours - brute).max() < 4 * error.max()
    assert (error[1:] < 0.03 * brute[1:]).all()
    assert (np.abs(ours - brute) < 4 * error + 0.005 * brute).all()


def test_flux_of_combinations_and_cascades_keeps_axes():
    sample = beam_of("k+", 2000.0, 2048)
    volume = Volume("sphere", (0.0, 0.0, 541.0), (6.106,))
    vector = three_body("k+", "mu", "vector", 17.0)
    h = flux(sample, volume, vector)
    assert h.shape == (6, 2, 89)
    chi = flux(sample, volume, cascade(vector, 8.0, polarised=True))
    assert chi.shape == (6, 2, 89)
    right = combine(*LEGS["gauge-invariant"])
    assert (np.tensordot(right, h, 1) >= -1e-12 * h.max()).all()


def test_one_entry_of_a_vector_is_the_flux_of_that_entry():
    sample = beam_of("k+", 1500.0, 2048)
    volume = Volume("sphere", (0.0, 0.0, 541.0), (6.106,))
    vector = three_body("k+", "e", "vector", 50.0)
    alone = Spectrum(vector.m, vector.low, vector.high, vector.density[2, 1])
    np.testing.assert_allclose(flux(sample, volume, vector)[2, 1], flux(sample, volume, alone), rtol=1e-12)


def test_neutrino_flux_on_axis_is_the_textbook_formula():
    """E = 0.427 E_pi/(1 + gamma^2 theta^2) and dN/dA = (2 gamma/(1 + gamma^2 theta^2))^2/(4 pi r^2)."""
    pion, gamma, theta, r = MESONS["pi+"], 20.0, 0.03, 541.0
    sample = beam_of("pi+", pion.m * np.sqrt(gamma**2 - 1), 16)
    y = np.tile(r * np.array([np.sin(theta), 0.0, np.cos(theta)]), (16, 1))
    energy, density = arrival(sample, y, 0.0, np.full(16, neutrino("pi+").energy))
    assert energy[0, 0] == pytest.approx(2 * gamma * 29.792 / (1 + (gamma * theta) ** 2), rel=2e-3)
    expected = (2 * gamma / (1 + (gamma * theta) ** 2)) ** 2 / (4 * np.pi * r**2)
    assert density.sum(0)[0] == pytest.approx(expected, rel=3e-3)


def test_flux_is_smooth_in_the_mass():
    sample = beam_of("pi+", 1500.0, 8192)
    volume = Volume("sphere", (0.0, 0.0, 541.0), (6.106,))
    m = np.array([9.0, 9.5, 10.0, 10.5, 11.0])
    ln = np.log([flux(sample, volume, three_body("pi+", "mu", "scalar", x)).sum() for x in m])
    assert np.abs(np.diff(ln, 3)).max() < 2e-4


def test_decays_on_the_way():
    """Meson by meson, against the survival at the centres of narrow bins seen from a point source."""
    volume = Volume("point", (0.0, 0.0, 30.0))
    spectrum = three_body("pi+", "mu", "scalar", 17.0)
    sample = stopped("pi+", 1.0, (0.0, 0.0, 0.0), 4096)
    edges = np.linspace(17.0, spectrum.high, 2001)
    width = 1e-14
    whole, left = (flux(sample, volume, spectrum, 4, edges, loss) for loss in (0.0, 17.0 * width))
    middle = 0.5 * (edges[1:] + edges[:-1])
    expected = survival(np.array([17.0]), np.array([width]), 30.0, middle)[0]
    assert left.sum() < 0.9 * whole.sum()
    assert left[400:] == pytest.approx((whole * expected)[400:], rel=2e-3)


@pytest.mark.parametrize(
    ("shape", "size", "variance"),
    [("sphere", (2.0,), 4 / 5), ("cylinder", (2.0, 6.0), 1.0), ("box", (2.0, 4.0, 6.0), 1 / 3)],
)
def test_points_fill_the_volume(shape, size, variance):
    points = Volume(shape, (1.0, 2.0, 3.0), size).points(sobol(2**14, 3, 1))
    np.testing.assert_allclose(points.mean(0), (1.0, 2.0, 3.0), atol=2e-3)
    assert points[:, 0].var() == pytest.approx(variance, rel=2e-3)
