"""Draw the muon g-2 band in the (m_aprime, m_phi) plane: docs/physics/muon-g2-band.png.

Run from the top of a checkout: ``python docs/plots/muon_g2_band.py``.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_MU
from globalfit.likelihoods.muon_g2 import MuonG2
from globalfit.model import Point

mpl.use("Agg")
import matplotlib.pyplot as plt

VEV, KAPPA = 10_000.0, 2**0.5
M_APRIME = np.geomspace(1.0, 1000.0, 121)
BLUE, ORANGE = "#0072b2", "#d55e00"
OUTPUT = Path(__file__).parents[1] / "physics" / "muon-g2-band.png"


def masses_at_pull(likelihood: MuonG2, pulls: tuple[float, ...]) -> Array:
    """Return m_phi (pulls, m_aprime) at which (delta a_mu - observed)/error takes each of `pulls`."""
    m_phi = np.linspace(55.0, 115.0, 6001)
    rows = []
    for m_aprime in M_APRIME:
        g = np.full_like(m_phi, m_aprime / (2 * KAPPA * VEV))
        y = np.full_like(m_phi, M_MU / (KAPPA * VEV))
        columns = {"g_mu_vector": g, "g_mu_axial": g, "y_mu": y, "m_phi": m_phi}
        prediction = likelihood.predict(Point({**columns, "m_aprime": np.full_like(m_phi, m_aprime)}))
        error = np.hypot(likelihood.error_observed, prediction["error_delta_a_mu"])
        pull = (prediction["delta_a_mu"] - likelihood.observed) / error
        rows.append(np.interp(pulls, pull[::-1], m_phi[::-1]))  # delta a_mu falls with m_phi
    return np.array(rows).T


def draw() -> None:
    """Write the figure."""
    plt.rcParams.update({"font.family": "serif", "mathtext.fontset": "cm", "font.size": 10})
    figure, (plane, zoom) = plt.subplots(
        2, 1, sharex=True, figsize=(5.2, 6.0), height_ratios=(3, 2), layout="constrained"
    )
    old, new = "fnal-2021-wp2020", "fnal-2025-wp2025"
    centre = masses_at_pull(MuonG2(old), (0.0,))[0]

    low, high = masses_at_pull(MuonG2(old), (2.0, -2.0))
    plane.fill_between(M_APRIME, low, high, color=BLUE, alpha=0.35, lw=0, label=f"{old}, $2\\sigma$")
    low, high = masses_at_pull(MuonG2(new), (2.0, -2.0))
    plane.plot(M_APRIME, low, color=ORANGE, lw=1.0)
    plane.plot(M_APRIME, high, color=ORANGE, lw=1.0, label=f"{new}, $2\\sigma$")
    plane.plot([150, 180], [80, 76], "k*", ms=8, ls="none")
    plane.annotate("relic-density\nbenchmarks", (165, 78.5), (270, 84), fontsize=9)
    plane.axvspan(5, 200, color="0.94", zorder=0, lw=0)
    plane.text(32, 62.3, r"$5 < m_{A'} < 200$ MeV", ha="center", color="0.4", fontsize=9)
    plane.set(ylabel=r"$m_{\phi'}$ [MeV]", ylim=(60, 112), xscale="log", xlim=(1, 1000))
    plane.legend(frameon=False, fontsize=9, loc="upper right")
    title = r"$\delta a_\mu$ of $U(1)_{T3R}$, $V = 10$ GeV, $\kappa = \sqrt{2}$, $\epsilon = 0$"
    plane.set_title(title, fontsize=10)

    for measurement, colour in ((old, BLUE), (new, ORANGE)):
        low, high = masses_at_pull(MuonG2(measurement), (1.0, -1.0)) - centre
        zoom.fill_between(
            M_APRIME, low, high, color=colour, alpha=0.25, lw=0, label=r"$1\sigma$, with two-loop error"
        )
        low, high = masses_at_pull(MuonG2(measurement, two_loop=0.0), (1.0, -1.0)) - centre
        zoom.plot(M_APRIME, low, color=colour, lw=1.1)
        zoom.plot(M_APRIME, high, color=colour, lw=1.1, label=r"$1\sigma$, measurement and SM only")
    difference = r"$m_{\phi'} - m_{\phi'}(251 \times 10^{-11})$ [MeV]"
    zoom.set(xlabel=r"$m_{A'}$ [MeV]", ylabel=difference, ylim=(-0.8, 2.2))
    zoom.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")
    for axes in (plane, zoom):
        axes.tick_params(which="both", direction="in", top=True, right=True)
    figure.savefig(OUTPUT, dpi=135)


if __name__ == "__main__":
    draw()
