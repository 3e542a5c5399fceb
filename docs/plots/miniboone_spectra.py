"""Draw MiniBooNE's spectra, excesses and ln L along an amplitude: docs/physics/miniboone-spectra.png.

Run from the top of a checkout: ``python docs/plots/miniboone_spectra.py``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from globalfit.arrays import Array
from globalfit.likelihoods.miniboone import MiniBooNE

mpl.use("Agg")
import matplotlib.pyplot as plt

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
OUTPUT = Path(__file__).parents[1] / "physics" / "miniboone-spectra.png"
EDGES = MiniBooNE().release.edges
WIDTH = np.diff(EDGES)
SLOPE = 220.0  # MeV


def signal(events: Array, ratio: float) -> Array:
    """Return exp(-E/SLOPE) spectra (n, 22), `events` (n,) of neutrino mode below 1250 MeV."""
    shape = np.exp(-EDGES[:-1] / SLOPE) - np.exp(-EDGES[1:] / SLOPE)
    shape = shape / shape[:9].sum()
    return events[:, None] * np.hstack([shape, shape / ratio])


def draw() -> None:
    """Write the figure."""
    plt.rcParams.update({"font.family": "serif", "mathtext.fontset": "cm", "font.size": 9})
    figure, axes = plt.subplots(2, 3, figsize=(9.2, 5.2), width_ratios=(1, 1, 1.05), layout="constrained")
    release = MiniBooNE().release
    constrained, covariance = release.constrained_background()
    error = np.sqrt(np.diag(covariance))
    likelihood = MiniBooNE()
    events = np.linspace(0.0, 1200.0, 601)
    curves = {}
    for ratio in (3.6, 7.2, 15.0):
        s = signal(events, ratio)
        ln_l = likelihood.log_likelihood({"signal_nu": s[:, :11], "signal_nubar": s[:, 11:]})
        curves[ratio] = 2.0 * (ln_l - ln_l[0])
    best = events[np.argmax(curves[7.2])]
    fitted = signal(np.array([best]), 7.2)[0]
    centre = 0.5 * (EDGES[1:] + EDGES[:-1])
    shown = slice(0, 10)  # the last bin, 1500-3000 MeV, is off the axis
    modes = (("neutrino mode", 0), ("antineutrino mode", 11))
    for column, (title, first) in enumerate(modes):
        part = slice(first, first + 11)
        spectrum, excess = axes[:, column]
        data = release.data[part]
        spectrum.stairs(release.background[part] / WIDTH, EDGES, color="0.5", ls="--", label="background")
        spectrum.stairs(constrained[part] / WIDTH, EDGES, color=BLUE, label="background, muon constrained")
        total = (constrained[part] + fitted[part]) / WIDTH
        spectrum.stairs(total, EDGES, color=ORANGE, label="with the signal")
        bars = {"fmt": "ko", "ms": 3.0, "lw": 0.9}
        spectrum.errorbar(
            centre[shown], (data / WIDTH)[shown], (np.sqrt(data) / WIDTH)[shown], label="data", **bars
        )
        spectrum.set(ylabel="events / MeV" if column == 0 else "", xlim=(200, 1500))
        spectrum.set_ylim(0.0, 1.9 * (data / WIDTH).max())  # room for the legend
        spectrum.set_title(title, fontsize=9)
        excess.axhline(0.0, color="0.6", lw=0.7)
        band = error[part] / WIDTH
        excess.fill_between(
            np.repeat(EDGES, 2)[1:-1],
            np.repeat(-band, 2),
            np.repeat(band, 2),
            color=BLUE,
            alpha=0.2,
            lw=0,
            label="constrained background",
        )
        excess.stairs(fitted[part] / WIDTH, EDGES, color=ORANGE)
        over = (data - constrained[part]) / WIDTH
        excess.errorbar(centre[shown], over[shown], (np.sqrt(data) / WIDTH)[shown], **bars)
        label = r"$E_\nu^\mathrm{QE}$ [MeV]"
        excess.set(xlabel=label, ylabel="excess / MeV" if column == 0 else "", xlim=(200, 1500))
    axes[0, 1].legend(frameon=False, fontsize=8)
    axes[1, 0].legend(frameon=False, fontsize=8)
    for (ratio, gain), colour in zip(curves.items(), (GREEN, ORANGE, BLUE), strict=True):
        axes[0, 2].plot(events, gain, color=colour, label=rf"$N_\nu/N_{{\bar\nu}} = {ratio}$")
    axes[0, 2].set(xlabel=r"$N_\nu$, 200-1250 MeV", ylabel=r"$2\,\Delta\ln L$", ylim=(0, 50), xlim=(0, 1200))
    axes[0, 2].set_title(rf"signal $\propto \exp(-E/{SLOPE:.0f}\,\mathrm{{MeV}})$", fontsize=9)
    axes[0, 2].legend(frameon=False, fontsize=8, loc="lower center")
    scale = np.sqrt(np.diag(covariance))
    image = axes[1, 2].imshow(covariance / np.outer(scale, scale), vmin=-1, vmax=1, cmap="RdBu_r")
    axes[1, 2].set(xlabel=r"bin ($\nu$ 0-10, $\bar\nu$ 11-21)")
    axes[1, 2].set_title("correlation, constrained background", fontsize=9)
    figure.colorbar(image, ax=axes[1, 2], shrink=0.85)
    for axis in axes[:, :2].flat:
        axis.tick_params(which="both", direction="in", top=True, right=True)
    figure.savefig(OUTPUT, dpi=130)
    print({ratio: (events[np.argmax(gain)], gain.max().round(2)) for ratio, gain in curves.items()})


if __name__ == "__main__":
    draw()
