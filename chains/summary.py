"""What a chain says, in numbers: the verdict first, then intervals, best point and ln L per experiment."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.chains.diagnostics import evidence_of
from globalfit.sampling.census import Census
from globalfit.sampling.diagnosis import Diagnosis

BINS = 100  # of the prior's range, to look at its edges
UNCONFIRMED = re.compile(r"\[unconfirmed([^\]]*)\]")
PILED = 0.25  # density at an edge, relative to the highest, above which a parameter is prior-bounded


@dataclass(frozen=True)
class Row:
    """A quantity of the posterior: median, 68 and 95 % central intervals, value at the best point."""

    name: str
    unit: str
    median: float
    low68: float
    high68: float
    low95: float
    high95: float
    best: float
    tau: float | None = None
    ess: float | None = None  # emcee's, by tau
    saturated: bool = False  # tau is a lower bound
    rhat: float | None = None
    ess_bulk: float | None = None
    ess_tail: float | None = None
    bounded: str = ""  # "low", "high" or both: the posterior runs into that edge of its prior


@dataclass(frozen=True)
class Summary:
    """The content of ``globalfit summary``."""

    file: str
    model: str
    as_of: str
    steps: int
    walkers: int
    discard: int
    acceptance: float
    converged: bool
    reasons: tuple[str, ...]
    rows: tuple[Row, ...]
    derived: tuple[Row, ...]
    fixed: dict[str, float]
    likelihoods: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]
    ensembles: int = 1
    census: tuple[dict[str, Any], ...] = ()
    evidence: tuple[dict[str, Any], ...] = ()
    constant: tuple[str, ...] = ()  # quantities that are the same everywhere, of which nothing is asked
    unconfirmed: tuple[str, ...] = ()  # inputs whose citation says so

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; numbers that are not finite become None.

        Intervals of a chain that is not converged are None too: they would not be intervals.
        """
        found = {name: strict(value) for name, value in asdict(self).items()}
        if not self.converged:
            for row in (*found["rows"], *found["derived"]):
                row |= dict.fromkeys(("median", "low68", "high68", "low95", "high95"))
        return found


def summarise(chain: Chain, *, discard: int | None = None) -> Summary:
    """Summarise a chain.

    Parameters
    ----------
    chain : Chain
        The chain.
    discard : int, optional
        Steps to leave out at the start; chosen from the chain by default.
    """
    verdict = chain.verdict if discard is None else chain.assess(discard)
    best = chain.best()
    judged = {each.name: each for each in verdict.quantities}
    rows = [
        replace(
            _row(chain, name, verdict.discard, best[name], judged.get(name)),
            bounded=_bounded(chain, name, verdict.discard),
        )
        for name in chain.names
    ]
    derived = [
        _row(chain, row["name"], verdict.discard, best[row["name"]], judged.get(row["name"]))
        for row in chain.derived
    ]
    likelihoods = [
        {
            "name": row["name"],
            "measurement": row["measurement"],
            "reference": row["reference"],
            "best": best[f"ll_{row['name']}"],
            "mean": float(_kept(chain, f"ll_{row['name']}", verdict.discard).mean()),
        }
        for row in chain.likelihoods
    ]
    return Summary(
        file=str(chain.path),
        model=str(chain.attributes.get("model", "")),
        as_of=str(chain.attributes.get("as_of", "")),
        steps=chain.steps,
        walkers=chain.walkers,
        discard=verdict.discard,
        acceptance=chain.acceptance,
        converged=verdict.converged,
        reasons=verdict.reasons,
        rows=tuple(rows),
        derived=tuple(derived),
        fixed={row["name"]: row["value"] for row in chain.parameters if row["role"] in ("fixed", "default")},
        likelihoods=tuple(likelihoods),
        warnings=tuple(chain.warnings),
        ensembles=verdict.ensembles,
        census=tuple(_census(each) for each in verdict.census),
        evidence=tuple(evidence_of(chain)),
        constant=verdict.constant,
        unconfirmed=unconfirmed_inputs(chain),
    )


def _census(census: Census) -> dict[str, Any]:
    return {
        "name": census.name,
        "told_by": census.told_by,
        "agrees": census.agrees,
        "modes": [
            {
                "label": mode.label,
                "mass": mode.mass,
                "error": mode.error,
                "masses": mode.masses,
                "spread": mode.spread,
                "best": {k: v for k, v in mode.best.items() if not k.startswith("ll_")},
                "ln_likelihood": {
                    k.removeprefix("ll_"): v for k, v in mode.best.items() if k.startswith("ll_")
                },
            }
            for mode in census.modes
        ],
    }


def unconfirmed_inputs(chain: Chain) -> tuple[str, ...]:
    """Return the likelihoods whose citation, or a part of it, is marked as unconfirmed, with what is."""
    found = []
    for row in chain.likelihoods:
        for said in UNCONFIRMED.findall(str(row.get("reference", ""))):
            found.append(f"{row['name']}: {said.strip(' :') or 'the numbers of its citation'}")
    return tuple(found)


def _row(chain: Chain, name: str, discard: int, best: float, judged: Diagnosis | None) -> Row:
    samples = _kept(chain, name, discard)
    # A decay length is infinite where nothing decays: between such samples nothing can be interpolated.
    method: Literal["linear", "inverted_cdf"] = "linear" if np.isfinite(samples).all() else "inverted_cdf"
    levels = np.array([0.025, 0.16, 0.5, 0.84, 0.975])
    low95, low68, median, high68, high95 = np.quantile(samples, levels, method=method)
    return Row(
        name=name,
        unit=str(chain.row(name)["unit"]),
        median=float(median),
        low68=float(low68),
        high68=float(high68),
        low95=float(low95),
        high95=float(high95),
        best=best,
        tau=judged.tau if judged else None,
        ess=judged.ess if judged else None,
        saturated=judged.saturated if judged else False,
        rhat=judged.rhat if judged else None,
        ess_bulk=judged.bulk if judged else None,
        ess_tail=judged.tail if judged else None,
    )


def _kept(chain: Chain, name: str, discard: int) -> Array:
    """Return the samples behind an interval: of a chain beyond 2 GiB, not of every step."""
    return chain.get(name, discard=discard, thin=chain.stride)


def _bounded(chain: Chain, name: str, discard: int) -> str:
    """Name the edges of the prior at which the posterior piles up instead of falling off."""
    row = chain.row(name)
    low, high = row["low"], row["high"]
    if not (math.isfinite(low) and math.isfinite(high)) or row["scale"] == "signed-log":
        return ""
    samples = _kept(chain, name, discard)
    if row["scale"] == "log":
        samples, low, high = np.log(samples), math.log(low), math.log(high)
    place = (samples - low) / (high - low)
    counts = np.histogram(place, bins=BINS, range=(0.0, 1.0))[0]
    edges = (("low", counts[0]), ("high", counts[-1]))
    return " and ".join(edge for edge, count in edges if count > PILED * counts.max())
