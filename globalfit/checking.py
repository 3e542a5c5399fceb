"""Looking at a fit before sampling it: prior draws, time per likelihood, who reads which parameter."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from globalfit.arrays import Array, strict
from globalfit.fit import Fit

DRAWS = 256
BASES = 16  # points from which each parameter is moved
PLACES = (0.02, 0.25, 0.5, 0.75, 0.98)  # of the prior's probability


@dataclass(frozen=True)
class LikelihoodCheck:
    """One likelihood at draws of the prior."""

    name: str
    microseconds: float  # per point, in a batch
    highest: float  # ln L
    median: float
    possible: float  # share of draws with ln L > -inf


@dataclass(frozen=True)
class FitCheck:
    """What ``globalfit check`` reports.

    Attributes
    ----------
    sensitivity : (parameters, likelihoods)
        Largest change of ln L when the parameter moves across its prior; 0: the likelihood does not react.
    """

    parameters: tuple[str, ...]
    likelihoods: tuple[LikelihoodCheck, ...]
    allowed: float  # share of prior draws that the constraints allow
    sensitivity: Array

    def to_dict(self, fit: Fit) -> dict[str, Any]:
        """Return plain JSON types."""
        matrix = {
            name: dict(zip((each.name for each in self.likelihoods), row.tolist(), strict=True))
            for name, row in zip(self.parameters, self.sensitivity, strict=True)
        }
        found = {
            "fit": str(fit.path),
            "model": fit.posterior.model.name,
            "as_of": fit.as_of.isoformat(),
            "fingerprint": fit.fingerprint,
            "parameters": fit.resolved["parameters"],
            "defaults": fit.defaults,
            "likelihoods": {each.name: asdict(each) for each in self.likelihoods},
            "allowed": self.allowed,
            "sensitivity": matrix,
            "remarks": [*fit.warnings, *self.remarks],
            "failures": list(self.failures),
        }
        return cast("dict[str, Any]", strict(found))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What may be meant, but deserves a look."""
        return tuple(f"no likelihood reacts to '{name}'" for name in self.unread)

    @property
    def failures(self) -> tuple[str, ...]:
        """What makes the fit impossible to sample."""
        found = [
            f"{each.name}: ln L is -inf at all of {DRAWS} draws of the prior"
            for each in self.likelihoods
            if each.possible == 0.0 and self.allowed > 0.0
        ]
        if self.allowed == 0.0:
            found.append(f"the constraints forbid all of {DRAWS} draws of the prior")
        return tuple(found)

    @property
    def unread(self) -> tuple[str, ...]:
        """Sampled parameters to which no likelihood reacts."""
        return tuple(
            name for name, row in zip(self.parameters, self.sensitivity, strict=True) if not row.any()
        )


def check_fit(fit: Fit, *, seed: int = 0) -> FitCheck:
    """Evaluate a fit at draws of its prior.

    Raises
    ------
    LikelihoodError
        If a likelihood fails or breaks its contract at one of them.
    """
    posterior = fit.posterior
    rng = np.random.default_rng(seed)
    theta = posterior.space.draw(DRAWS, rng)
    evaluation = posterior.evaluate(theta)
    inside = evaluation.log_prior > -np.inf
    point = posterior.point(posterior.space.columns(theta[inside]))
    checks = []
    for name, likelihood in posterior.likelihoods.items():
        values = evaluation.log_likelihoods[name]
        begin = time.perf_counter()
        rounds = 0
        while rounds < 3 or (time.perf_counter() - begin < 0.05 and rounds < 100):
            fresh = posterior.model.point(point.columns)
            posterior.score(likelihood, posterior.predict(likelihood, fresh), fresh)
            rounds += 1
        taken = (time.perf_counter() - begin) / rounds / max(point.n, 1)
        checks.append(
            LikelihoodCheck(
                name=name,
                microseconds=1e6 * taken,
                highest=float(np.max(values)),
                median=float(np.median(values)),
                possible=float(np.mean(values[inside] > -np.inf)) if inside.any() else 0.0,
            )
        )
    return FitCheck(posterior.space.names, tuple(checks), float(inside.mean()), sensitivity(fit, rng))


def sensitivity(fit: Fit, rng: np.random.Generator) -> Array:
    """Return the largest change of each ln L as a parameter crosses its prior (parameters, likelihoods)."""
    posterior, space = fit.posterior, fit.posterior.space
    values = space.physical(space.draw(BASES, rng))
    changes = np.zeros((space.dim, len(posterior.likelihoods)))
    for i, prior in enumerate(space.priors):
        moved = np.repeat(values[None], len(PLACES), axis=0)
        moved[:, :, i] = prior.quantile(np.array(PLACES))[:, None]
        columns = {name: moved[..., j].reshape(-1) for j, name in enumerate(space.names)}
        columns |= {name: np.full(moved[..., 0].size, value) for name, value in space.fixed.items()}
        columns |= {name: columns[other] for name, other in space.tied.items()}
        point = posterior.point(columns)
        for k, likelihood in enumerate(posterior.likelihoods.values()):
            found = posterior.score(likelihood, posterior.predict(likelihood, point), point)
            found = np.maximum(found, -1e300).reshape(len(PLACES), BASES)
            changes[i, k] = np.ptp(found, axis=0).max()
    return changes
