"""When a chain can be trusted: diagnostics of every quantity, and a verdict with reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
from globalfit.sampling.census import SPREAD, Census
from globalfit.sampling.ranks import bulk_ess, rank_normalise, split_rhat, tail_ess

LOG_POSTERIOR = "ln posterior"  # judged together with the parameters, the last of them
ENSEMBLES = 4  # independent ensembles, each from its own start, without which nothing is CONVERGED
LENGTH = 50  # a chain must be this many autocorrelation times long: emcee's rule
SETTLED = 0.01  # by which tau may have changed since the last check, its own error aside
MORE = 7  # changes like the last (till twice as long) that must leave the chain long enough
GROWTH = 1.1  # a chain is checked each time it has grown by this factor
RHAT = 1.01  # Vehtari et al. 2021, as the next one
ESS = 400  # bulk and tail, all ensembles together
EVIDENCE = 0.3  # standard deviation of ln Z between the tempered starts
BALL = 0.3  # width of a start, over the posterior's, below which it cannot have looked around
BURN_IN = 10  # autocorrelation times discarded at the start
BULK = 0.1  # lower edge of the bulk: this quantile of the ln posterior in the chain's second half
DRIFT = 4.0  # standard errors by which the two halves may differ
WALKERS = 64  # of each ensemble, for autocorrelation times; all are asked whether they moved
NAMED = 3  # quantities a reason names
AROUND_POINT = (
    "the census cannot tell: the walkers started around a point, blind to other modes; "
    'run with start = "tempered"'
)


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


@dataclass(frozen=True)
class Verdict:
    """Whether a chain can be trusted.

    Attributes
    ----------
    walkers : int
        Of all ensembles together.
    discard : int
        Steps left out at the start.
    tau, ess : dict of str to float
        Of the sampled parameters and the ln posterior; see `Diagnosis`.
    reasons : tuple of str
        What is wrong and what to do; empty for a converged chain.
    lasting : tuple of str
        Those of the reasons that more steps cannot mend: too few ensembles, or a start that missed modes.
    ensembles : int
        Independent ensembles.
    quantities : tuple of Diagnosis
        Everything judged: sampled, derived, per likelihood.
    census : tuple of Census
        The modes and their masses.
    evidence : tuple of float
        ln Z of each ensemble's tempered start.
    """

    steps: int
    walkers: int
    discard: int
    tau: dict[str, float]
    ess: dict[str, float]
    reasons: tuple[str, ...]
    lasting: tuple[str, ...] = ()
    ensembles: int = 1
    quantities: tuple[Diagnosis, ...] = ()
    census: tuple[Census, ...] = ()
    evidence: tuple[float, ...] = ()

    @property
    def converged(self) -> bool:
        """True if nothing speaks against it."""
        return not self.reasons

    @property
    def finished(self) -> bool:
        """True if nothing speaks against it that more steps could mend."""
        return set(self.reasons) <= set(self.lasting)

    @property
    def worst_tau(self) -> float:
        """Longest autocorrelation time; nan if one is."""
        return float(np.max(list(self.tau.values()))) if self.tau else math.nan

    @property
    def worst_ess(self) -> float:
        """Fewest effective samples; nan if a tau is."""
        return float(np.min(list(self.ess.values()))) if self.ess else math.nan

    @property
    def constant(self) -> tuple[str, ...]:
        """Quantities that are the same everywhere."""
        return tuple(each.name for each in self.quantities if each.constant)


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


def assess(
    samples: Array,
    names: Sequence[str],
    *,
    discard: int | None = None,
    ensemble: NDArray[np.intp] | None = None,
    others: Iterable[tuple[str, Array]] = (),
    census: Sequence[Census] = (),
    evidence: Sequence[float] = (),
    walkers: int | None = None,
    least: int | None = None,
    around_point: bool = False,
) -> Verdict:
    """Judge a chain.

    It is converged if there are at least `ENSEMBLES` ensembles, none of which started in a ball; if they
    agree on the mass of every mode and on ln Z; if for every quantity the kept part is 50 autocorrelation
    times long, tau is finite and has settled, R-hat is below 1.01, bulk and tail ESS are at least 400; if no
    walker is stuck, and the means of the two halves of the parameters agree.

    Parameters
    ----------
    samples : (steps, walkers, quantities)
        In the coordinates in which the chain is judged; the last quantity is the ln posterior.
    names : sequence of str
        Of the quantities.
    discard : int, optional
        Steps to leave out; chosen from the chain by default.
    ensemble : (walkers,), optional
        The ensemble of each walker; all belong to one by default.
    others : iterable of (str, (steps, walkers))
        Derived quantities and ln likelihoods, judged one after the other.
    census : sequence of Census
        The modes, counted by the caller.
    evidence : sequence of float
        ln Z of each ensemble's tempered start.
    walkers : int, optional
        Walkers of all ensembles, if `samples` holds only some of them.
    least : int, optional
        Ensembles that are needed; `ENSEMBLES` by default.
    around_point : bool
        The walkers started around a point that the user gave; however wide, that is no look around.
    """
    steps, some = samples.shape[:2]
    walkers = some if walkers is None else walkers
    least = ENSEMBLES if least is None else least
    discard = burn_in(samples) if discard is None else discard
    grouped = np.stack([by_ensemble(samples[:, :, i], ensemble) for i in range(samples.shape[2])], axis=-1)
    kept = grouped[:, discard:]
    each = walkers * kept.shape[2] // some  # walkers of an ensemble
    found = [diagnose(name, kept[..., i], walkers=each) for i, name in enumerate(names)]
    found += [
        diagnose(name, by_ensemble(values, ensemble)[:, discard:], walkers=each, sampled=False)
        for name, values in others
    ]
    mendable = [
        *_movement(kept, found, len(names)),
        *_length(found, steps - discard),
        *_agreement(found),
        *_drift(kept, found),
    ]
    blind = [AROUND_POINT] if around_point else _balls(grouped, kept, names)
    lasting = [*_starts(len(grouped), least), *blind, *_evidence(evidence)]
    for each_census in census:
        reason = _masses(each_census)
        (mendable if reason and each_census.worst.by_chance else lasting).extend(reason)
    return Verdict(
        steps,
        walkers,
        discard,
        {each.name: each.tau for each in found[: len(names)]},
        {each.name: each.ess for each in found[: len(names)]},
        (*lasting, *mendable),
        lasting=tuple(lasting),
        ensembles=len(grouped),
        quantities=tuple(found),
        census=tuple(census),
        evidence=tuple(evidence),
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


def _starts(ensembles: int, least: int) -> list[str]:
    if ensembles >= least:
        return []
    seen = "one ensemble cannot see" if ensembles == 1 else f"{ensembles} ensembles may all have missed"
    missed = "a mode it missed" if ensembles == 1 else "a mode"
    return [f"{seen} {missed}; run with ensembles = {least}"]


def _balls(grouped: Array, kept: Array, names: Sequence[str]) -> list[str]:
    """Look for walkers that started together: they can report what lies around their start, and no more."""
    if grouped.shape[2] < 4 or kept.shape[1] < 2:
        return []
    width = kept.std(axis=(1, 2))[:, :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(width > 0.0, grouped[:, 0, :, :-1].std(axis=1) / width, np.inf)
    if not ratio.size or not ratio.min() < BALL:
        return []
    k, i = divmod(int(np.argmin(ratio)), ratio.shape[1])
    return [
        f"the census cannot tell: the walkers of ensemble {k} started within {ratio[k, i]:.2g} of the "
        f"posterior's width in '{names[i]}', blind to other modes; run with start = \"tempered\""
    ]


def _evidence(evidence: Sequence[float]) -> list[str]:
    if len(evidence) < 2:
        return []
    scatter = float(np.std(evidence, ddof=1))
    if scatter <= EVIDENCE:
        return []
    return [
        f"ln Z scatters by {scatter:.2f} between the tempered starts, {EVIDENCE} is allowed; "
        "start anew with more particles (sampler.particles)"
    ]


def _masses(census: Census) -> list[str]:
    if not census.modes or census.agrees:
        return []
    mode = census.worst
    what = f"mode '{mode.label}'" if census.name == "clusters" else f"'{mode.label}' ({census.name})"
    remedy = (
        "run longer, or with more walkers"
        if mode.by_chance
        else 'start anew with start = "tempered" and more particles (sampler.particles)'
    )
    return [
        f"the mass of {what} is {min(mode.masses):.2f} .. {max(mode.masses):.2f} in the ensembles, "
        f"a spread of {SPREAD} is allowed; {remedy}"
    ]


def _movement(kept: Array, found: Sequence[Diagnosis], sampled: int) -> list[str]:
    """Look for walkers that never moved, and for quantities without an autocorrelation time."""
    reasons = []
    stuck = np.argwhere(np.all(kept == kept[:, :1], axis=(1, 3)))
    walkers = kept.shape[0] * kept.shape[2]
    if len(stuck):
        which = _some([f"walker {w} of ensemble {k}" for k, w in stuck])
        moved = f"{len(stuck)} of {walkers} walkers never moved ({which})"
        reasons.append(f"{moved}; run longer, or reparametrise")
    never = {tuple(each) for each in stuck.tolist()}
    for each in found[:sampled]:
        if math.isfinite(each.tau):
            continue
        which = _some([f"walker {w} of ensemble {k}" for k, w in each.still if (k, w) not in never])
        why = f": {which} never moved in it" if which else ""
        reasons.append(f"the autocorrelation time of '{each.name}' is nan{why}; run longer, or reparametrise")
    lost = [f"'{each.name}'" for each in found[sampled:] if not math.isfinite(each.tau)]
    if lost:
        reasons.append(f"the autocorrelation time of {_some(lost)} is nan; run longer")
    return reasons


def _length(found: Sequence[Diagnosis], kept: int) -> list[str]:
    reasons = []
    timed = [each for each in found if math.isfinite(each.tau)]
    short = sorted((each for each in timed if each.saturated), key=lambda each: -each.tau)
    if short:
        worst = short[0]
        reasons.append(
            f"{kept} kept steps are {kept / worst.tau:.0f} autocorrelation times ({worst.tau_text}) of "
            f"{_some([repr(each.name) for each in short])}, {LENGTH} are needed; run longer"
        )
    restless = [repr(each.name) for each in timed if not each.settled and not each.saturated]
    if restless:
        reasons.append(f"the autocorrelation time of {_some(restless)} has not settled; run longer")
    return reasons


def _agreement(found: Sequence[Diagnosis]) -> list[str]:
    reasons = []
    apart = sorted((each for each in found if not each.rhat < RHAT), key=lambda each: -each.rhat)
    if apart:
        reasons.append(
            f"R-hat is {apart[0].rhat:.3f} for {_some([repr(each.name) for each in apart])}, "
            f"below {RHAT} is needed; run longer, and if it stays start anew"
        )
    for kind in ("bulk", "tail"):
        few = sorted(
            (each for each in found if not getattr(each, kind) >= ESS), key=lambda each: getattr(each, kind)
        )
        if few:
            reasons.append(
                f"{kind} ESS is {getattr(few[0], kind):.0f} for {_some([repr(each.name) for each in few])}, "
                f"{ESS} are needed; run longer"
            )
    return reasons


def _drift(kept: Array, found: Sequence[Diagnosis]) -> list[str]:
    """Compare the means of the two halves of the parameters and the ln posterior.

    Their error is the larger of what tau gives and what the ensembles' own differences show: a tau is too
    short where few walkers stay long at one place.
    """
    first, second = np.array_split(kept, 2, axis=1)
    if first.shape[1] < 2:
        return []
    ess = np.array([found[i].ess for i in range(kept.shape[-1])])
    error = np.std(kept, axis=(0, 1, 2)) * np.sqrt(4.0 / ess)
    shifts = first.mean(axis=(1, 2)) - second.mean(axis=(1, 2))
    if len(shifts) > 1:
        error = np.maximum(error, np.std(shifts, axis=0, ddof=1) / math.sqrt(len(shifts)))
    shift = np.abs(shifts.mean(axis=0))
    far = [repr(found[i].name) for i in np.flatnonzero(shift > DRIFT * error).tolist()]
    return [f"{_some(far)} still drifts: the halves of the chain differ; run longer"] if far else []


def _some(words: Sequence[str]) -> str:
    """Return the first words, and how many more there are."""
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more
