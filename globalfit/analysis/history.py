"""The history of a fit, drawn: pulls of each experiment, the verdict against the null, the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globalfit.analysis.accounts import SIGMA
from globalfit.analysis.tabular import Block, number
from globalfit.analysis.vintages import Vintage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, PALE, BAND = "#0072B2", "#D55E00", "#e8e8e8"  # of Okabe and Ito, told apart by all
PER_ROW = 3  # panels of parameters


def table_of(found: Sequence[Vintage]) -> list[Block]:
    """Return the tables of a history: the data and the verdict, the pulls, the parameters."""
    rows = []
    for each in found:
        anomalies = [entry for entry in each.entries if entry.kind == "anomaly"]
        explained = [entry.experiment.name for entry in anomalies if entry.status == "explained"]
        left = [entry.experiment.name for entry in anomalies if entry.status != "explained"]
        rows.append(
            (
                each.date.isoformat() + (" (same data)" if each.same else ""),
                f"{len(explained)} of {len(anomalies)}" if each.entries else "nothing measured",
                ", ".join(explained),
                ", ".join(left),
                f"{each.gain:+.1f}" if each.entries else "",
                number(each.log_bayes, "+.1f"),
                ", ".join(each.absent),
                _route(each),
            )
        )
    told = ("date", "explained", "which", "not", "gain in ln L", "ln Bayes factor", "not yet measured")
    heads = (*told, "by")
    shown = [Block("verdict", heads, tuple(rows))]
    dates = tuple(each.date.isoformat() for each in found)
    pulls = [_pulls(each) for each in found]
    lines = dict.fromkeys(name for each in pulls for name in each)
    cells = [(*name, *("" if name not in each else _arrow(*each[name]) for each in pulls)) for name in lines]
    shown.append(Block("pulls: null -> best", ("experiment", "observable", *dates), tuple(cells)))
    parameters = dict.fromkeys(name for each in found for name in each.intervals)
    cells = [(name, *(_interval(each, name) for each in found)) for name in parameters]
    shown.append(Block("medians and 68 %", ("parameter", *dates), tuple(cells)))
    used = dict.fromkeys(name for each in found for name in each.measurements)
    cells = [(name, *(each.measurements.get(name, "") for each in found)) for name in used]
    return [*shown, Block("measurements", ("experiment", *dates), tuple(cells))]


def draw(found: Sequence[Vintage], path: Path) -> None:
    """Draw the history into a file (.png, .pdf, .svg).

    Above, one panel an experiment: pulls without new physics (open) and at the best point (full). Below, the
    gain in ln L and the Bayes factor, then medians and 68 % of the parameters; a date whose data are those of
    the date before repeats its numbers.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(entry.experiment.name for each in found for entry in each.entries))
    parameters = list(dict.fromkeys(name for each in found for name in each.intervals))
    panels = len(names) + 1 + len(parameters)
    rows = -(-panels // PER_ROW)
    figure, grid = pyplot.subplots(
        rows, PER_ROW, figsize=(7.1, 1.9 * rows + 0.4), layout="constrained", squeeze=False
    )
    axes = list(grid.flat)
    for name, panel in zip(names, axes, strict=False):
        _draw_pulls(panel, found, name)
    _draw_gain(axes[len(names)], found)
    for name, panel in zip(parameters, axes[len(names) + 1 :], strict=False):
        _draw_parameter(panel, found, name)
    for panel in axes[:panels]:
        panel.set_xticks(range(len(found)), [each.date.strftime("%b\n%Y") for each in found], fontsize=7)
        panel.set_xlim(-0.5, len(found) - 0.5)
        panel.tick_params(axis="y", labelsize=7)
    for panel in axes[panels:]:
        panel.set_axis_off()
    figure.savefig(path, dpi=200)
    pyplot.close(figure)


def _draw_pulls(panel: Axes, found: Sequence[Vintage], name: str) -> None:
    panel.axhspan(-SIGMA, SIGMA, color=BAND, lw=0)
    for i, each in enumerate(found):
        pulls = [
            pull for entry in each.entries if entry.experiment.name == name for pull in entry.experiment.pulls
        ]
        for j, pull in enumerate(pulls):
            x = i + 0.6 * ((j + 0.5) / len(pulls) - 0.5)
            if pull.null is not None:
                panel.plot([x, x], [pull.null, pull.best], color="0.6", lw=0.8, zorder=1)
                panel.plot(x, pull.null, "o", mfc="white", mec=PALE, ms=4.5, label="null")
            panel.plot(x, pull.best, "o", color=INK, ms=4.5, label="best point")
        if not pulls:
            panel.text(i, 0.0, "no data", ha="center", va="center", fontsize=7, color="0.4")
    panel.set_title(name, fontsize=8)
    panel.set_ylabel(r"pull [$\sigma$]", fontsize=7)
    handles = _once(panel)
    if handles:
        panel.legend(handles.values(), handles.keys(), fontsize=6, frameon=False, loc="best")


def _draw_gain(panel: Axes, found: Sequence[Vintage]) -> None:
    x = [i for i, each in enumerate(found) if each.entries]
    panel.axhline(0.0, color="0.7", lw=0.8)
    panel.plot(
        x, [found[i].gain for i in x], "o-", color=INK, ms=4.5, lw=1.0, label="ln L gained, best point"
    )
    known = {i: value for i in x if (value := found[i].log_bayes) is not None}
    if known:
        panel.plot(
            [*known],
            [*known.values()],
            "s--",
            mfc="white",
            color=PALE,
            ms=4.5,
            lw=1.0,
            label="ln Bayes factor",
        )
    panel.set_title("against the null", fontsize=8)
    panel.set_ylabel(r"$\Delta$ ln", fontsize=7)
    panel.legend(fontsize=6, frameon=False)


def _draw_parameter(panel: Axes, found: Sequence[Vintage], name: str) -> None:
    x = [i for i, each in enumerate(found) if name in each.intervals]
    low, middle, high = zip(*(found[i].intervals[name] for i in x), strict=True)
    down = [m - a for m, a in zip(middle, low, strict=True)]
    up = [b - m for m, b in zip(middle, high, strict=True)]
    panel.errorbar(x, middle, yerr=[down, up], fmt="o", color=INK, ms=4.5, lw=1.2, capsize=2)
    label, unit, logarithmic = found[x[0]].labels.get(name, (name, "", False))
    if logarithmic and max(high) > 5.0 * min(low):
        panel.set_yscale("log")
    panel.set_title((f"${label}$" if label else name) + (f" [{_unit(unit)}]" if unit else ""), fontsize=8)


def _unit(unit: str) -> str:
    base, power, exponent = unit.partition("^")
    return f"{base}$^{{{exponent}}}$" if power else unit


def _once(panel: Axes) -> Mapping[str, Any]:
    handles, labels = panel.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def _pulls(found: Vintage) -> dict[tuple[str, str], tuple[float | None, float]]:
    return {
        (entry.experiment.name, pull.observable): (pull.null, pull.best)
        for entry in found.entries
        for pull in entry.experiment.pulls
    }


def _arrow(null: float | None, best: float) -> str:
    return f"{best:+.1f}" if null is None else f"{null:+.1f} -> {best:+.1f}"


def _route(found: Vintage) -> str:
    if found.same:
        return ""
    groups: dict[str, list[str]] = {}
    for name, route in found.routes.items():
        groups.setdefault(route, []).append(name)
    return "; ".join(f"{route}: {', '.join(names)}" for route, names in groups.items())


def _interval(found: Vintage, name: str) -> str:
    if name not in found.intervals:
        return ""
    low, median, high = found.intervals[name]
    return f"{median:.4g} ({low:.4g} .. {high:.4g})"
