"""eta eta -> A'A', A'phi', phi'phi' and the s channels against traces of explicit Dirac matrices."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from globalfit.physics import decays
from globalfit.physics.freeze_out import annihilation, mediator_pairs

_spec = importlib.util.spec_from_file_location("dirac", Path(__file__).with_name("dirac.py"))
assert _spec is not None
assert _spec.loader is not None
dirac = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dirac)

M_ETA, M_A, M_PHI, G, Y, F = 40.0, 27.0, 33.0, 0.31, 0.23, 190.0
ENERGIES = (80.6, 95.0, 140.0, 400.0)


def one(value):
    return np.full((1, 1), float(value))


def vertex(e, axial):
    """A' vertex without its coupling; the overall phase of a chain of two is put in by the caller."""
    return dirac.slash(e) @ (dirac.GAMMA5 if axial else dirac.UNIT)


def propagator(q, m):
    return (dirac.slash(q) + m * dirac.UNIT) / (dirac.dot(q, q) - m**2)


def aprime_aprime(axial, exchange, phi):
    """Vertices: i(ig) gamma, i(-ig) gamma off-diagonal; -i g gamma gamma5, axial."""

    def squared(p1, p2, k1, k2):
        total = 0.0
        s = dirac.dot(p1 + p2, p1 + p2)
        for e1 in dirac.polarisations(k1, M_A):
            for e2 in dirac.polarisations(k2, M_A):
                v1, v2 = vertex(e1, axial), vertex(e2, axial)
                chain = v2 @ propagator(p1 - k1, M_ETA) @ v1 + v1 @ propagator(p1 - k2, M_ETA) @ v2
                higgs = 2.0 * Y * M_A**2 / F * dirac.dot(e1, e2) / (s - M_PHI**2) * dirac.UNIT
                amplitude = -exchange * G**2 * chain + phi * higgs
                total += dirac.spin_sum(amplitude, p1, M_ETA, p2, M_ETA)
        return total

    return squared


def aprime_phi(axial, y_1, y_2):
    def squared(p1, p2, k1, k2):
        total, q = 0.0, p1 + p2
        s = dirac.dot(q, q)
        for e in dirac.polarisations(k1, M_A):
            v = vertex(e, axial)
            chain = y_1 * v @ propagator(p1 - k2, M_ETA) + y_2 * propagator(p1 - k1, M_ETA) @ v
            current = e - q * dirac.dot(q, e) / M_A**2
            strahlung = 2.0 * M_A**2 / F / (s - M_A**2) * vertex(current, axial)
            total += dirac.spin_sum(G * (chain + strahlung), p1, M_ETA, p2, M_ETA)
        return total

    return squared


def phi_phi(p1, p2, k1, k2):
    s = dirac.dot(p1 + p2, p1 + p2)
    chain = propagator(p1 - k1, M_ETA) + propagator(p1 - k2, M_ETA)
    cubic = 3.0 * Y * M_PHI**2 / F / (s - M_PHI**2) * dirac.UNIT
    return dirac.spin_sum(-(Y**2) * chain - cubic, p1, M_ETA, p2, M_ETA)


@pytest.mark.parametrize("sqrt_s", ENERGIES)
@pytest.mark.parametrize("axial", [False, True])
def test_two_vectors(sqrt_s, axial):
    common = (sqrt_s, M_ETA, M_ETA, M_A, M_A)
    exchange = dirac.rate(*common, aprime_aprime(axial, 1, 0), True)
    ours = mediator_pairs.to_aprime_aprime(one(sqrt_s), one(M_ETA), one(M_A), one(G), axial=axial)
    assert ours.item() == pytest.approx(exchange, rel=1e-10)
    square = dirac.rate(*common, aprime_aprime(axial, 0, 1), True)
    everything = dirac.rate(*common, aprime_aprime(axial, 1, 1), True)
    interference = mediator_pairs.aprime_aprime_interference(
        one(sqrt_s), one(M_ETA), one(M_A), one(G), one(Y), one(F), axial=axial
    ) / (sqrt_s**2 - M_PHI**2)
    assert interference.item() == pytest.approx(everything - exchange - square, rel=1e-9)
    # the square of the phi' amplitude is the width of phi' -> A'A'
    width = decays.scalar_to_vectors(one(sqrt_s), one(M_A), one(F))
    numerator = annihilation.scalar_exchange(one(sqrt_s), one(M_ETA), one(Y), width)
    assert numerator.item() / (sqrt_s**2 - M_PHI**2) ** 2 == pytest.approx(square, rel=1e-10)
    through_phi = mediator_pairs.through_phi_to_aprime_aprime(
        one(sqrt_s), one(M_ETA), one(M_A), one(M_PHI), one(G), one(Y), one(F), axial=axial
    )
    assert through_phi.item() / (sqrt_s**2 - M_PHI**2) ** 2 == pytest.approx(everything - exchange, rel=1e-9)


@pytest.mark.parametrize("sqrt_s", ENERGIES)
@pytest.mark.parametrize("axial", [False, True])
@pytest.mark.parametrize(("y_1", "y_2"), [(Y, Y), (-0.1, 0.2)])
def test_vector_and_scalar(sqrt_s, axial, y_1, y_2):
    exact = dirac.rate(sqrt_s, M_ETA, M_ETA, M_A, M_PHI, aprime_phi(axial, y_1, y_2), False)
    ours = mediator_pairs.to_aprime_phi(
        one(sqrt_s), one(M_ETA), one(M_A), one(M_PHI), one(G), one(y_1), one(y_2), one(F), axial=axial
    )
    assert ours.item() == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("sqrt_s", ENERGIES)
def test_two_scalars(sqrt_s):
    exact = dirac.rate(sqrt_s, M_ETA, M_ETA, M_PHI, M_PHI, phi_phi, True)
    ours = mediator_pairs.to_phi_phi(one(sqrt_s), one(M_ETA), one(M_PHI), one(Y), one(F))
    assert ours.item() == pytest.approx(exact, rel=1e-8)


def test_axial_pairs_are_unitary():
    """With y = m/f and g = M_A/(2 f) longitudinal modes are Goldstone bosons: I is bounded at high s."""
    y, g = M_ETA / F, M_A / (2.0 * F)

    def integral(sqrt_s):
        k = np.sqrt(sqrt_s**2 / 4 - M_A**2)
        p = np.sqrt(sqrt_s**2 / 4 - M_ETA**2)
        w = mediator_pairs.to_aprime_aprime(one(sqrt_s), one(M_ETA), one(M_A), one(g), axial=True)
        n_int = mediator_pairs.aprime_aprime_interference(
            one(sqrt_s), one(M_ETA), one(M_A), one(g), one(y), one(F), axial=True
        )
        width = decays.scalar_to_vectors(one(sqrt_s), one(M_A), one(F))
        n = annihilation.scalar_exchange(one(sqrt_s), one(M_ETA), one(y), width)
        d = sqrt_s**2 - M_PHI**2
        return (w + n_int / d + n / d**2).item() / (p * k), w.item() / (p * k)

    low, high = integral(2e3), integral(2e4)
    assert high[0] < 2.0 * low[0]  # at most a logarithm
    assert high[1] > 50.0 * low[1]  # the exchange alone grows like s


def scalar_current(p1, p2, k1, k2):
    """phi'* -> chi chi for a Majorana chi of mass 5 with the same coupling, identical particles."""
    s = dirac.dot(p1 + p2, p1 + p2)
    final = dirac.spin_sum(dirac.UNIT, k1, 5.0, k2, 5.0)
    return Y**4 / (s - M_PHI**2) ** 2 * dirac.spin_sum(dirac.UNIT, p1, M_ETA, p2, M_ETA) * final


@pytest.mark.parametrize("sqrt_s", ENERGIES)
def test_scalar_exchange(sqrt_s):
    exact = dirac.rate(sqrt_s, M_ETA, M_ETA, 5.0, 5.0, scalar_current, True)
    width = decays.scalar_to_majorana_pair(one(sqrt_s), 5.0, one(Y))
    numerator = annihilation.scalar_exchange(one(sqrt_s), one(M_ETA), one(Y), width)
    assert numerator.item() / (sqrt_s**2 - M_PHI**2) ** 2 == pytest.approx(exact, rel=1e-10)


def current_current(initial, final, m_f, m_1=M_ETA, m_2=M_ETA):
    """|M|^2 of J1.D.J2 with the whole unitary-gauge propagator, J = gamma^mu or gamma^mu gamma5."""

    def tensor(p1, ma, p2, mb, kind):
        matrices = [gamma @ (dirac.GAMMA5 if kind == "axial" else dirac.UNIT) for gamma in dirac.GAMMA]
        bars = [dirac.GAMMA[0] @ m.conj().T @ dirac.GAMMA[0] for m in matrices]
        left, right = dirac.slash(p2) - mb * dirac.UNIT, dirac.slash(p1) + ma * dirac.UNIT
        return np.array([[np.trace(left @ a @ right @ b) for b in bars] for a in matrices])

    def squared(p1, p2, k1, k2):
        q = p1 + p2
        s = dirac.dot(q, q)
        low = dirac.METRIC @ q
        propagator = (-dirac.METRIC + np.outer(low, low) / M_A**2) / (s - M_A**2)
        one_, two = tensor(p1, m_1, p2, m_2, initial), tensor(k1, m_f, k2, m_f, final)
        return G**4 * np.einsum("mn,ma,nb,ab->", one_, propagator, propagator, two.conj()).real

    return squared


@pytest.mark.parametrize("sqrt_s", [90.0, 140.0, 400.0])
def test_vector_exchange_with_a_mass_gap(sqrt_s):
    m_1, m_2 = 40.0, 43.0
    exact = dirac.rate(sqrt_s, m_1, m_2, 5.0, 5.0, current_current("vector", "vector", 5.0, m_1, m_2), False)
    width = decays.vector_to_dirac_pair(one(sqrt_s), 5.0, one(G))
    numerator = annihilation.vector_exchange(one(sqrt_s), one(m_1), one(m_2), one(G), width)
    assert numerator.item() / (sqrt_s**2 - M_A**2) ** 2 == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("sqrt_s", [80.6, 140.0, 400.0])
def test_axial_exchange_is_spin_1_plus_longitudinal(sqrt_s):
    exact = dirac.rate(sqrt_s, M_ETA, M_ETA, 5.0, 5.0, current_current("axial", "axial", 5.0), False)
    width = decays.vector_to_dirac_pair(one(sqrt_s), 5.0, one(0.0), one(G))
    spin_1 = annihilation.axial_exchange(one(sqrt_s), one(M_ETA), one(G), width)
    spin_0 = annihilation.axial_to_fermions_longitudinal(
        one(sqrt_s), one(M_ETA), one(G), one(M_A), 5.0, one(G)
    )
    ours = spin_1.item() / (sqrt_s**2 - M_A**2) ** 2 + spin_0.item()
    assert ours == pytest.approx(exact, rel=1e-9)
