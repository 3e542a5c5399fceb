"""Draw docs/physics/beam-flux.png and beam-flux-scalar.png: neutrino fluxes, residuals, fluxes of a scalar.

Run from the root of the repository: ``python docs/plots/beam_flux.py`` (a few minutes).
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from globalfit.physics.beam.flux import flux
from globalfit.physics.beam.geometry import Volume
from globalfit.physics.beam.grid import CENTRES, EDGES
from globalfit.physics.beam.horn import horn_beam
from globalfit.physics.beam.meson_decays import neutrino, three_body
from globalfit.physics.beam.mesons import MesonSample
from globalfit.physics.beam.normalisation import to_release
from globalfit.physics.beam.sources import booster
from globalfit.physics.beam.spectrum import Line

ROOT = Path(__file__).parents[2]
MINIBOONE = Volume("sphere", (0.0, 0.0, 541.0), (6.106,))
BINS = np.arange(21) * 200.0
PANELS = (
    ("nu", "+", "nu_numu", r"nu mode, $\nu_\mu$"),
    ("nubar", "-", "nubar_numubar", r"nubar mode, $\bar\nu_\mu$"),
    ("nu", "-", "nu_numubar", r"nu mode, $\bar\nu_\mu$ (wrong sign)"),
    ("nubar", "+", "nubar_numu", r"nubar mode, $\nu_\mu$ (wrong sign)"),
)
N = 2**17


def neutrinos(sample: MesonSample) -> np.ndarray:
    """Muon-neutrino flux (20,) in 200 MeV bins."""
    name = sample.meson.name
    br = 0.9999 if name.startswith("pi") else 0.6356  # PDG
    return flux(sample, MINIBOONE, Line(0.0, neutrino(name).energy, np.array(br)), edges=BINS)


def residuals() -> None:
    """Flux by parent against the release, and the ratio."""
    path = ROOT / "likelihoods" / "data" / "miniboone_flux.csv"
    release = np.genfromtxt(path, delimiter=",", names=True, skip_header=3)
    figure, axes = plt.subplots(4, 2, figsize=(7.2, 7.6), height_ratios=(2.2, 1, 2.2, 1), sharex=True)
    middle = (BINS[1:] + BINS[:-1]) / 2000
    for i, (mode, sign, column, title) in enumerate(PANELS):
        top, bottom = axes[2 * (i // 2), i % 2], axes[2 * (i // 2) + 1, i % 2]
        pions, kaons = horn_beam("pi" + sign, mode, N), horn_beam("k" + sign, mode, N // 4)
        raw = neutrinos(pions), neutrinos(kaons)
        weighted = neutrinos(to_release(pions, mode)), neutrinos(to_release(kaons, mode))
        known = release[column]
        print(f"{column}: raw/release", np.round(sum(raw)[:15] / known[:15], 2))
        print(f"{column}: weighted/release", np.round(sum(weighted)[:20] / known[:20], 3))
        top.stairs(known, BINS / 1000, color="black", lw=1.4, label="released")
        top.stairs(sum(raw), BINS / 1000, color="0.6", ls="--", label="tracked, no weights")
        for values, colour, name in zip(weighted, ("tab:blue", "tab:red"), (r"$\pi$", "$K$"), strict=True):
            top.stairs(values, BINS / 1000, color=colour, lw=1.0, label=f"{name}, weighted")
        top.set(yscale="log", ylim=(known.min() / 5, known.max() * 3), title=title)
        bottom.axhspan(0.85, 1.15, color="0.92")
        bottom.plot(middle, sum(raw) / known, "o", ms=2.5, color="0.6")
        bottom.plot(middle, sum(weighted) / known, "o", ms=3, color="tab:blue")
        bottom.axhline(1.0, color="black", lw=0.6)
        bottom.set(ylim=(0.3, 1.7), xlim=(0, 4))
        for axis in (top, bottom):
            axis.tick_params(which="both", direction="in", top=True, right=True)
    for axis in axes[::2, 0]:
        axis.set_ylabel(r"$\nu$/cm$^2$/POT/0.2 GeV")
    for axis in axes[1::2, 0]:
        axis.set_ylabel("ours/released")
    for axis in axes[-1]:
        axis.set_xlabel(r"$E_\nu$ [GeV]")
    axes[0, 0].legend(frameon=False, fontsize=7, loc="upper right")
    figure.tight_layout(pad=0.5)
    figure.savefig(ROOT / "docs" / "physics" / "beam-flux.png", dpi=130)


def scalar() -> None:
    """Flux of a 1 MeV scalar from M -> mu nu S by parent and mode, per g^2."""
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7), sharey=True)
    width = np.log(EDGES[1:] / EDGES[:-1])
    for axis, mode in zip(axes, ("nu", "nubar", "dump"), strict=True):
        for parent, colour in zip(("pi+", "pi-", "k+", "k-"), mpl.color_sequences["tab10"], strict=False):
            h = flux(booster(parent, mode, N // 2), MINIBOONE, three_body(parent, "mu", "scalar", 1.0))
            print(f"S(1 MeV) {mode} {parent}: {h[CENTRES > 140].sum():.3e} above 140 MeV")
            axis.stairs(h / width, EDGES, color=colour, label=parent)
        axis.set(xscale="log", yscale="log", ylim=(1e-17, 2e-11), title=mode, xlabel=r"$E_S$ [MeV]")
        axis.tick_params(which="both", direction="in", top=True, right=True)
    axes[0].set_ylabel(r"$E\,dH/dE$ [1/cm$^2$/POT]$/g_\mu^2$")
    axes[2].legend(frameon=False, fontsize=7)
    figure.tight_layout(pad=0.5)
    figure.savefig(ROOT / "docs" / "physics" / "beam-flux-scalar.png", dpi=130)


def main() -> None:
    """Write both figures."""
    plt.rcParams.update({"font.size": 8, "font.family": "serif", "mathtext.fontset": "cm"})
    residuals()
    scalar()


if __name__ == "__main__":
    main()
