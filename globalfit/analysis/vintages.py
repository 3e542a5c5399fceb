"""The same fit through time: what it says with the measurements of each date."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from globalfit.analysis.accounts import Entry, judged
from globalfit.analysis.pieces import Piece, joined, pieces
from globalfit.analysis.pulls import Experiment, columns_at, paired
from globalfit.arrays import strict
from globalfit.assembly import assemble
from globalfit.errors import FitError, FitErrors
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.null import null_log_likelihoods
from globalfit.registry import load, load_file, names
from globalfit.tables import FitTable, read_table


@dataclass(frozen=True)
class Vintage:
    """A fit with the measurements of one date.

    Attributes
    ----------
    date : datetime.date
    measurements : mapping of str to str
        By experiment: the measurement used; "" for an experiment that does not follow dates.
    absent : tuple of str
        Experiments of the fit that had not been measured yet; left out.
    entries : tuple of Entry
        At the draw with the highest likelihood.
    intervals : mapping of str to (low, median, high)
        Central 68 % of every parameter that an experiment of the date reads.
    log_evidence : float
        ln Z; between dates its differences mean nothing, the data being others.
    log_bayes : float or None
        ln Z minus ln Z without new physics, by the same data; None if an experiment has no null.
    same : bool
        True if the data are those of the date before, whose numbers these are.
    routes : mapping of str to str
        By experiment, how its part of the posterior was had: "sampled", "reweighted (k = ...)" from the date
        before, or "kept" where no measurement of the part is another.
    labels : mapping of str to (str, str, bool)
        LaTeX label and unit of each parameter, and whether its prior is logarithmic.
    """

    date: datetime.date
    measurements: Mapping[str, str]
    absent: tuple[str, ...]
    entries: tuple[Entry, ...]
    intervals: Mapping[str, tuple[float, float, float]]
    log_evidence: float
    log_bayes: float | None
    same: bool = False
    routes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, str, bool]] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """Ln L at the best draw minus ln L without new physics, of the experiments that have a null."""
        gains = [each.experiment.gain for each in self.entries]
        return sum(gain for gain in gains if gain is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(
            {"date": self.date.isoformat(), "measurements": dict(self.measurements), "absent": self.absent}
            | {"log_evidence": self.log_evidence, "log_bayes": self.log_bayes, "gain": self.gain}
            | {"intervals": {name: list(each) for name, each in self.intervals.items()}, "same": self.same}
            | {"routes": dict(self.routes)}
        )
        return found | {"experiments": [each.to_dict() for each in self.entries]}


def vintages(
    path: Path,
    dates: Sequence[datetime.date],
    *,
    particles: int = 2000,
    seed: int = 1,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Vintage]:
    """Return a fit with the measurements of each date, by tempered runs and by reweighting.

    Components of the posterior that share nothing are looked at one by one. One whose measurements are those
    of the date before is kept; one in which they changed little is reweighted, where the Pareto shape of the
    weights is below 0.5; all others are sampled.

    Parameters
    ----------
    path : Path
        The fit file; a likelihood whose measurement it names keeps it at every date.
    dates : sequence of datetime.date
    particles, seed : int
        Of the tempered runs.
    progress : callable
        Called as ``progress("dates", done, total)``.

    Raises
    ------
    FitErrors
        If the fit file is wrong, or nothing in it had been measured at any of the dates.
    """
    found: list[Vintage] = []
    before: list[Piece] = []
    for done, date in enumerate(sorted(dates)):
        progress("dates", done, len(dates))
        fit, absent = fit_at(path, date)
        kept = [name for name in fit.posterior.likelihoods if name not in absent]
        used = {name: str(getattr(fit.posterior.likelihoods[name], "measurement", "")) for name in kept}
        if not kept:
            found.append(Vintage(date, {}, absent, (), {}, 0.0, None))
        elif found and found[-1].measurements == used:
            found.append(replace(found[-1], date=date, absent=absent, same=True))
        else:
            before = pieces(fit, used, before, seed, particles)
            found.append(_described(fit, date, used, absent, before))
    progress("dates", len(dates), len(dates))
    if not any(each.entries for each in found):
        problem = f"nothing in it had been measured by {max(dates)}"
        raise FitErrors([FitError(str(path), problem, "take a later date")])
    return found


def fit_at(path: Path, date: datetime.date) -> tuple[Fit, tuple[str, ...]]:
    """Return a fit with the measurements of a date, and the likelihoods that had none yet.

    These stand in the fit with their first measurement, so that its parameters stay the same; leave them out.

    Raises
    ------
    FitErrors
        If the fit file is wrong.
    """
    text = load_fit(path).text  # which tells all problems of the file
    content = tomllib.loads(text)
    given = content.get("likelihoods", {})
    absent = []
    for name, options in given.items():
        spec = str(options.get("class", name))
        cls = load("likelihood", spec) if spec in names("likelihood") else load_file(spec, path.parent)
        known: Mapping[str, datetime.date] = getattr(cls, "vintages", {})
        if known and "measurement" not in options and min(known.values()) > date:
            options["measurement"] = min(known, key=lambda each: known[each])
            absent.append(name)
    fit = assemble(path, text, read_table(FitTable, content, str(path)), (), date)
    return fit, tuple(absent)


def _described(
    fit: Fit,
    date: datetime.date,
    used: Mapping[str, str],
    absent: tuple[str, ...],
    found: Sequence[Piece],
) -> Vintage:
    posterior = fit.posterior
    draws = joined(fit, used, found)
    routes = {name: each.route for each in found for name in each.part.likelihoods}
    nulls = null_log_likelihoods(posterior)
    top = int(np.argmax(draws.log_likelihood))
    columns = columns_at(posterior, {name: float(values[top]) for name, values in draws.values.items()})
    point = posterior.point(dict(columns))
    entries = []
    for name in used:
        likelihood = posterior.likelihoods[name]
        ln_l, ideal = draws.log_likelihoods[name], getattr(likelihood, "ideal", None)
        pulls = paired(posterior, likelihood, columns, posterior.predict(likelihood, point))
        null = nulls[name]
        entries.append(
            judged(
                Experiment(
                    name,
                    float(ln_l[top]),
                    float(ln_l.mean()),
                    null.log_likelihood,
                    None if ideal is None else float(ideal),
                    pulls,
                    null.reason,
                )
            )
        )
    space = posterior.space
    read = set().union(*(posterior.reads[name] for name in used))
    intervals = {}
    for name in draws.values:
        if name in read:
            low, median, high = draws.interval(name)
            intervals[name] = float(low), float(median), float(high)
    log_z = float(draws.log_evidence or 0.0)
    none = [nulls[name].log_evidence for name in used]
    known = [each for each in none if each is not None]
    log_bayes = log_z - sum(known) if len(known) == len(none) else None
    labels = {
        each.name: (each.label, each.unit, prior.scale == "log")
        for each, prior in zip(space.sampled, space.priors, strict=True)
    }
    return Vintage(
        date, used, absent, tuple(entries), intervals, log_z, log_bayes, routes=routes, labels=labels
    )
