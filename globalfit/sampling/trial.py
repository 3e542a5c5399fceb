"""Proposed points: evaluated likelihood by likelihood, as far as a decision needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array, Mask
from globalfit.likelihood import Prediction
from globalfit.model import Point
from globalfit.posterior import Posterior
from globalfit.sampling.blocks import Blocks, Index


@dataclass
class Cloud:
    """n points on the move: what a decision about them reads, changed in place.

    Attributes
    ----------
    coords : (n, dim)
    log_prior : (n,)
        In walker coordinates.
    log_likelihoods : (n, likelihoods)
    rows : (n, 1 + blobs + dim), optional
        `Posterior.walk` of the points.
    """

    coords: Array
    log_prior: Array
    log_likelihoods: Array
    rows: Array | None = None


class Trial:
    """The posterior at proposed points `theta` (n, dim), evaluated where it is asked for."""

    def __init__(self, posterior: Posterior, theta: Array) -> None:
        self.posterior, self.theta = posterior, theta
        found = posterior.transform(theta)
        self.columns, self.log_prior, self.log_jacobian = found
        self._points: dict[bytes, Point] = {}
        self._predictions: list[tuple[Index, Prediction]] = []

    def log_likelihood(self, name: str, rows: Index) -> Array:
        """Return ln L (m,) of one likelihood at some of the points."""
        likelihood, point = self.posterior.likelihoods[name], self._point(rows)
        prediction = self.posterior.predict(likelihood, point)
        self._predictions.append((rows, prediction))
        return self.posterior.score(likelihood, prediction, point)

    def _point(self, rows: Index) -> Point:
        """Return these points; what they derive is shared by all that ask for the same ones."""
        key = rows.tobytes()
        if key not in self._points:
            whole = len(rows) == len(self.log_prior)
            columns = {name: x if whole else x[rows] for name, x in self.columns.items()}
            self._points[key] = self.posterior.point(columns)
        return self._points[key]

    def walk(self, rows: Index, log_likelihoods: Array, before: Array) -> Array:
        """Return `Posterior.walk` (m, ...) of some points, given their ln L and their rows before the move.

        What belongs to a likelihood that was not evaluated is taken over.
        """
        posterior = self.posterior
        after = before.copy()
        log_prior = self.log_prior[rows]
        after[:, 0] = log_prior + log_likelihoods.sum(axis=1)
        after[:, 1] = log_prior - self.log_jacobian[rows]
        end = 2 + log_likelihoods.shape[1]
        after[:, 2:end] = log_likelihoods
        place = {name: i for i, name in enumerate(posterior.observables, start=end)}
        for where, prediction in self._predictions:
            found = np.searchsorted(where, rows).clip(max=len(where) - 1)
            known = where[found] == rows
            for name, values in prediction.items():
                if name in place:
                    after[known, place[name]] = values[found[known]]
        point = self._point(rows)
        names = (*(quantity.name for quantity in posterior.derived), *posterior.space.names)
        for i, name in enumerate(names, start=end + len(place)):
            after[:, i] = getattr(point, name)
        return after

    def take(self, cloud: Cloud, taken: Index, yes: Index, log_likelihoods: Array) -> None:
        """Put the points `taken` (m,) of a cloud to the proposals `yes` (m,), ascending, with their ln L."""
        if not len(yes):
            return
        if cloud.rows is not None:
            cloud.rows[taken] = self.walk(yes, log_likelihoods[yes], cloud.rows[taken])
        cloud.coords[taken] = self.theta[yes]
        cloud.log_prior[taken] = self.log_prior[yes]
        cloud.log_likelihoods[taken] = log_likelihoods[yes]


def decide(
    posterior: Posterior,
    blocks: Blocks,
    cloud: Cloud,
    here: Index,
    proposed: Array,
    moved: Mask,
    random: np.random.RandomState,
    beta: float = 1.0,
) -> Index:
    """Accept or refuse symmetric proposals for the points `here` of a cloud; return which points moved.

    The density is prior x likelihood^beta. A proposal is judged first by the prior and the cheap likelihoods,
    then by each level of costlier ones, and is evaluated no further once refused: each verdict min(1, r) has
    r(x, y) = 1/r(y, x), so that their product keeps detailed balance (J. A. Christen, C. Fox, J. Comput.
    Graph. Stat. 14 (2005) 795). Likelihoods that no moved coordinate touches are not evaluated at all.

    Parameters
    ----------
    here : (m,)
        Places in the cloud.
    proposed, moved : (m, dim)
        Proposed coordinates, and which of them may differ.
    random : numpy.random.RandomState
        The same count of numbers is drawn whatever is decided.
    beta : float
        Power of the likelihood.
    """
    trial = Trial(posterior, proposed)
    names = list(posterior.likelihoods)
    touched = moved.astype(np.float64) @ blocks.touches > 0.0
    values = cloud.log_likelihoods[here]
    alive = trial.log_prior > -np.inf
    levels = blocks.levels or (np.empty(0, dtype=np.intp),)
    # a far step of ln x can take x out of the range of numbers, where nothing is accepted
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        chance = np.log(random.random_sample((len(levels), len(here))))
        gain = trial.log_prior - cloud.log_prior[here]
        for level, threshold in zip(levels, chance, strict=True):
            asked = alive.copy()
            for k in level:
                rows = np.flatnonzero(asked & touched[:, k])
                if len(rows):
                    found = trial.log_likelihood(names[k], rows)
                    gain[rows] += beta * (found - values[rows, k])
                    values[rows, k] = found
            alive &= threshold < gain
            gain = np.zeros(len(here))
    yes = np.flatnonzero(alive)
    taken = here[yes]
    trial.take(cloud, taken, yes, values)
    return taken


def revise(posterior: Posterior, blocks: Blocks, theta: Array, rows: Array, moved: Mask) -> Array:
    """Return `Posterior.walk` at `theta` (n, dim) from its rows before some coordinates moved.

    Only likelihoods that a coordinate in `moved` (n, dim) touches are evaluated. The result is that of
    `Posterior.walk` up to rounding.
    """
    trial = Trial(posterior, theta)
    inside = np.flatnonzero(trial.log_prior > -np.inf)
    touched = moved.astype(np.float64) @ blocks.touches > 0.0
    touched |= np.isnan(rows[:, -1:])  # points that were outside have nothing to take over
    values = rows[:, 2 : 2 + len(posterior.likelihoods)].copy()
    for k, name in enumerate(posterior.likelihoods):
        some = inside[touched[inside, k]]
        if len(some):
            values[some, k] = trial.log_likelihood(name, some)
    after = np.full_like(rows, np.nan)
    after[:, 0] = -np.inf
    after[:, 1] = trial.log_prior - trial.log_jacobian
    after[:, 2 : 2 + values.shape[1]] = -np.inf
    if len(inside):
        after[inside] = trial.walk(inside, values[inside], rows[inside])
    return after
