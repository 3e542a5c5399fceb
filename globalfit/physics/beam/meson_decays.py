"""Decays of mesons into long-lived or dark particles: M -> l nu X and pi0, eta -> gamma X.

Everything is per unit coupling squared. Three-body spectra are integrals over the Dalitz plane of squared
amplitudes derived in docs/physics/beam-flux.md and tested against explicit Dirac traces. With p the meson,
k the boson, l the charged lepton, n the neutrino and Q = l + k, a vector's amplitude is

    M = sqrt2 G_F f V  eps_mu nbar [ alpha gamma^mu P_L + (beta Qslash gamma^mu + delta^mu) P_R ] v
    alpha = c - a c_L Q^2/(Q^2 - m_l^2),  beta = a c_R m_l/(Q^2 - m_l^2),
    delta^mu = -b m_l (2p - k)^mu/((p - k)^2 - M^2)

for lepton, meson and contact legs of strength a, b, c and couplings c_L, c_R of the lepton.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import E_CHARGE
from globalfit.errors import GlobalfitError
from globalfit.physics.beam.grid import LEPTONS, PARENTS, PROCESSES, require
from globalfit.physics.beam.mesons import G_F, LEPTON_MASSES, MESONS, Meson
from globalfit.physics.beam.spectrum import Line, Spectrum, cosine_nodes

NODES = 193  # energies of X
ANGLES = 32  # Gauss nodes over the neutrino's direction


@dataclass(frozen=True)
class Momenta:
    """Momenta of M -> l nu X in the rest frame of M, X along the first axis; arrays of one common shape, MeV.

    `e` energies, `z` components along X, `t` transverse components (in one plane, adding up to zero).
    """

    m_meson: float
    m_lepton: float
    m_x: float
    e_x: Array
    k: Array
    e_nu: Array
    z_nu: Array
    t_nu: Array

    @property
    def q2(self) -> Array:
        """(l + X)^2, the virtuality of the lepton that emits X."""
        return self.m_meson**2 - 2.0 * self.m_meson * self.e_nu

    @property
    def lepton(self) -> tuple[Array, Array, Array]:
        """(E, z, t) of the charged lepton."""
        return self.m_meson - self.e_x - self.e_nu, -self.k - self.z_nu, -self.t_nu


def scalar_amplitude2(at: Momenta, f_ckm: float, *, pseudoscalar: bool = False) -> Array:
    """Return sum |M|^2 of M -> l nu S for L = S lbar l, or of P for L = i P lbar gamma5 l; shape of `at`."""
    m2, big2, q2 = at.m_lepton**2, at.m_meson**2, at.q2
    m12 = big2 + at.m_x**2 - 2.0 * at.m_meson * at.e_x
    sign = -1.0 if pseudoscalar else 1.0
    bracket = (
        q2 * (q2 - m2) * (m12 - m2)
        + m2 * (big2 - q2) * (q2 + m2 - at.m_x**2)
        + sign * 2.0 * m2 * q2 * (big2 - q2)
    )
    return 2.0 * (G_F * f_ckm / (q2 - m2)) ** 2 * bracket


def vector_amplitude2(at: Momenta, f_ckm: float, chirality: tuple[float, float] = (1.0, 1.0)) -> Array:
    """Return |M|^2 of M -> l nu V summed over spins, shape (6, 2) + that of `at`.

    First axis `grid.COMBINATIONS` of the legs, second (transverse, longitudinal) in the meson's rest frame,
    with `chirality` the lepton's couplings (c_L, c_R).
    """
    c_l, c_r = chirality
    m, big, m_v = at.m_lepton, at.m_meson, at.m_x
    e_l, z_l, t_l = at.lepton
    denominator = at.q2 - m**2
    alpha_a, beta_a = -c_l * at.q2 / denominator, c_r * m / denominator
    delta_b = -2.0 * m / (m_v**2 - 2.0 * big * at.e_x)  # times p.eps: k.eps = 0
    nu = (at.e_nu, at.z_nu, at.t_nu)
    lepton = (e_l, z_l, t_l)
    q = (big - at.e_nu, -at.z_nu, -at.t_nu)
    meson = (np.full_like(e_l, big), np.zeros_like(e_l), np.zeros_like(e_l))

    def dot(u: tuple[Array, Array, Array], v: tuple[Array, Array, Array]) -> Array:
        return u[0] * v[0] - u[1] * v[1] - u[2] * v[2]

    def along(u: tuple[Array, Array, Array]) -> Array:
        return (u[0] * at.k - u[1] * at.e_x) / m_v

    n_l, n_q, l_q = dot(nu, lepton), dot(nu, q), dot(lepton, q)
    out = []
    for longitudinal in (False, True):

        def eps(
            u: tuple[Array, Array, Array], v: tuple[Array, Array, Array], longitudinal: bool = longitudinal
        ) -> Array:
            return along(u) * along(v) if longitudinal else u[2] * v[2]

        states = 1.0 if longitudinal else 2.0
        contact = 2.0 * (2.0 * eps(nu, lepton) + states * n_l)
        # with w = 2 (Q.nu) Q - Q^2 nu
        w_l = 2.0 * n_q * l_q - at.q2 * n_l
        w_eps = 2.0 * n_q * eps(q, lepton) - at.q2 * eps(nu, lepton)
        right = 2.0 * (2.0 * w_eps + states * w_l)
        scalar = 2.0 * eps(meson, meson) * n_l
        right_scalar = 4.0 * (n_q * eps(meson, lepton) - l_q * eps(meson, nu) + n_l * eps(meson, q))
        flip_right = 4.0 * m * states * n_q
        flip_scalar = -4.0 * m * eps(meson, nu)
        aa = alpha_a**2 * contact + beta_a**2 * right + alpha_a * beta_a * flip_right
        bb = delta_b**2 * scalar
        cc = contact
        ab = delta_b * (beta_a * right_scalar + alpha_a * flip_scalar)
        ac = 2.0 * alpha_a * contact + beta_a * flip_right
        bc = delta_b * flip_scalar
        out.append(np.stack((aa, bb, cc, ab, ac, bc)))
    return 2.0 * (G_F * f_ckm) ** 2 * np.stack(out, axis=1)


def three_body(
    parent: str,
    lepton: str,
    process: str,
    m_x: float,
    chirality: tuple[float, float] = (1.0, 1.0),
    nodes: int = NODES,
) -> Spectrum:
    """Return the spectrum of X in M+ -> l+ nu X in M's rest frame, per unit coupling squared.

    Parameters
    ----------
    parent, lepton, process : str
        'pi+' .. 'k-'; 'e' or 'mu'; 'scalar', 'pseudoscalar' or 'vector'.
    m_x : float
        Mass of X in MeV.
    chirality : tuple
        Couplings (c_L, c_R) of the lepton to a vector; (1, 1) is a vector, (0, 1) right-handed.

    Returns
    -------
    Spectrum
        Density of shape (nodes,), or (6, 2, nodes) for a vector: combination of legs, polarisation. Zero
        where the decay is closed.

    Raises
    ------
    GlobalfitError
        If a name is unknown or the mass is not positive.
    """
    require("charged parent", parent, PARENTS[:4])
    require("lepton", lepton, LEPTONS)
    require("process", process, PROCESSES)
    if not m_x > 0.0:
        raise GlobalfitError("beam", f"the mass of X is {m_x!r} MeV", "give a positive mass")
    meson, m_l = MESONS[parent], LEPTON_MASSES[lepton]
    leading = (6, 2) if process == "vector" else ()
    high = (meson.m**2 + m_x**2 - m_l**2) / (2.0 * meson.m)
    if m_x + m_l >= meson.m:
        return Spectrum(m_x, m_x, m_x, np.zeros((*leading, nodes)))
    e_x = cosine_nodes(m_x, high, nodes)[1:-1]
    at, weight = dalitz(meson, m_l, m_x, e_x)
    if process == "vector":
        square = vector_amplitude2(at, meson.f_ckm, chirality)
    else:
        square = scalar_amplitude2(at, meson.f_ckm, pseudoscalar=process == "pseudoscalar")
    density = np.zeros((*leading, nodes))  # zero at both ends, with the momenta of X and of the lepton
    density[..., 1:-1] = (square * weight).sum(-1) / meson.width
    return Spectrum(m_x, m_x, high, density)


def dalitz(meson: Meson, m_l: float, m_x: float, e_x: Array) -> tuple[Momenta, Array]:
    """Return momenta (n, angles) at energies e_x (n,) and the weights of dGamma/dE_X = sum weight |M|^2.

    Gauss nodes in ln(Q^2 - m_l^2): flat where the lepton's propagator peaks.
    """
    big = meson.m
    k = np.sqrt(np.maximum(e_x**2 - m_x**2, 0.0))[:, None]
    e_x = e_x[:, None]
    m12 = big**2 + m_x**2 - 2.0 * big * e_x
    open_ = np.maximum(m12 - m_l**2, 0.0)
    # E_nu = open/(2 (big - E_X + k cos)), and Q^2 - m_l^2 = M^2 - m_l^2 - 2 M E_nu
    ends = [big**2 - m_l**2 - big * open_ / (big - e_x + sign * k) for sign in (-1.0, 1.0)]
    low, high = (np.log(np.maximum(end, 1e-300)) for end in ends)
    t, w = np.polynomial.legendre.leggauss(ANGLES)
    d = np.exp(0.5 * (low + high) + 0.5 * (high - low) * t)
    e_nu = (big**2 - m_l**2 - d) / (2.0 * big)
    # big E_nu - E_X E_nu + k z_nu = open/2
    z_nu = np.where(k > 0.0, (0.5 * open_ - (big - e_x) * e_nu) / np.maximum(k, 1e-300), 0.0)
    z_nu = np.clip(z_nu, -e_nu, e_nu)
    t_nu = np.sqrt(np.maximum((e_nu - z_nu) * (e_nu + z_nu), 0.0))
    # dGamma = |M|^2/((2 pi)^3 8 M) dE_X dE_nu,  dE_nu = dd/(2 M)
    weight = d * 0.5 * (high - low) * w / (2.0 * big) / ((2.0 * np.pi) ** 3 * 8.0 * big)
    shape = np.broadcast_shapes(e_nu.shape, e_x.shape)
    at = Momenta(big, m_l, m_x, np.broadcast_to(e_x, shape), np.broadcast_to(k, shape), e_nu, z_nu, t_nu)
    return at, weight


def branching_ratio(
    parent: str, lepton: str, process: str, m_x: float, chirality: tuple[float, float] = (1.0, 1.0)
) -> Array:
    """Return BR(M -> l nu X) per unit coupling squared; () or (6, 2) as in `three_body`."""
    return three_body(parent, lepton, process, m_x, chirality).br


def neutrino(parent: str, lepton: str = "mu") -> Line:
    """Return the neutrino line of M -> l nu at tree level, no radiative correction."""
    meson, m_l = MESONS[parent], LEPTON_MASSES[lepton]
    ratio = (m_l / meson.m) ** 2
    width = (G_F * meson.f_ckm) ** 2 / (8.0 * np.pi) * meson.m * m_l**2 * (1.0 - ratio) ** 2
    return Line(0.0, 0.5 * meson.m * (1.0 - ratio), np.asarray(width / meson.width))


def two_body(parent: str, m_x: float) -> Line:
    """Return the line of X in pi0 or eta -> gamma X for a vector coupled to the electric current, per g^2.

    BR = 2 (g/e)^2 (1 - m_X^2/m^2)^3 BR(gamma gamma): g = e epsilon for kinetic mixing.
    """
    meson = MESONS[parent]
    phase_space = max(1.0 - (m_x / meson.m) ** 2, 0.0) ** 3
    energy = (meson.m**2 + m_x**2) / (2.0 * meson.m)
    return Line(m_x, energy, np.asarray(2.0 * phase_space * meson.br_photons / E_CHARGE**2))


def t3r_legs(q_lepton: float, q_up: float, q_down: float) -> Mapping[str, float]:
    """Return strengths {a, b, c} of the legs of A' for right-handed charges, chirality (0, 1), coupling g_R.

    a = -q_l, b = -(q_u - q_d)/2, c = q_u - q_d from the chiral Lagrangian (docs/physics/beam-flux.md); the
    down type is d for pions and s for kaons.
    """
    difference = q_up - q_down
    return {"a": -q_lepton, "b": -0.5 * difference, "c": difference}
