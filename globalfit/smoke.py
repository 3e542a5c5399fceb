"""The smoke test before a run: a likelihood that breaks its contract is refused before it writes anything."""

from __future__ import annotations

import numpy as np

from globalfit.errors import LikelihoodError
from globalfit.posterior import Posterior
from globalfit.testing import check_likelihood

POINTS = 4
FATAL = ("evaluation", "nan", "deterministic", "batch")


def smoke_test(posterior: Posterior, seed: int = 0) -> None:
    """Evaluate every likelihood at a few draws of the prior: together, again, and one by one.

    Raises
    ------
    LikelihoodError
        If one fails, returns nan or +inf or a wrong shape, differs between two calls or between a batch and
        single points; all that do are named.
    """
    space = posterior.space
    theta = space.draw(64 * POINTS, np.random.default_rng(seed))
    inside = posterior.evaluate_prior(theta) > -np.inf
    columns = space.columns(theta[inside][:POINTS])
    if not inside.any():
        return  # the start says which constraint forbids everything
    for likelihood in posterior.likelihoods.values():
        for finding in check_likelihood(likelihood, posterior.model, columns=columns):
            if not finding.passed and finding.check in FATAL:
                raise LikelihoodError("", finding.message)
