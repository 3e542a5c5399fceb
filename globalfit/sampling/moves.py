"""How walkers move: along differences of other walkers, and afresh from a mixture that knows every mode."""

from __future__ import annotations

from typing import Any

import numpy as np
from emcee.moves import Move, RedBlueMove

from globalfit.arrays import Array, Mask
from globalfit.posterior import Posterior
from globalfit.sampling.blocks import Blocks, Component, Index, blocks
from globalfit.sampling.proposal import Proposal
from globalfit.sampling.trial import Cloud, decide
from globalfit.sampling.tries import attempt

MEDIAN, WIDTH, JUMP = 0.67, 0.9, 0.15
INDEPENDENT = 0.8  # share of the moves that are drawn from the mixture

FINE, FAR = 0.3, 2.0  # median and width of that scale beside a mixture: for points in folds that it missed
TRIES = 6  # draws from the mixture in each step of a chain

# Named in the fingerprint of a fit that starts tempered, beside the proposal itself.
MOVES = (
    f"components: {TRIES} mixture(t8, halo) + "
    f"block-de(median={FINE:g}, width={FAR:g}, jump={JUMP:g}), delayed by cost"
)


class BlockDEMove(RedBlueMove):  # type: ignore[misc]  # emcee has no types
    """Move a random block of k parameters along the difference of two other walkers.

    The scale is log-normal around 0.67 x 2.38 / sqrt(2 k) with a width of 0.9 in ln, so that thin curved
    sheets and broad directions are both crossed; a share of the moves takes the full difference, which jumps
    between modes. The proposal is symmetric. Differential evolution: ter Braak, Stat. Comput. 16 (2006) 239;
    its scale: Nelson et al., ApJS 210 (2014) 11.

    Parameters
    ----------
    median : float
        Median of the scale, in units of 2.38 / sqrt(2 k).
    width : float
        Standard deviation of the logarithm of the scale.
    jump : float
        Probability of a move by the full difference.
    """

    def __init__(self, median: float = MEDIAN, width: float = WIDTH, jump: float = JUMP) -> None:
        super().__init__()
        self.median, self.width, self.jump = median, width, jump

    def get_proposal(self, sample: Array, complement: list[Array], random: Any) -> tuple[Array, Array]:
        """Return proposals (walkers, dim) and the log Hastings factor (walkers,), which is zero."""
        step, _ = differences(
            len(sample), np.concatenate(complement), random, self.median, self.width, self.jump
        )
        return sample + step, np.zeros(len(sample))


def differences(
    n: int, others: Array, random: Any, median: float = MEDIAN, width: float = WIDTH, jump: float = JUMP
) -> tuple[Array, Mask]:
    """Return `n` steps (n, dim) of `BlockDEMove` and the random blocks that they move."""
    dim = others.shape[1]
    first = random.randint(len(others), size=n)
    second = random.randint(len(others) - 1, size=n)
    second += second >= first  # two different walkers
    size = random.randint(1, dim + 1, size=(n, 1))
    block = random.random_sample((n, dim)).argsort(axis=1) < size
    scale = median * 2.38 / np.sqrt(2 * size) * np.exp(width * random.standard_normal((n, 1)))
    scale[random.random_sample(n) < jump] = 1.0
    return np.where(block, scale * (others[first] - others[second]), 0.0), block


def differ(
    posterior: Posterior,
    structure: Blocks,
    component: Component,
    cloud: Cloud,
    halves: tuple[Index, Index],
    random: np.random.RandomState,
    *,
    beta: float = 1.0,
) -> Mask:
    """Move all points of a cloud once in the parameters of a component; return which moved (n,).

    Each goes along a difference of two points of the other half. Where some parameters touch only cheap
    likelihoods, they make a second move of their own.
    """
    taken = np.zeros(len(cloud.coords), dtype=np.bool_)
    for columns in (component.parameters, component.light):
        for here, there in (halves, halves[::-1]) if len(columns) else ():
            others = cloud.coords[np.ix_(there, columns)]
            step, block = differences(len(here), others, random, FINE, FAR)
            proposed = cloud.coords[here]
            proposed[:, columns] += step
            moved = np.zeros(proposed.shape, dtype=np.bool_)
            moved[:, columns] = block
            taken[decide(posterior, structure, cloud, here, proposed, moved, random, beta)] = True
    return taken


def halve(n: int, random: np.random.RandomState) -> tuple[Index, Index]:
    """Return `n` places, divided at random into two halves."""
    order = random.permutation(n)
    return order[: n // 2], order[n // 2 :]


class ComponentMove(Move):  # type: ignore[misc]  # emcee has no types
    """One step: in every component by itself, `TRIES` draws from its mixture, then a move by differences.

    Parameters
    ----------
    posterior : Posterior
        What is sampled; it is evaluated only where a move changes it.
    proposal : Proposal
        Frozen mixtures, one for each component.
    """

    def __init__(self, posterior: Posterior, proposal: Proposal) -> None:
        super().__init__()
        self.posterior, self.structure = posterior, blocks(posterior)
        self.sources = proposal.for_components(self.structure, posterior.space.names)

    def propose(self, model: Any, state: Any) -> tuple[Any, Mask]:
        """Return the state after the step and which walkers moved (walkers,)."""
        posterior, random = self.posterior, model.random
        rows = np.column_stack([state.log_prob, state.blobs])
        end = 2 + len(posterior.likelihoods)
        cloud = Cloud(
            state.coords.copy(), posterior.space.log_prior(state.coords), rows[:, 2:end].copy(), rows
        )
        moved = np.zeros(len(rows), dtype=np.bool_)
        every = np.arange(len(rows))
        for component, source in zip(self.structure.components, self.sources, strict=True):
            if source is not None:
                moved |= attempt(posterior, component, cloud, every, source, TRIES, random)
            halves = halve(len(rows), random)
            moved |= differ(posterior, self.structure, component, cloud, halves, random)
        state.coords, state.log_prob, state.blobs = cloud.coords, rows[:, 0].copy(), rows[:, 1:].copy()
        return state, moved


def component_moves(posterior: Posterior, proposal: Proposal) -> list[tuple[Any, float]]:
    """Return the emcee moves that `MOVES` names, for `advance(..., moves=...)`."""
    return [(ComponentMove(posterior, proposal), 1.0)]
