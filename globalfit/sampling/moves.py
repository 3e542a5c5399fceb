"""The differential-evolution move on random blocks of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from emcee.moves import RedBlueMove

from globalfit.arrays import Array


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

    def __init__(self, median: float = 0.67, width: float = 0.9, jump: float = 0.15) -> None:
        super().__init__()
        self.median, self.width, self.jump = median, width, jump

    def get_proposal(self, sample: Array, complement: list[Array], random: Any) -> tuple[Array, Array]:
        """Return proposals (walkers, dim) and the log Hastings factor (walkers,), which is zero."""
        others = np.concatenate(complement)
        n, dim = sample.shape
        first = random.randint(len(others), size=n)
        second = random.randint(len(others) - 1, size=n)
        second += second >= first  # two different walkers
        size = random.randint(1, dim + 1, size=(n, 1))
        block = random.random_sample((n, dim)).argsort(axis=1) < size
        scale = self.median * 2.38 / np.sqrt(2 * size) * np.exp(self.width * random.standard_normal((n, 1)))
        scale[random.random_sample(n) < self.jump] = 1.0
        return sample + np.where(block, scale * (others[first] - others[second]), 0.0), np.zeros(n)
