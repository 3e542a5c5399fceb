"""The figures of a report: corner plot, marginals with prior and profile, pulls, spectra, observables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.chains.axes import Axis, axis_for
from globalfit.chains.chain import Chain
from globalfit.chains.export.arviz import SHAPES
from globalfit.errors import GlobalfitError
from globalfit.fit import Fit
from globalfit.report.data import Datum, Spectrum
from globalfit.report.markup import printable
from globalfit.report.predictive import Predictive
from globalfit.report.profiles import profiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # Okabe & Ito, colour-blind safe
BANDS = ((0, 4, 0.25, "95 %"), (1, 3, 0.5, "68 %"))  # quantiles, opacity
BINS = 50
FEW = 30  # bins for some hundred samples
FARTHEST = 12.0  # pulls beyond are drawn at the edge
DRAWN = 40_000  # samples in a corner plot; enough at this size
WIDE, HIGH = 2.9, 2.2  # inches of a panel
PIXELS = 1500  # width of a corner plot
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.linewidth": 0.8,
    "svg.hashsalt": "globalfit",
    "svg.fonttype": "path",
}
TITLES = {
    "signal_nu": ("neutrino mode", r"$E_\nu^\mathrm{QE}$ [MeV]"),
    "signal_nubar": ("antineutrino mode", r"$E_\nu^\mathrm{QE}$ [MeV]"),
    "signal_costheta": ("angle to the beam", r"$\cos\theta$"),
    "signal_evis": ("visible energy", r"$E_\mathrm{vis}$ [MeV]"),
}


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure with what is said of it.

    Attributes
    ----------
    key, title : str
        Its id in a page, and its heading.
    alt : str
        What it shows, for those who do not see it.
    figure : Figure
    dense : bool
        Of so many elements that pixels take less room than curves.
    """

    key: str
    title: str
    alt: str
    figure: Figure
    dense: bool = False

    def image(self) -> tuple[bytes, str]:
        """Return the figure as SVG, or as PNG if it is dense, with its media type."""
        import matplotlib as mpl

        buffer = BytesIO()
        width = self.figure.get_size_inches()[0]
        with mpl.rc_context(STYLE):
            if self.dense:
                self.figure.savefig(buffer, format="png", dpi=min(150.0, PIXELS / width))
            else:
                self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        self.figure.set_layout_engine("none")  # it is laid out now, for the next format too
        return buffer.getvalue(), "image/png" if self.dense else "image/svg+xml"


def corner_plot(chain: Chain, discard: int) -> Drawing:
    """Return the corner plot of the sampled parameters."""
    import matplotlib as mpl

    from globalfit.chains.corner import draw_corner

    kept = (chain.steps - discard) * chain.walkers
    thin = chain.stride * max(1, kept // chain.stride // DRAWN)
    thin = max(1, min(thin, (chain.steps - discard) // 2))
    with mpl.rc_context({"backend": "agg"}):
        import matplotlib.pyplot as plt

        figure = draw_corner([chain], discard=discard, thin=thin)
        plt.close(figure)  # it lives on without a window
    names = ", ".join(chain.names)
    alt = f"corner plot of {names}: regions that hold 68 and 95 % of the samples, the best sample as a star"
    return Drawing("corner", "Corner plot", alt, figure, dense=True)


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

    figure = _grid(list(chain.names), draw, stamped=not converged)
    alt = f"one panel for each of {', '.join(chain.names)}: posterior, prior and {label}"
    return Drawing("marginals", "Parameters one by one", alt, figure)


def pulls(found: Predictive) -> Drawing:
    """Return the pull of every measured number at the best sample."""
    rows = found.pulls
    figure = _figure(7.0, 0.7 + 0.28 * len(rows))
    panel = figure.subplots()
    y = np.arange(len(rows))
    values = np.array([each.value for each in rows])
    every = np.array([x for each in rows for x in (each.value, each.null) if x is not None])
    edge = min(max(3.0, 1.1 * float(np.abs(every[np.isfinite(every)]).max(initial=0.0))), FARTHEST)
    for width, alpha in ((2.0, 0.08), (1.0, 0.12)):
        panel.axvspan(-width, width, color=GREY, alpha=alpha, lw=0)
    nulls = np.array([math.nan if each.null is None else each.null for each in rows])
    panel.hlines(y, 0.0, np.clip(values, -edge, edge), color=BLUE, lw=2.0)
    panel.plot(
        np.clip(nulls, -edge, edge), y, "o", mfc="white", mec=ORANGE, ms=6, label="without new physics"
    )
    panel.plot(np.clip(values, -edge, edge), y, "o", color=BLUE, ms=5, label="best sample")
    if np.isfinite(nulls).any():
        figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    panel.axvline(0.0, color="black", lw=0.8)
    panel.set_yticks(y, [_plain(f"{each.likelihood}: {each.observable}") for each in rows])
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlim(-edge, edge)
    panel.set_xlabel(r"pull, (prediction $-$ measurement)/$\sigma$")
    alt = "; ".join(f"{each.observable} {each.value:+.2f}" for each in rows)
    return Drawing("pulls-figure", "Pulls", f"pulls of the best sample: {alt}", figure)


def spectrum(found: Predictive, curves: list[Spectrum], *, converged: bool) -> Drawing:
    """Return measured spectra, background taken off, with what the samples predict."""
    bands = {each.observable: found.quantiles(each.observable) for each in curves}

    def draw(panel: Axes, each: Spectrum) -> None:
        title, label = TITLES.get(each.observable, (each.observable, ""))
        width, centre = np.diff(each.edges), 0.5 * (each.edges[1:] + each.edges[:-1])
        energy = label.endswith("[MeV]")
        width = width if energy else np.ones_like(width)
        if converged:
            for low, high, alpha, name in BANDS:
                part = bands[each.observable][[low, high]] / width
                panel.stairs(
                    part[1],
                    each.edges,
                    baseline=part[0],
                    fill=True,
                    color=BLUE,
                    alpha=alpha,
                    lw=0,
                    label=name,
                )
        panel.stairs(
            found.best[each.observable] / width, each.edges, color=ORANGE, lw=1.4, label="best sample"
        )
        panel.errorbar(
            centre,
            each.excess / width,
            each.error / width,
            0.5 * np.diff(each.edges),
            fmt="o",
            ms=3,
            lw=0.9,
            color="black",
            label="data − background",
        )
        panel.axhline(0.0, color=GREY, lw=0.8)
        panel.set_title(_plain(title), fontsize=9)
        panel.set_xlim(each.edges[0], each.edges[-1])
        panel.set_xlabel(label)
        panel.set_ylabel("events / MeV" if energy else "events")

    name = curves[0].likelihood
    figure = _grid(curves, draw, stamped=not converged, size=(4.2, 3.0), columns=2)
    what = "the best sample and bands of 68 and 95 %" if converged else "the best sample"
    alt = f"spectra of {name}: data minus background with errors, and the signal of {what}"
    return Drawing(f"spectrum-{name}", f"Spectra of {name}", alt, figure)


def observables(found: Predictive, *, converged: bool) -> Drawing | None:
    """Return the distribution of every scalar observable that is measured or counts events."""
    rows: list[tuple[str, Array, float, Datum | None]] = [
        (each.title, each.compared(found.draws), float(each.compared(found.best)), each)
        for each in found.data
    ]
    seen = {each.observable for each in found.data if not each.plus}
    rows += [
        (name, draws, float(found.best[name]), None)
        for name, draws in found.draws.items()
        if draws.ndim == 1 and name.startswith("signal_") and name not in seen
    ]
    rows = [row for row in rows if np.isfinite(row[1]).all()]
    if not rows:
        return None

    def draw(panel: Axes, row: tuple[str, Array, float, Datum | None]) -> None:
        title, draws, best, datum = row
        spread = [*(float(x) for x in np.quantile(draws, [0.005, 0.995])), best]
        if datum is not None:
            spread += [*datum.interval, datum.value]
        low, high = min(spread), max(spread)
        margin = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        if datum is not None:
            panel.axvspan(*datum.interval, color=GREEN, alpha=0.2, lw=0, label="measured, ±1σ")
            panel.axvline(datum.value, color=GREEN, lw=1.4)
        bins = np.linspace(low - margin, high + margin, FEW + 1)
        counts = np.histogram(draws, bins)[0]
        panel.stairs(
            counts / counts.max(), bins, color=BLUE, fill=True, alpha=0.35, label="posterior predictive"
        )
        panel.stairs(counts / counts.max(), bins, color=BLUE, lw=1.0)
        panel.axvline(best, color=ORANGE, ls="--", lw=1.2, label="best sample")
        panel.set_xlim(low - margin, high + margin)
        panel.set_ylim(0.0, 1.15)
        panel.set_yticks([])
        panel.locator_params(axis="x", nbins=4)
        panel.ticklabel_format(axis="x", scilimits=(-3, 4), useMathText=True)
        panel.set_xlabel(_plain(title))

    figure = _grid(rows, draw, stamped=not converged)
    alt = f"distributions of {', '.join(row[0] for row in rows)} beside what is measured"
    return Drawing("observables-figure", "Observables against data", alt, figure)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _grid(
    rows: list[Any],
    draw: Callable[[Axes, Any], None],
    *,
    stamped: bool,
    size: tuple[float, float] = (WIDE, HIGH),
    columns: int = 3,
) -> Figure:
    """Draw a panel a row, a legend above, and the stamp of a chain that is not converged."""
    import matplotlib as mpl

    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    with mpl.rc_context(STYLE):
        figure = _figure(max(size[0] * columns, 4.2), size[1] * lines + 0.5)
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        labelled: dict[str, Any] = {}
        for panel, row in zip(panels, rows, strict=False):
            draw(panel, row)
            handles, labels = panel.get_legend_handles_labels()
            labelled |= {label: handle for handle, label in zip(handles, labels, strict=True)}
        for panel in panels[len(rows) :]:
            panel.set_axis_off()
        figure.legend(
            labelled.values(),
            labelled.keys(),
            loc="outside upper center",
            ncols=max(2, round(figure.get_figwidth() / 1.9)),
            frameon=False,
            fontsize=8,
        )
        if stamped:
            figure.text(
                0.5, 0.5, "NOT CONVERGED", color="red", alpha=0.35, fontsize=22, rotation=20,
                ha="center", va="center",
            )  # fmt: skip
    return figure


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


def _plain(text: str) -> str:
    """Return a text in which matplotlib sees no formula."""
    return printable(text).replace("$", r"\$")


def images(
    *makers: Callable[[], Drawing | None],
) -> Iterator[tuple[Drawing, tuple[bytes, str]] | str]:
    """Yield drawings with their images, or a line where one cannot be drawn: labels come from anywhere."""
    for maker in makers:
        try:
            found = maker()
            if found is not None:
                yield found, found.image()
        except Exception as error:  # a label of an unknown file must not cost the page
            yield f"{type(error).__name__}: {error}"
