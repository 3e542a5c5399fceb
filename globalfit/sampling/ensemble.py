"""The emcee loop: a pure function from one state of the ensemble to a block of steps and the next state."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import emcee
import numpy as np

from globalfit.arrays import Array
from globalfit.posterior import Posterior
from globalfit.sampling.moves import BlockDEMove
from globalfit.sampling.state import Block, State

# Named in the fingerprint of a fit: a chain is not continued with other moves.
MOVES = "0.9 block-de(median=0.67, width=0.9, jump=0.15) + 0.1 stretch(a=2)"


def default_moves() -> list[tuple[Any, float]]:
    """Return the emcee moves that `MOVES` names; the stretch brings in walkers that start far out."""
    return [(BlockDEMove(), 0.9), (emcee.moves.StretchMove(a=2.0), 0.1)]


def advance(
    posterior: Posterior,
    state: State,
    steps: int,
    *,
    stop: Callable[[], bool] = lambda: False,
    seconds: float = 10.0,
    moves: Sequence[tuple[Any, float]] | None = None,
) -> tuple[Block, State]:
    """Advance an ensemble by up to `steps` steps.

    Parameters
    ----------
    posterior : Posterior
        What to sample.
    state : State
        Where the ensemble is.
    steps : int
        Number of steps; fewer are done if `stop` says so or `seconds` have passed, at least one in any case.
    stop : callable
        Asked after every step.
    seconds : float
        Wall time after which the block ends.
    moves : sequence of (emcee move, weight), optional
        Other moves than the default ones.

    Returns
    -------
    Block, State
        How a run is cut into blocks does not change a bit of what they hold together.
    """
    walkers, dim = state.coords.shape
    sampler = emcee.EnsembleSampler(
        walkers, dim, posterior.walk, moves=list(moves or default_moves()), vectorize=True, blobs_dtype=float
    )
    sampler.log_prob_fn = posterior.walk  # without emcee's wrapper, which prints a traceback of any error
    first = emcee.State(
        state.coords, log_prob=state.log_prob, blobs=state.blobs, random_state=state.random, copy=True
    )
    end = time.monotonic() + seconds
    for _ in sampler.sample(first, iterations=steps, skip_initial_state_check=True):
        if stop() or time.monotonic() > end:
            break
    done: int = sampler.backend.iteration
    coords: Array = sampler.get_chain()
    kept: Array = sampler.get_blobs().reshape(done, walkers, -1)
    after = State(coords[-1], sampler.get_log_prob()[-1], kept[-1], sampler.random_state, state.step + done)
    densities = 1 + len(posterior.likelihoods)  # ln prior and ln likelihoods; their sum is the ln posterior
    block = Block(
        coords=coords,
        values=kept[:, :, -dim:],
        log_prob=kept[:, :, :densities].sum(axis=2),
        blobs=kept[:, :, :-dim],
        accepted=np.asarray(sampler.backend.accepted, dtype=np.float64),
    )
    return block, after
