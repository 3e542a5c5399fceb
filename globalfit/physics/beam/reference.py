"""Events per unit couplings from mesons to bins, one mass at a time and without tables: the reference.

Tables are built from it and tests compare with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam import grid
from globalfit.physics.beam.cards import Card, read_card
from globalfit.physics.beam.channels import OBSERVABLES, Channel, Process
from globalfit.physics.beam.detectors import Detector, detector
from globalfit.physics.beam.events import events
from globalfit.physics.beam.flux import flux
from globalfit.physics.beam.kernels import photon_kernel
from globalfit.physics.beam.meson_decays import three_body
from globalfit.physics.beam.mesons import MesonSample

SAMPLE = 2**17
ALL = tuple(OBSERVABLES)


@dataclass
class Reference:
    """The chain of each experiment, with its mesons drawn once.

    Parameters
    ----------
    folder : Path
        Where the cards are.
    n, seed : int
        Mesons drawn for each part of a source, and the seed.
    """

    folder: Path
    n: int = SAMPLE
    seed: int = 1
    _samples: dict[tuple[str, str, str], MesonSample] = field(default_factory=dict, repr=False)

    @cached_property
    def cards(self) -> Mapping[str, Card]:
        """The experiments' cards by name."""
        names = {each.card for each in OBSERVABLES.values()}
        return {name: read_card(self.folder / f"{name}.toml") for name in sorted(names)}

    @cached_property
    def detectors(self) -> Mapping[str, Detector]:
        """Their detectors."""
        return {n: detector(c.name, c.composition, c.response) for n, c in self.cards.items()}

    def sample(self, card: str, parent: str, mode: str) -> MesonSample:
        """Return the mesons of a source, drawn once."""
        key = (card, parent, mode)
        if key not in self._samples:
            self._samples[key] = self.cards[card].source(parent, mode, self.n, self.seed)
        return self._samples[key]

    def fluxes(
        self, process: Process, channel: Channel, m_x: float, quantities: Sequence[str] = ALL
    ) -> dict[tuple[str, str], Array]:
        """Return the flux of X {(card, mode): (legs, 89)} per cm^2 and proton, per unit coupling squared."""
        found: dict[tuple[str, str], Array] = {}
        wanted = [OBSERVABLES[name] for name in quantities]
        for card, mode in dict.fromkeys((each.card, each.mode) for each in wanted):
            total = np.zeros((len(process.legs), grid.BINS))
            for parent in channel.parents:
                if self.cards[card].beam != "booster" and parent != "pi+":
                    continue  # stopped-pion sources: positive pions only
                x = three_body(parent, channel.lepton, process.production, m_x)
                if process.production == "vector":  # both polarisations scatter alike
                    weights = np.stack([grid.combine(*grid.LEGS[leg]) for leg in process.legs])
                    x = replace(x, density=np.einsum("lc,cpe->le", weights, x.density))
                total += flux(self.sample(card, parent, mode), self.cards[card].volume, x)
            found[card, mode] = total
        return found

    def kernels(
        self, process: Process, m_x: float, m_mediator: float, quantities: Sequence[str] = ALL
    ) -> dict[str, dict[str, Array]]:
        """Return the kernels {card: {observable: (parts, 89, bins)}} in cm^2 at unit charge and coupling."""
        found: dict[str, dict[str, Array]] = {}
        for name, made in self.detectors.items():
            each = [OBSERVABLES[quantity] for quantity in quantities]
            wanted = tuple(dict.fromkeys(one.kernel for one in each if one.card == name))
            if wanted:
                found[name] = photon_kernel(process.scattering, made, m_x, m_mediator, observables=wanted)
        return found

    def fold(
        self,
        fluxes: Mapping[tuple[str, str], Array],
        kernels: Mapping[str, Mapping[str, Array]],
        quantities: Sequence[str] = ALL,
    ) -> dict[str, Array]:
        """Return events {quantity: (legs, parts, bins)} per unit couplings, in 1/MeV^2."""
        found: dict[str, Array] = {}
        for name in quantities:
            each = OBSERVABLES[name]
            pot = self.cards[each.card].exposure[each.mode]
            kernel: Any = kernels[each.card][each.kernel][..., : each.last]
            h = fluxes[each.card, each.mode]
            made = np.stack([events(pot, h, part) for part in kernel], axis=1)
            found[name] = made.sum(axis=-1, keepdims=True) if each.total else made
        return found

    def events(
        self,
        process: Process,
        channel: Channel,
        m_x: float,
        m_mediator: float,
        quantities: Sequence[str] = ALL,
    ) -> dict[str, Array]:
        """Return events {quantity: (legs, parts, bins)} per unit couplings of one channel at one point."""
        fluxes = self.fluxes(process, channel, m_x, quantities)
        return self.fold(fluxes, self.kernels(process, m_x, m_mediator, quantities), quantities)
