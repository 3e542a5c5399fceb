"""MiniBooNE: sums of the 2020 release, its constrained background, and ln L without a signal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from globalfit.registry import load
from globalfit.validation.row import Row

TOPIC = "MiniBooNE"
TABLE = "MiniBooNE (2020), arXiv:2006.16883, Table I"
WHY_ERROR = (
    "the released fractional covariance is rounded; 0.8 % in this error, 0.02 % in the constrained one"
)
# data, background and its error without and with the muon samples, excess
PUBLISHED = {
    "neutrino": (2870.0, 2322.6, 258.3, 2309.4, 119.6, 560.6),
    "antineutrino": (478.0, 398.2, 49.7, 400.6, 28.5, 77.4),
}


def rows() -> Iterator[Row]:
    """Yield the rows of this topic."""
    likelihood = load("likelihood", "miniboone")()
    release = likelihood.release
    low = np.concatenate((release.low_energy, np.zeros_like(release.low_energy)))
    constrained, covariance = release.constrained_background()
    for mode, (data, free, error_free, held, error_held, excess) in PUBLISHED.items():
        here = low if mode == "neutrino" else np.roll(low, len(low) // 2)
        observed, background = release.data[here].sum(), release.background[here].sum()
        error = np.sqrt(release.covariance_background()[np.ix_(here, here)].sum())
        error_after = np.sqrt(covariance[np.ix_(here, here)].sum())
        after = constrained[here].sum()
        for what, published, ours, tolerance, why in (
            ("data", data, observed, 0.5, ""),
            ("background, unconstrained", free, background, 0.15, ""),
            ("its error", error_free, error, 0.3, WHY_ERROR if mode == "neutrino" else ""),
            ("background, constrained", held, after, 1.0, ""),
            ("its error, constrained", error_held, error_after, 0.5, ""),
            ("excess", excess, observed - after, 1.0, ""),
        ):
            quantity = f"{what}, {mode} mode, 200-1250 MeV"
            yield Row(TOPIC, quantity, "events", published, float(ours), tolerance, "rounding", TABLE, why)
    zero = {name: np.zeros((1, release.data.size // 2)) for name in ("signal_nu", "signal_nubar")}
    ours = float(likelihood.log_likelihood(zero)[0])
    source = "the released 38 x 38 covariance, brute force (chi2 69.233, ln det 304.168)"
    yield Row(TOPIC, "ln L without a signal", "", -221.620, ours, 0.001, "three digits", source)
