"""Where a fit's parameters lie against the natural ranges of the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from globalfit.parameters import Parameter, Prior
from globalfit.problems import Problems

EDGES = np.array([0.001, 0.999])  # probability below which a prior's tail is not spoken of


def check_scope(
    sampled: Mapping[str, Parameter],
    fixed: Mapping[str, float],
    ranges: Mapping[str, Prior],
    problems: Problems,
) -> list[str]:
    """Refuse negative values where the model knows none; return remarks on priors that reach beyond.

    Parameters
    ----------
    sampled, fixed : mapping
        The parameters of the fit, by name.
    ranges : mapping of str to Prior
        The model's natural ranges, in which likelihoods are tested. A logarithmic one has no negative values.
    problems : Problems
        Takes what is refused.
    """
    remarks = []
    for name, natural in ranges.items():
        low, high = natural.quantile(np.array([0.0, 1.0]))
        where = problems.at("parameters", name)
        positive = natural.scale == "log"
        if name in fixed and positive and fixed[name] < 0.0:
            problems.refuse(where, f"'fixed' = {fixed[name]:g} is negative", "give a positive value")
        if name not in sampled or (prior := sampled[name].prior) is None:
            continue
        first, last = prior.quantile(EDGES)
        if positive and last <= 0.0:
            problems.refuse(
                f"{where[:-1]}.prior]", "has no positive values", f"'{name}' is a positive number"
            )
        elif positive and first < 0.0:
            remedy = "cut it at low = 0, or take a logarithmic shape"
            problems.refuse(f"{where[:-1]}.prior]", f"reaches negative values ({first:.3g})", remedy)
        elif first < low or last > high:
            unit = f" {sampled[name].unit}" if sampled[name].unit else ""
            remarks.append(
                f"the prior of '{name}' spans {first:.4g} .. {last:.4g}{unit}; "
                f"likelihoods are tested in {low:.4g} .. {high:.4g}{unit}"
            )
    return remarks


def check_limits(
    sampled: Mapping[str, Parameter],
    fixed: Mapping[str, float],
    limits: Mapping[str, tuple[float, float]],
    problems: Problems,
) -> list[str]:
    """Refuse fixed values beyond which the model predicts nothing; return how much of a prior lies there.

    Parameters
    ----------
    sampled, fixed : mapping
        The parameters of the fit, by name. A fixed zero, where the model knows it, means "not given".
    limits : mapping of str to (low, high)
        The model's, if it has any.
    problems : Problems
        Takes what is refused.
    """
    remarks = []
    for name, (low, high) in limits.items():
        if fixed.get(name, 0.0) != 0.0 and not low <= fixed[name] <= high:
            problems.refuse(
                problems.at("parameters", name),
                f"'fixed' = {fixed[name]:g} is outside the tables of the model, {low:g} .. {high:g}",
                "choose a value inside",
            )
        if name not in sampled or (prior := sampled[name].prior) is None:
            continue
        draws = prior.quantile((np.arange(1000) + 0.5) / 1000)
        outside = int(np.sum((draws < low) | (draws > high)))
        if outside:
            remarks.append(
                f"{outside} of 1000 quantiles of the prior of '{name}' are outside the tables of the model, "
                f"{low:g} .. {high:g}: ln L is -inf there"
            )
    return remarks
