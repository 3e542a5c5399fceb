"""The mode census: which share of the posterior each ensemble finds in which mode."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.sampling.clusters import POINTS, find_modes, nearest_mode
from globalfit.sampling.ranks import effective_samples

SPREAD = 0.05  # by which the ensembles may differ in the mass of a mode
COUNTED = 100_000  # samples counted at most, steps left out evenly beyond
NOISE = 3.0  # errors of a difference of two masses that chance explains


@dataclass(frozen=True)
class Mode:
    """A mode, or a region of a model, with the share of the samples that lies in it.

    Attributes
    ----------
    masses, errors : tuple of float
        Of each ensemble; the error counts effective samples of the walkers' comings and goings.
    best : dict of str to float
        Stored quantities at the sample of the mode with the highest ln likelihood.
    """

    label: str
    masses: tuple[float, ...]
    errors: tuple[float, ...]
    best: Mapping[str, float] = field(default_factory=dict)

    @property
    def mass(self) -> float:
        """Mean over the ensembles."""
        return float(np.mean(self.masses))

    @property
    def error(self) -> float:
        """Error of `mass`: from the scatter of the ensembles, and not below that of their own errors."""
        count = len(self.masses)
        own = math.sqrt(float(np.square(self.errors).sum())) / count
        scatter = float(np.std(self.masses, ddof=1)) / math.sqrt(count) if count > 1 else 0.0
        return max(own, scatter)

    @property
    def spread(self) -> float:
        """Highest minus lowest mass of an ensemble."""
        return max(self.masses) - min(self.masses)

    @property
    def by_chance(self) -> bool:
        """True if the errors explain the spread: more of the same may then bring the masses together."""
        ends = (int(np.argmax(self.masses)), int(np.argmin(self.masses)))
        return self.spread < NOISE * math.hypot(*(self.errors[k] for k in ends))


@dataclass(frozen=True)
class Census:
    """The modes of one division of parameter space, the heaviest first.

    Attributes
    ----------
    name : str
        What is divided; "clusters" if nobody named the modes.
    told_by : tuple of str
        The quantities by which the modes differ.
    """

    name: str
    modes: tuple[Mode, ...]
    told_by: tuple[str, ...] = ()

    @property
    def worst(self) -> Mode:
        """The mode on whose mass the ensembles agree least."""
        return max(self.modes, key=lambda mode: mode.spread)

    @property
    def agrees(self) -> bool:
        """True if every mass is the same in all ensembles to `SPREAD`."""
        return self.worst.spread <= SPREAD


def count_modes(
    name: str, index: NDArray[np.intp], labels: Sequence[str], told_by: Sequence[str] = ()
) -> Census:
    """Return the census of samples whose mode is known.

    Parameters
    ----------
    name : str
        What is divided.
    index : (ensembles, steps, walkers)
        The number of the mode of each sample; evenly spaced steps will do.
    labels : sequence of str
        Of the modes; those with no sample are left out.
    told_by : sequence of str
        The quantities by which the modes differ.
    """
    modes = []
    for number, label in enumerate(labels):
        inside = (index == number).astype(np.float64)
        if inside.any():
            masses = inside.mean(axis=(1, 2))
            errors = [_error(each) for each in inside]
            modes.append(Mode(label, tuple(masses.tolist()), tuple(errors)))
    return Census(name, tuple(sorted(modes, key=lambda mode: -mode.mass)), tuple(told_by))


def cluster(points: Array, names: Sequence[str]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the mode (ensembles, steps, walkers) of `points` (ensembles, steps, walkers, dim).

    The modes are found among at most `POINTS` of them, taken evenly in steps from all ensembles, and are the
    same for all ensembles; also returned are those of `names` (dim) by which they differ.
    """
    ensembles, steps, walkers, dim = points.shape
    some = np.linspace(0, walkers - 1, min(walkers, max(1, POINTS // ensembles))).astype(int)
    number = min(steps, max(1, POINTS // (ensembles * len(some))))
    chosen = points[:, np.linspace(0, steps - 1, number).astype(int)][:, :, some]
    sample = np.unique(chosen.reshape(-1, dim), axis=0)  # a walker that stayed is one point
    modes, telling = find_modes(sample)
    if not telling or modes.max() == 0:
        return np.zeros(points.shape[:3], dtype=np.intp), ()
    told = list(telling)
    index = nearest_mode(sample[:, told], modes, points[..., told].reshape(-1, len(told)))
    return index.reshape(points.shape[:3]), tuple(names[i] for i in told)


def _error(inside: Array) -> float:
    """Return the error of the mean of an indicator (steps, walkers)."""
    mass = float(inside.mean())
    if inside.shape[0] < 4:
        return math.sqrt(mass * (1.0 - mass) / inside.shape[1])
    return math.sqrt(mass * (1.0 - mass) / effective_samples(inside[None]))
