"""Which annihilation channels are open at which points, from the couplings of a model.

Final states that are open at the threshold of the pair of eta share one channel. One that opens above it
("forbidden": it annihilates the fast tail of the distribution) is a channel of its own that starts where it
opens, so that no threshold lies inside an integral.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, TypeVar

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
from globalfit.physics.freeze_out.dark_sector import DarkSector, FinalState, LongitudinalPair, Rows

Numerator: TypeAlias = Callable[[Rows, Rate], Rate]
ALL: Rows = slice(None)
# forbidden channels that open further above threshold, in units of m, are left out: exp(-12 x)
REACH: Final = 12.0


def channels(dark: DarkSector) -> tuple[Channel, ...]:
    """Return all channels; their rates are sums over ordered pairs of eta_1, eta_2."""
    return tuple(channel for initial in _initials(dark) for channel in _through(*initial))


def clearances(dark: DarkSector) -> Array:
    """Return `Channel.clear` (pairs, n) of what is open at the threshold of each pair of eta."""
    found = [
        _clear(pair, _open(finals, pair), _open(others, pair))
        for pair, _, _, finals, _, others in _initials(dark)
    ]
    return np.concatenate(found).reshape(-1, dark.m_eta.size)


def _initials(dark: DarkSector) -> Iterator[Initial]:
    """Return the pairs of eta with a mediator: threshold, points, pole, final states, numerator, others.

    eta_1 eta_1 and eta_2 eta_2 go together, one after the other.
    """
    n = dark.m_eta.size
    axial = dark.current == "axial"
    both, points = _twice(dark), np.arange(2 * n) % n
    m = np.concatenate([dark.m_eta, dark.m_eta + dark.delta_eta])
    y = np.concatenate([dark.y_1, dark.y_2])
    pairs = [
        Pair(2.0 * both.m_aprime, _to_aprime_aprime(both, m, y), both.m_aprime, resonant=True),
        Pair(2.0 * both.m_phi, _to_phi_phi(both, m, y), both.m_phi),
    ]
    if axial:
        own = _to_aprime_phi(both, m, y, y, 1.0)
        pairs.append(Pair(both.m_aprime + both.m_phi, own, both.m_phi))
    pole = Resonance(both.m_phi, both.width_phi)
    yield 2.0 * m, points, pole, both.finals_phi, _scalar(m, y), pairs
    if axial:
        pairs = [
            Pair(2.0 * each.m, _to_longitudinal(both, m, each), both.m_aprime) for each in both.longitudinal
        ]
        pole = Resonance(both.m_aprime, both.width_aprime)
        yield 2.0 * m, points, pole, both.finals_aprime, _axial(both, m), pairs
    else:
        mean = dark.m_eta + 0.5 * dark.delta_eta
        mixed = _to_aprime_phi(dark, mean, dark.y_1, dark.y_2, 2.0)  # 12 and 21
        pairs = [Pair(dark.m_aprime + dark.m_phi, mixed, dark.m_phi)]
        pole = Resonance(dark.m_aprime, dark.width_aprime)
        rate = _vector(dark, m[n:])
        yield 2.0 * mean, points[:n], pole, dark.finals_aprime, rate, pairs


def _twice(dark: DarkSector) -> DarkSector:
    """Return the points twice, the second time after all others."""
    n = dark.m_eta.size

    def twice(values: Array) -> Array:
        return np.concatenate([values, values])

    def final(state: FinalState) -> FinalState:
        def width(sqrt_s: Array, rows: Rows) -> Array:
            return state.width(sqrt_s, np.arange(2 * n)[rows] % n)

        return replace(state, threshold=twice(state.threshold), width=width)

    arrays: dict[str, Any] = {
        name: twice(values) for name, values in vars(dark).items() if isinstance(values, np.ndarray)
    }
    return replace(
        dark,
        **arrays,
        finals_aprime=[final(each) for each in dark.finals_aprime],
        finals_phi=[final(each) for each in dark.finals_phi],
        longitudinal=[LongitudinalPair(twice(each.m), twice(each.g_axial)) for each in dark.longitudinal],
    )


@dataclass(frozen=True)
class Pair:
    """A process beside the decays of the mediator: its threshold (n,) and its rate.

    `clear` (n,) is the distance in MeV from the threshold to the nearest pole of the rate of its own, and
    `rate` gives, for the points in `rows`, w in MeV^2, or with `resonant` the numerator over the propagator
    of the mediator.
    """

    threshold: Array
    rate: Callable[[Rows], Rate]
    clear: Array
    resonant: bool = False


Initial: TypeAlias = tuple[
    Array, NDArray[np.intp], Resonance, Sequence[FinalState], Numerator, Sequence[Pair]
]


def _scalar(m: Array, y: Array) -> Numerator:
    """eta_i eta_i -> phi'* -> X."""

    def rate(rows: Rows, total: Rate) -> Rate:
        mass, coupling = m[rows, None], y[rows, None]
        return lambda sqrt_s: scalar_exchange(sqrt_s, mass, coupling, total(sqrt_s))

    return rate


def _vector(dark: DarkSector, m_2: Array) -> Numerator:
    """eta_1 eta_2 -> A'* -> X, both orders."""

    def rate(rows: Rows, total: Rate) -> Rate:
        one, two, g = dark.m_eta[rows, None], m_2[rows, None], dark.g_eta[rows, None]
        return lambda sqrt_s: vector_exchange(sqrt_s, one, two, g, 2.0 * total(sqrt_s))

    return rate


def _axial(dark: DarkSector, m: Array) -> Numerator:
    """eta_i eta_i -> A'* -> X by the axial current, spin 1."""

    def rate(rows: Rows, total: Rate) -> Rate:
        mass, g = m[rows, None], dark.g_eta[rows, None]
        return lambda sqrt_s: axial_exchange(sqrt_s, mass, g, total(sqrt_s))

    return rate


def _through(
    pair: Array,
    points: NDArray[np.intp],
    pole: Resonance,
    finals: Sequence[FinalState],
    numerator: Numerator,
    others: Sequence[Pair],
) -> Iterator[Channel]:
    """Channels of pairs of eta: one for all that is open at their thresholds (r,), one for each other."""
    shared = _Shared(pole, numerator, _open(finals, pair), _open(others, pair))
    if shared.finals or shared.others:
        clear = _clear(pair, shared.finals, shared.others)
        yield Channel(points, pair, shared.rate(ALL), pole, shared.rate, clear, at_rest=True)
    limit = (1.0 + 0.5 * REACH) * pair
    forbidden = [(final, (final.threshold > pair) & (final.threshold < limit)) for final in finals]
    forbidden = [(final, mask) for final, mask in forbidden if mask.any()]
    if forbidden:
        yield _forbidden(pair, points, pole, forbidden, numerator)
    for other in others:
        rows = np.flatnonzero((other.threshold > pair) & (other.threshold < limit))
        if rows.size:
            resonance = pole.take(rows) if other.resonant else None
            part, start = _of_rows(rows, other.rate), other.threshold[rows]
            clear = np.minimum(start - pair[rows], other.clear[rows])
            yield Channel(points[rows], start, part(ALL), resonance, part, clear)


S = TypeVar("S", FinalState, Pair)


def _open(states: Sequence[S], pair: Array) -> list[tuple[S, Mask]]:
    """Return those that are open at the threshold of the pair at some points, and where."""
    found = [(state, state.threshold <= pair) for state in states]
    return [(state, mask) for state, mask in found if mask.any()]


@dataclass(frozen=True, eq=False)
class _Shared:
    """All that is open at the threshold of a pair."""

    pole: Resonance
    numerator: Numerator
    finals: list[tuple[FinalState, Mask]]
    others: list[tuple[Pair, Mask]]

    def rate(self, rows: Rows) -> Rate:
        """Return the numerator at the points `rows`."""
        finals = [(final, mask[rows]) for final, mask in self.finals]
        points = np.arange(self.pole.mass.size)[rows]
        decays_rate = self.numerator(rows, lambda sqrt_s: sum_widths(finals, sqrt_s, points))
        beside = [(other, np.flatnonzero(mask[rows])) for other, mask in self.others]
        rates = [
            (own, other.rate(points[own]), None if other.resonant else self.pole.take(points[own]))
            for other, own in beside
            if own.size
        ]

        def everything(sqrt_s: Array) -> Array:
            total = decays_rate(sqrt_s)
            for own, rate, pole in rates:
                energy = sqrt_s[own]
                part = rate(energy)
                if pole is not None:
                    part *= pole.inverse_propagator(energy)
                total[own] += part
            return total

        return everything


def _clear(pair: Array, finals: list[tuple[FinalState, Mask]], others: list[tuple[Pair, Mask]]) -> Array:
    """Return how far from the threshold (n,) in MeV the rate of what is open there is smooth."""
    found = np.full_like(pair, np.inf)
    for final, mask in finals:
        near = np.minimum(pair - final.threshold, final.clear_of_kinks(pair))
        found = np.where(mask, np.minimum(found, near), found)
    for other, mask in others:
        found = np.where(mask, np.minimum(found, pair - other.threshold), found)
    return found


def sum_widths(finals: Iterable[tuple[FinalState, Mask]], sqrt_s: Array, points: NDArray[np.intp]) -> Array:
    """Return the sum (r, k) of the partial widths of `points` (r,), each where its mask (r,) is true."""
    total = np.zeros_like(sqrt_s)
    for final, mask in finals:
        if mask.all():
            total += final.width(sqrt_s, points)
        elif mask.any():
            rows = np.flatnonzero(mask)
            total[rows] += final.width(sqrt_s[rows], points[rows])
    return total


def _of_rows(points: NDArray[np.intp], rate: Callable[[Rows], Rate]) -> Callable[[Rows], Rate]:
    """Return the rate at some of some points."""
    return lambda rows: rate(points[rows])


def _forbidden(
    pair: Array,
    points: NDArray[np.intp],
    pole: Resonance,
    finals: Sequence[tuple[FinalState, Mask]],
    numerator: Numerator,
) -> Channel:
    """Return the decays of a mediator that open above the pair of eta, one final state after the other."""
    each = [np.flatnonzero(mask) for _, mask in finals]
    cuts, rows = np.cumsum([0, *map(len, each)]), np.concatenate(each)
    start = np.concatenate([final.threshold[own] for (final, _), own in zip(finals, each, strict=True)])
    clear = np.concatenate(
        [
            np.minimum(final.threshold[own] - pair[own], final.clear_of_kinks(final.threshold[own]))
            * float(final.root)
            for (final, _), own in zip(finals, each, strict=True)
        ]
    )

    def part(few: Rows) -> Rate:
        own = rows[few]
        within = cuts.tolist() if isinstance(few, slice) else np.searchsorted(few, cuts).tolist()
        pieces = [
            (final, slice(low, high))
            for (final, _), low, high in zip(finals, within, within[1:], strict=False)
            if low < high
        ]

        def widths(sqrt_s: Array) -> Array:
            found = np.empty_like(sqrt_s)
            for final, at in pieces:
                found[at] = final.width(sqrt_s[at], own[at])
            return found

        return numerator(own, widths)

    return Channel(points[rows], start, part(ALL), pole.take(rows), part, clear)


def _to_aprime_aprime(dark: DarkSector, m: Array, y: Array) -> Callable[[Rows], Rate]:
    def of(rows: Rows) -> Rate:
        mass, m_a, m_phi, g, coupling, f = _columns(rows, m, dark.m_aprime, dark.m_phi, dark.g_eta, y, dark.f)
        axial, pole = dark.current == "axial", Resonance(dark.m_phi[rows], dark.width_phi[rows])

        def rate(sqrt_s: Array) -> Array:
            return mediator_pairs.all_to_aprime_aprime(
                sqrt_s, mass, m_a, m_phi, g, coupling, f, pole.inverse_propagator(sqrt_s), axial=axial
            )

        return rate

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
