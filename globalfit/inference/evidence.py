"""The evidence by two methods: sequential Monte Carlo, and importance nested sampling with nautilus.

Z = int prior(x) L(x) dx over the points that the constraints allow, divided by the prior's own integral over
them: the evidence of the prior normalised inside the constraints. Both methods return this quantity.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import SamplingError
from globalfit.likelihood import Likelihood, Prediction
from globalfit.model import Point
from globalfit.null import Null, null_log_likelihoods
from globalfit.posterior import Posterior
from globalfit.sampling.tempered import MOVES, PARTICLES, tempered_population

Sampler = Literal["smc", "nautilus"]
LIVE = 3000  # live points of nautilus; with 1000 it can lose a narrow mode
EFFECTIVE = 10_000  # effective samples at which nautilus stops
ALLOWED = 200_000  # draws by which the share of the prior that constraints allow is measured


@dataclass(frozen=True)
class Evidence:
    """ln Z and what it cost.

    Attributes
    ----------
    sampler : str
    log_evidence, error : float
        ln Z of all repeats together (the mean of Z) and its standard error: the spread of the repeats, nan
        for a single one, for `smc`; for `nautilus` its own, or the spread of several repeats if larger.
    repeats : tuple of float
        ln Z of each.
    spread : float
        Standard deviation of the repeats, nan for one.
    evaluations : dict
        Points at which each likelihood was computed.
    seconds : float
        Wall time.
    allowed : float
        Share of the prior that the constraints allow.
    priors : dict
        {parameter: (shape, low, high)}; the evidence means nothing without them.
    null : dict
        Each likelihood at the null.
    """

    sampler: str
    seed: int
    log_evidence: float
    error: float
    repeats: tuple[float, ...]
    spread: float
    evaluations: dict[str, int]
    seconds: float
    allowed: float
    priors: dict[str, tuple[str, float, float]]
    null: dict[str, Null]


def evidence(
    posterior: Posterior,
    sampler: Sampler = "smc",
    *,
    repeats: int | None = None,
    seed: int = 1,
    particles: int = PARTICLES,
    moves: int = MOVES,
    live: int = LIVE,
    effective: int = EFFECTIVE,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evidence:
    """Return the evidence of a posterior.

    Parameters
    ----------
    posterior : Posterior
    sampler : {"smc", "nautilus"}
        Tempered sequential Monte Carlo, or nautilus (the extra ``evidence``).
    repeats : int, optional
        Independent runs; by default 4 for `smc`, whose error is their spread, and 1 for `nautilus`.
    seed : int
    particles, moves : int
        Of `smc`.
    live, effective : int
        Live points and effective samples of `nautilus`.
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    SamplingError
        If nautilus is not installed or has one parameter only; if no prior draw has a posterior.
    LikelihoodError
        If a likelihood breaks its contract.
    """
    number = repeats or (4 if sampler == "smc" else 1)
    tally: dict[str, int] = dict.fromkeys(posterior.likelihoods, 0)
    counted = Posterior(
        posterior.space,
        posterior.model,
        [cast("Likelihood", _Counted(each, tally)) for each in posterior.likelihoods.values()],
        posterior.constraints,
    )
    share, error_share = allowed_share(posterior, seed)
    started = time.perf_counter()
    values: list[float] = []
    own = math.nan
    for i in range(number):
        if progress is not None:
            progress(f"{sampler}, repeats", i, number)
        if sampler == "smc":
            found = tempered_population(counted, seed, ensemble=i, particles=particles, moves=moves)
            values.append(found.log_evidence)
        else:
            value, own = _nautilus(counted, seed + i, live, effective)
            values.append(value - math.log(share))
            own = math.hypot(own, error_share)
    if progress is not None:
        progress(f"{sampler}, repeats", number, number)
    mean, spread = combined(values)
    error = spread / math.sqrt(number)
    if sampler == "nautilus":
        error = max(own / math.sqrt(number), error) if number > 1 else own
    return Evidence(
        sampler=sampler,
        seed=seed,
        log_evidence=mean,
        error=error,
        repeats=tuple(values),
        spread=spread,
        evaluations=tally,
        seconds=time.perf_counter() - started,
        allowed=share,
        priors=prior_ranges(posterior),
        null=null_log_likelihoods(posterior),
    )


def combined(log_evidences: Sequence[float]) -> tuple[float, float]:
    """Return ln of the mean evidence of repeats, and the standard deviation of their ln Z (nan for one)."""
    values = np.asarray(log_evidences, dtype=np.float64)
    top = values.max()
    mean = float(top + np.log(np.mean(np.exp(values - top))))
    return mean, float(values.std(ddof=1)) if len(values) > 1 else math.nan


def allowed_share(posterior: Posterior, seed: int, draws: int = ALLOWED) -> tuple[float, float]:
    """Return the share of the prior that the constraints allow, and the error of its logarithm.

    Raises
    ------
    SamplingError
        If they forbid all draws.
    """
    if not posterior.constraints:
        return 1.0, 0.0
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 9)))
    theta = posterior.space.draw(draws, rng)
    share = float(np.mean(posterior.evaluate_prior(theta) > -np.inf))
    if share == 0.0:
        raise SamplingError("evidence", f"the constraints forbid all of {draws} draws", "check the priors")
    return share, math.sqrt((1.0 - share) / (share * draws))


def prior_ranges(posterior: Posterior) -> dict[str, tuple[str, float, float]]:
    """Return {sampled parameter: (shape of its prior, low, high)}; infinite where it does not end."""
    space = posterior.space
    ends = [np.asarray(prior.quantile(np.array([0.0, 1.0]))) for prior in space.priors]
    return {
        name: (type(prior).__name__, float(low), float(high))
        for name, prior, (low, high) in zip(space.names, space.priors, ends, strict=True)
    }


class _Counted:
    """A likelihood that counts the points it predicts."""

    def __init__(self, inner: Likelihood, tally: dict[str, int]) -> None:
        self._inner, self._tally = inner, tally

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def predict(self, point: Point) -> Prediction:
        self._tally[self._inner.name] += point.n
        return self._inner.predict(point)


def _nautilus(posterior: Posterior, seed: int, live: int, effective: int) -> tuple[float, float]:
    """Return ln Z over the unit cube, and its error 1/sqrt(effective size), by nautilus.

    J. U. Lange, MNRAS 525 (2023) 3181, arXiv:2306.16923. Points drawn while the shells are built are
    discarded, which keeps the estimate unbiased.
    """
    try:
        from nautilus import Sampler as Nautilus
    except ImportError:
        raise SamplingError(
            "nautilus", "is not installed", "pip install 'globalfit[evidence]', or --sampler smc"
        ) from None
    space = posterior.space
    if space.dim < 2:
        raise SamplingError("nautilus", "needs at least two sampled parameters", "use --sampler smc")

    def log_likelihood(theta: Array) -> Array:
        evaluation = posterior.evaluate(theta)
        return np.where(evaluation.log_prior > -np.inf, evaluation.log_likelihood, -np.inf)

    run = Nautilus(
        space.from_unit_cube,
        log_likelihood,
        n_dim=space.dim,
        n_live=live,
        n_networks=1,
        vectorized=True,
        pass_dict=False,
        seed=seed,
    )
    run.run(n_eff=effective, discard_exploration=True)
    return float(run.log_z), 1.0 / math.sqrt(float(run.n_eff))
