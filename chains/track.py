"""One ensemble's part of a journal: where it stands, and which records hold its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from globalfit.arrays import Array
from globalfit.chains.journal import Journal
from globalfit.chains.records import Steps, decode
from globalfit.chains.rows import Rows
from globalfit.sampling.state import State


class Track:
    """An ensemble from its state at the begin of a journal.

    Attributes
    ----------
    state : State
        Where it stands.
    accepted : (walkers,)
        Accepted proposals up to there.
    records : list of (int, int)
        Indices of the journal's records that hold its steps, and how many each holds.
    """

    def __init__(self, state: State, accepted: Array) -> None:
        self.state, self.accepted = state, accepted
        self.records: list[tuple[int, int]] = []

    def add(self, index: int, steps: int, accepted: Array, state: State) -> None:
        """Add a record."""
        self.records.append((index, steps))
        self.accepted = self.accepted + accepted
        self.state = replace(state, origin=self.state.origin)  # only the first state says it

    def rows(self, journal: Journal) -> Iterator[Rows]:
        """Yield the steps that the journal holds."""
        for index, _ in self.records:
            found = _steps(journal, index)
            yield found.values, found.log_prob, found.blobs

    def accepted_until(self, journal: Journal | None, step: int) -> Array:
        """Return the accepted proposals (walkers,) of the steps up to `step`, which may lie behind."""
        accepted, end = self.accepted, self.state.step
        for index, steps in reversed(self.records):
            if end <= step:
                break
            assert journal is not None
            found = _steps(journal, index)
            begin = end - steps
            if begin >= step:
                accepted = accepted - found.accepted
            else:  # a walker that moved is one whose proposal was accepted
                later = found.values[step - begin - 1 :]
                accepted = accepted - np.any(later[1:] != later[:-1], axis=2).sum(axis=0)
            end = begin
        return accepted


def _steps(journal: Journal, index: int) -> Steps:
    found = decode(journal.payload(index))
    assert isinstance(found, Steps)
    return found
