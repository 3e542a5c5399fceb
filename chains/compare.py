"""Chains side by side: verdicts, shifts of shared parameters, ln L per experiment, Bayes factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import strict
from globalfit.chains.chain import Chain
from globalfit.chains.diagnostics import log_evidence, prior_quantile
from globalfit.errors import ChainError
from globalfit.null import from_rows, null_evidence

BOUNDED = (
    "uniform",
    "log-uniform",
    "Uniform",
    "LogUniform",
)  # priors whose width in their own scale can be halved and doubled


@dataclass(frozen=True)
class Comparison:
    """What ``globalfit compare`` prints: one entry a chain, the shifts and factors against the first.

    Attributes
    ----------
    shifts : dict
        {parameter: [shift of the mean in sigma, one a chain]}, sigma the two widths in quadrature, in the
        scale of the first chain's prior; None where a chain lacks it or either is not converged.
    other_data : list of list of str
        For each chain the likelihoods that it or the first chain lacks, or whose measurements differ: an
        evidence is a density of the data, and only those of the same data make a Bayes factor.
    log_bayes : list
        ln Z minus that of the first chain, and its error; None without both, or if the data differ.
    nulls : dict
        {experiment: [ln L without new physics, one a chain]}; None where a chain does not store it.
    against_null : list
        ln Z minus ln Z without new physics, and its error; None unless every experiment has a null.
    priors : list of dict
        For each chain and parameter: its prior's range, and how ln Z changes if the width of that prior
        is halved or doubled about its middle.
    """

    files: tuple[str, ...]
    verdicts: tuple[dict[str, Any], ...]
    shifts: dict[str, list[float | None]]
    likelihoods: dict[str, list[float | None]]
    log_evidence: list[dict[str, float] | None]
    other_data: list[list[str]]
    log_bayes: list[dict[str, float] | None]
    nulls: dict[str, list[float | None]]
    against_null: list[dict[str, float] | None]
    priors: list[dict[str, dict[str, Any]]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(dict(vars(self)))
        return found


def compare(chains: Sequence[Chain]) -> Comparison:
    """Compare chains with the first of them.

    Raises
    ------
    ChainError
        If there are fewer than two.
    """
    if len(chains) < 2:
        raise ChainError("compare", "one chain is given", "name two or more")
    first = chains[0]
    verdicts = [
        {"converged": chain.verdict.converged, "reasons": list(chain.verdict.reasons)} for chain in chains
    ]
    best = [chain.best() for chain in chains]
    experiments = dict.fromkeys(row["name"] for chain in chains for row in chain.likelihoods)
    evidences = [_evidence(chain) for chain in chains]
    other_data = [_other_data(first, chain) for chain in chains]
    return Comparison(
        files=tuple(str(chain.path) for chain in chains),
        verdicts=tuple(verdicts),
        shifts={
            name: [_shift(first, chain, name) for chain in chains]
            for name in first.names
            if any(name in chain.names for chain in chains[1:])
        },
        likelihoods={name: [values.get(f"ll_{name}") for values in best] for name in experiments},
        log_evidence=evidences,
        other_data=other_data,
        log_bayes=[
            None if other else _bayes(evidences[0], each)
            for each, other in zip(evidences, other_data, strict=True)
        ],
        nulls={name: [_null(chain, name) for chain in chains] for name in experiments},
        against_null=[_against_null(*each) for each in zip(chains, evidences, strict=True)],
        priors=[{name: _prior(chain, name) for name in chain.names} for chain in chains],
    )


def _shift(first: Chain, other: Chain, name: str) -> float | None:
    if name not in other.names or not (first.verdict.converged and other.verdict.converged):
        return None
    logarithmic = first.row(name)["scale"] == "log" and other.row(name)["scale"] == "log"
    a, b = (np.log(each.get(name)) if logarithmic else each.get(name) for each in (first, other))
    width = math.hypot(float(a.std()), float(b.std()))
    return float(b.mean() - a.mean()) / width if width > 0.0 else None


def _evidence(chain: Chain) -> dict[str, float] | None:
    found = log_evidence(chain)
    return None if found is None else {"log_evidence": found[0], "error": found[1]}


def _other_data(first: Chain, other: Chain) -> list[str]:
    """Return the likelihoods that are not the same measurement in both chains."""
    known, found = (
        {row["name"]: (row.get("measurement", ""), row.get("data", "")) for row in each.likelihoods}
        for each in (first, other)
    )
    return [name for name in dict.fromkeys([*known, *found]) if known.get(name) != found.get(name)]


def _bayes(first: dict[str, float] | None, other: dict[str, float] | None) -> dict[str, float] | None:
    if first is None or other is None:
        return None
    change = other["log_evidence"] - first["log_evidence"]
    return {"log_bayes": change, "error": math.hypot(first["error"], other["error"])}


def _null(chain: Chain, name: str) -> float | None:
    found = from_rows(chain.nulls).get(name)
    return None if found is None else found.log_likelihood


def _against_null(chain: Chain, evidence: dict[str, float] | None) -> dict[str, float] | None:
    null = null_evidence(chain.nulls)
    return _bayes(None if null is None else {"log_evidence": null, "error": 0.0}, evidence)


def _prior(chain: Chain, name: str) -> dict[str, Any]:
    """Return a prior's range and how ln Z depends on its width.

    Halved about its middle a flat prior is twice as dense, and the likelihood integral loses what lies
    outside: ln Z changes by ln 2 + ln p, p the posterior's share of the inner half. Doubled it is half as
    dense: by -ln 2 + ln(1 + what the likelihood holds outside), which no sample tells; -ln 2 is
    exact for a posterior that ends inside its prior and a lower bound for one that is prior-bounded.
    """
    row = chain.row(name)
    found: dict[str, Any] = {"low": row["low"], "high": row["high"], "scale": row["scale"]}
    if not any(f'"{shape}"' in str(row["prior"]) for shape in BOUNDED):
        return found | {"halved": None, "doubled": None}
    u = prior_quantile(chain, name, chain.get(name))
    inner = float(np.mean(np.abs(u - 0.5) <= 0.25))
    halved = math.log(2.0 * inner) if inner > 0.0 else -math.inf
    return found | {"halved": halved, "doubled": -math.log(2.0)}
