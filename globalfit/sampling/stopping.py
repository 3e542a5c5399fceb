"""When a chain is long enough: autocorrelation time, effective samples, and a verdict with reasons."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import emcee
import numpy as np

from globalfit.arrays import Array

LENGTH = 50  # a chain must be this many autocorrelation times long: emcee's rule
BURN_IN = 10  # autocorrelation times discarded at the start
BULK = 0.1  # lower edge of the bulk: this quantile of the ln posterior in the chain's second half
DRIFT = 4.0  # standard errors by which the two halves may differ


@dataclass(frozen=True)
class Verdict:
    """Whether a chain can be trusted, as far as one ensemble can tell.

    Attributes
    ----------
    tau : dict of str to float
        Integrated autocorrelation time in steps, emcee's estimate; nan if a walker never moved.
    ess : dict of str to float
        Effective samples: kept steps x walkers / tau.
    discard : int
        Steps left out at the start.
    reasons : tuple of str
        What is wrong; empty for a converged chain.
    """

    steps: int
    walkers: int
    discard: int
    tau: dict[str, float]
    ess: dict[str, float]
    reasons: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """True if nothing speaks against it."""
        return not self.reasons

    @property
    def worst_tau(self) -> float:
        """Longest autocorrelation time; nan if one is."""
        return float(np.max(list(self.tau.values()))) if self.tau else math.nan

    @property
    def worst_ess(self) -> float:
        """Fewest effective samples; nan if a tau is."""
        return float(np.min(list(self.ess.values()))) if self.ess else math.nan


def autocorrelation_times(samples: Array) -> Array:
    """Return the integrated autocorrelation time (quantities,) of `samples` (steps, walkers, quantities).

    Goodman & Weare's estimate averaged over walkers, as in emcee (Sokal's window, c = 5). It is 1 for a
    quantity that is the same everywhere, such as the ln posterior of a flat prior, and nan where one walker
    never moved.
    """
    if len(samples) < 4:
        return np.full(samples.shape[2], np.nan)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        tau = emcee.autocorr.integrated_time(samples, c=5, tol=0, quiet=True)
    constant = np.ptp(samples, axis=(0, 1)) == 0.0
    return np.where(constant, 1.0, np.asarray(tau, dtype=np.float64))


def burn_in(samples: Array) -> int:
    """Return the number of steps to discard, at most half the chain.

    Ten autocorrelation times, and until every walker has once been in the bulk of the ln posterior, the last
    of the quantities in `samples` (steps, walkers, quantities).
    """
    half = len(samples) // 2
    tau = autocorrelation_times(samples[half:])
    if not half or not np.isfinite(tau).all():
        return half
    log_posterior = samples[:, :, -1]
    arrived = log_posterior[:half] >= np.quantile(log_posterior[half:], BULK)
    arrival = np.where(arrived.any(axis=0), arrived.argmax(axis=0), half)
    return int(min(half, max(math.ceil(BURN_IN * tau.max()), arrival.max())))


def assess(samples: Array, names: Sequence[str], *, discard: int | None = None) -> Verdict:
    """Judge a chain of one ensemble.

    It is converged if every autocorrelation time is finite, the kept part is 50 of them long, no walker is
    stuck, and the means of its two halves agree. One ensemble cannot see a mode that no walker found.

    Parameters
    ----------
    samples : (steps, walkers, quantities)
        In the coordinates in which the chain is judged; the last quantity is the ln posterior.
    names : sequence of str
        Of the quantities.
    discard : int, optional
        Steps to leave out; chosen from the chain by default.
    """
    steps, walkers = samples.shape[:2]
    discard = burn_in(samples) if discard is None else discard
    kept = samples[discard:]
    tau = autocorrelation_times(kept)
    stuck = int(np.sum(np.all(kept == kept[:1], axis=(0, 2)))) if len(kept) else walkers
    return conclude(names, steps, walkers, discard, tau, drift(kept, tau), stuck)


def drift(kept: Array, tau: Array) -> Array:
    """Return by how many standard errors the means of the two halves of `kept` differ, (quantities,).

    `tau` (quantities,) are the autocorrelation times in rows of `kept` (steps, walkers, quantities).
    """
    first, second = np.array_split(kept, 2)
    if len(first) < 2:
        return np.full(len(tau), np.nan)
    error = np.std(kept, axis=(0, 1)) * np.sqrt(4.0 * tau / (len(kept) * kept.shape[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        shift: Array = np.abs(first.mean(axis=(0, 1)) - second.mean(axis=(0, 1))) / error
    return shift


def conclude(
    names: Sequence[str], steps: int, walkers: int, discard: int, tau: Array, shift: Array, stuck: int
) -> Verdict:
    """Return the verdict on a chain of which these numbers are known; see `assess`.

    Parameters
    ----------
    names : sequence of str
        Of the quantities.
    tau, shift : (quantities,)
        Autocorrelation times in steps, and what `drift` gives.
    stuck : int
        Walkers that never moved.
    """
    kept = steps - discard
    ess = kept * walkers / tau
    reasons: list[str] = []
    if stuck:
        reasons.append(f"{stuck} of {walkers} walkers never moved; run longer, or reparametrise")
    for name, time in zip(names, tau, strict=True):
        if not np.isfinite(time):
            reasons.append(f"the autocorrelation time of '{name}' cannot be estimated; run longer")
    finite = np.isfinite(tau)
    if finite.any() and kept < LENGTH * tau[finite].max():
        worst = names[int(np.nanargmax(tau))]
        times = kept / tau[finite].max()
        reasons.append(
            f"{kept} kept steps are {times:.0f} autocorrelation times of '{worst}'; {LENGTH} are needed"
        )
    if finite.any():
        for name, far in zip(names, shift > DRIFT, strict=True):
            if far:
                reasons.append(f"'{name}' still drifts: the halves of the chain differ; run longer")
    return Verdict(
        steps,
        walkers,
        discard,
        dict(zip(names, tau.tolist(), strict=True)),
        dict(zip(names, ess.tolist(), strict=True)),
        tuple(reasons),
    )
