"""What the samples predict, drawn: pulls, spectra, observables beside what is measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from globalfit.arrays import Array
from globalfit.report.data import Datum, Spectrum
from globalfit.report.drawing import (
    BLUE,
    FOOT,
    GREEN,
    GREY,
    HEAD,
    ORANGE,
    Drawing,
    grid,
    legend,
    new_figure,
    plain,
)
from globalfit.report.predictive import Predictive

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = ((0, 4, 0.25, "95 %"), (1, 3, 0.5, "68 %"))  # quantiles, opacity
LETTER = 0.075  # inches
FEW = 30  # bins for some hundred samples
FARTHEST = 12.0  # pulls beyond are drawn at the edge
TITLES = {
    "signal_nu": ("neutrino mode", r"$E_\nu^\mathrm{QE}$ [MeV]"),
    "signal_nubar": ("antineutrino mode", r"$E_\nu^\mathrm{QE}$ [MeV]"),
    "signal_costheta": ("angle to the beam", r"$\cos\theta$"),
    "signal_evis": ("visible energy", r"$E_\mathrm{vis}$ [MeV]"),
}


def pulls(found: Predictive) -> Drawing:
    """Return the pull of every measured number at the best sample."""
    rows = found.pulls
    names = [plain(f"{each.likelihood}: {each.observable}") for each in rows]
    width, height = 7.0, 1.0 + 0.28 * len(rows)
    left = min(0.2 + LETTER * max(len(name) for name in names), 0.5 * width) / width
    figure = new_figure(width, height)
    panel = figure.add_axes((left, FOOT / height, 0.97 - left, 1.0 - (FOOT + HEAD) / height))
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
        handles, labels = panel.get_legend_handles_labels()
        legend(figure, dict(zip(labels, handles, strict=True)), 2)
    panel.axvline(0.0, color="black", lw=0.8)
    panel.set_yticks(y, names)
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
        panel.set_title(plain(title), fontsize=9)
        panel.set_xlim(each.edges[0], each.edges[-1])
        panel.set_xlabel(label)
        panel.set_ylabel("events / MeV" if energy else "events")

    name = curves[0].likelihood
    figure = grid(curves, draw, stamped=not converged, size=(4.2, 3.0), columns=2, margins=(0.7, 0.25))
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
        panel.set_xlabel(plain(title))

    figure = grid(rows, draw, stamped=not converged)
    alt = f"distributions of {', '.join(row[0] for row in rows)} beside what is measured"
    return Drawing("observables-figure", "Observables against data", alt, figure)
