"""Rates and their theory modes at n points: constant coefficients once a bin, mediators at every q^2 node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.errors import ModelError
from globalfit.physics.flavour.forms import FlavourForms, Group, group, grouped
from globalfit.physics.flavour.operators import Kind, directions
from globalfit.physics.wilson import Exchange, Lepton, Strengths, WilsonCoefficients

_BLOCK = 256  # points whose node values are worked on together: the arrays stay in the cache
# m Gamma / (q^2 - m^2) below which the absorptive part of a propagator is left out: it enters a rate through
# its interference with absorptive parts of the Standard Model, themselves a few per cent.
_NARROW = 1e-5

Index: TypeAlias = NDArray[np.intp] | slice


@dataclass(frozen=True)
class Rates:
    """Central values {channel: (n,)} and theory modes {channel: (r, n)}: one-sigma shifts."""

    central: dict[str, Array]
    modes: dict[str, Array]


class Moving(NamedTuple):
    """One exchange as a decay sees it: numerators by direction."""

    exchange: Exchange
    numerators: dict[int, Array]


def run(forms: FlavourForms, wilson: WilsonCoefficients) -> dict[Lepton, dict[str, Array]]:
    """Return the constant coefficients at 4.8 GeV, {lepton: {operator: (n,)}}.

    Raises
    ------
    ModelError
        If the forms know no running from the scale at which they are set.
    """
    if wilson.scale == 4.8:
        return {lepton: dict(part) for lepton, part in wilson.constant.items()}
    if wilson.scale not in forms.running:
        known = ", ".join(f"{scale:g}" for scale in (*forms.running, 4.8))
        raise ModelError("flavour forms", f"no running from {wilson.scale:g} GeV", f"choose one of {known}")
    for part in wilson.constant.values():
        for op in ("C7", "C7p"):
            if op in part:
                raise ModelError(
                    "flavour forms", f"'{op}' is not run from {wilson.scale:g} GeV", "set it at 4.8 GeV"
                )
    out: dict[Lepton, dict[str, Array]] = {"mu": {}, "e": {}}
    for (lepton, operator), sources in forms.running[wilson.scale].items():
        for source, name, factor in sources:
            if name in wilson.constant.get(source, {}):
                term = factor * wilson.constant[source][name]
                out[lepton][operator] = out[lepton][operator] + term if operator in out[lepton] else term
    return out


def rates(
    forms: FlavourForms, wilson: WilsonCoefficients, names: Sequence[str], errors: bool = True
) -> Rates:
    """Return bin-averaged rates of the channels `names` and, with `errors`, their theory modes.

    Raises
    ------
    ModelError
        If a channel is unknown, or a mediator's pole lies inside a bin.
    """
    central: dict[str, Array] = {}
    modes: dict[str, Array] = {}
    constant = run(forms, wilson)
    for (kind, lepton), members in grouped(forms, tuple(names)).items():
        fixed = _combine(kind, constant.get(lepton, {}))
        moving = [
            Moving(x, _combine(kind, x.numerators(lepton, kind == "leptonic"), drop_zero=True))
            for x in wilson.exchanges
        ]
        moving = [each for each in moving if each.numerators]
        active = tuple(sorted({*fixed, *(i for each in moving for i in each.numerators)}))
        imaginary = any(np.iscomplexobj(c) for c in fixed.values())
        folded = group(forms, members, active, imaginary)
        shifts: Sequence[Array] = ()
        if moving:
            values, shifts = _split_by_width(forms, folded, fixed, moving, imaginary, errors)
        else:
            products = monomials_first(_variables(folded.active, fixed, imaginary, wilson.n))
            values = folded.constant @ products
            if errors:
                every = folded.error_constant @ products
                shifts = [every[rows] for rows in folded.rows]
        central |= zip(members, values, strict=True)
        modes |= zip(members if errors else (), shifts, strict=True)
    return Rates(central, modes)


def monomials_first(x: Array) -> Array:
    """Return x_i x_j, i <= j, of variables on the first axis: (p, ...) to (p (p + 1) / 2, ...)."""
    p = len(x)
    out = np.empty((p * (p + 1) // 2, *x.shape[1:]), dtype=x.dtype)
    start = 0
    for i in range(p):
        np.multiply(x[i], x[i:], out=out[start : start + p - i])
        start += p - i
    return out


def _combine(kind: Kind, strengths: Strengths, drop_zero: bool = False) -> dict[int, Array]:
    """Return {direction: (n,)} from {operator: (n,)}; `drop_zero` leaves out what vanishes everywhere."""
    found: dict[int, Array] = {}
    for i, direction in enumerate(directions(kind)):
        for op, sign in direction:
            if op in strengths and not (drop_zero and not np.any(strengths[op])):
                found[i] = found[i] + sign * strengths[op] if i in found else sign * strengths[op]
    return found


def _split_by_width(
    forms: FlavourForms,
    folded: Group,
    fixed: Mapping[int, Array],
    moving: list[Moving],
    imaginary: bool,
    errors: bool,
) -> tuple[Array, list[Array]]:
    """Evaluate points with a wide mediator with complex propagators, all others with real ones."""
    low = min(forms.channel(name).channel.bin[0] for name in folded.names)
    n = len(moving[0].exchange.mass)
    wide = np.full(n, imaginary)
    for each in moving:
        x = each.exchange
        distance = low - (1e-3 * x.mass) ** 2
        if not np.all(distance > 0.0):
            raise ModelError(
                f"m_{x.mediator}",
                f"{float(x.mass[np.argmin(distance)]):.6g} MeV puts its pole into a bin, q^2 > {low:g} GeV^2",
                f"keep it below {1e3 * low**0.5:.1f} MeV or choose measurements with higher bins",
            )
        wide |= 1e-6 * x.mass * x.width > _NARROW * distance
    values = np.empty((len(folded.names), n))
    shifts = [np.empty((len(modes), n)) for modes in folded.error_flat] if errors else []
    for index, absorptive in ((np.flatnonzero(~wide), False), (np.flatnonzero(wide), True)):
        if not len(index):
            continue
        chosen = group(forms, folded.names, folded.active, absorptive)
        part = [Moving(_cut(x, index), _take(numerators, index)) for x, numerators in moving]
        values[:, index], found = _at_nodes(forms, chosen, _take(fixed, index), part, absorptive, errors)
        for shift, here in zip(shifts, found, strict=True):
            shift[:, index] = here
    return values, shifts


def _cut(x: Exchange, index: Index) -> Exchange:
    return Exchange(x.mediator, x.mass[index], x.width[index], {}, x.longitudinal)


def _take(values: Mapping[int, Array], index: Index) -> dict[int, Array]:
    return {i: c[index] for i, c in values.items()}


def _variables(active: Sequence[int], values: Mapping[int, Array], imaginary: bool, n: int) -> Array:
    """Return (1, Re y[, Im y]) of constant coefficients, shape (p, n)."""
    x = np.empty((1 + (1 + imaginary) * len(active), n))
    x[0] = 1.0
    for row, i in enumerate(active, start=1):
        x[row] = values[i].real
        if imaginary:
            x[row + len(active)] = values[i].imag
    return x


def _at_nodes(
    forms: FlavourForms,
    folded: Group,
    fixed: Mapping[int, Array],
    moving: list[Moving],
    imaginary: bool,
    errors: bool,
) -> tuple[Array, list[Array]]:
    n = len(moving[0].exchange.mass)
    values = np.empty((len(folded.names), n))
    shifts = [np.empty((len(modes), n)) for modes in folded.error_flat] if errors else []
    error_q2 = np.concatenate([forms.channel(name).error_q2 for name in folded.names])
    for start in range(0, n, _BLOCK):
        cut = slice(start, min(start + _BLOCK, n))
        here = _take(fixed, cut)
        parts = [Moving(_cut(x, cut), _take(numerators, cut)) for x, numerators in moving]
        x = _variables_at(folded.q2, folded.active, here, parts, cut.stop - cut.start, imaginary)
        amplitudes = folded.factor @ x
        np.square(amplitudes, out=amplitudes)
        values[:, cut] = np.add.reduceat(amplitudes.sum(axis=1), folded.starts, axis=0)
        if errors:
            x = _variables_at(error_q2, folded.active, here, parts, cut.stop - cut.start, False)
            products = monomials_first(np.swapaxes(x, 0, 1))  # (m, nodes, points)
            at = 0
            for shift, modes in zip(shifts, folded.error_flat, strict=True):
                ke = modes.shape[1] // len(products)
                shift[:, cut] = modes @ products[:, at : at + ke].reshape(modes.shape[1], -1)
                at += ke
    return values, shifts


def _variables_at(
    q2: Array,
    active: Sequence[int],
    fixed: Mapping[int, Array],
    moving: Sequence[Moving],
    n: int,
    imaginary: bool,
) -> Array:
    """Return (1, Re y[, Im y]) at the nodes `q2` (k,), y = constant + numerators * propagators: (k, p, n)."""
    a = len(active)
    x = np.empty((len(q2), 1 + (1 + imaginary) * a, n))
    x[:, 0] = 1.0
    propagators = [exchange.propagator(q2) for exchange, _ in moving]
    term = np.empty((len(q2), n))
    for part in range(1 + imaginary):
        for row, i in enumerate(active, start=1 + part * a):
            constant = (fixed[i].imag if part else fixed[i].real) if i in fixed else 0.0
            terms = [
                (p[part], m.numerators[i])
                for p, m in zip(propagators, moving, strict=True)
                if i in m.numerators
            ]
            if not terms:
                x[:, row] = constant
                continue
            np.multiply(*terms[0], out=x[:, row])
            for propagator, numerator in terms[1:]:
                x[:, row] += np.multiply(propagator, numerator, out=term)
            if i in fixed:
                x[:, row] += constant
    return x
