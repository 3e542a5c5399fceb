"""Reference for freeze-out: brute-force quadrature of the thermal average and an implicit solver for ln Y.

Shares with the package the widths, the amplitudes of t and u channels (compared with Dirac traces
elsewhere) and the degrees of freedom. Cross-sections, kinematics, averages, panels and the differential
equation are its own.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import CubicSpline
from scipy.special import k1e, kve

from globalfit.physics.freeze_out import mediator_pairs
from globalfit.physics.freeze_out.degrees_of_freedom import T_MAX, degrees_of_freedom

M_PLANCK = 1.220890e22
OMEGA_FACTOR = 2.74385e5  # Omega h^2 = 2.74385e8 (m/GeV) Y: per MeV


class Point:
    """Point i of a DarkSector, as numbers."""

    def __init__(self, dark, i):
        self.dark, self.i = dark, np.array([i])
        take = lambda name: float(getattr(dark, name)[i])  # noqa: E731
        self.m1, self.ma, self.mp = take("m_eta"), take("m_aprime"), take("m_phi")
        self.m2 = self.m1 + take("delta_eta")
        self.wa, self.wp = take("width_aprime"), take("width_phi")
        self.g, self.y1, self.y2, self.f = take("g_eta"), take("y_1"), take("y_2"), take("f")

    def widths(self, finals, w):
        total = np.zeros_like(w)
        for final in finals:
            above = w > float(final.threshold[self.i[0]])
            if above.any():
                total[above] += final.width(w[None, above], self.i)[0]
        return total

    def thresholds(self, finals):
        return [float(final.threshold[self.i[0]]) for final in finals]


def sigma_phi(p, w, m, y):
    """eta eta -> phi'* -> X, A'A' apart: y^2 beta sqrt(s) Gamma_X/(2 |D|^2)."""
    s = w**2
    beta = np.sqrt(np.maximum(1 - 4 * m**2 / s, 0))
    d2 = ((w - p.mp) * (w + p.mp)) ** 2 + (p.mp * p.wp) ** 2
    return y**2 * beta * w * p.widths(p.dark.finals_phi, w) / (2 * d2)


def sigma_aprime(p, w):
    """eta_1 eta_2 -> A'* -> X: the spin-averaged vector current of unequal masses, written out."""
    s, m1, m2 = w**2, p.m1, p.m2
    k2 = np.maximum((w - m1 - m2) * (w + m1 + m2), 1e-300) * (s - (m1 - m2) ** 2) / (4 * s)
    # spin sum of the transverse current: 4 [s - (m1^2+m2^2)/2 - (m1^2-m2^2)^2/(2 s) + 3 m1 m2]
    current = 4 * (s - (m1**2 + m2**2) / 2 - (m1**2 - m2**2) ** 2 / (2 * s) + 3 * m1 * m2) * p.g**2
    d2 = ((w - p.ma) * (w + p.ma)) ** 2 + (p.ma * p.wa) ** 2
    # sigma = (1/4) sum|M|^2/(4 k sqrt s), int dPhi |eps.J_X|^2 = 2 w Gamma_X per polarisation, current/3 each
    return 0.25 * current * 2 * w * p.widths(p.dark.finals_aprime, w) / d2 / (4 * np.sqrt(k2) * w)


def one(value):
    return np.full((1, 1), float(value))


def pair_rates(p, m, y, w):
    """8 s p^2 sigma of eta_i eta_i: everything."""
    s = w**2
    momentum2 = s / 4 - m**2
    total = 8 * s * momentum2 * sigma_phi(p, w, m, y)
    above = w > 2 * p.ma
    if above.any():
        v = w[None, above]
        d = v**2 - p.mp**2
        total[above] += mediator_pairs.to_aprime_aprime(v, one(m), one(p.ma), one(p.g))[0]
        # interference and square of phi'
        d2 = ((v - p.mp) * (v + p.mp)) ** 2 + (p.mp * p.wp) ** 2
        inter = mediator_pairs.aprime_aprime_interference(v, one(m), one(p.ma), one(p.g), one(y), one(p.f))
        x = (p.ma / v) ** 2
        width = v**3 / (32 * np.pi * p.f**2) * np.sqrt(1 - 4 * x) * (1 - 4 * x + 12 * x**2)
        square = 8 * v**2 * (v**2 / 4 - m**2) * y**2 * np.sqrt(1 - 4 * m**2 / v**2) * v * width / 2
        total[above] += ((inter * d + square) / d2)[0]
    above = w > 2 * p.mp
    if above.any():
        total[above] += mediator_pairs.to_phi_phi(w[None, above], one(m), one(p.mp), one(y), one(p.f))[0]
    return total


def mixed_rates(p, w):
    s = w**2
    k2 = np.maximum((w - p.m1 - p.m2) * (w + p.m1 + p.m2), 1e-300) * (s - (p.m1 - p.m2) ** 2) / (4 * s)
    total = 8 * s * k2 * sigma_aprime(p, w)
    above = w > p.ma + p.mp
    if above.any():
        mean = 0.5 * (p.m1 + p.m2)
        total[above] += mediator_pairs.to_aprime_phi(
            w[None, above], one(mean), one(p.ma), one(p.mp), one(p.g), one(p.y1), one(p.y2), one(p.f)
        )[0]
    return 2 * total  # 12 and 21


def pairs(p):
    """(threshold, rate, special energies, pole, width) of 11, 22, 12 + 21."""
    special = [2 * p.ma, 2 * p.mp, *p.thresholds(p.dark.finals_phi)]
    for m, y in ((p.m1, p.y1), (p.m2, p.y2)):
        yield 2 * m, lambda w, m=m, y=y: pair_rates(p, m, y, w), special, p.mp, p.wp
    mixed = [p.ma + p.mp, *p.thresholds(p.dark.finals_aprime)]
    yield p.m1 + p.m2, lambda w: mixed_rates(p, w), mixed, p.ma, p.wa


def panels(threshold, special, pole, width, m):
    """Edges in w = sqrt s that close in geometrically on thresholds and the pole, from both sides."""
    top = threshold + 60 * m
    edges = {threshold, top}
    decades = 4.0 ** np.arange(-22, 4)
    for point in [threshold, *special]:
        if threshold <= point < top:
            edges |= {point, *(point + m * decades), *(point - m * decades)}
    if threshold - m < pole < top:
        steps = width * 2.0 ** np.arange(-1, 60)
        edges |= {pole, *(pole + steps), *(pole - steps)}
    inside = np.array(sorted(edge for edge in edges if threshold <= edge <= top))
    return inside[np.append(True, np.diff(inside) > 1e-15 * m)]


def sigma_v(p, x, order=10):
    """<sigma v> (t,) in MeV^-2."""
    t, weight = np.polynomial.legendre.leggauss(order)
    total = np.zeros_like(x)
    for threshold, rate, special, pole, width in pairs(p):
        edges = panels(threshold, special, pole, width, p.m1)
        half = 0.5 * np.diff(edges)[:, None]
        # square-root behaviour at the threshold itself is in panels of 4^-22 m
        w = (edges[:-1, None] + half * (1 + t)).ravel()
        h = (half * weight).ravel()
        keep = w > threshold * (1 + 1e-15)
        w, h = w[keep], h[keep] * rate(w[keep])
        for k in range(0, x.size, 64):
            u = w[:, None] * (x[k : k + 64] / p.m1)
            with np.errstate(under="ignore"):
                total[k : k + 64] += h @ (k1e(u) * np.exp(2 * x[k : k + 64] - u))
    kappa = sum((m / p.m1) ** 2 * kve(2, m / p.m1 * x) * np.exp((1 - m / p.m1) * x) for m in (p.m1, p.m2))
    return total * x / (8 * p.m1**5 * kappa**2)


def sigma_v_adaptive(p, x, rel=1e-9):
    """<sigma v> at one x by scipy's adaptive quadrature between the same edges."""
    total = 0.0
    for threshold, rate, special, pole, width in pairs(p):
        edges = panels(threshold, special, pole, width, p.m1)
        edges = edges[(edges - threshold) * x / p.m1 < 60 + max(0, (pole - threshold) * x / p.m1)]

        def integrand(w, rate=rate):
            return rate(np.array([w]))[0] * k1e(w * x / p.m1) * np.exp(2 * x - w * x / p.m1)

        total += sum(quad(integrand, a, b, epsabs=0, epsrel=rel)[0] for a, b in pairwise(edges))
    kappa = sum((m / p.m1) ** 2 * kve(2, m / p.m1 * x) * np.exp((1 - m / p.m1) * x) for m in (p.m1, p.m2))
    return total * x / (8 * p.m1**5 * kappa**2)


def omega_h2(m1, m2, average, x_end=3e4, rtol=1e-8, x_start=1.0):
    """Omega h^2 by Radau on ln Y, from equilibrium at x_start; `average(x)` in MeV^-2."""
    # the plasma has a kink where neutrinos decouple: no spline through it
    ln_x = np.concatenate(
        [np.linspace(np.log(x_start), np.log(70), 220), np.linspace(np.log(70.5), np.log(x_end), 80)]
    )
    rate = CubicSpline(ln_x, np.log(np.maximum(average(np.exp(ln_x)), 1e-60)))
    fine = np.linspace(np.log(x_start), np.log(x_end), 8000)
    plasma = degrees_of_freedom(np.minimum(m1 * np.exp(-fine), T_MAX))
    sizes = sum(
        (m / m1) ** 2 * kve(2, m / m1 * np.exp(fine)) * np.exp((1 - m / m1) * np.exp(fine)) for m in (m1, m2)
    )
    ln_eq_fine = np.log(45 * 2 / (4 * np.pi**4) * sizes / plasma.h) + 2 * fine
    ln_a_fine = np.log(np.sqrt(np.pi / 45) * M_PLANCK * m1 * plasma.root) - fine

    def both(at):
        return np.exp(np.interp(at, fine, ln_a_fine) + rate(at)), np.interp(at, fine, ln_eq_fine) - np.exp(at)

    def slope(at, state):
        a, ln_eq = both(at)
        return [-a * (np.exp(state[0]) - np.exp(2 * ln_eq - state[0]))]

    def jacobian(at, state):
        a, ln_eq = both(at)
        return [[-a * (np.exp(state[0]) + np.exp(2 * ln_eq - state[0]))]]

    start, end = np.log(x_start), np.log(x_end)
    solution = solve_ivp(
        slope,
        (start, end),
        [both(np.log(x_start))[1]],
        method="Radau",
        rtol=rtol,
        atol=rtol,
        jac=jacobian,
        max_step=0.5,
    )
    assert solution.success
    return OMEGA_FACTOR * m1 * np.exp(solution.y[0, -1])


def reference(dark, i, **options):
    p = Point(dark, i)
    return omega_h2(p.m1, p.m2, lambda x: sigma_v(p, x), **options)
