"""Weights that bring tracked mesons to MiniBooNE's released neutrino flux, by parent and mode.

The tracked flux misses mesons of re-interacting hadrons, mostly slow ones: without weights it is 0.78 of the
release at 0.2-0.4 GeV and within 15 % from 0.4 to 2 GeV. Each pion
carries a factor that depends on its momentum at decay, piecewise linear in ln p; a kaon one factor, from the
tail above 3 GeV where no pion reaches. Found by `fit_weights` from the released flux (arXiv:0806.1449). Below
2.4 GeV kaons cannot be separated from pions in that release.
"""

from __future__ import annotations

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam.mesons import MesonSample

NODES = (500.0, 900.0, 1400.0, 2000.0, 2700.0, 3500.0, 4500.0, 6000.0)  # MeV, momentum at decay
PION_WEIGHTS = {
    ("pi+", "nu"): (1.421, 1.241, 1.101, 1.045, 0.975, 0.895, 1.064, 0.924),
    ("pi-", "nubar"): (1.394, 1.244, 1.124, 1.075, 1.024, 0.920, 1.100, 1.256),
    ("pi-", "nu"): (6.411, 4.068, 2.080, 1.250, 1.030, 0.920, 0.797, 0.789),
    ("pi+", "nubar"): (6.406, 4.026, 1.980, 1.119, 0.950, 0.877, 0.787, 0.731),
}
# The K- sample is an estimate already adjusted to the tail (`production.K_MINUS_OVER_K_PLUS`). A kaon that is
# not focused has no tail of its own in the dump: the factor of the focused K+ is taken for its production.
KAON_FACTORS = {
    ("k+", "nu"): 2.255,
    ("k+", "nubar"): 2.43,
    ("k-", "nubar"): 1.0,
    ("k-", "nu"): 1.0,
    ("k+", "dump"): 2.255,
    ("k-", "dump"): 1.0,
}


def hats(p: Array) -> Array:
    """Return the piecewise linear basis (n, 8) in ln p on `NODES`, constant outside."""
    x, nodes = np.log(np.clip(p, NODES[0], NODES[-1])), np.log(NODES)
    return np.stack([np.interp(x, nodes, unit) for unit in np.eye(len(NODES))], axis=1)


def to_release(sample: MesonSample, mode: str) -> MesonSample:
    """Return a tracked sample of a charged parent with the weights of its mode; the dump's pions stay raw."""
    key = (sample.meson.name, mode)
    if key in PION_WEIGHTS:
        return sample.scaled(hats(sample.p) @ np.array(PION_WEIGHTS[key]))
    return sample.scaled(KAON_FACTORS.get(key, 1.0))


def fit_weights(pions: Array, kaons: Array, release: Array, *, free_kaons: bool) -> tuple[Array, float]:
    """Return the pion weights (8,) and the kaon factor for one parent and mode.

    Parameters
    ----------
    pions : array (20, 8)
        Neutrino flux of the pions in 200 MeV bins, one column for each of `hats`.
    kaons : array (20,)
        Neutrino flux of the kaons.
    release : array (20,)
        Released flux. The relative residuals from 0.2 to 2.2 GeV are minimised, with a tenth of the second
        differences of the weights added.
    free_kaons : bool
        Take the kaons' factor from 3 to 4 GeV; otherwise it is 1.
    """
    factor = float(release[15:].sum() / kaons[15:].sum()) if free_kaons else 1.0
    window = slice(1, 11)
    matrix = pions[window] / (release - factor * kaons)[window, None]
    smooth = 0.1 * np.diff(np.eye(len(NODES)), 2, axis=0)
    target = np.concatenate((np.ones(len(matrix)), np.zeros(len(smooth))))
    weights = np.linalg.lstsq(np.vstack((matrix, smooth)), target, rcond=None)[0]
    return np.asarray(weights, dtype=np.float64), factor
