"""Are ranks uniform? The distribution function of ranks with simultaneous bands.

T. Sailynoja, P.-C. Burkner, A. Vehtari, Stat. Comput. 32 (2022) 32, arXiv:2103.10522: the statistic is the
smallest two-sided binomial probability along the distribution function; its own distribution is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array

SIMULATIONS = 20_000
Ranks = NDArray[np.int64]


@dataclass(frozen=True)
class Uniformity:
    """The test for n ranks from 0 to `draws`.

    Attributes
    ----------
    n : int
        Ranks.
    draws : int
        Posterior draws each was found among; a rank is one of draws + 1 values.
    """

    n: int
    draws: int

    @property
    def places(self) -> Array:
        """Values (draws,) of the uniform distribution function at rank 0, 1, ... draws - 1."""
        return np.arange(1.0, self.draws + 1.0) / (self.draws + 1.0)

    @cached_property
    def _tails(self) -> Array:
        """Two-sided probability (draws, n + 1) of each count of ranks up to a place, if all is uniform."""
        from scipy.stats import binom

        counts = np.arange(self.n + 1)
        places = self.places[:, None]
        return 2.0 * np.minimum(binom.cdf(counts, self.n, places), binom.sf(counts - 1, self.n, places))

    @cached_property
    def _null(self) -> Array:
        """Sorted statistics of simulated uniform ranks."""
        rng = np.random.default_rng(20_22)
        even = np.full(self.draws + 1, 1.0 / (self.draws + 1))
        found = [
            self._smallest(np.cumsum(rng.multinomial(self.n, even, size=1000), axis=1)[:, :-1])
            for _ in range(SIMULATIONS // 1000)
        ]
        return np.sort(np.concatenate(found))

    def _smallest(self, counts: Ranks) -> Array:
        smallest: Array = self._tails[np.arange(self.draws), counts].min(axis=-1)
        return smallest

    def counts(self, ranks: Ranks) -> Ranks:
        """Return how many of the ranks (n,) are at most 0, 1, ... draws - 1 (draws,)."""
        each = np.bincount(ranks, minlength=self.draws + 1)
        return np.cumsum(each)[:-1].astype(np.int64)

    def p_value(self, ranks: Ranks) -> float:
        """Return the probability that uniform ranks look as uneven as these (n,); at least 1/20001."""
        statistic = float(self._smallest(self.counts(ranks)))
        below = np.searchsorted(self._null, statistic * (1.0 + 1e-12), side="right")
        return float((1 + below) / (1 + SIMULATIONS))

    def band(self, level: float) -> tuple[Array, Array]:
        """Return the band (draws,) that the counts of uniform ranks leave with probability `level`."""
        least = self._null[int(level * SIMULATIONS)]
        inside = self._tails >= least
        low = inside.argmax(axis=1)
        high = self.n - inside[:, ::-1].argmax(axis=1)
        return low.astype(np.float64), high.astype(np.float64)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p values adjusted for their number (S. Holm, Scand. J. Stat. 6 (1979) 65)."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for i, name in enumerate(sorted(p_values, key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, (len(p_values) - i) * p_values[name]))
        adjusted[name] = largest
    return adjusted
