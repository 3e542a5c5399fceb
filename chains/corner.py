"""The corner plot: 68 and 95 % regions of every pair, log axes where the prior is log, several chains."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.errors import ChainError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
LEVELS = (0.68, 0.95)  # probability inside each two-dimensional contour
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")  # Okabe & Ito, colour-blind safe
MOST = 200_000  # samples drawn per chain; more do not change the picture


@dataclass(frozen=True)
class _Axis:
    """One quantity: how its samples are put on an axis."""

    name: str
    label: str
    scale: str  # "linear" or "log", as corner takes it
    gap: float = 0.0  # edge of the gap around zero of a signed logarithm, which is drawn as its coordinate

    def place(self, samples: Array) -> Array:
        if not self.gap:
            return samples
        return np.copysign(np.log10(np.abs(samples) / self.gap), samples)

    def dress(self, axis: Any) -> None:
        """Label a signed-logarithmic axis with physical values."""
        from matplotlib.ticker import FuncFormatter, MultipleLocator

        def show(u: float, _: object) -> str:
            power = math.log10(self.gap) + abs(u)
            return "" if abs(u) < 0.5 else rf"${'-' if u < 0 else ''}10^{{{power:.0f}}}$"

        axis.set_major_locator(MultipleLocator(1.0 if self.gap > 1e-4 else 2.0))
        axis.set_major_formatter(FuncFormatter(show))


def draw_corner(
    chains: Sequence[Chain],
    names: Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    discard: int | None = None,
    bins: int = 50,
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
    bins : int
        Bins along each axis.

    Raises
    ------
    ChainError
        If a quantity is unknown or constant, or the chains have no parameter in common.
    """
    import corner
    import matplotlib.pyplot as plt

    axes = [_axis(chains[0], name) for name in _chosen(chains, names)]
    drawn = [[_samples(chain, axis, discard) for axis in axes] for chain in chains]
    ranges = [_range([samples[i] for samples in drawn], axes[i], chains[0]) for i in range(len(axes))]
    figure: Figure | None = None
    with plt.rc_context({"font.size": 10, "axes.labelsize": 12, "axes.linewidth": 0.8}), _quiet():
        for chain, samples, colour in zip(chains, drawn, _cycle(len(chains)), strict=True):
            data = np.column_stack(samples)
            figure = corner.corner(
                data,
                bins=bins,
                range=ranges,
                axes_scale=[axis.scale for axis in axes],
                labels=[axis.label for axis in axes],
                levels=LEVELS,
                smooth=1.0,
                color=colour,
                weights=np.full(len(data), 1.0 / len(data)),
                plot_datapoints=False,
                plot_density=False,
                fill_contours=True,
                no_fill_contours=False,
                contourf_kwargs={"colors": _shades(colour), "alpha": 0.85 if len(chains) == 1 else 0.6},
                contour_kwargs={"linewidths": 1.0},
                hist_kwargs={"linewidth": 1.4},
                max_n_ticks=4,
                label_kwargs={"fontsize": 12},
                fig=figure,
            )
            _mark_best(figure, chain, axes, colour)
        assert figure is not None
        _finish(figure, chains, axes, labels)
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
    if names:
        return tuple(names)
    common = tuple(name for name in chains[0].names if all(name in chain.names for chain in chains))
    if not common:
        raise ChainError(str(chains[-1].path), f"has no parameter in common with '{chains[0].path}'")
    return common


def _axis(chain: Chain, name: str) -> _Axis:
    row = chain.row(name)
    label = f"${row['label']}$" if row["label"] else name
    label = f"{label} [{row['unit']}]" if row["unit"] else label
    scale = row.get("scale", "linear")
    gap = float(json.loads(row["prior"])["low"]) if scale == "signed-log" else 0.0
    return _Axis(name, label, "log" if scale == "log" else "linear", gap)


def _samples(chain: Chain, axis: _Axis, discard: int | None) -> Array:
    samples = chain.get(axis.name, discard=discard)
    samples = axis.place(samples[:: max(1, len(samples) // MOST)])
    if not np.isfinite(samples).all() or np.ptp(samples) == 0.0:
        what = "is constant" if np.isfinite(samples).all() else "is not finite"
        raise ChainError(str(chain.path), f"'{axis.name}' {what} in the samples", "leave it out")
    return samples


def _range(samples: Sequence[Array], axis: _Axis, chain: Chain) -> tuple[float, float]:
    """Range that holds 99.9 % of each chain; up to the prior's edge where the samples reach it."""
    spans = [np.quantile(each, [0.0005, 0.9995]) for each in samples]
    low, high = float(min(s[0] for s in spans)), float(max(s[1] for s in spans))
    log = axis.scale == "log"
    if log:
        low, high = math.log(low), math.log(high)
    margin = 0.04 * (high - low)
    low, high = low - margin, high + margin
    row = chain.row(axis.name)
    edges = (row.get("low", math.nan), row.get("high", math.nan))
    if not axis.gap and all(math.isfinite(edge) for edge in edges):
        edge_low, edge_high = (math.log(edges[0]), math.log(edges[1])) if log else edges
        low, high = max(low, edge_low), min(high, edge_high)
    return (math.exp(low), math.exp(high)) if log else (low, high)


def _mark_best(figure: Figure, chain: Chain, axes: Sequence[_Axis], colour: str) -> None:
    best = chain.best()
    place = [float(axis.place(np.array([best[axis.name]]))[0]) for axis in axes]
    panels = np.array(figure.axes).reshape(len(axes), len(axes))
    for i in range(len(axes)):
        panels[i, i].axvline(place[i], color=colour, linestyle=":", linewidth=1.0)
        for j in range(i):
            panels[i, j].plot(
                place[j], place[i], marker="*", markersize=11, color="white", markeredgecolor=colour, zorder=5
            )


def _finish(figure: Figure, chains: Sequence[Chain], axes: Sequence[_Axis], labels: Sequence[str]) -> None:
    """Signed-log ticks, legend, and the stamp of chains that are not converged."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    panels: np.ndarray[Any, np.dtype[Any]] = np.array(figure.axes).reshape(len(axes), len(axes))
    for i, axis in enumerate(axes):
        if axis.gap:
            for panel in panels[i:, i]:
                axis.dress(panel.xaxis)
            for panel in panels[i, :i]:
                axis.dress(panel.yaxis)
    _hide_inner_labels(panels)
    shown = list(labels) or [chain.path.stem for chain in chains]
    colours = _cycle(len(chains))
    handles: list[Any] = []
    if len(chains) > 1:
        handles += [Line2D([], [], color=c, lw=2, label=s) for c, s in zip(colours, shown, strict=True)]
    else:
        handles += [
            Patch(facecolor=shade, edgecolor=colours[0], label=rf"{level * 100:.0f} %")
            for shade, level in zip(_shades(colours[0])[:0:-1], LEVELS, strict=True)
        ]
    star = Line2D([], [], label="highest likelihood", marker="*", markersize=11, linestyle="none")
    star.set(color="white", markeredgecolor="black")
    handles.append(star)
    figure.legend(handles=handles, loc="upper right", frameon=False, fontsize=11, bbox_to_anchor=(0.98, 0.98))
    bad = [name for name, chain in zip(shown, chains, strict=True) if not chain.verdict.converged]
    if bad:
        text = "NOT CONVERGED" if len(chains) == 1 else "NOT CONVERGED: " + ", ".join(bad)
        figure.text(
            0.5, 0.5, text, color="red", alpha=0.35, fontsize=26, rotation=30, ha="center", va="center"
        )


def _hide_inner_labels(panels: np.ndarray[Any, np.dtype[Any]]) -> None:
    """Keep tick labels at the left and bottom only: log axes otherwise print minor ones inside."""
    from matplotlib.ticker import NullFormatter

    size = len(panels)
    for i in range(size):
        for j in range(i + 1):
            panel: Axes = panels[i, j]
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.yaxis.set_minor_formatter(NullFormatter())


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _shades(colour: str) -> list[Any]:
    """White, a light and a full shade, from outside in."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(colour))
    return [(1.0, 1.0, 1.0, 0.0), tuple(1 - 0.4 * (1 - rgb)), tuple(1 - 0.85 * (1 - rgb))]


class _quiet(warnings.catch_warnings):  # noqa: N801  (reads as a statement)
    """Silence corner's remark that contour levels coincide in nearly empty panels."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", message="Too few points to create valid contours")
