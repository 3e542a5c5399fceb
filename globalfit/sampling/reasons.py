"""Why a chain is not converged: each function says what is wrong and what to do, in the words of a reason."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from globalfit.arrays import Array
from globalfit.sampling.census import SPREAD, Census
from globalfit.sampling.diagnosis import LENGTH, Diagnosis

RHAT = 1.01  # Vehtari et al. 2021, as the next one
ESS = 400  # bulk and tail, all ensembles together
EVIDENCE = 0.3  # standard deviation of ln Z between the tempered starts
BALL = 0.3  # width of a start, over the posterior's, below which it cannot have looked around
DRIFT = 4.0  # standard errors by which the two halves may differ
NAMED = 3  # quantities a reason names
AROUND_POINT = (
    "the census cannot tell: the walkers started around a point, blind to other modes; "
    'run with start = "tempered"'
)


def starts(ensembles: int, least: int) -> list[str]:
    """Ask whether there are enough ensembles to miss no mode together."""
    if ensembles >= least:
        return []
    seen = "one ensemble cannot see" if ensembles == 1 else f"{ensembles} ensembles may all have missed"
    missed = "a mode it missed" if ensembles == 1 else "a mode"
    return [f"{seen} {missed}; run with ensembles = {least}"]


def balls(grouped: Array, kept: Array, names: Sequence[str]) -> list[str]:
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


def evidence(evidence: Sequence[float]) -> list[str]:
    """Ask whether the tempered starts agree on ln Z."""
    if len(evidence) < 2:
        return []
    scatter = float(np.std(evidence, ddof=1))
    if scatter <= EVIDENCE:
        return []
    return [
        f"ln Z scatters by {scatter:.2f} between the tempered starts, {EVIDENCE} is allowed; "
        "start anew with more particles (sampler.particles)"
    ]


def masses(census: Census) -> list[str]:
    """Ask whether the ensembles agree on the mass of every mode."""
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


def movement(kept: Array, found: Sequence[Diagnosis], sampled: int) -> list[str]:
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


def length(found: Sequence[Diagnosis], kept: int) -> list[str]:
    """Ask whether the chain is long enough for autocorrelation times that have settled."""
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


def agreement(found: Sequence[Diagnosis]) -> list[str]:
    """Ask for R-hat below 1.01, and for effective samples in bulk and tails."""
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


def drift(kept: Array, found: Sequence[Diagnosis]) -> list[str]:
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
