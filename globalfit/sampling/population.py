"""A population on its way from the prior to the posterior, and how it is written down."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array


@dataclass(frozen=True, eq=False)
class Population:
    """Points that follow prior x likelihood^beta, with one beta for each component of the posterior.

    Attributes
    ----------
    coords : (particles, dim)
        Walker coordinates.
    log_prior : (particles,)
        In walker coordinates.
    log_likelihoods : (particles, likelihoods)
    betas : (components,)
        Power of the likelihood that each component follows.
    log_evidences : (components,)
        ln of the integral of prior x likelihood^beta, for the prior normalised inside the constraints.
    ancestors : (components, particles)
        The draw of the prior that each particle descends from.
    history : (stages, components, 5)
        Of each finished stage: beta, share of proposals accepted, moves, share of unique particles, and the
        largest correlation of a parameter with itself before the moves; nan where a component had arrived.
    idle : float
        ln L of the likelihoods that react to no sampled parameter.
    """

    coords: Array
    log_prior: Array
    log_likelihoods: Array
    betas: Array
    log_evidences: Array
    ancestors: NDArray[np.int64]
    history: Array
    idle: float = 0.0

    @property
    def stage(self) -> int:
        """How many times betas were raised."""
        return len(self.history)

    @property
    def beta(self) -> float:
        """The lowest beta; 1 for a population of the posterior."""
        return float(self.betas.min()) if len(self.betas) else 1.0

    @property
    def finished(self) -> bool:
        """Whether it follows the posterior."""
        return self.beta >= 1.0

    @property
    def log_likelihood(self) -> Array:
        """Sum over the likelihoods (particles,)."""
        return np.asarray(self.log_likelihoods.sum(axis=1))

    @property
    def log_evidence(self) -> float:
        """The components' ln evidences and the idle ln L together."""
        return float(self.log_evidences.sum()) + self.idle

    @property
    def error_log_evidence(self) -> float:
        """Standard error of `log_evidence` from this one run.

        From how unevenly the draws of the prior have descendants (H. P. Chan, T. L. Lai, Ann. Stat. 41 (2013)
        2877; A. Lee, N. Whiteley, Biometrika 105 (2018) 609; systematic resampling adds no noise of its own).
        A mode that the population lost cannot be seen by it: compare independent ensembles.
        """
        n = len(self.coords)
        shares = (np.bincount(ancestors, minlength=n) / n for ancestors in self.ancestors)
        return float(np.sqrt(sum(max(float(share @ share) - 1.0 / n, 0.0) for share in shares)))

    @property
    def acceptance(self) -> float:
        """Of the last stage, the lowest over the components; nan before the first."""
        return self._last(1)

    @property
    def unique(self) -> float:
        """Share of particles that are not copies, after the last stage, the lowest over the components."""
        return self._last(3)

    def _last(self, column: int) -> float:
        arrived = [track[np.isfinite(track[:, 0])] for track in self.history.transpose(1, 0, 2)]
        return min((float(track[-1, column]) for track in arrived if len(track)), default=float("nan"))

    @property
    def left(self) -> float:
        """Fraction of the work still to be done, judged by the path of ln beta; nan before two stages.

        Betas grow by a nearly constant factor a stage, and stages cost about the same.
        """
        if self.finished:
            return 0.0
        slowest = int(self.betas.argmin())
        path = self.history[:, slowest, 0]
        if len(path) < 2 or path[-1] <= path[0]:
            return float("nan")
        late = path[len(path) // 2 - 1 :]
        pace = np.log(late[-1] / late[0]) / max(len(late) - 1, 1)
        more = -np.log(path[-1]) / pace if pace > 0.0 else np.inf
        return float(more / (more + len(path)))

    def to_bytes(self) -> bytes:
        """Return it as an uncompressed npz file, from which `from_bytes` makes the same, bit for bit."""
        file = io.BytesIO()
        np.savez(file, **{each.name: getattr(self, each.name) for each in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Population:
        """Return the population that `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {each.name: file[each.name] for each in fields(cls)}
        return cls(**(arrays | {"idle": float(arrays["idle"])}))
