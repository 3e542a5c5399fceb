"""Widths and amplitudes of `decays` and `mediator_pairs` for one point at many energies, compiled.

The formulas and their sources are there; tests compare both. Every function adds to or fills its last
argument, (k,) like the energies `w` in MeV. Imported only where numba is to be used.
"""

from __future__ import annotations

from math import atan2, log, pi, sqrt
from typing import Final

from globalfit.arrays import Array
from globalfit.constants import (
    ALPHA,
    E_CHARGE,
    F_PI,
    M_D,
    M_OMEGA,
    M_PI,
    M_PI0,
    M_RHO,
    M_U,
)
from globalfit.physics.compiled_math import angle_log, jit, ln
from globalfit.physics.decays import WIDTH_OMEGA, WIDTH_RHO
from globalfit.physics.freeze_out.dark_sector import (
    PHOTONS,
    SCALAR_DIRAC,
    SCALAR_MAJORANA,
    SCALAR_MIXED,
    SCALAR_PIONS,
    VECTOR_DIRAC,
    VECTOR_MAJORANA,
    VECTOR_MIXED,
    VECTOR_PI0_GAMMA,
)
from globalfit.physics.freeze_out.photons import STEP

_K_RHO2: Final = 0.25 * M_RHO**2 - M_PI**2
_K_RHO: Final = sqrt(_K_RHO2)
_H_RHO: Final = 2.0 * _K_RHO / M_RHO / pi * log((M_RHO + 2.0 * _K_RHO) / (2.0 * M_PI))
_SLOPE_RHO: Final = _H_RHO * (1.0 / (8.0 * _K_RHO2) - 0.5 / M_RHO**2) + 0.5 / (pi * M_RHO**2)
_D_RHO: Final = (
    3.0 / pi * M_PI**2 / _K_RHO2 * log((M_RHO + 2.0 * _K_RHO) / (2.0 * M_PI))
    + M_RHO / (2.0 * pi * _K_RHO)
    - M_PI**2 * M_RHO / (pi * _K_RHO**3)
)


@jit
def add_width(kind: int, p: Array, single: Array, loops: Array, w: Array, out: Array) -> None:
    """Add the partial width in MeV of a final state with parameters `p` (6,), see `dark_sector`.

    `single` (entries, 2) and `loops` (entries, 4) are `photons.flat_tables`.
    """
    if kind == VECTOR_MAJORANA:
        c = p[1] ** 2 / (24.0 * pi)
        for j in range(w.size):
            beta2 = max(1.0 - 4.0 * (p[0] / w[j]) ** 2, 0.0)
            out[j] += c * w[j] * beta2 * sqrt(beta2)
    elif kind == VECTOR_MIXED:
        c = p[1] ** 2 / (12.0 * pi)
        for j in range(w.size):
            r = (p[0] / w[j]) ** 2
            phase = max(1.0 - r, 0.0)
            out[j] += c * w[j] * phase * phase * (1.0 + 0.5 * r)
    elif kind == VECTOR_DIRAC:
        for j in range(w.size):
            r = (p[0] / w[j]) ** 2
            beta2 = max(1.0 - 4.0 * r, 0.0)
            out[j] += w[j] * sqrt(beta2) / (12.0 * pi) * (p[1] ** 2 * (1.0 + 2.0 * r) + p[2] ** 2 * beta2)
    elif kind in (SCALAR_MAJORANA, SCALAR_DIRAC):
        c = p[1] ** 2 / (8.0 * pi) * (0.5 if kind == SCALAR_MAJORANA else 1.0)
        for j in range(w.size):
            beta2 = max(1.0 - 4.0 * (p[0] / w[j]) ** 2, 0.0)
            out[j] += c * w[j] * beta2 * sqrt(beta2)
    elif kind == SCALAR_MIXED:
        c = p[1] ** 2 / (8.0 * pi)
        for j in range(w.size):
            phase = max(1.0 - (p[0] / w[j]) ** 2, 0.0)
            out[j] += c * w[j] * phase * phase
    elif kind == PHOTONS:
        _add_photons(p, single, loops, w, out)
    elif kind == SCALAR_PIONS:
        for j in range(w.size):
            amplitude = (p[0] + p[1]) / (M_U + M_D) * M_PI**2 + p[2] * (2.0 / 27.0) * (w[j] ** 2 + M_PI**2)
            charged = sqrt(max(1.0 - 4.0 * (M_PI / w[j]) ** 2, 0.0))
            neutral = sqrt(max(1.0 - 4.0 * (M_PI0 / w[j]) ** 2, 0.0))
            out[j] += amplitude**2 / (16.0 * pi * w[j]) * (charged + 0.5 * neutral)
    elif kind == VECTOR_PI0_GAMMA:
        isoscalar, isovector = 0.5 * (p[0] + p[1]), 0.5 * (p[0] - p[1])
        for j in range(w.size):
            phase = max(1.0 - (M_PI0 / w[j]) ** 2, 0.0)
            if phase > 0.0:
                omega = 1.0 / complex(1.0 - (w[j] / M_OMEGA) ** 2, -WIDTH_OMEGA / M_OMEGA)
                a = (
                    E_CHARGE
                    / (4.0 * pi**2 * F_PI)
                    * (3.0 * isoscalar * omega + isovector * form_factor(w[j]))
                )
                out[j] += (a.real**2 + a.imag**2) * w[j] ** 3 / (96.0 * pi) * phase**3
    else:
        for j in range(w.size):
            beta2 = max(1.0 - 4.0 * (M_PI / w[j]) ** 2, 0.0)
            if beta2 > 0.0:
                a = form_factor(w[j])
                size = a.real**2 + a.imag**2
                out[j] += (p[0] - p[1]) ** 2 * w[j] / (48.0 * pi) * beta2 * sqrt(beta2) * size


@jit
def _add_photons(p: Array, single: Array, loops: Array, w: Array, out: Array) -> None:
    last = loops.shape[0] - 2
    c = ALPHA**2 / (256.0 * pi**3)
    if p[4] == 0.0:  # no second mass
        for j in range(w.size):
            at = (ln(w[j]) - p[3]) * STEP
            left = min(max(int(at), 0), last)
            out[j] += c * p[0] ** 2 * w[j] ** 3 * (single[left, 0] + (at - left) * single[left, 1])
    else:
        for j in range(w.size):
            re, im, ln_w = 0.0, 0.0, ln(w[j])
            for loop in range(3):
                if p[loop] != 0.0:
                    at = (ln_w - p[3 + loop]) * STEP
                    left = min(max(int(at), 0), last)
                    re += p[loop] * (loops[left, 0] + (at - left) * loops[left, 1])
                    im += p[loop] * (loops[left, 2] + (at - left) * loops[left, 3])
            out[j] += c * w[j] ** 3 * (re**2 + im**2)


@jit
def form_factor(w: float) -> complex:
    """Return the pion's vector form factor at sqrt s = w, as `decays.pion_form_factor`."""
    s = w**2
    k2 = 0.25 * s - M_PI**2
    v = sqrt(abs(k2) * 4.0 / s)
    h = v / pi * (0.5 * ln((1.0 + v) / (1.0 - v)) if k2 > 0.0 else atan2(1.0, v))
    shift = (
        WIDTH_RHO * M_RHO**2 / _K_RHO**3
        * (k2 * (h - _H_RHO) + (M_RHO**2 - s) * _K_RHO2 * _SLOPE_RHO)
    )  # fmt: skip
    width = 0.0
    if k2 > 0.0:
        width = WIDTH_RHO * (sqrt(k2) / _K_RHO) ** 3 * M_RHO / w
    return (M_RHO**2 + _D_RHO * M_RHO * WIDTH_RHO) / complex(M_RHO**2 - s + shift, -M_RHO * width)


@jit
def add_aprime_aprime(
    w: Array, m: float, m_a: float, m_phi: float, w_phi: float, g: float, y: float, f: float, out: Array
) -> None:
    """Add the numerator in MeV^6 of eta_i eta_i -> A'A', exchange of eta and phi' together."""
    m2, M2 = m**2, m_a**2
    for j in range(w.size):
        s = w[j] ** 2
        p = sqrt(max(0.25 * (w[j] - 2.0 * m) * (w[j] + 2.0 * m), 0.0))
        k = sqrt(max(0.25 * (w[j] - 2.0 * m_a) * (w[j] + 2.0 * m_a), 0.0))
        a, b = 0.5 * s - M2, 2.0 * p * k
        log_ = angle_log(a, b)
        inverse = 1.0 / ((a - b) * (a + b))
        c_1 = 8.0 * (4.0 * M2**2 - 8.0 * M2 * m2 - 8.0 * m2**2 + 4.0 * m2 * s + s**2)
        exchange = g**4 * (-32.0 + c_1 * log_ / a - 32.0 * (M2 + 2.0 * m2) ** 2 * inverse)
        off = (w[j] - m_phi) * (w[j] + m_phi)
        square = (2.0 * y / f) ** 2 * (s - 4.0 * m2) * (12.0 * M2**2 - 4.0 * M2 * s + s**2)
        cross = -(g**2) * (2.0 * y * M2 / f) * 32.0 * m * (2.0 - (s - M2 - 2.0 * m2) * log_)
        total = exchange * (off**2 + (m_phi * w_phi) ** 2) + square + cross * off
        out[j] += p * k * total / (32.0 * pi)


@jit
def add_phi_phi(w: Array, m: float, m_phi: float, y: float, f: float, out: Array) -> None:
    """Add the rate in MeV^2 of eta_i eta_i -> phi'phi'."""
    m2, M2 = m**2, m_phi**2
    for j in range(w.size):
        s = w[j] ** 2
        p = sqrt(max(0.25 * (w[j] - 2.0 * m) * (w[j] + 2.0 * m), 0.0))
        k = sqrt(max(0.25 * (w[j] - 2.0 * m_phi) * (w[j] + 2.0 * m_phi), 0.0))
        a, b = 0.5 * s - M2, 2.0 * p * k
        log_ = angle_log(a, b)
        inverse = 1.0 / ((a - b) * (a + b))
        c_1 = 2.0 * (6.0 * M2**2 - 16.0 * M2 * m2 - 4.0 * M2 * s - 32.0 * m2**2 + 16.0 * m2 * s + s**2)
        exchange = -16.0 + c_1 * log_ / a - 8.0 * (4.0 * m2 - M2) ** 2 * inverse
        interference = -8.0 * m * (4.0 + (2.0 * M2 - 8.0 * m2 + s) * log_)
        cubic = 3.0 * M2 / (f * (s - M2))
        total = y**4 * exchange + y**3 * cubic * interference + (y * cubic) ** 2 * 4.0 * (s - 4.0 * m2)
        out[j] += p * k * total / (32.0 * pi)


@jit
def add_aprime_phi(
    w: Array, m: float, m_a: float, m_phi: float, g: float, y_1: float, y_2: float, f: float, out: Array
) -> None:
    """Add the rate in MeV^2 of eta_1 eta_2 -> A'phi', both orders."""
    m2, M2, F2 = m**2, m_a**2, m_phi**2
    plus, minus = m_a + m_phi, m_a - m_phi
    squares, cross = y_1**2 + y_2**2, y_1 * y_2
    for j in range(w.size):
        s = w[j] ** 2
        p = sqrt(max(0.25 * (w[j] - 2.0 * m) * (w[j] + 2.0 * m), 0.0))
        k = sqrt(max(0.25 * (w[j] - plus) * (w[j] + plus) * (s - minus**2) / s, 0.0))
        a, b = 0.5 * (s - M2 - F2), 2.0 * p * k
        log_ = angle_log(a, b)
        inverse = 1.0 / ((a - b) * (a + b))
        strahlung = 2.0 * M2 / (f * (s - M2))
        contact = (s - 2.0 * M2 - 4.0 * m2) / M2
        square = (
            4.0 * contact
            + 4.0 * (s - F2 - M2 - 4.0 * m2) * log_
            + 8.0 * (4.0 * m2 - F2) * (M2 + 2.0 * m2) * inverse
        )
        shared = F2 * (M2 + 4.0 * m2 - s) - 6.0 * M2 * m2 - 8.0 * m2**2 + 2.0 * m2 * s
        product = -8.0 * contact - 8.0 * shared / a * log_
        linear = 8.0 * m * (2.0 - (s + M2 + 4.0 * m2 - 2.0 * F2) * log_)
        s_squared = (s + M2 - F2) ** 2 + 8.0 * M2 * s
        total = squares * square + cross * product + (y_1 + y_2) * strahlung * linear
        total += strahlung**2 * 2.0 * (s + 2.0 * m2) * s_squared / (3.0 * M2 * s)
        out[j] += 2.0 * p * k * g**2 * total / (16.0 * pi)
