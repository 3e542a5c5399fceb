"""The start of an ensemble in pieces, each a pure function of the one before: what an interruption costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from globalfit.posterior import Posterior
from globalfit.sampling.population import Population
from globalfit.sampling.start import start
from globalfit.sampling.state import State
from globalfit.sampling.tempered import arrived, first_population, next_population

if TYPE_CHECKING:
    from globalfit.tables import SamplerTable


def begin(
    posterior: Posterior,
    settings: SamplerTable,
    seed: int,
    ensemble: int,
    population: Population | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
    seconds: float = 1.0,
) -> State | Population:
    """Return the first state of an ensemble, or how far its tempered start has come.

    Parameters
    ----------
    posterior, settings
        What is sampled, and how it starts.
    seed, ensemble : int
        Stream of random numbers.
    population : Population, optional
        Where the start goes on; without one it begins.
    stop : callable
        Asked after every stage.
    seconds : float
        Wall time after which no further stage is begun. At least one is done; the draws of the prior count.

    Returns
    -------
    State or Population
        How a start is cut into pieces does not change a bit of the state.

    Raises
    ------
    SamplingError
        If no start can be found.
    """
    if settings.start != "tempered":
        point = settings.point if settings.start == "point" else None
        return start(posterior, settings.walkers, seed, ensemble=ensemble, point=point)
    end, now = time.monotonic() + seconds, population
    while now is None or not now.finished:
        if now is None:
            now = first_population(posterior, seed, ensemble, particles=settings.particles)
        else:
            now = next_population(posterior, now, seed, ensemble)
        if not now.finished and (stop() or time.monotonic() > end):
            return now
    return arrived(posterior, now, settings.walkers, seed, ensemble)
