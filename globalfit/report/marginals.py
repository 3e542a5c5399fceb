"""Each parameter by itself: its posterior beside its prior and its profile likelihood."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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


def marginals(chain: Chain, discard: int, *, converged: bool, fit: Fit | None = None) -> Drawing:
    """Return the distribution of each parameter beside its prior and its profile likelihood.

    Without the fit the profile is the highest likelihood of any sample in a bin.
    """
    best = chain.best()
    lines = {name: _line(chain, name, discard) for name in chain.names}
    ratios, label = _profiles(chain, fit, lines, discard)

    def draw(panel: Axes, name: str) -> None:
        axis, samples, span, places, edges = lines[name]
        counts = np.histogram(places, edges)[0] / (len(samples) * (edges[1] - edges[0]))
        highest = float(counts.max()) or 1.0
        centres = _back(axis, 0.5 * (edges[1:] + edges[:-1]))
        panel.stairs(
            counts / highest, _back(axis, edges), fill=True, color=BLUE, alpha=0.35, label="posterior"
        )
        panel.stairs(counts / highest, _back(axis, edges), color=BLUE, lw=1.2)
        if name in ratios:
            panel.step(axis.place(centres), ratios[name], where="mid", color=ORANGE, lw=1.2, label=label)
        density = _prior_density(chain, axis, centres)
        if density is not None:
            panel.plot(axis.place(centres), density / highest, color=GREY, ls="--", lw=1.2, label="prior")
        if converged:
            low, high = np.quantile(samples, [0.16, 0.84])
            panel.axvspan(low, high, color=BLUE, alpha=0.12, lw=0, label="68 %")
        panel.axvline(
            float(axis.place(np.array([best[name]]))[0]), color="black", ls=":", lw=1.0, label="best"
        )
        if axis.scale == "log":
            panel.set_xscale("log")
        panel.set_xlim(*axis.place(np.array(span)))
        panel.set_ylim(0.0, 1.15)
        panel.set_yticks([])
        axis.dress(panel.xaxis, *axis.place(np.array(span)), labelled=True)
        panel.set_xlabel(printable(axis.caption(*span)))

    figure = grid(list(chain.names), draw, stamped=not converged)
    alt = f"one panel for each of {', '.join(chain.names)}: posterior, prior and {label}"
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
