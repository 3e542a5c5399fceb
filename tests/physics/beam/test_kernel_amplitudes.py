"""Squared amplitudes of scattering against explicit Dirac traces with explicit field strengths."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from globalfit.errors import GlobalfitError
from globalfit.physics.beam import primakoff, two_body, upscattering

I2, Z2 = np.eye(2), np.zeros((2, 2))
SIGMA = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.array([[1, 0], [0, -1]])]
G0 = np.block([[Z2, I2], [I2, Z2]]).astype(complex)
GAMMA = np.array([G0, *(np.block([[Z2, s], [-s, Z2]]) for s in SIGMA)])  # upper index
G5 = np.diag([-1.0, -1.0, 1.0, 1.0]).astype(complex)
G = np.diag([1.0, -1.0, -1.0, -1.0])
ONE = np.eye(4)
LEVI = np.zeros((4, 4, 4, 4))
for order in permutations(range(4)):
    LEVI[order] = np.linalg.det(np.eye(4)[list(order)])


def slash(p: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("m,mab->ab", G @ p, GAMMA))


def momenta(energy: float, m_1: float, m_3: float, M: float, share: float) -> tuple[np.ndarray, ...]:
    """Momenta k, p, k', p' with t at `share` of its range, target at rest, all four components nonzero."""
    forward, backward = (float(x) for x in two_body.t_limits(np.array(energy), m_1, m_3, M))
    t = forward + share * (backward - forward)
    e_3 = float(two_body.outgoing_energy(np.array(energy), np.array(t), M))
    c = float(two_body.outgoing_cosine(np.array(energy), np.array(t), m_1, m_3, M))
    p_1, p_3, s = np.sqrt(energy**2 - m_1**2), np.sqrt(e_3**2 - m_3**2), np.sqrt(1.0 - c**2)
    x, y = np.array([0.36, 0.48, 0.8]), np.array([0.8, -0.6, 0.0])
    k = np.array([energy, *(p_1 * x)])
    k_out = np.array([e_3, *(p_3 * (c * x + s * y))])
    p = np.array([M, 0.0, 0.0, 0.0])
    return k, p, k_out, k + p - k_out


def photon_tensor(k_in: np.ndarray, k_out: np.ndarray, dual: bool) -> np.ndarray:
    """(1/4) X_ab F^ab of plane waves X_ab = k_a e_b - k_b e_a: T[m, n] for polarisations e_m(in), e_n(out).

    All indices of T are upper: contract with lower polarisation vectors.
    """
    tensor = np.zeros((4, 4))
    for m, n in product(range(4), range(4)):
        e_in, e_out = np.eye(4)[m], np.eye(4)[n]
        x = np.outer(k_in, G @ e_in) - np.outer(G @ e_in, k_in)  # upper k, polarisation raised
        f = np.outer(k_out, G @ e_out) - np.outer(G @ e_out, k_out)
        lowered = G @ f @ G
        if dual:
            lowered = 0.5 * np.einsum("abcd,cd->ab", LEVI, f)  # lower indices, overall sign irrelevant
        tensor[m, n] = 0.25 * np.sum(x * lowered)
    return tensor


POINTS = [
    (energy, m, mediator, target, share)
    for energy, (m, mediator), target, share in product(
        (45.0, 300.0, 2000.0), ((1.0, 49.0), (10.0, 550.0), (30.0, 5.0)), (938.272, 11174.9), (0.03, 0.4, 0.9)
    )
]


@pytest.mark.parametrize(("process", "dual"), [("scalar", False), ("pseudoscalar", True)])
@pytest.mark.parametrize(("energy", "m", "mediator", "target", "share"), POINTS)
def test_dark_inverse_primakoff_is_the_trace(
    process: str, dual: bool, energy: float, m: float, mediator: float, target: float, share: float
) -> None:
    k, p, k_out, p_out = momenta(energy, m, 0.0, target, share)
    q = k - k_out
    t = q @ G @ q
    vertex = photon_tensor(q, k_out, dual)
    currents = np.einsum(
        "ab,mbc,cd,nda->mn", slash(p_out) + target * ONE, GAMMA, slash(p) + target * ONE, GAMMA
    ).real
    # J_m V^{m n}: sums over photon polarisations with -g, over the nucleon's spins with the trace
    lowered = G @ currents @ G
    total = -np.einsum("mr,mn,rs,ns->", lowered, vertex, vertex, G) / 2.0 / (t - mediator**2) ** 2
    ours = primakoff.squared_amplitude(
        process, np.array(t), np.array(energy), m, mediator, target, vertex="single"
    )
    assert float(ours) == pytest.approx(total, rel=1e-10)
    doubled = primakoff.squared_amplitude(process, np.array(t), np.array(energy), m, mediator, target)
    assert float(doubled) == pytest.approx(4.0 * total, rel=1e-10)


@pytest.mark.parametrize(("process", "axial"), [("vector-scalar", False), ("vector-pseudoscalar", True)])
@pytest.mark.parametrize(("energy", "m", "mediator", "target", "share"), POINTS)
def test_long_lived_vector_is_the_trace(
    process: str, axial: bool, energy: float, m: float, mediator: float, target: float, share: float
) -> None:
    k, p, k_out, p_out = momenta(energy, m, 0.0, target, share)
    t = (k - k_out) @ G @ (k - k_out)
    vertex = photon_tensor(k, k_out, dual=False)
    # k k/m^2 of the spin sum drops out: test_gauge_invariance_of_the_photon_vertex
    polarisations = np.einsum("mr,mn,rs,ns->", -G, vertex, vertex, -G)
    coupling = 1j * G5 if axial else ONE.astype(complex)
    bar = G0 @ coupling.conj().T @ G0
    nucleon = np.trace((slash(p_out) + target * ONE) @ coupling @ (slash(p) + target * ONE) @ bar).real
    total = polarisations * nucleon / 6.0 / (t - mediator**2) ** 2
    ours = primakoff.squared_amplitude(
        process, np.array(t), np.array(energy), m, mediator, target, vertex="single"
    )
    assert float(ours) == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("energy", [70.0, 300.0, 2000.0])
@pytest.mark.parametrize(
    ("m", "m_prime", "mediator"), [(8.0, 40.0, 17.0), (8.0, 50.0, 200.0), (20.0, 20.0, 1.0)]
)
@pytest.mark.parametrize("target", [938.272, 11174.9])
@pytest.mark.parametrize("share", [0.03, 0.4, 0.9])
def test_upscattering_is_the_trace(
    energy: float, m: float, m_prime: float, mediator: float, target: float, share: float
) -> None:
    k, p, k_out, p_out = momenta(energy, m, m_prime, target, share)
    q = k - k_out
    t = q @ G @ q
    dark = np.einsum("ab,mbc,cd,nda->mn", slash(k_out) + m_prime * ONE, GAMMA, slash(k) + m * ONE, GAMMA).real
    nucleon = np.einsum(
        "ab,mbc,cd,nda->mn", slash(p_out) + target * ONE, GAMMA, slash(p) + target * ONE, GAMMA
    ).real
    total = np.einsum("mn,ma,nb,ab->", dark, G, G, nucleon) / 4.0 / (t - mediator**2) ** 2
    ours = upscattering.squared_amplitude(np.array(t), np.array(energy), m, m_prime, mediator, target)
    assert float(ours) == pytest.approx(total, rel=1e-10)


def test_gauge_invariance_of_the_photon_vertex() -> None:
    k, _, k_out, _ = momenta(300.0, 10.0, 0.0, 938.272, 0.4)
    for dual in (False, True):
        tensor = photon_tensor(k - k_out, k_out, dual)
        assert np.max(np.abs(tensor @ (G @ k_out))) < 1e-12 * np.max(np.abs(tensor)) * k_out[0]
    tensor = photon_tensor(k, k_out, dual=False)
    assert np.max(np.abs(tensor @ (G @ k_out))) < 1e-12 * np.max(np.abs(tensor)) * k_out[0]
    assert np.max(np.abs((G @ k) @ tensor)) < 1e-12 * np.max(np.abs(tensor)) * k[0]


def test_primakoff_heavy_target_limit() -> None:
    t = -np.array([1.0, 30.0, 900.0, 2500.0])
    energy, heavy = np.array(1e4), 1e8
    for vertex in ("doubled", "single"):
        ours = primakoff.differential_cross_section("scalar", t, energy, 1e-3, 49.0, heavy, vertex=vertex)
        assert ours == pytest.approx(primakoff.heavy_target_limit(t, 49.0, vertex=vertex), rel=1e-4)


def test_upscattering_heavy_target_limit() -> None:
    # ratio of cross-sections on a point target of nuclear mass: 0.9993 at 1 GeV, 0.99999 at 10 GeV
    def ratio(energy: float) -> float:
        forward, backward = (float(x) for x in two_body.t_limits(np.array(energy), 8.0, 40.0, 11174.9))
        x, w = np.polynomial.legendre.leggauss(400)
        u = 0.5 * (np.log(17.0**2 - forward) * (1 - x) + np.log(17.0**2 - backward) * (1 + x))
        t = 17.0**2 - np.exp(u)
        weight = 0.5 * w * np.log((17.0**2 - backward) / (17.0**2 - forward)) * np.exp(u)
        ds = upscattering.differential_cross_section(t, np.array(energy), 8.0, 40.0, 17.0, 11174.9)
        return float(np.sum(weight * ds) * 4.0 * np.pi * 17.0**2)

    assert ratio(1e3) == pytest.approx(1.0, abs=1e-2)
    assert ratio(1e4) == pytest.approx(1.0, abs=1e-3)
    assert abs(ratio(1e4) - 1.0) < abs(ratio(1e3) - 1.0)
    t = -np.array([10.0, 300.0, 3000.0])
    ours = upscattering.differential_cross_section(t, np.array(1e4), 8.0, 40.0, 17.0, 1e8)
    assert ours == pytest.approx(upscattering.heavy_target_limit(t, 17.0), rel=1e-3)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"process": "scaler"}, "process: no process 'scaler'; did you mean 'scalar'?"),
        ({"vertex": "double"}, "vertex: no option 'double'; did you mean 'doubled'?"),
    ],
)
def test_unknown_options(option: dict[str, str], message: str) -> None:
    process, vertex = option.get("process", "scalar"), option.get("vertex", "doubled")
    with pytest.raises(GlobalfitError) as error:
        primakoff.squared_amplitude(process, np.array(-1.0), np.array(1.0), 0.0, 1.0, 1.0, vertex=vertex)
    assert str(error.value) == message
