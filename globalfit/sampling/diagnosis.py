"""What the diagnostics say of one quantity of a chain: autocorrelation time, R-hat, effective samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.sampling.autocorrelation import (
    autocorrelation_time,
    autocorrelation_times,
    error_of_time,
    unbiased_time,
)
from globalfit.sampling.ranks import bulk_ess, rank_normalise, split_rhat, tail_ess

LENGTH = 50  # a chain must be this many autocorrelation times long: emcee's rule
SETTLED = 0.01  # by which tau may have changed since the last check, its own error aside
MORE = 7  # changes like the last (till twice as long) that must leave the chain long enough
GROWTH = 1.1  # a chain is checked each time it has grown by this factor
BURN_IN = 10  # autocorrelation times discarded at the start
BULK = 0.1  # lower edge of the bulk: this quantile of the ln posterior in the chain's second half
WALKERS = 64  # of each ensemble, for autocorrelation times; all are asked whether they moved


@dataclass(frozen=True)
class Diagnosis:
    """What the diagnostics say of one quantity.

    Attributes
    ----------
    tau : float
        Integrated autocorrelation time in steps, emcee's estimate, of the slowest ensemble; nan if a walker
        never moved.
    ess : float
        Effective samples by tau: kept steps x walkers / tau.
    rhat : float
        Rank-normalised split R-hat over the ensembles.
    bulk, tail : float
        Rank-normalised effective samples of the centre and of the 5 and 95 % tails.
    saturated : bool
        The chain is shorter than 50 tau, so that tau is a lower bound and is printed with ">=".
    settled : bool
        Tau has not changed since the chain was last checked, by more than 1 % or its error.
    constant : bool
        The quantity is the same everywhere; nothing is asked of it.
    still : tuple of (ensemble, walker)
        Walkers along which it never changed.
    """

    name: str
    tau: float
    ess: float
    rhat: float
    bulk: float
    tail: float
    saturated: bool = False
    settled: bool = True
    constant: bool = False
    still: tuple[tuple[int, int], ...] = ()

    @property
    def tau_text(self) -> str:
        """Tau for people: ``>= 95`` where the chain is too short to tell."""
        if not math.isfinite(self.tau):
            return "nan"
        return f">= {self.tau:.1f}" if self.saturated else f"{self.tau:.1f}"


def by_ensemble(samples: Array, ensemble: NDArray[np.intp] | None = None) -> Array:
    """Return `samples` (steps, walkers) as (ensembles, steps, walkers of one).

    Parameters
    ----------
    samples : (steps, walkers)
        A quantity.
    ensemble : (walkers,), optional
        The ensemble each walker belongs to; all to one by default. Ensembles of different size are cut to
        the smallest.
    """
    if ensemble is None:
        return samples[None]
    groups = [np.flatnonzero(ensemble == k) for k in np.unique(ensemble)]
    size = min(len(group) for group in groups)
    return np.stack([samples[:, group[:size]] for group in groups])


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


def diagnose(name: str, samples: Array, *, walkers: int | None = None, sampled: bool = True) -> Diagnosis:
    """Return the diagnostics of one quantity.

    Parameters
    ----------
    name : str
        Of the quantity.
    samples : (ensembles, steps, walkers)
        Its kept samples. If some are infinite, as a decay length is at zero width, their ranks are judged.
    walkers : int, optional
        Walkers of an ensemble, if `samples` holds only some of them.
    sampled : bool
        A sampled parameter or the ln posterior, which moves if its walker moves; a derived quantity may be
        constant along a walker that does.
    """
    ensembles, steps, some = samples.shape
    total = ensembles * (walkers or some)
    if not np.isfinite(samples).all():
        samples = rank_normalise(np.nan_to_num(samples, nan=-np.inf, posinf=np.inf, neginf=-np.inf))
    still = np.ptp(samples, axis=1) == 0.0 if steps > 1 else np.ones((ensembles, some), dtype=bool)
    if steps > 3 and still.all() and np.ptp(samples[:, 0]) == 0.0:
        draws = float(total * steps)
        return Diagnosis(name, 1.0, draws, 1.0, draws, draws, constant=True)
    named = tuple((int(k), int(w)) for k, w in np.argwhere(still))
    tau = math.nan if sampled and named else _slowest(samples, steps)
    settled = math.isfinite(tau) and _settled(samples, tau)
    scale = total / (ensembles * some)
    return Diagnosis(
        name=name,
        tau=tau,
        ess=steps * total / tau,
        rhat=split_rhat(samples),
        bulk=bulk_ess(samples) * scale,
        tail=tail_ess(samples) * scale,
        saturated=bool(steps < LENGTH * tau),
        settled=settled,
        still=named,
    )


def _slowest(samples: Array, steps: int) -> float:
    """Return the longest tau of an ensemble over the first `steps`; walkers that are still are left out."""
    walkers = samples.shape[2]
    some = np.linspace(0, walkers - 1, min(WALKERS, walkers)).astype(int)
    return max(autocorrelation_time(each[:steps, some], skip_constant=True) for each in samples)


def _settled(samples: Array, tau: float) -> bool:
    """Return whether the chain at its last check, shorter by `GROWTH`, had the same tau."""
    steps, walkers = samples.shape[1], min(WALKERS, samples.shape[2])
    before = int(steps / GROWTH)
    change = abs(unbiased_time(tau, steps) - unbiased_time(_slowest(samples, before), before))
    to_spare = (steps / LENGTH - tau) / MORE
    return bool(change <= max(SETTLED * tau, error_of_time(tau, steps, walkers), to_spare))
