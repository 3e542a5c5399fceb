"""Annihilation of eta_1, eta_2 through phi' and A' in the s channel, as rates.

A rate is w(sqrt s) = sum over ordered pairs ij of 8 s p^2 sigma_ij in MeV^2, p the momentum of the pair:
what the thermal average integrates. For a resonance it follows from the widths at mass sqrt s alone,

    8 s p^2 sigma = 8 pi (2J + 1) S s^2 Gamma_in(sqrt s) Gamma_X(sqrt s) / |s - M^2 + i M Gamma|^2,

with S = 2 for identical particles (their width carries 1/2), averaged over four initial spin states. For phi'
this is sigma = y^2 beta sqrt s Gamma_X/(2 |D|^2), for A' sigma = g^2 (s + 2 m^2) Gamma_X/(beta sqrt s |D|^2).
Derivation: docs/physics/relic-density.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import pi
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.physics import decays

Rate: TypeAlias = Callable[[Array], Array]


@dataclass(frozen=True)
class Resonance:
    """A mediator in the s channel: mass (n,) and total width (n,) in MeV."""

    mass: Array
    width: Array

    def take(self, rows: NDArray[np.intp]) -> Resonance:
        """Return the pole of the points in `rows`."""
        return Resonance(self.mass[rows], self.width[rows])

    def inverse_propagator(self, sqrt_s: Array) -> Array:
        """Return |s - M^2 + i M Gamma|^2 (n, k) in MeV^4."""
        m = self.mass[:, None]
        found = sqrt_s - m
        found *= sqrt_s + m
        found *= found
        found += (m * self.width[:, None]) ** 2
        return found


@dataclass(frozen=True)
class Channel:
    """One or several processes that open at the same energy, at some of the points.

    Parameters
    ----------
    points : slice or array of int (r,)
        The points that have it: rising, or rising several times, as for the pair of eta_2.
    threshold : array (r,)
        sqrt s in MeV from which the rate is integrated: the larger of the initial and the final masses.
    rate : callable
        ``rate(sqrt_s (r, k)) -> (r, k)`` in MeV^2, at and above the threshold; with a `resonance` it is the
        numerator N, in MeV^6, of w = N/|s - M^2 + i M Gamma|^2.
    resonance : Resonance or None
        The pole, (r,).
    part : callable or None
        ``part(rows (q,))`` is the `rate` of some of the `points` alone.
    clear : array (r,) or None
        Distance in MeV from the threshold to the nearest energy, other than that of the pole, where the rate
        is not smooth; None or 0 where it is not known.
    at_rest : bool
        It opens at the threshold of the pair of eta, at all points.
    """

    points: slice | NDArray[np.intp]
    threshold: Array
    rate: Rate
    resonance: Resonance | None = None
    part: Callable[[NDArray[np.intp]], Rate] | None = None
    clear: Array | None = None
    at_rest: bool = False

    def take(self, rows: NDArray[np.intp]) -> Channel:
        """Return the channel at the entries `rows` of its points."""
        part = self.part
        if part is None:
            raise TypeError("this channel has no parts")
        points = rows if isinstance(self.points, slice) else self.points[rows]
        pole = None if self.resonance is None else self.resonance.take(rows)
        clear = None if self.clear is None else self.clear[rows]
        return Channel(points, self.threshold[rows], part(rows), pole, lambda few: part(rows[few]), clear)

    def among(self, points: NDArray[np.intp], n: int) -> Channel:
        """Return the channel at some of all `n` points, rising, which are then counted from 0."""
        place = np.full(n, -1)
        place[points] = np.arange(points.size)
        own = place[self.points]
        rows = np.flatnonzero(own >= 0)
        return replace(self.take(rows), points=own[rows])

    def add(self, values: Array, total: Array) -> None:
        """Add values (r, ...) to those of their points (n, ...)."""
        if isinstance(self.points, slice):
            total += values
            return
        again = np.flatnonzero(self.points[1:] <= self.points[:-1]) + 1
        for low, high in pairwise((0, *again.tolist(), len(values))):
            total[self.points[low:high]] += values[low:high]


def together(channels: Sequence[Channel]) -> Channel:
    """Return channels that all have a pole, or none of which has one, as one: row after row."""
    if len(channels) == 1:
        return channels[0]
    cuts = np.cumsum([0, *(each.threshold.size for each in channels)])
    poles = [each.resonance for each in channels if each.resonance is not None]

    def joined(rates: Sequence[tuple[Rate, slice]]) -> Rate:
        def rate(sqrt_s: Array) -> Array:
            found = np.empty_like(sqrt_s)
            for each, rows in rates:
                found[rows] = each(sqrt_s[rows])
            return found

        return rate

    def part(rows: NDArray[np.intp]) -> Rate:
        rates, within = [], np.searchsorted(rows, cuts).tolist()
        for each, first, (low, high) in zip(channels, cuts.tolist(), pairwise(within), strict=False):
            if low < high:
                rates.append((each.take(rows[low:high] - first).rate, slice(low, high)))
        return joined(rates)

    whole = zip(
        (each.rate for each in channels), (slice(*pair) for pair in pairwise(cuts.tolist())), strict=True
    )
    return Channel(
        np.concatenate([each.points for each in channels]),
        np.concatenate([each.threshold for each in channels]),
        joined(list(whole)),
        Resonance(
            np.concatenate([each.mass for each in poles]), np.concatenate([each.width for each in poles])
        )
        if poles
        else None,
        part,
        np.concatenate([np.zeros_like(e.threshold) if e.clear is None else e.clear for e in channels]),
        all(each.at_rest for each in channels),
    )


def resonant(spin: int, identical: bool, sqrt_s: Array, width_in: Array, width_out: Array) -> Array:
    """Return the numerator N (n, k) in MeV^6 of a rate through a mediator of this spin, one ordered pair.

    Parameters
    ----------
    sqrt_s : array (n, k)
        Energy in MeV.
    width_in, width_out : array (n, k)
        Widths in MeV, at mass sqrt s, into the initial pair and into the final states.
    """
    statistics = 2.0 if identical else 1.0
    s = sqrt_s * sqrt_s
    rate: Array = (8.0 * pi * (2 * spin + 1) * statistics) * s
    rate *= s
    rate *= width_in
    rate *= width_out
    return rate


def scalar_exchange(sqrt_s: Array, m_eta: Array, y_eta: Array, width_out: Array) -> Array:
    """Return N (n, k) of eta eta -> phi'* -> X, identical Majorana fermions: p-wave."""
    return resonant(0, True, sqrt_s, decays.scalar_to_majorana_pair(sqrt_s, m_eta, y_eta), width_out)


def vector_exchange(sqrt_s: Array, m_1: Array, m_2: Array, g_eta: Array, width_out: Array) -> Array:
    """Return N (n, k) of eta_1 eta_2 -> A'* -> X through the off-diagonal vector current: s-wave."""
    return resonant(1, False, sqrt_s, decays.vector_to_two_majorana(sqrt_s, m_1, m_2, g_eta), width_out)


def axial_exchange(sqrt_s: Array, m_eta: Array, g_eta: Array, width_out: Array) -> Array:
    """Return N (n, k) of eta eta -> A'* -> X through the diagonal axial current, its spin-1 part: p-wave."""
    return resonant(1, True, sqrt_s, decays.vector_to_majorana_pair(sqrt_s, m_eta, g_eta), width_out)


def axial_to_fermions_longitudinal(
    sqrt_s: Array, m_eta: Array, g_eta: Array, m_aprime: Array, m_f: Array | float, g_axial: Array
) -> Array:
    """Return the rate w (n, k) of the spin-0 part of eta eta -> A'* -> f fbar, for axial currents.

    The longitudinal propagator q q/(s M^2) has no pole, and each current gives 2 m times its pseudoscalar:
    an s-wave suppressed by (m_eta m_f/M^2)^2. It does not interfere with the spin-1 part.

    Parameters
    ----------
    g_eta : array (n, 1)
        L = -(g_eta/2) eta gamma^mu gamma5 eta A'_mu.
    g_axial : array (n, 1)
        Coupling to a Dirac fermion f; for a Majorana one of L = (g/2) psi gamma^mu gamma5 psi A'_mu give
        g/sqrt2, which is its pair of identical particles.
    """
    s = sqrt_s**2
    p = 0.5 * sqrt_s * _beta(s, m_eta)
    k = 0.5 * sqrt_s * _beta(s, m_f)
    # q.J = 2 m g psibar gamma5 psi; the sum over spins of |psibar gamma5 psi|^2 is 2 s
    amplitude2 = (4.0 * g_eta * g_axial * m_eta * m_f / (s * m_aprime**2)) ** 2 * 4.0 * s**2
    return p * k / (8.0 * pi) * amplitude2


def _beta(s: Array, m: Array | float) -> Array:
    x: Array = 1.0 - 4.0 * m**2 / s
    return x.clip(0.0) ** 0.5
