"""The corner plot: 68 and 95 % regions of every pair, log axes where the prior is log, several chains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.axes import Axis, axis_for
from globalfit.chains.chain import Chain
from globalfit.errors import ChainError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
LEVELS = (0.68, 0.95)  # probability inside each two-dimensional contour
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe & Ito, colour-blind safe
KERNEL = 1200  # effective samples per smoothing kernel: a noise of 3 % of the density
WIDTHS = (1.5, 6.0)  # of that kernel in bins: no beads along a narrow band, no feature washed out
MOST = 200_000  # samples drawn per chain; more do not change the picture

Panels: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def draw_corner(
    chains: Sequence[Chain],
    names: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    discard: int | None = None,
    thin: int | None = None,
    bins: int = 50,
    titles: bool = False,
) -> Figure:
    """Draw the corner plot of one or several chains.

    Parameters
    ----------
    chains : sequence of Chain
        Drawn over each other, the first one in front of the axes' labels.
    names : sequence of str
        Parameters and derived quantities; the parameters common to all chains by default.
    labels : sequence of str
        Of the chains, for the legend; their file names by default.
    discard : int, optional
        Steps left out at the start of each chain; chosen from the chain by default.
    thin : int, optional
        Every `thin`-th step is drawn; all by default, or of very long chains `Chain.stride`.
    bins : int
        Bins of the histograms; the two-dimensional ones have twice as many.
    titles : bool
        Write median and 68 % interval of the first chain above each column.

    Raises
    ------
    ChainError
        If a quantity is unknown or constant, the chains have no parameter in common, or a file of emcee was
        opened without names.
    """
    import corner
    import matplotlib.pyplot as plt

    axes = [axis_for(chains[0], name) for name in _chosen(chains, names)]
    drawn = [[_samples(chain, axis, discard, thin) for axis in axes] for chain in chains]
    for i, axis in enumerate(axes):
        if axis.scale == "log" and min(samples[i].min() for samples in drawn) <= 0.0:
            axes[i] = replace(axis, scale="linear")  # another chain has no such prior
    ranges = [_range([samples[i] for samples in drawn], axes[i], chains[0]) for i in range(len(axes))]
    figure: Figure | None = None
    tops = np.zeros(len(axes))  # of the histograms: corner fits the frame to the last chain
    with plt.rc_context({"font.size": 10, "axes.labelsize": 12, "axes.linewidth": 0.8}):
        for chain, samples, colour in zip(chains, drawn, _cycle(len(chains)), strict=True):
            figure = corner.corner(
                np.column_stack(samples),
                bins=bins,
                range=ranges,
                axes_scale=[axis.scale for axis in axes],
                labels=[axis.caption(*span) for axis, span in zip(axes, ranges, strict=True)],
                color=colour,
                weights=np.full(len(samples[0]), 1.0 / len(samples[0])),
                plot_datapoints=False,
                plot_density=False,
                plot_contours=False,
                hist_kwargs={"linewidth": 1.4},
                label_kwargs={"fontsize": 12},
                fig=figure,
            )
            assert figure is not None
            panels = _panels(figure, len(axes))
            tops = np.maximum(tops, [panels[i, i].get_ylim()[1] for i in range(len(axes))])
            alpha = 0.85 if len(chains) == 1 else 0.6
            for i in range(len(axes)):
                for j in range(i):
                    pair = [(samples[k], ranges[k], axes[k].scale) for k in (j, i)]
                    _contours(panels[i, j], pair, 2 * bins, _independent(chain), colour, alpha)
            _mark_best(panels, chain, axes, ranges, colour)
        assert figure is not None
        for i, top in enumerate(tops):
            _panels(figure, len(axes))[i, i].set_ylim(0.0, top)
        if titles and chains[0].verdict.converged:  # an interval of anything else would be none
            _write_medians(_panels(figure, len(axes)), chains[0], axes, discard, thin)
        _finish(figure, chains, axes, ranges, labels)
    return figure


def save_corner(
    chains: Sequence[Chain],
    output: Path,
    names: Sequence[str] = (),
    *,
    overwrite: bool = False,
    **options: Any,
) -> None:
    """Draw and write a corner plot; see `draw_corner`.

    Raises
    ------
    ChainError
        If the format is unknown, or the file exists and `overwrite` is false.
    """
    import matplotlib as mpl

    check_output(output, overwrite=overwrite)
    with mpl.rc_context({"backend": "agg"}):
        import matplotlib.pyplot as plt

        figure = draw_corner(chains, names, **options)
        try:
            figure.savefig(output, dpi=200, bbox_inches="tight")
        except OSError as error:
            raise ChainError(
                str(output), f"cannot be written: {error.strerror}", "choose another -o"
            ) from None
        plt.close(figure)


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse a plot file of an unknown format, in no folder, or already there."""
    if output.suffix.lower() not in FORMATS:
        raise ChainError(str(output), f"unknown format '{output.suffix}'", f"use {', '.join(FORMATS)}")
    if not output.resolve().parent.is_dir():
        raise ChainError(str(output), f"there is no folder '{output.resolve().parent}'", "create it first")
    if output.exists() and not overwrite:
        raise ChainError(str(output), "exists", "choose another -o, or --overwrite")


def _chosen(chains: Sequence[Chain], names: Sequence[str]) -> tuple[str, ...]:
    for chain in chains:
        if not chain.named:
            raise ChainError(
                str(chain.path),
                f"is a file of emcee: its {len(chain.names)} parameters have no names",
                "give them, as in --names mass,coupling or Chain.open(path, names=...)",
            )
    if names:
        return tuple(names)
    common = tuple(name for name in chains[0].names if all(name in chain.names for chain in chains))
    if not common:
        raise ChainError(str(chains[-1].path), f"has no parameter in common with '{chains[0].path}'")
    return common


def _samples(chain: Chain, axis: Axis, discard: int | None, thin: int | None) -> Array:
    samples = chain.get(axis.name, discard=discard, thin=thin or chain.stride)
    samples = axis.place(samples[:: max(1, len(samples) // MOST)])
    if not np.isfinite(samples).all() or np.ptp(samples) == 0.0:
        what = "is constant" if np.isfinite(samples).all() else "is not finite"
        raise ChainError(str(chain.path), f"'{axis.name}' {what} in the samples", "leave it out")
    return samples


def _range(samples: Sequence[Array], axis: Axis, chain: Chain) -> tuple[float, float]:
    """Range that holds 99.9 % of each chain; up to the prior's edge where the samples reach it."""
    spans = [np.quantile(each, [0.0005, 0.9995]) for each in samples]
    low, high = float(min(s[0] for s in spans)), float(max(s[1] for s in spans))
    log = axis.scale == "log"
    if log:
        low, high = math.log(low), math.log(high)
    seen, margin = (low, high), 0.04 * (high - low)
    low, high = low - margin, high + margin
    row = chain.row(axis.name)
    edges = (row.get("low", math.nan), row.get("high", math.nan))
    if not axis.gap and all(math.isfinite(edge) for edge in edges):
        edge_low, edge_high = (math.log(edges[0]), math.log(edges[1])) if log else edges
        # Another chain may have a wider prior.
        low = max(low, edge_low) if edge_low <= seen[0] else low
        high = min(high, edge_high) if edge_high >= seen[1] else high
    return (math.exp(low), math.exp(high)) if log else (low, high)


def _panels(figure: Figure, size: int) -> Panels:
    panels: Panels = np.array(figure.axes[: size * size]).reshape(size, size)
    return panels


def _independent(chain: Chain) -> float:
    """Effective samples behind the picture; a guess where the chain cannot tell."""
    ess = chain.verdict.worst_ess
    return ess if math.isfinite(ess) else float(chain.walkers)


def _contours(
    panel: Any,
    pair: Sequence[tuple[Array, tuple[float, float], str]],
    bins: int,
    independent: float,
    colour: str,
    alpha: float,
) -> None:
    """Draw the smallest regions that hold 68 and 95 % of the samples, as far as a smoothed histogram tells.

    The histogram is smoothed until some `KERNEL` effective samples share a kernel, so that its contours are
    not noise; smoothing widens narrow features, therefore the levels are those at which the contours hold
    the stated share of the samples themselves.
    """
    import corner
    from scipy.ndimage import gaussian_filter

    edges = [_edges(span, scale, bins) for _, span, scale in pair]
    counts = np.histogram2d(pair[0][0], pair[1][0], bins=edges)[0]
    occupied = np.count_nonzero(counts)
    width = float(np.clip(math.sqrt(KERNEL * occupied / (4.0 * math.pi * independent)), *WIDTHS))
    smooth = gaussian_filter(counts, width)
    order = np.argsort(smooth, axis=None)[::-1]
    held = np.cumsum(counts.ravel()[order]) / counts.sum()
    mass = np.cumsum(smooth.ravel()[order]) / smooth.sum()
    levels = [float(mass[min(np.searchsorted(held, level), held.size - 1)]) for level in LEVELS]
    if levels[0] >= levels[1]:  # all in one cell: nothing to draw a contour around
        return
    corner.hist2d(
        *(samples for samples, _, _ in pair),
        ax=panel,
        bins=bins,
        range=[span for _, span, _ in pair],
        axes_scale=[scale for _, _, scale in pair],
        levels=levels,
        smooth=width,
        color=colour,
        quiet=True,
        plot_datapoints=False,
        plot_density=False,
        no_fill_contours=True,
        fill_contours=True,
        contourf_kwargs={"colors": _shades(colour), "alpha": alpha, "antialiased": True},
        contour_kwargs={"linewidths": 1.0},
        new_fig=False,
    )


def _edges(span: tuple[float, float], scale: str, bins: int) -> Array:
    return np.geomspace(*span, bins + 1) if scale == "log" else np.linspace(*span, bins + 1)


def _mark_best(
    panels: Panels, chain: Chain, axes: Sequence[Axis], ranges: Sequence[tuple[float, float]], colour: str
) -> None:
    """Mark the sample with the highest likelihood by a star, drawn whole at the edge of a panel too."""
    best = chain.best()
    place = [float(axis.place(np.array([best[axis.name]]))[0]) for axis in axes]
    shown = [low <= x <= high for x, (low, high) in zip(place, ranges, strict=True)]
    style = {"marker": "*", "markersize": 12, "color": "white", "markeredgecolor": colour}
    for i in range(len(axes)):
        if shown[i]:
            panels[i, i].axvline(place[i], color=colour, linestyle=":", linewidth=1.2, clip_on=False)
        for j in range(i):
            if shown[i] and shown[j]:
                panels[i, j].plot(place[j], place[i], **style, zorder=10, clip_on=False)


def _write_medians(
    panels: Panels, chain: Chain, axes: Sequence[Axis], discard: int | None, thin: int | None
) -> None:
    for i, axis in enumerate(axes):
        samples = chain.get(axis.name, discard=discard, thin=thin or chain.stride)
        low, median, high = np.quantile(samples, [0.16, 0.5, 0.84])
        digits = max(0, 1 - math.floor(math.log10(min(median - low, high - median))))
        power = math.floor(math.log10(max(abs(low), abs(high))))
        unit, factor = ("", 1.0) if -2 <= power < 5 else (rf" \times 10^{{{power}}}", 10.0**power)
        digits = digits if factor == 1.0 else max(0, digits + power)
        numbers = [f"{x / factor:.{digits}f}" for x in (median, median - low, high - median)]
        text = rf"{numbers[0]}_{{-{numbers[1]}}}^{{+{numbers[2]}}}"
        panels[i, i].set_title(rf"{axis.label} = ${text}{unit}$", fontsize=11)


def _finish(
    figure: Figure,
    chains: Sequence[Chain],
    axes: Sequence[Axis],
    ranges: Sequence[tuple[float, float]],
    labels: Sequence[str],
) -> None:
    """Ticks, legend, and the stamp of chains that are not converged."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    panels = _panels(figure, len(axes))
    last = len(axes) - 1
    for i in range(len(axes)):
        for j in range(i + 1):
            axes[j].dress(panels[i, j].xaxis, *ranges[j], labelled=i == last)
            if i != j:
                axes[i].dress(panels[i, j].yaxis, *ranges[i], labelled=j == 0)
            panels[i, j].tick_params(which="both", direction="in", top=i != j, right=i != j, labelsize=9)
            panels[i, j].tick_params(axis="both", which="major", length=4)
            panels[i, j].tick_params(axis="both", which="minor", length=2)
            panels[i, j].set_xlim(ranges[j])
            if i != j:
                panels[i, j].set_ylim(ranges[i])
    shown = list(labels) or [chain.path.stem for chain in chains]
    colours = _cycle(len(chains))
    handles: list[Any] = []
    if len(chains) > 1:
        handles += [Line2D([], [], color=c, lw=2, label=s) for c, s in zip(colours, shown, strict=True)]
    elif len(axes) > 1:
        handles += [
            Patch(facecolor=shade, edgecolor=colours[0], label=rf"{level * 100:.0f} %")
            for shade, level in zip(_shades(colours[0])[:0:-1], LEVELS, strict=True)
        ]
    if len(axes) > 1:
        star = Line2D([], [], label="highest likelihood", marker="*", markersize=11, linestyle="none")
        star.set(color="white", markeredgecolor="black")
        handles.append(star)
    if handles:
        corner = (0.98, 0.98)
        figure.legend(handles=handles, loc="upper right", bbox_to_anchor=corner, frameon=False, fontsize=11)
    bad = [name for name, chain in zip(shown, chains, strict=True) if not chain.verdict.converged]
    if bad:
        text = "NOT CONVERGED" if len(chains) == 1 else "NOT CONVERGED: " + ", ".join(bad)
        figure.text(
            0.5, 0.5, text, color="red", alpha=0.35, fontsize=26, rotation=30, ha="center", va="center"
        )


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _shades(colour: str) -> list[Any]:
    """White, a light and a full shade, from outside in."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(colour))
    return [(1.0, 1.0, 1.0, 0.0), tuple(1 - 0.4 * (1 - rgb)), tuple(1 - 0.85 * (1 - rgb))]
