"""The ledger of a fit: what it explains, what it breaks, what does it, and what it costs.

docs/ledger.md says what each line means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from globalfit.analysis.accounts import Entry, Outside, answer, connected, effect_of, judged
from globalfit.analysis.draws import of_fit
from globalfit.analysis.levers import Lever, Price, levers, lower_bound, price, prior_places
from globalfit.analysis.pulls import best_point, columns_at, paired
from globalfit.analysis.pushback import Violation, violations
from globalfit.analysis.rebuilt import fit_of, with_experiment
from globalfit.chains.chain import Chain
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.fit import Fit
from globalfit.null import null_log_likelihoods
from globalfit.registry import names

AGAINST = ("rare-b-decays", "meson-decays")  # looked at beside the fit, where the model predicts them


@dataclass(frozen=True)
class Ledger:
    """What ``globalfit ledger`` says.

    Attributes
    ----------
    file : str
    converged : bool
        Of the chain; if not, best point and price are what was found so far.
    entries : tuple of Entry
    outside : tuple of Outside
    violations : tuple of Violation
        Limits that the best point breaks and that are not in the fit.
    levers : tuple of Lever
    price : Price
    groups : tuple of tuple of str
        Anomalies and requirements that the model accounts for, in groups that share a parameter each of them
        needs; groups share none.
    hardest : Entry or None
        The experiment in the fit with the most negative Delta ln L, if it is worsened.
    problem : str
        Why entries are without nulls.
    answer : str
        One sentence.
    """

    file: str
    converged: bool
    entries: tuple[Entry, ...]
    outside: tuple[Outside, ...]
    violations: tuple[Violation, ...]
    levers: tuple[Lever, ...]
    price: Price
    groups: tuple[tuple[str, ...], ...]
    hardest: Entry | None
    problem: str
    answer: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "file": self.file,
            "converged": self.converged,
            "experiments": [each.to_dict() for each in self.entries],
            "outside": [each.to_dict() for each in self.outside],
            "violations": [each.to_dict() for each in self.violations],
            "parameters": [each.to_dict() for each in self.levers],
            "price": self.price.to_dict(),
            "groups": [list(each) for each in self.groups],
            "hardest": None if self.hardest is None else self.hardest.experiment.name,
            "problem": self.problem,
            "answer": self.answer,
        }


def ledger(
    chain: Chain,
    path: Path | None = None,
    *,
    fit: Fit | None = None,
    against: Sequence[str] = AGAINST,
    discard: int | None = None,
    evidence: tuple[float, float | None] | None = None,
) -> Ledger:
    """Return the ledger of a chain.

    Parameters
    ----------
    chain : Chain
    path : Path, optional
        The fit file, where the fit names a loose one.
    fit : Fit, optional
        The fit of the chain, if it has been put together already.
    against : sequence of str
        Likelihoods outside the fit to look at; those that the model does not predict are passed over.
    discard : int, optional
        Steps to leave out at the start.
    evidence : (float, float or None), optional
        ln Z and the ln Bayes factor against the null, of `against_null`; else what the chain stores.
    """
    problem = ""
    try:
        fit = fit or fit_of(chain, path)
    except GlobalfitError as error:
        problem = str(error).splitlines()[0]
    point = best_point(chain, fit, discard)
    if point.problem:
        fit = None
    places = prior_places(chain, discard)
    found = levers(chain, None if fit is None else fit.posterior, places)
    entries = tuple(judged(each, found) for each in point.experiments)
    mean = sum(each.experiment.mean for each in entries)
    highest = sum(each.experiment.best for each in entries)
    cost = Price(lower_bound([*places.values()]))
    if entries:
        cost = price(chain, places, mean, highest, evidence)
    worsened = [each for each in entries if each.status == "worsened"]
    outside = () if fit is None else beside(chain, fit, against, path)
    broken = tuple(violations(chain))
    hardest = min(worsened, key=lambda each: each.experiment.gain or 0.0, default=None)
    groups = connected(entries)
    verdict = chain.verdict if discard is None else chain.assess(discard)
    return Ledger(
        str(chain.path),
        verdict.converged,
        entries,
        outside,
        broken,
        found,
        cost,
        groups,
        hardest,
        problem or point.problem,
        answer(entries, groups, cost, hardest, broken, outside, verdict.converged),
    )


def beside(
    chain: Chain, before: Fit, against: Sequence[str], path: Path | None = None
) -> tuple[Outside, ...]:
    """Return the observables of experiments outside a chain's fit at its best point.

    Raises
    ------
    GlobalfitError
        If there is no likelihood of a name.
    """
    for name in against:
        if ".py:" not in name and name not in names("likelihood"):
            raise GlobalfitError(
                "--against", f"no likelihood named '{name}'", did_you_mean(name, names("likelihood"))
            )
    inside = {str(row["name"]) for row in chain.likelihoods}
    found = []
    for name in against:
        if name in inside:
            continue
        try:
            fit, likelihood = with_experiment(chain, name, path, before)
            columns = columns_at(fit.posterior, chain.best())
            prediction = fit.posterior.predict(likelihood, fit.posterior.point(dict(columns)))
            pulls = paired(fit.posterior, likelihood, columns, prediction)
        except GlobalfitError:  # the model does not predict it, or it shares data with the fit
            continue
        found += [Outside(name, each, effect_of(each)) for each in pulls if math.isfinite(each.best)]
    return tuple(found)


def against_null(fit: Fit, seed: int = 1, particles: int = 4000) -> tuple[float, float | None]:
    """Return ln Z of a fit and its ln Bayes factor against no new physics, by tempered runs.

    The Bayes factor is of the experiments that have a null, alone: without a dark sector there is no
    abundance to compare with. None if no experiment has one. Both depend on the priors.
    """
    nulls = null_log_likelihoods(fit.posterior)
    every = list(nulls)
    whole = of_fit(fit, every, seed, particles).log_evidence
    those = {name: each.log_evidence for name, each in nulls.items() if each.log_evidence is not None}
    if not those:
        return float(whole or 0.0), None
    part = whole if len(those) == len(every) else of_fit(fit, list(those), seed, particles).log_evidence
    return float(whole or 0.0), float(part or 0.0) - sum(those.values())
