"""Amplitudes from explicit Dirac matrices, summed over spins: nothing shared with the package."""

from __future__ import annotations

import numpy as np

_SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ZERO, _ONE = np.zeros((2, 2)), np.eye(2)
GAMMA = np.array(
    [np.block([[_ONE, _ZERO], [_ZERO, -_ONE]])] + [np.block([[_ZERO, s], [-s, _ZERO]]) for s in _SIGMA]
)
GAMMA5 = np.block([[_ZERO, _ONE], [_ONE, _ZERO]])
UNIT = np.eye(4)
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def slash(v):
    return np.einsum("m,mij->ij", METRIC @ v, GAMMA)


def dot(a, b):
    return a @ METRIC @ b


def polarisations(k, mass):
    """Three real polarisation vectors of a massive vector of momentum k in the xz plane."""
    size = np.linalg.norm(k[1:])
    n = k[1:] / size
    transverse = np.array([0.0, n[2], 0.0, -n[0]]), np.array([0.0, 0.0, 1.0, 0.0])
    longitudinal = np.concatenate([[size], k[0] * n]) / mass
    return (*transverse, longitudinal)


def spin_sum(matrix, p1, m1, p2, m2):
    """Sum over spins of |vbar(p2) matrix u(p1)|^2."""
    bar = GAMMA[0] @ matrix.conj().T @ GAMMA[0]
    return np.trace((slash(p2) - m2 * UNIT) @ matrix @ (slash(p1) + m1 * UNIT) @ bar).real


def momenta(sqrt_s, m1, m2, m3, m4, cosine):
    """Momenta of 1 2 -> 3 4 in the centre of mass."""

    def pair(a, b):
        e = (sqrt_s**2 + a**2 - b**2) / (2 * sqrt_s)
        return e, sqrt_s - e, np.sqrt(e**2 - a**2)

    e1, e2, p = pair(m1, m2)
    e3, e4, k = pair(m3, m4)
    n = np.array([np.sqrt(1 - cosine**2), 0.0, cosine])
    z = np.array([0.0, 0.0, 1.0])
    return (
        np.concatenate([[e1], p * z]),
        np.concatenate([[e2], -p * z]),
        np.concatenate([[e3], k * n]),
        np.concatenate([[e4], -k * n]),
    )


def rate(sqrt_s, m1, m2, m3, m4, squared, identical):
    """8 s p^2 sigma from the summed squared amplitude, by Gauss-Legendre over the angle."""
    cosines, weights = np.polynomial.legendre.leggauss(56)
    integral = sum(
        w * squared(*momenta(sqrt_s, m1, m2, m3, m4, c)) for c, w in zip(cosines, weights, strict=True)
    )
    p1, _, k1, _ = momenta(sqrt_s, m1, m2, m3, m4, 0.3)
    p, k = np.linalg.norm(p1[1:]), np.linalg.norm(k1[1:])
    s = sqrt_s**2
    # sigma = k/(32 pi s p) (1/4) int dcos sum|M|^2, halved for identical final particles
    sigma = k / (32 * np.pi * s * p) * integral / 4 / (2 if identical else 1)
    return 8 * s * p**2 * sigma
