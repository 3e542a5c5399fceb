"""Which annihilation channels are open at which points, from the couplings of a model.

Final states that are open at the threshold of the pair of eta share one channel. One that opens above it
("forbidden": it annihilates the fast tail of the distribution) is a channel of its own that starts where it opens,
so that no threshold lies inside an integral.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array, Mask
from globalfit.physics.freeze_out import mediator_pairs
from globalfit.physics.freeze_out.annihilation import (
    Channel,
    Rate,
    Resonance,
    axial_exchange,
    axial_to_fermions_longitudinal,
    scalar_exchange,
    vector_exchange,
)

Rows: TypeAlias = slice | NDArray[np.intp]
Current = Literal["vector", "axial"]
ALL: Rows = slice(None)
REACH: Final = 5.0  # forbidden channels that open further above threshold, in units of m, are left out: e^-40 at x = 8


@dataclass(frozen=True)
class FinalState:
    """A final state of a mediator.

    Parameters
    ----------
    threshold : array (n,)
        Sum of its masses in MeV.
    width : callable
        ``width(sqrt_s (r, k), rows) -> (r, k)``: partial width in MeV at mass sqrt s, of the points in `rows`.
    """

    threshold: Array
    width: Callable[[Array, Rows], Array]


@dataclass(frozen=True)
class LongitudinalPair:
    """A pair of fermions with an axial current: the spin-0 part of A'* -> f fbar in the axial option.

    `m` (n,) in MeV and `g_axial` (n,), over sqrt2 for a Majorana fermion.
    """

    m: Array
    g_axial: Array


@dataclass(frozen=True)
class DarkSector:
    """Masses (n,) in MeV, couplings (n,) and final states of eta_1, eta_2, A' and phi'.

    Parameters
    ----------
    m_eta, delta_eta, m_aprime, m_phi : array (n,)
        Masses; the gap m_2 - m_1 is not negative.
    width_aprime, width_phi : array (n,)
        Total widths on shell.
    g_eta : array (n,)
        i g etabar_1 gamma^mu eta_2 A'_mu, or with `current` "axial" -(g/2) etabar_i gamma^mu gamma5 eta_i A'_mu.
    y_1, y_2 : array (n,)
        -(1/2) y_i etabar_i eta_i phi'.
    f : array (n,)
        Scale of symmetry breaking in MeV: m_A'^2/f is the coupling of phi' to A'A'.
    finals_aprime, finals_phi : sequence of FinalState
        What the mediators decay to, except eta eta and, for phi', A'A'.
    longitudinal : sequence of LongitudinalPair
        Fermions with an axial current, for the axial option.
    current : {"vector", "axial"}
        How A' couples to eta.
    """

    m_eta: Array
    delta_eta: Array
    m_aprime: Array
    m_phi: Array
    width_aprime: Array
    width_phi: Array
    g_eta: Array
    y_1: Array
    y_2: Array
    f: Array
    finals_aprime: Sequence[FinalState]
    finals_phi: Sequence[FinalState]
    longitudinal: Sequence[LongitudinalPair] = ()
    current: Current = "vector"


def channels(dark: DarkSector) -> tuple[Channel, ...]:
    """Return all channels; their rates are sums over ordered pairs of eta_1, eta_2."""
    found: list[Channel] = []
    m_2 = dark.m_eta + dark.delta_eta
    for m, y in ((dark.m_eta, dark.y_1), (m_2, dark.y_2)):
        found += _scalar(dark, m, y)
        found += _open(2.0 * m, 2.0 * dark.m_phi, _to_phi_phi(dark, m, y))
        found += _open(2.0 * m, 2.0 * dark.m_aprime, _to_aprime_aprime(dark, m, y))
        if dark.current == "axial":
            found += _axial(dark, m)
            found += _open(2.0 * m, dark.m_aprime + dark.m_phi, _to_aprime_phi(dark, m, y, y, 1.0))
    if dark.current == "vector":
        found += _vector(dark, m_2)
        mean = dark.m_eta + 0.5 * dark.delta_eta
        rate = _to_aprime_phi(dark, mean, dark.y_1, dark.y_2, 2.0)  # 12 and 21
        found += _open(2.0 * mean, dark.m_aprime + dark.m_phi, rate)
    return tuple(found)


def _scalar(dark: DarkSector, m: Array, y: Array) -> Iterator[Channel]:
    """eta_i eta_i -> phi'* -> X; with X = A'A' its interference with the exchange of eta."""

    def rate(rows: Rows, total: Callable[[Array], Array]) -> Rate:
        mass, coupling = m[rows, None], y[rows, None]
        return lambda sqrt_s: scalar_exchange(sqrt_s, mass, coupling, total(sqrt_s))

    pole = Resonance(dark.m_phi, dark.width_phi)
    yield from _through(2.0 * m, pole, dark.finals_phi, rate)
    yield from _open(2.0 * m, 2.0 * dark.m_aprime, _phi_to_aprime_aprime(dark, m, y), pole)


def _vector(dark: DarkSector, m_2: Array) -> Iterator[Channel]:
    """eta_1 eta_2 -> A'* -> X, both orders."""

    def rate(rows: Rows, total: Callable[[Array], Array]) -> Rate:
        one, two, g = dark.m_eta[rows, None], m_2[rows, None], dark.g_eta[rows, None]
        return lambda sqrt_s: vector_exchange(sqrt_s, one, two, g, 2.0 * total(sqrt_s))

    pole = Resonance(dark.m_aprime, dark.width_aprime)
    yield from _through(dark.m_eta + m_2, pole, dark.finals_aprime, rate)


def _axial(dark: DarkSector, m: Array) -> Iterator[Channel]:
    """eta_i eta_i -> A'* -> X by the axial current: spin 1 through the pole, spin 0 without one."""

    def rate(rows: Rows, total: Callable[[Array], Array]) -> Rate:
        mass, g = m[rows, None], dark.g_eta[rows, None]
        return lambda sqrt_s: axial_exchange(sqrt_s, mass, g, total(sqrt_s))

    yield from _through(2.0 * m, Resonance(dark.m_aprime, dark.width_aprime), dark.finals_aprime, rate)
    for pair in dark.longitudinal:
        yield from _open(2.0 * m, 2.0 * pair.m, _to_longitudinal(dark, m, pair))


def _through(
    pair: Array,
    pole: Resonance,
    finals: Sequence[FinalState],
    rate: Callable[[Rows, Callable[[Array], Array]], Rate],
) -> Iterator[Channel]:
    """Channels of a mediator: one for all final states open at the threshold `pair` (n,), one for each other."""
    is_open = [final.threshold <= pair for final in finals]
    sharing = [(final, mask) for final, mask in zip(finals, is_open, strict=True) if mask.any()]

    def total(sqrt_s: Array) -> Array:
        return sum_widths(sharing, sqrt_s)

    if sharing:
        yield Channel(ALL, pair, rate(ALL, total), pole)
    for final, mask in zip(finals, is_open, strict=True):
        rows = np.flatnonzero(~mask & (final.threshold < (1.0 + 0.5 * REACH) * pair))
        if rows.size:
            resonance = Resonance(pole.mass[rows], pole.width[rows])
            partial = _partial(final, rows)
            yield Channel(rows, final.threshold[rows], rate(rows, partial), resonance)


def sum_widths(finals: Iterable[tuple[FinalState, Mask]], sqrt_s: Array) -> Array:
    """Return the sum (n, k) of the partial widths at mass sqrt s, each where its mask (n,) is true."""
    total = np.zeros_like(sqrt_s)
    for final, mask in finals:
        if mask.all():
            total += final.width(sqrt_s, ALL)
        else:
            rows = np.flatnonzero(mask)
            total[rows] += final.width(sqrt_s[rows], rows)
    return total


def _partial(final: FinalState, rows: Rows) -> Callable[[Array], Array]:
    return lambda sqrt_s: final.width(sqrt_s, rows)


def _open(
    pair: Array, final: Array, rate: Callable[[Rows], Rate], pole: Resonance | None = None
) -> Iterator[Channel]:
    """A final state with a threshold of its own: where it is open at once, and where it is forbidden."""
    forbidden = (final > pair) & (final < (1.0 + 0.5 * REACH) * pair)
    for rows in (np.flatnonzero(final <= pair), np.flatnonzero(forbidden)):
        if rows.size:
            resonance = None if pole is None else Resonance(pole.mass[rows], pole.width[rows])
            yield Channel(rows, np.maximum(pair, final)[rows], rate(rows), resonance)


def _phi_to_aprime_aprime(dark: DarkSector, m: Array, y: Array) -> Callable[[Rows], Rate]:
    def of(rows: Rows) -> Rate:
        mass, m_a, m_phi, g, coupling, f = _columns(rows, m, dark.m_aprime, dark.m_phi, dark.g_eta, y, dark.f)
        axial = dark.current == "axial"

        def rate(sqrt_s: Array) -> Array:
            return mediator_pairs.through_phi_to_aprime_aprime(
                sqrt_s, mass, m_a, m_phi, g, coupling, f, axial=axial
            )

        return rate

    return of


def _to_aprime_aprime(dark: DarkSector, m: Array, y: Array) -> Callable[[Rows], Rate]:
    def of(rows: Rows) -> Rate:
        mass, m_a, g = _columns(rows, m, dark.m_aprime, dark.g_eta)
        axial = dark.current == "axial"
        return lambda sqrt_s: mediator_pairs.to_aprime_aprime(sqrt_s, mass, m_a, g, axial=axial)

    return of


def _to_phi_phi(dark: DarkSector, m: Array, y: Array) -> Callable[[Rows], Rate]:
    def of(rows: Rows) -> Rate:
        mass, m_phi, coupling, f = _columns(rows, m, dark.m_phi, y, dark.f)
        return lambda sqrt_s: mediator_pairs.to_phi_phi(sqrt_s, mass, m_phi, coupling, f)

    return of


def _to_aprime_phi(
    dark: DarkSector, m: Array, y_1: Array, y_2: Array, orders: float
) -> Callable[[Rows], Rate]:
    def of(rows: Rows) -> Rate:
        mass, m_a, m_phi, g, one, two, f = _columns(
            rows, m, dark.m_aprime, dark.m_phi, dark.g_eta, y_1, y_2, dark.f
        )
        axial = dark.current == "axial"

        def rate(sqrt_s: Array) -> Array:
            w = mediator_pairs.to_aprime_phi(sqrt_s, mass, m_a, m_phi, g, one, two, f, axial=axial)
            return orders * w

        return rate

    return of


def _to_longitudinal(dark: DarkSector, m: Array, pair: LongitudinalPair) -> Callable[[Rows], Rate]:
    def of(rows: Rows) -> Rate:
        mass, g, m_a, m_f, g_f = _columns(rows, m, dark.g_eta, dark.m_aprime, pair.m, pair.g_axial)
        return lambda sqrt_s: axial_to_fermions_longitudinal(sqrt_s, mass, g, m_a, m_f, g_f)

    return of


def _columns(rows: Rows, *values: Array) -> tuple[Array, ...]:
    return tuple(value[rows, None] for value in values)
