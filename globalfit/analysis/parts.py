"""Posteriors of parts of a fit's data, sampled by tempered runs side by side.

Where the parameters of a fit fall into components that share no likelihood, the posterior is their product:
leaving out an experiment changes its own component and no other, so that no more than this has to be sampled.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from globalfit.analysis.draws import Draws, of_fit
from globalfit.fit import Fit, Recipe
from globalfit.posterior import Posterior
from globalfit.sampling.blocks import blocks
from globalfit.sampling.engines.crew import Crew, Job
from globalfit.sampling.engines.work import rebuilt

Names: TypeAlias = tuple[str, ...]
Show: TypeAlias = Callable[[str, int, int], None]

EVALUATIONS = 400  # of each particle in a run, roughly
SHORT = 20.0  # seconds below which processes are not worth their start
SAMPLING = "posteriors of parts of the data"  # what progress says


@dataclass(frozen=True)
class Part:
    """A component of a posterior.

    Attributes
    ----------
    parameters, likelihoods : tuple of str
        It shares neither with another part.
    """

    parameters: Names
    likelihoods: Names

    def without(self, name: str) -> Names:
        """Return its likelihoods but for one."""
        return tuple(other for other in self.likelihoods if other != name)


def parts(posterior: Posterior) -> tuple[Part, ...]:
    """Return the components of a posterior; a likelihood that reads no parameter is in none."""
    names, likelihoods = posterior.space.names, tuple(posterior.likelihoods)
    return tuple(
        Part(tuple(names[i] for i in each.parameters), tuple(likelihoods[i] for i in each.likelihoods))
        for each in blocks(posterior).components
    )


def cost(posterior: Posterior, kept: Names) -> float:
    """Return what a point costs under some likelihoods, as they declare it, in microseconds."""
    return sum(float(getattr(posterior.likelihoods[name], "cost", 1.0)) for name in kept)


def sample_parts(
    fit: Fit,
    wanted: Collection[Names],
    *,
    seed: int = 1,
    particles: int = 8000,
    workers: int | None = None,
    progress: Show = lambda stage, done, total: None,
) -> dict[Names, Draws]:
    """Sample the posteriors of subsets of a fit's likelihoods, each by a tempered run.

    Parameters
    ----------
    fit : Fit
        The whole.
    wanted : collection of tuple of str
        The likelihoods of each; see `globalfit.analysis.draws.of_fit`.
    seed, particles : int
        Of each run. The result does not depend on the number of processes.
    workers : int, optional
        Processes; as many as there are cores and runs by default. A fit that was put together in Python is
        sampled in this one. A run whose worker dies is done again.
    progress : callable
        Called as ``progress(SAMPLING, done, total)``.
    """
    left = sorted(dict.fromkeys(wanted), key=lambda kept: -cost(fit.posterior, kept))  # the longest first
    count = min(len(left), workers or os.cpu_count() or 1)
    seconds = sum(cost(fit.posterior, kept) for kept in left) * particles * EVALUATIONS * 1e-6
    if seconds < SHORT:
        count = 1
    found: dict[Names, Draws] = {}
    progress(SAMPLING, 0, len(left))
    if count < 2 or fit.recipe is None:
        for kept in left:
            found[kept] = of_fit(fit, kept, seed, particles)
            progress(SAMPLING, len(found), len(left))
        return found
    crew = Crew(count, "workers", "--workers 1")
    try:
        jobs = {
            Job(f"the part {', '.join(kept)}", partial(_sample, fit.recipe, kept, seed, particles)): kept
            for kept in left
        }
        for job in jobs:
            crew.submit(job)
        while len(found) < len(left):
            done = crew.wait()
            assert done is not None  # nobody asks it to stop
            found[jobs[done[0]]] = done[1]
            progress(SAMPLING, len(found), len(left))
    finally:
        crew.close(at_once=len(found) < len(left))
    return found


def _sample(recipe: Recipe, kept: Names, seed: int, particles: int) -> Draws:
    return of_fit(rebuilt(recipe), kept, seed, particles)


def full_evidences(
    posterior: Posterior, affected: Sequence[Part], total: float | None
) -> tuple[tuple[Part, ...], Part | None]:
    """Return the parts of which ln Z has to be sampled, and one whose ln Z follows from that of the whole.

    With the `total` known the costliest of the affected parts need not be sampled, if all others are.
    """
    if total is None or not affected:
        return tuple(affected), None
    dearest = max(affected, key=lambda part: cost(posterior, part.likelihoods))
    others = tuple(part for part in parts(posterior) if part.likelihoods and part != dearest)
    return others, dearest
