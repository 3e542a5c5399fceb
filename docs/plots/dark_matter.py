"""Draw dark matter beside the excess of MiniBooNE; print the rows of docs/physics/beam-dark-matter.md.

Run from the top of a checkout: ``python docs/plots/dark_matter.py``.
"""

from __future__ import annotations

from math import pi
from pathlib import Path

import matplotlib as mpl
import numpy as np

from globalfit.arrays import Array
from globalfit.constants import ALPHA
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.models.t3r import T3RMuon

mpl.use("Agg")
import matplotlib.pyplot as plt

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
OUTPUT = Path(__file__).parents[1] / "physics" / "dark-matter-spectra.png"
MASSES = {"single": (17.0, 8.0, 32.0), "double": (17.0, 8.0, 42.0)}
UNIT = 1e-8
ROWS = [
    (kind, leg, leptons)
    for kind in MASSES
    for leg, leptons in (
        ("lepton", "e+mu"),
        ("lepton", "mu"),
        ("lepton", "e"),
        ("contact", "e+mu"),
        ("meson", "e+mu"),
        ("gauge-invariant", "e+mu"),
        ("neutral", "mu"),
    )
]


def fit(kind: str, leg: str, leptons: str) -> tuple[dict[str, float], Array]:
    """Return the figures of a row and its best-fit spectra (22,)."""
    m_aprime, m_eta, gap = MASSES[kind]
    model = T3RMuon(portal=f"dark-matter-{kind}", production_leg=leg, leptons=leptons)  # type: ignore[arg-type]
    columns = {"m_aprime": m_aprime, "m_eta": m_eta, "delta_eta": gap, "m_v2": 200.0, "portal_coupling": UNIT}
    at = model.point({name: np.array([value]) for name, value in columns.items()})
    spectrum = np.concatenate((at.signal_nu[0], at.signal_nubar[0]))
    nu, nubar = spectrum[:9].sum(), spectrum[11:20].sum()
    scale = np.linspace(0.0, 800.0, 1601) / nu
    trial = scale[:, None] * spectrum
    ln_l = MiniBooNE().log_likelihood({"signal_nu": trial[:, :11], "signal_nubar": trial[:, 11:]})
    best = int(np.argmax(ln_l))
    dump = float((at.signal_dump_charged + at.signal_dump_neutral)[0])
    cosine = at.signal_costheta[0]
    return {
        "N/A nu": nu / UNIT**2,
        "N/A nubar": nubar / UNIT**2,
        "N/A dump": dump / UNIT**2,
        "N nu": scale[best] * nu,
        "N nubar": scale[best] * nubar,
        "dump": scale[best] * dump,
        "gain": 2.0 * float(ln_l[best] - ln_l[0]),
        "eps1 eps2 g2'": float(np.sqrt(scale[best])) * UNIT / (4.0 * pi * ALPHA),
        "LSND": scale[best] * float(at.signal_lsnd[0]),
        "cos > 0.9": float(cosine[-1] / cosine.sum()),
    }, trial[best]


def draw() -> None:
    """Print the rows and write the figure."""
    spectra = {}
    for row in ROWS:
        figures, spectra[row] = fit(*row)
        print(*row, " ".join(f"{value:.3g}" for value in figures.values()), sep=" | ")
    plt.rcParams.update({"font.family": "serif", "mathtext.fontset": "cm", "font.size": 9})
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
    release = MiniBooNE().release
    constrained, covariance = release.constrained_background()
    error = np.sqrt(np.diag(covariance))
    width, edges = np.diff(release.edges), release.edges
    centre = 0.5 * (edges[1:] + edges[:-1])
    shown = slice(0, 10)  # the last bin, 1500-3000 MeV, is off the axis
    lines = (
        (("single", "lepton", "e+mu"), ORANGE, "-", r"single, lepton leg, e+$\mu$"),
        (("double", "lepton", "e+mu"), BLUE, "-", r"double, lepton leg, e+$\mu$"),
        (("single", "gauge-invariant", "e+mu"), GREEN, "--", "single, conserved current"),
        (("single", "neutral", "mu"), PURPLE, ":", r"single, $\pi^0$, $\eta$ (dump: excluded)"),
    )
    for axis, title, first in ((axes[0], "neutrino mode", 0), (axes[1], "antineutrino mode", 11)):
        part = slice(first, first + 11)
        band = error[part] / width
        axis.fill_between(
            np.repeat(edges, 2)[1:-1], np.repeat(-band, 2), np.repeat(band, 2), color="0.85", lw=0
        )
        axis.axhline(0.0, color="0.6", lw=0.7)
        over = (release.data[part] - constrained[part]) / width
        bars = np.sqrt(release.data[part]) / width
        axis.errorbar(centre[shown], over[shown], bars[shown], fmt="ko", ms=3.0, lw=0.9, label="data")
        for row, colour, style, label in lines:
            axis.stairs(spectra[row][part] / width, edges, color=colour, ls=style, label=label)
        axis.set(xlabel=r"$E_\nu^\mathrm{QE}$ [MeV]", xlim=(200, 1500))
        axis.set_title(title, fontsize=9)
        axis.tick_params(which="both", direction="in", top=True, right=True)
    axes[0].set_ylabel("excess / MeV")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(OUTPUT, dpi=130)


if __name__ == "__main__":
    draw()
