"""What sampling hands on: the state of an ensemble between steps, and blocks of finished steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from globalfit.arrays import Array

RandomState: TypeAlias = tuple[str, np.ndarray[Any, np.dtype[np.uint32]], int, int, float]


@dataclass(frozen=True)
class Origin:
    """What a tempered start leaves to its ensemble.

    Attributes
    ----------
    log_evidence, error : float
        ln Z of this start, and its standard error.
    stages : int
        Stages from the prior to the posterior.
    unique : float
        Share of distinct particles in its population.
    proposal : bytes
        The frozen proposal, see `Proposal.to_bytes`.
    """

    log_evidence: float
    error: float
    stages: int
    unique: float
    proposal: bytes

    def words(self) -> dict[str, Any]:
        """Return all but the proposal, in plain JSON types."""
        said = {"log_evidence": self.log_evidence, "error": self.error}
        return said | {"stages": self.stages, "unique": self.unique}


@dataclass(frozen=True)
class State:
    """An ensemble of W walkers after some step; with it a chain goes on bit for bit.

    Attributes
    ----------
    coords : (W, dim)
        Walker coordinates.
    log_prob : (W,)
        ln posterior in walker coordinates.
    blobs : (W, blobs + dim)
        See `Posterior.walk`: the blobs, then the physical values.
    random : tuple
        State of numpy's MT19937 generator.
    step : int
        Steps done so far.
    origin : Origin or None
        Of an ensemble that started tempered; the same at every step.
    """

    coords: Array
    log_prob: Array
    blobs: Array
    random: RandomState
    step: int = 0
    origin: Origin | None = None


@dataclass(frozen=True)
class Block:
    """Some finished steps of an ensemble.

    Attributes
    ----------
    coords : (steps, W, dim)
        Walker coordinates.
    values : (steps, W, dim)
        Physical values of the sampled parameters.
    log_prob : (steps, W)
        ln posterior density of the physical values.
    blobs : (steps, W, blobs)
        `Posterior.blob_names`.
    accepted : (W,)
        Accepted proposals per walker in these steps.
    """

    coords: Array
    values: Array
    log_prob: Array
    blobs: Array
    accepted: Array


def random_state(seed: int, *path: int) -> RandomState:
    """Return the MT19937 state of the independent stream `path` of `seed`."""
    sequence = np.random.SeedSequence(seed, spawn_key=path)
    state: Any = np.random.RandomState(np.random.MT19937(sequence)).get_state()
    return (str(state[0]), state[1], int(state[2]), int(state[3]), float(state[4]))
