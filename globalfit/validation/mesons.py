"""Meson decays into light particles: tables and closed forms of their branching ratios."""

from __future__ import annotations

from collections.abc import Iterator

from globalfit.physics.beam.meson_decays import branching_ratio
from globalfit.validation.row import Row

TOPIC = "Meson decays"
SOURCE = "independent numerical integration of the squared amplitudes"

# (parent, lepton, process): {mass in MeV: BR per unit coupling squared}
TABLE = {
    ("pi+", "mu", "scalar"): {1.0: 4.813e-2, 5.0: 1.486e-2, 20.0: 5.022e-4},
    ("pi+", "mu", "pseudoscalar"): {1.0: 1.0885e-4, 5.0: 8.104e-5, 20.0: 7.083e-6},
    ("pi+", "e", "scalar"): {1.0: 9.868e-3, 5.0: 9.492e-3, 20.0: 6.841e-3},
    ("pi+", "e", "pseudoscalar"): {1.0: 9.845e-3, 5.0: 9.479e-3, 20.0: 6.836e-3},
    ("k+", "mu", "scalar"): {1.0: 9.225e-2, 5.0: 6.632e-2, 20.0: 4.314e-2},
    ("k+", "mu", "pseudoscalar"): {1.0: 1.007e-2, 5.0: 1.001e-2, 20.0: 9.474e-3},
    ("k+", "e", "scalar"): {1.0: 1.577e-2, 5.0: 1.570e-2, 20.0: 1.501e-2},
}
PARTICLE = {"scalar": "S", "pseudoscalar": "P"}


def rows() -> Iterator[Row]:
    """Yield the rows of this topic."""
    for (parent, lepton, process), table in TABLE.items():
        for mass, published in table.items():
            ours = float(branching_ratio(parent, lepton, process, mass))
            meson = parent.removesuffix("+")
            what = f"BR({meson} -> {lepton} nu {PARTICLE[process]})/g^2, {mass:g} MeV"
            yield Row(TOPIC, what, "", published, ours, 0.005 * published, "0.5 %", SOURCE)
