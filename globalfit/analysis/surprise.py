"""How surprising the data of one experiment are to all others, without a Gaussian anywhere.

The others' posterior predicts the data x of the experiment with the density f(x) = <L(x | theta)>. Data are
simulated at draws of that posterior; p is the share of them whose f is not above that of the real data
(G. E. P. Box, J. R. Stat. Soc. A 143 (1980) 383, with the others' posterior in place of the prior). Data of a
theta from that posterior have any p equally often, whatever its shape. For Gaussian measurements of k
numbers, p is that of chi^2 with k degrees of freedom.
"""

from __future__ import annotations

import math

import numpy as np

from globalfit.analysis.draws import Draws
from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.one_point import redrawn
from globalfit.posterior import Posterior

DRAWS = 4000  # over which f is a mean: its noise blurs p, by 0.1 in the middle, and biases none
REPLICAS = 1000  # the lowest p that can be told is one over this


def surprise(posterior: Posterior, name: str, others: Draws, seed: int = 1) -> float | None:
    """Return p of an experiment's data given all others; None if it draws no data.

    Parameters
    ----------
    posterior : Posterior
        Which has the experiment.
    name : str
        Its name.
    others : Draws
        Of the posterior without it, equally weighted. Points where it predicts nothing are left out.
    seed : int

    Returns
    -------
    float or None
        From 1/(REPLICAS + 1) to 1; of counts, whose densities coincide, not below the exact p.
    """
    likelihood, space = posterior.likelihoods[name], posterior.space
    if getattr(likelihood, "simulate", None) is None:
        return None
    rng = np.random.default_rng([seed, 29])
    values = np.column_stack([others.values[each] for each in space.names])
    point = posterior.point(space.columns(space.walker(rng.permutation(values)[:DRAWS])))
    prediction = posterior.predict(likelihood, point)
    observed = posterior.score(likelihood, prediction, point)
    seen = np.isfinite(observed)
    if seen.sum() < 2:
        return None
    prediction = {key: each[seen] for key, each in prediction.items()}
    replicas = np.empty(min(REPLICAS, int(seen.sum())))
    for i in range(len(replicas)):
        own = {key: each[i : i + 1] for key, each in prediction.items()}
        try:
            drawn = redrawn(likelihood, own, rng).log_likelihood(prediction)
        except GlobalfitError:  # a limit is no density of data
            return None
        replicas[i] = _log_mean(np.delete(drawn, i))  # its own theta would speak for it
    below = int((replicas <= _log_mean(observed[seen])).sum())
    return (1 + below) / (1 + len(replicas))


def _log_mean(log_values: Array) -> float:
    top = float(log_values.max())
    return top + math.log(float(np.exp(log_values - top).mean())) if math.isfinite(top) else -math.inf
