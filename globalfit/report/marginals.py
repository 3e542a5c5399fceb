"""Each parameter by itself: its posterior beside its prior and its profile likelihood."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.chains.axes import Axis, axis_for
from globalfit.chains.chain import Chain
from globalfit.chains.export.arviz import SHAPES
from globalfit.errors import GlobalfitError
from globalfit.fit import Fit
from globalfit.report.drawing import BLUE, GREY, ORANGE, Drawing, grid
from globalfit.report.markup import printable
from globalfit.report.profiles import profiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 50


@dataclass(frozen=True, eq=False)
class Marginal:
    """What is drawn of one parameter; densities are over the highest of the posterior.

    Attributes
    ----------
    axis : Axis
    span : (low, high)
    edges, posterior : (BINS + 1,), (BINS,)
    centres : (BINS,)
    prior, profile : (BINS,) or None
    interval : (low, high) or None
        Central 68 %.
    best : float
    """

    axis: Axis
    span: tuple[float, float]
    edges: Array
    posterior: Array
    centres: Array
    prior: Array | None
    profile: Array | None
    interval: tuple[float, float] | None
    best: float


def marginals(
    chain: Chain, discard: int, *, converged: bool, fit: Fit | None = None
) -> tuple[list[Marginal], str]:
    """Return the distribution of each parameter with its prior and profile, and what to call the profile.

    Without the fit the profile is the highest likelihood of any sample in a bin.
    """
    best = chain.best()
    lines = {name: _line(chain, name, discard) for name in chain.names}
    profiled, label = _profiles(chain, fit, lines, discard)
    found = []
    for name, (axis, samples, span, places, edges) in lines.items():
        counts = np.histogram(places, BINS, (edges[0], edges[-1]))[0] / (len(samples) * (edges[1] - edges[0]))
        highest = float(counts.max()) or 1.0
        centres = _back(axis, 0.5 * (edges[1:] + edges[:-1]))
        prior = _prior_density(chain, axis, centres)
        low, high = axis.place(np.quantile(samples, [0.16, 0.84])).tolist()
        found.append(
            Marginal(
                axis,
                (float(axis.place(np.array(span[0]))), float(axis.place(np.array(span[1])))),
                axis.place(_back(axis, edges)),
                counts / highest,
                axis.place(centres),
                None if prior is None else prior / highest,
                profiled.get(name),
                (low, high) if converged else None,
                float(axis.place(np.array(best[name]))),
            )
        )
    return found, label


def marginals_figure(rows: Sequence[Marginal], label: str, *, converged: bool) -> Drawing:
    """Draw what `marginals` returned."""

    def draw(panel: Axes, row: Marginal) -> None:
        panel.stairs(row.posterior, row.edges, fill=True, color=BLUE, alpha=0.35, label="posterior")
        panel.stairs(row.posterior, row.edges, color=BLUE, lw=1.2)
        if row.profile is not None:
            panel.step(row.centres, row.profile, where="mid", color=ORANGE, lw=1.2, label=label)
        if row.prior is not None:
            panel.plot(row.centres, row.prior, color=GREY, ls="--", lw=1.2, label="prior")
        if row.interval is not None:
            panel.axvspan(*row.interval, color=BLUE, alpha=0.12, lw=0, label="68 %")
        panel.axvline(row.best, color="black", ls=":", lw=1.0, label="best")
        if row.axis.scale == "log":
            panel.set_xscale("log")
        panel.set_xlim(*row.span)
        panel.set_ylim(0.0, 1.15)
        panel.set_yticks([])
        row.axis.dress(panel.xaxis, *row.span, labelled=True)
        panel.set_xlabel(printable(row.axis.caption(*row.span)))

    figure = grid(rows, draw, stamped=not converged)
    alt = f"one panel for each of {', '.join(row.axis.name for row in rows)}: posterior, prior and {label}"
    return Drawing("marginals", "Parameters one by one", alt, figure)


class Line(NamedTuple):
    """A parameter along its axis: samples and their places (n,), and the bins' edges."""

    axis: Axis
    samples: Array
    span: tuple[float, float]
    places: Array
    edges: Array

    def bins(self, values: Array) -> NDArray[np.intp]:
        """Return the bins of physical values, those beyond the ends in the outermost."""
        return np.clip(np.digitize(_unit(self.axis, values), self.edges) - 1, 0, BINS - 1)


def _line(chain: Chain, name: str, discard: int) -> Line:
    axis = axis_for(chain, name)
    samples = chain.get(name, discard=discard, thin=chain.stride)
    span = _span(chain, axis, samples)
    places = _unit(axis, samples)
    low, high = _unit(axis, np.array(span)).tolist()
    return Line(axis, samples, span, places, np.linspace(low, high, BINS + 1))


def _profiles(
    chain: Chain, fit: Fit | None, lines: Mapping[str, Line], discard: int
) -> tuple[dict[str, Array], str]:
    """Return the likelihood in bins of each parameter over its maximum, and what to call it."""
    if fit is not None:
        where = {name: each.bins for name, each in lines.items()}
        found = profiles(chain, fit, where, BINS, discard=discard)
        return {name: np.exp(each) for name, each in found.items()}, "profile likelihood"
    total = _sum_of_likelihoods(chain, discard)
    ratios: dict[str, Array] = {}
    if total is not None:
        for name, line in lines.items():
            ratios[name] = np.zeros(BINS)
            np.maximum.at(ratios[name], line.bins(line.samples), np.exp(total - total.max()))
    return ratios, "highest likelihood of a sample"


def _sum_of_likelihoods(chain: Chain, discard: int) -> Array | None:
    if not chain.likelihoods:
        return None
    total = None
    for row in chain.likelihoods:
        found = chain.get(f"ll_{row['name']}", discard=discard, thin=chain.stride)
        total = found if total is None else total + found
    return total


def _span(chain: Chain, axis: Axis, samples: Array) -> tuple[float, float]:
    """Return the range of a panel in physical values: the samples and a margin, not beyond the prior."""
    inside = _unit(axis, np.quantile(samples, [0.0005, 0.9995]))
    margin = 0.08 * float(inside[1] - inside[0]) or 0.5
    low, high = _back(axis, np.array([inside[0] - margin, inside[1] + margin]))
    row = chain.row(axis.name)
    if not axis.gap:
        low = max(low, row["low"]) if math.isfinite(row["low"]) else low
        high = min(high, row["high"]) if math.isfinite(row["high"]) else high
    return float(low), float(high)


def _unit(axis: Axis, x: Array) -> Array:
    """Return where values are on an axis that is drawn linearly."""
    if axis.gap:
        return axis.place(x)
    return np.log(x) if axis.scale == "log" else x


def _back(axis: Axis, u: Array) -> Array:
    """Return the inverse of `_unit`."""
    if axis.gap:
        found: Array = np.copysign(axis.gap * 10.0 ** np.abs(u), u)
        return found
    return np.exp(u) if axis.scale == "log" else u


def _prior_density(chain: Chain, axis: Axis, x: Array) -> Array | None:
    """Return the prior's density a unit of the drawn axis; None of a shape that globalfit does not ship."""
    try:
        options = dict(json.loads(chain.row(axis.name)["prior"]))
        made = SHAPES.get(str(options.pop("shape", "")))
        if made is None:
            return None
        density: Array = np.exp(made(**options).log_density(x))
    except (ValueError, TypeError, KeyError, GlobalfitError):
        return None
    if axis.gap:
        return density * np.abs(x) * math.log(10.0)
    return density * x if axis.scale == "log" else density
