"""What sampling hands on: the state of an ensemble between steps, and blocks of finished steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from globalfit.arrays import Array

RandomState: TypeAlias = tuple[str, np.ndarray[Any, np.dtype[np.uint32]], int, int, float]


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
    """

    coords: Array
    log_prob: Array
    blobs: Array
    random: RandomState
    step: int = 0


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
