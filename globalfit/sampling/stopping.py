"""When a chain can be trusted: a verdict over all its quantities and ensembles, with reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.sampling import reasons
from globalfit.sampling.census import Census
from globalfit.sampling.diagnosis import Diagnosis, burn_in, by_ensemble, diagnose

LOG_POSTERIOR = "ln posterior"  # judged together with the parameters, the last of them
ENSEMBLES = 4  # independent ensembles, each from its own start, without which nothing is CONVERGED


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
        *reasons.movement(kept, found, len(names)),
        *reasons.length(found, steps - discard),
        *reasons.agreement(found),
        *reasons.drift(kept, found),
    ]
    blind = [reasons.AROUND_POINT] if around_point else reasons.balls(grouped, kept, names)
    lasting = [*reasons.starts(len(grouped), least), *blind, *reasons.evidence(evidence)]
    for each_census in census:
        reason = reasons.masses(each_census)
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
