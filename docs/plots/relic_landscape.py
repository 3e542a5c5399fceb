"""Omega h^2 across the resonances of phi' and A': docs/physics/relic-landscape.png.

python docs/plots/relic_landscape.py [FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from globalfit.likelihoods.relic_density import RelicDensity
from globalfit.models.t3r import T3RMuon

HERE = Path(__file__).resolve().parents[1]
M_ETA = 40.0


def abundance(model, **values):
    """Return Omega h^2 at the given values, the rest as in the note."""
    columns = {"vev": 1e4, "m_eta": M_ETA, "delta_eta": 0.01, "m_nus": 10.0, "epsilon": 0.0} | values
    n = max(np.size(each) for each in columns.values())
    point = model.point({k: np.broadcast_to(np.asarray(v, float), (n,)).copy() for k, v in columns.items()})
    return RelicDensity().predict(point)["omega_h2"]


def around(low, high):
    """Ratios between `low` and `high`, close together at 1."""
    near = np.geomspace(1e-6, 0.3, 150)
    return np.unique(np.concatenate([np.linspace(low, high, 300), 1.0 - near, [1.0], 1.0 + near]))


def main():
    """Draw and write the figure."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "physics/relic-landscape.png"
    figure, axes = plt.subplots(1, 2, figsize=(10.0, 4.2), sharey=True, layout="constrained")
    ratio = around(0.3, 2.2)
    for style, model, label in (
        ("-", T3RMuon(), r"$\kappa = \sqrt{2}$"),
        ("--", T3RMuon(kappa="1"), r"$\kappa = 1$"),
        (":", T3RMuon(c_nu=0.0), r"$\kappa = \sqrt{2}$, no $\phi' \to \nu_s\nu_s$"),
    ):
        omega = abundance(model, m_phi=2 * M_ETA * ratio, m_aprime=150.0)
        axes[0].plot(ratio, omega, "C0" + style, label=label)
        omega = abundance(model, m_aprime=2 * M_ETA * ratio, m_phi=110.0)
        axes[1].plot(ratio, omega, "C3" + style, label=label)
    for axis, text, other in (
        (axes[0], r"$m_{\phi'}/(2 m_\eta)$", r"$m_{A'} = 150$ MeV"),
        (axes[1], r"$m_{A'}/(2 m_\eta)$", r"$m_{\phi'} = 110$ MeV"),
    ):
        axis.axhline(0.12, color="0.4", lw=0.8)
        axis.text(0.32, 0.15, "Planck", color="0.4", fontsize=8)
        axis.axvline(0.5, color="0.8", lw=0.8, zorder=0)  # eta eta -> two mediators opens to the left
        axis.set(xlabel=text, yscale="log", ylim=(1e-9, 10.0), xlim=(0.3, 2.2))
        axis.set_title(rf"$m_\eta = 40$ MeV, $V = 10$ GeV, {other}", fontsize=9)
        axis.legend(fontsize=8, frameon=False, loc="lower right")
    axes[0].set_ylabel(r"$\Omega h^2$")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
