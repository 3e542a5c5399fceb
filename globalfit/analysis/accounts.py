"""What a fit does to each experiment, in words: the rules of the ledger and its answer in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from globalfit.analysis.levers import Lever, Price
from globalfit.analysis.pulls import Experiment, Pull
from globalfit.analysis.pushback import Violation
from globalfit.arrays import strict

GAIN = 2.0  # of ln L against the null: two standard deviations of one Gaussian observable
STILL = 0.5  # |Delta ln L| within which an experiment is untouched: one standard deviation
SIGMA = 2.0  # a pull beyond which prediction and data disagree


@dataclass(frozen=True)
class Entry:
    """One experiment in the ledger.

    Attributes
    ----------
    experiment : Experiment
    kind : str
        "anomaly" if the data disagree with the null by two sigma in some observable, "null result" if not,
        "requirement" if there is no prediction without new physics, "" if nothing can be said.
    status : str
        "explained", "eased", "untouched" or "worsened"; of a requirement "met" or "not met"; "" if nothing
        can be said.
    parameters : tuple of (str, float)
        The parameters that do it, with the ln L each one is worth, the most first.
    """

    experiment: Experiment
    kind: str
    status: str
    parameters: tuple[tuple[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(
            {"kind": self.kind, "status": self.status, "parameters": [list(each) for each in self.parameters]}
        )
        return self.experiment.to_dict() | found


@dataclass(frozen=True)
class Outside:
    """An observable of an experiment that is not in the fit, at its best point.

    Attributes
    ----------
    experiment : str
    pull : Pull
    effect : str
        "broken" or "relieved" by the explanation, "tense" with it and without, or "".
    """

    experiment: str
    pull: Pull
    effect: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(
            {"experiment": self.experiment, "effect": self.effect} | dict(vars(self.pull))
        )
        return found


def judged(experiment: Experiment, found: Sequence[Lever] = ()) -> Entry:
    """Return the entry of an experiment: what it is, what the best point does to it, by which parameters."""
    worth = [(each.parameter, each.losses.get(experiment.name, 0.0)) for each in found]
    needed = sorted((each for each in worth if each[1] > STILL), key=lambda each: -each[1])
    worst = max((abs(each.best) for each in experiment.pulls), default=math.nan)
    kind, status = _kind(experiment), ""
    gain, share = experiment.gain, experiment.share
    if kind == "requirement":
        status = "met" if worst <= SIGMA else "not met"
    elif gain is not None and abs(gain) <= STILL:
        status = "untouched"
    elif gain is not None and gain < 0.0:
        status = "worsened"
    elif gain is not None:
        fits = worst <= SIGMA if experiment.pulls else share is not None and share >= 0.5
        status = "explained" if gain >= GAIN and fits else "eased"
    return Entry(experiment, kind, status, tuple(needed))


def _kind(experiment: Experiment) -> str:
    if experiment.null is None:
        return "requirement" if experiment.pulls else ""
    at_null = [abs(each.null) for each in experiment.pulls if each.null is not None]
    if at_null:
        return "anomaly" if max(at_null) >= SIGMA else "null result"
    if experiment.ideal_gain is None:
        return ""
    return "anomaly" if experiment.ideal_gain >= GAIN else "null result"


def effect_of(pull: Pull) -> str:
    """Return what an explanation does to an observable outside its fit; see `Outside.effect`."""
    here, there = abs(pull.best), abs(pull.null or 0.0)
    if here > SIGMA and here > there + 1.0:
        return "broken"
    if there > SIGMA and here < there - 1.0:
        return "relieved"
    return "tense" if here > SIGMA else ""


def connected(entries: Sequence[Entry]) -> tuple[tuple[str, ...], ...]:
    """Return the names of explained experiments and met requirements in groups that share a parameter.

    Those parameters count that `Entry.parameters` lists.
    """
    needs = {
        each.experiment.name: {name for name, _ in each.parameters}
        for each in entries
        if each.status in ("explained", "eased", "met") and each.kind in ("anomaly", "requirement")
    }
    groups: list[tuple[set[str], set[str]]] = []
    for name, parameters in needs.items():
        joined, shared = {name}, set(parameters)
        apart = []
        for members, theirs in groups:
            if theirs & parameters:
                joined |= members
                shared |= theirs
            else:
                apart.append((members, theirs))
        groups = [*apart, (joined, shared)]
    return tuple(tuple(name for name in needs if name in members) for members, _ in groups)


def answer(
    entries: Sequence[Entry],
    groups: Sequence[Sequence[str]],
    cost: Price,
    hardest: Entry | None,
    broken: Sequence[Violation],
    outside: Sequence[Outside],
    converged: bool,
) -> str:
    """Return in one sentence whether all are explained, correlated, and at what price."""
    if not any(each.kind for each in entries):
        return "nothing can be said without the likelihoods of the fit"
    anomalies = [each for each in entries if each.kind == "anomaly"]
    explained = [each for each in anomalies if each.status == "explained"]
    said = [f"{len(explained)} of {len(anomalies)} anomalies explained at once" + _listed(explained)]
    for status in ("eased", "untouched", "worsened"):
        those = [each for each in anomalies if each.status == status]
        if those:
            said.append(f"{status}{_listed(those)}")
    for status in ("met", "not met"):
        those = [each for each in entries if each.kind == "requirement" and each.status == status]
        if those:
            said.append(f"{status}: {', '.join(each.experiment.name for each in those)}")
    gains = [each.experiment.gain for each in entries if each.experiment.gain is not None]
    bound = "" if cost.exact else "at least "
    said.append(f"ln L {sum(gains):+.1f} in all for {bound}{cost.information:.1f} nats of prior volume")
    if cost.log_bayes is not None:
        said.append(f"ln Bayes factor against the null {cost.log_bayes:+.1f}")
    if len(groups) == 1 and len(groups[0]) > 1:
        said.append("all of it hangs together by shared parameters")
    elif len(groups) > 1:
        listed = " | ".join(", ".join(each) for each in groups)
        said.append(f"not all correlated: {len(groups)} groups share no parameter ({listed})")
    if hardest is not None and hardest.experiment.gain is not None:
        said.append(f"{hardest.experiment.name} pushes back hardest ({hardest.experiment.gain:+.1f})")
    else:
        said.append("no experiment of the fit pushes back")
    if broken:
        said.append(
            f"outside the fit the limit on {broken[0].title} is exceeded {broken[0].factor:.3g} times"
        )
    torn = [each for each in outside if each.effect == "broken"]
    if torn:
        worst = max(torn, key=lambda each: abs(each.pull.best))
        most = f"{worst.pull.observable} most ({worst.pull.best:+.1f} sigma)"
        said.append(f"{len(torn)} observables outside it break, {most}")
    return "; ".join(said) + ("" if converged else " (the chain is not converged)")


def _listed(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    return (
        " ("
        + ", ".join(f"{each.experiment.name} {each.experiment.gain or 0.0:+.1f}" for each in entries)
        + ")"
    )
