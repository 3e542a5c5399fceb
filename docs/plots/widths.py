"""Draw docs/physics/widths.png: branching ratios and decay lengths of A' and phi' in t3r-muon.

Run from the root of the repository: ``python docs/plots/widths.py``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from globalfit.models.t3r import T3RMuon
from globalfit.models.t3r_point import T3RPoint

AT = {"vev": 1e4, "m_eta": 30.0, "delta_eta": 0.01, "m_nus": 10.0, "epsilon": 1e-4}
LABELS = {
    "nus_nus": r"$\nu_s\nu_s$",
    "eta_eta": r"$\eta\eta$",
    "e_e": r"$e^+e^-$",
    "mu_mu": r"$\mu^+\mu^-$",
    "pi_pi": r"$\pi\pi$",
    "pi0_gamma": r"$\pi^0\gamma$",
    "aprime_aprime": r"$A'A'$",
    "gamma_gamma": r"$\gamma\gamma$",
    "nua_nus": r"$\nu_A\nu_s$",
}
COLOURS = dict(zip(LABELS, mpl.color_sequences["tab10"], strict=False))


def points(boson: str, m: np.ndarray, m_other: float) -> T3RPoint:
    """Points along the mass of one boson, MeV, the other one fixed."""
    masses = {"aprime": ("m_aprime", "m_phi"), "phi": ("m_phi", "m_aprime")}[boson]
    values = AT | {masses[0]: m, masses[1]: m_other}
    return T3RMuon().point(
        {name: np.broadcast_to(np.asarray(value, float), m.shape) for name, value in values.items()}
    )


def main() -> None:
    """Write the figure."""
    plt.rcParams.update(
        {"font.size": 9, "font.family": "serif", "mathtext.fontset": "cm", "axes.linewidth": 0.7}
    )
    m = np.geomspace(4.0, 600.0, 900)
    figure, axes = plt.subplots(2, 2, figsize=(7.0, 4.8), sharex=True, height_ratios=(2.2, 1.0))
    panels = (("aprime", 80.0, r"$A'$", r"$m_{A'}$ [MeV]"), ("phi", 50.0, r"$\phi'$", r"$m_{\phi'}$ [MeV]"))
    for column, (boson, other, symbol, label) in enumerate(panels):
        at = points(boson, m, other)
        top, bottom = axes[:, column]
        for channel in getattr(at, f"widths_{boson}"):
            ratio = getattr(at, f"br_{boson}_{channel}")
            if ratio.max() > 1e-6:
                shown = np.where(ratio > 1e-8, ratio, np.nan)
                top.loglog(m, shown, color=COLOURS[channel], lw=1.3, label=LABELS[channel])
        length = getattr(at, f"ctau_{boson}")
        bottom.loglog(m, length, color="black", lw=1.2)
        top.set(ylim=(1e-6, 2.0), ylabel=f"branching ratio of {symbol}", xlim=(4.0, 600.0))
        bottom.set(xlabel=label, ylabel=r"$c\tau$ [m]")
        top.legend(loc="center left", frameon=False, fontsize=8, handlelength=1.4)
        for axis in (top, bottom):
            axis.tick_params(which="both", direction="in", top=True, right=True, width=0.6)
    axes[0, 0].set_title(
        r"$V = 10$ GeV, $m_\eta = 30$ MeV, $m_{\nu_s} = 10$ MeV, $\epsilon = 10^{-4}$", fontsize=8.5
    )
    axes[0, 1].set_title(r"the same, $m_{A'} = 50$ MeV", fontsize=8.5)
    figure.tight_layout(pad=0.6)
    figure.savefig(Path(__file__).parents[1] / "physics" / "widths.png", dpi=135)


if __name__ == "__main__":
    main()
