"""Plots of what is inferred: ranks of a calibration; the profile likelihood beside the posterior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from globalfit.errors import ChainError
from globalfit.inference.calibration import LEVEL, Calibration
from globalfit.inference.profile import LEVELS, Profile
from globalfit.inference.uniformity import Uniformity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from globalfit.chains.chain import Chain

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
PANELS = (("parameter", "parameters"), ("prediction", "predictions"), ("ln L", r"$\ln L$ per experiment"))


def draw_ranks(found: Calibration) -> Figure:
    """Draw the distribution functions of the ranks minus the uniform one, with simultaneous bands.

    A line that leaves the light band is off at the family-wise level; the dark band is that of one line by
    itself.
    """
    import matplotlib.pyplot as plt

    test = Uniformity(found.n, found.draws)
    shown = [(kind, title) for kind, title in PANELS if kind in found.kinds.values()]
    figure, panels = plt.subplots(
        1, len(shown), figsize=(4.2 * len(shown), 3.9), sharey=True, squeeze=False, layout="constrained"
    )
    steps = np.concatenate([[0.0], test.places, [1.0]])
    for panel, (kind, title) in zip(panels[0], shown, strict=True):
        for level, shade in ((LEVEL / len(found.ranks), "0.92"), (LEVEL, "0.83")):
            low, high = (each / found.n - test.places for each in test.band(level))
            panel.fill_between(test.places, low, high, color=shade, linewidth=0.0)
        panel.axhline(0.0, color="0.4", linewidth=0.8)
        names = [name for name in found.ranks if found.kinds[name] == kind]
        for i, name in enumerate(names):
            rise = np.concatenate([[0.0], test.counts(found.ranks[name]) / found.n, [1.0]])
            panel.plot(
                steps,
                rise - steps,
                color=COLOURS[i % len(COLOURS)],
                linestyle=("-", "--", ":")[i // len(COLOURS) % 3],
                linewidth=1.3,
                label="all" if name == "ll" else name.removeprefix("ll_"),
            )
        panel.set_title(title, fontsize=11)
        panel.set_xlabel("rank of the truth / (draws + 1)")
        panel.set_xlim(0.0, 1.0)
        panel.margins(y=0.25)
        _legend(panel, len(names))
    panels[0, 0].set_ylabel("distribution function − uniform")
    return figure


def _legend(panel: Any, lines: int) -> None:
    panel.legend(fontsize=7 if lines > 6 else 8, frameon=False, ncols=2 if lines > 4 else 1, loc="upper left")


def draw_profile(found: Profile, chain: Chain) -> Figure:
    """Draw a profile likelihood beside the marginal posterior of a chain.

    One parameter: exp(Delta ln L) and the posterior density, each relative to its maximum, with the heights
    of the 68 and 95 % intervals (Wilks). Two: contours of Delta ln L over those of the posterior's 68 and
    95 % regions.
    """
    import matplotlib.pyplot as plt

    from globalfit.chains.axes import axis_for

    axes = [axis_for(chain, name) for name in found.names]
    figure, panel = plt.subplots(figsize=(5.4, 4.2), layout="constrained")
    samples = [axis.place(chain.get(axis.name)) for axis in axes]
    grid = [axis.place(values) for axis, values in zip(axes, found.grid, strict=True)]
    edges = [
        np.geomspace(g[0], g[-1], 61) if axis.scale == "log" else np.linspace(g[0], g[-1], 61)
        for axis, g in zip(axes, grid, strict=True)
    ]
    if len(axes) == 1:
        counts, _ = np.histogram(samples[0], bins=edges[0])
        panel.stairs(counts / counts.max(), edges[0], color=COLOURS[0], fill=True, alpha=0.3)
        panel.plot([], [], color=COLOURS[0], alpha=0.4, linewidth=8, label="marginal posterior")
        panel.plot(grid[0], np.exp(found.delta), color=COLOURS[1], linewidth=1.6, label="profile likelihood")
        for level, name in zip(LEVELS[1], ("68 %", "95 %"), strict=True):
            panel.axhline(np.exp(level), color="0.5", linewidth=0.8, linestyle="--")
            panel.text(0.99, np.exp(level), name, fontsize=8, ha="right", va="bottom",
                       transform=panel.get_yaxis_transform())  # fmt: skip
        panel.set_ylim(0.0, 1.22)
        panel.set_ylabel("relative to the maximum")
        panel.legend(frameon=False, fontsize=9, loc="upper center", ncols=2)
    else:
        counts, _, _ = np.histogram2d(samples[0], samples[1], bins=[each[::2] for each in edges])
        order = np.sort(counts.ravel())[::-1]
        held = np.cumsum(order) / order.sum()
        heights = sorted({float(order[np.searchsorted(held, share)]) for share in (0.68, 0.95)})
        centres = [
            np.sqrt(e[:-1] * e[1:]) if axis.scale == "log" else 0.5 * (e[:-1] + e[1:])
            for axis, e in zip(axes, (each[::2] for each in edges), strict=True)
        ]
        top = float(counts.max()) + 1.0
        panel.contourf(*centres, counts.T, levels=[*heights, top], colors=[COLOURS[0]], alpha=0.3)
        delta = np.where(np.isfinite(found.delta), found.delta, -1e3)
        panel.contour(
            *grid,
            delta.T,
            levels=sorted(LEVELS[2]),
            colors=COLOURS[1],
            linestyles=["--", "-"],
            linewidths=1.4,
        )
        panel.plot([], [], color=COLOURS[0], alpha=0.4, linewidth=8, label="posterior, 68 and 95 %")
        panel.plot([], [], color=COLOURS[1], label="profile, 68 % (full) and 95 % (dashed)")
        panel.legend(frameon=False, fontsize=8)
        panel.set_yscale(axes[1].scale)
        panel.set_ylabel(axes[1].caption(float(grid[1][0]), float(grid[1][-1])))
        axes[1].dress(panel.yaxis, float(grid[1][0]), float(grid[1][-1]), labelled=True)
    panel.set_xscale(axes[0].scale)
    panel.set_xlim(grid[0][0], grid[0][-1])
    panel.set_xlabel(axes[0].caption(float(grid[0][0]), float(grid[0][-1])))
    axes[0].dress(panel.xaxis, float(grid[0][0]), float(grid[0][-1]), labelled=True)
    if not chain.verdict.converged:
        panel.set_title("posterior NOT CONVERGED", color="red", fontsize=10)
    return figure


def save(figure: Figure, output: Path) -> None:
    """Write a figure.

    Raises
    ------
    ChainError
        If the file cannot be written.
    """
    import matplotlib.pyplot as plt

    try:
        figure.savefig(output, dpi=160)
    except OSError as error:
        raise ChainError(str(output), f"cannot be written: {error.strerror}", "choose another -o") from None
    finally:
        plt.close(figure)
