"""Plots of what is inferred: ranks of a calibration; the profile likelihood beside the posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from globalfit.inference.calibration import LEVEL, Calibration
from globalfit.inference.uniformity import Uniformity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
