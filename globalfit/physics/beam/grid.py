"""The energy grid of beam particles and the names of a flux's axes, shared by fluxes and kernels.

A flux H has the energy axis last, shape (..., 89): particles per cm^2 per proton on target (POT) in each bin
of total laboratory energy, at the detector (a long-lived X has bins of momentum instead, `reference.edges`).
Everything before that axis is parent, lepton, process, mode, combination of couplings or polarisation, kept
apart so that couplings and nuisances of the flux stay exact.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from globalfit.arrays import Array, readonly
from globalfit.errors import GlobalfitError, did_you_mean

BINS = 89
EDGES = readonly(np.geomspace(10.0, 10_000.0, BINS + 1))  # MeV; each bin is 7.8 % wide
CENTRES = readonly(np.sqrt(EDGES[1:] * EDGES[:-1]))  # MeV, geometric

PARENTS = ("pi+", "pi-", "k+", "k-", "pi0", "eta")
LEPTONS = ("e", "mu")
MODES = ("nu", "nubar", "dump")
PROCESSES = ("scalar", "pseudoscalar", "vector")

# A vector's production amplitude is a A + b B + c C: from the lepton, the meson and the contact leg.
COMBINATIONS = ("aa", "bb", "cc", "ab", "ac", "bc")
POLARISATIONS = ("transverse", "longitudinal")
LEGS = {
    "lepton": (1.0, 0.0, 0.0),
    "meson": (0.0, -1.0, 0.0),
    "contact": (0.0, 0.0, 1.0),
    "gauge-invariant": (1.0, -1.0, 1.0),  # a conserved current
}


def require(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise a `GlobalfitError` if `name`, a parent, lepton, mode or process, is not `known`."""
    known = tuple(known)
    if name not in known:
        raise GlobalfitError("beam", f"no {kind} named '{name}'", did_you_mean(name, known))


def combine(a: Array | float, b: Array | float, c: Array | float) -> Array:
    """Return the weights (..., 6) of `COMBINATIONS` for legs of strength a, b, c (...).

    A rate is the sum over combinations of weight times H: the entries ab, ac, bc of H hold the whole
    interference term and may be negative, so that rate = a^2 aa + b^2 bb + c^2 cc + a b ab + a c ac + b c bc.
    """
    a, b, c = np.broadcast_arrays(*(np.asarray(leg, dtype=np.float64) for leg in (a, b, c)))
    return np.stack((a * a, b * b, c * c, a * b, a * c, b * c), axis=-1)


def into_bins(energies: Array, weights: Array, edges: Array = EDGES) -> Array:
    """Return the histogram (bins,) of `weights` over `energies`, of equal shapes; the rest is lost."""
    histogram, _ = np.histogram(energies.ravel(), bins=edges, weights=weights.ravel())
    return np.asarray(histogram, dtype=np.float64)
