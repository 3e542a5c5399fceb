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
from globalfit.physics.beam.kernels import photon_kernel
from globalfit.physics.beam.meson_decays import three_body
from globalfit.physics.beam.sight import Sight, transfer
from globalfit.physics.beam.spectrum import Spectrum

SAMPLE = 2**19
DRAWS = 2  # of energies and detector points for each meson
ALL = tuple(OBSERVABLES)
#: Edges of bins of momentum in MeV, by the kind of beam.
MOMENTA = {
    "booster": np.geomspace(5.0, 10_000.0, 99),
    "stopped-pion": np.geomspace(0.5, 2000.0, 161),
}


def edges(beam: str, m_x: float) -> Array:
    """Return the energies in MeV at the edges of the bins of momentum.

    A meson at rest makes X within a few per cent of its mass: bins of energy do not resolve that, and the
    content of two or three of them jumps as the mass moves through their edges.
    """
    return np.hypot(m_x, MOMENTA[beam])


def centres(beam: str, m_x: float) -> Array:
    """Return the energies at the geometric centres of the bins of `edges` in momentum."""
    momenta = MOMENTA[beam]
    return np.hypot(m_x, np.sqrt(momenta[1:] * momenta[:-1]))


def spectrum_of(processes: Sequence[Process], channel: Channel, m_x: float) -> Spectrum:
    """Return the spectra of X in the parent's frame, one entry (k, nodes) for each leg of each process."""
    found = []
    for process in processes:
        x = three_body(channel.parent, channel.lepton, process.production, m_x)
        if process.production == "vector":  # both polarisations scatter alike
            weights = np.stack([grid.combine(*grid.LEGS[leg]) for leg in process.legs])
            x = replace(x, density=np.einsum("lc,cpe->le", weights, x.density))
        found.append(replace(x, density=np.atleast_2d(x.density)))
    return replace(found[0], density=np.concatenate([x.density for x in found]))


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
    _sights: dict[tuple[str, str, str], Sight] = field(default_factory=dict, repr=False)

    @cached_property
    def cards(self) -> Mapping[str, Card]:
        """The experiments' cards by name."""
        names = {each.card for each in OBSERVABLES.values()}
        return {name: read_card(self.folder / f"{name}.toml") for name in sorted(names)}

    @cached_property
    def detectors(self) -> Mapping[str, Detector]:
        """Their detectors."""
        return {n: detector(c.name, c.composition, c.response) for n, c in self.cards.items()}

    def sight(self, card: str, parent: str, mode: str) -> Sight:
        """Return the mesons of a source as the experiment sees them, drawn once."""
        key = (card, parent, mode)
        if key not in self._sights:
            source = self.cards[card].source(parent, mode, self.n, self.seed)
            self._sights[key] = Sight(source, self.cards[card].volume, DRAWS)
        return self._sights[key]

    def fluxes(
        self,
        spectrum: Spectrum,
        channel: Channel,
        quantities: Sequence[str] = ALL,
        *,
        loss: float = 0.0,
        powers: int = 0,
    ) -> dict[tuple[str, str], Array]:
        """Return the flux of X {(card, mode): (1 + powers, k, nE)} per cm^2, proton and coupling squared.

        Parameters
        ----------
        spectrum : Spectrum
            Of `spectrum_of`, k entries.
        channel : Channel
            Its parent is the source.
        quantities : sequence of str
            Of `channels.OBSERVABLES`: only what they need is computed.
        loss, powers : float, int
            Decays on the way, and powers of r/p, as for `sight.transfer`.
        """
        found: dict[tuple[str, str], Array] = {}
        wanted = [OBSERVABLES[name] for name in quantities if channel.parent in OBSERVABLES[name].parents]
        for card, mode in dict.fromkeys((each.card, each.mode) for each in wanted):
            made = transfer(
                self.sight(card, channel.parent, mode),
                spectrum.m,
                spectrum.low,
                spectrum.high,
                spectrum.density.shape[-1],
                edges(self.cards[card].beam, spectrum.m),
                loss=loss,
                powers=powers,
            )
            found[card, mode] = spectrum.density @ made
        return found

    def kernels(
        self, process: Process, m_x: float, m_mediator: float, quantities: Sequence[str] = ALL
    ) -> dict[str, dict[str, Array]]:
        """Return the kernels {card: {observable: (parts, nE, bins)}} in cm^2 at unit charge and coupling."""
        return {
            name: photon_kernel(
                process.scattering,
                self.detectors[name],
                m_x,
                m_mediator,
                energies=centres(self.cards[name].beam, m_x),
                observables=wanted,
            )
            for name, wanted in self.wanted(quantities).items()
        }

    def wanted(self, quantities: Sequence[str] = ALL) -> dict[str, tuple[str, ...]]:
        """Return the observables of kernels that quantities need, {card: names}."""
        found: dict[str, dict[str, None]] = {}
        for name in quantities:
            each = OBSERVABLES[name]
            found.setdefault(each.card, {})[each.kernel] = None
        return {card: tuple(names) for card, names in found.items()}

    def fold(
        self,
        fluxes: Mapping[tuple[str, str], Array],
        kernels: Mapping[str, Mapping[str, Array]],
        quantities: Sequence[str] = ALL,
    ) -> dict[str, Array]:
        """Return events {quantity: (..., parts, bins)} per unit couplings in 1/MeV^2, for fluxes (..., nE).

        Without what the fluxes' parent does not reach.
        """
        found: dict[str, Array] = {}
        for name in quantities:
            each = OBSERVABLES[name]
            if (each.card, each.mode) not in fluxes:
                continue
            pot = self.cards[each.card].exposure[each.mode]
            kernel: Any = kernels[each.card][each.kernel][..., : each.last]
            h = fluxes[each.card, each.mode]
            made = np.stack([events(pot, h, part) for part in kernel], axis=-2)
            found[name] = made.sum(axis=-1, keepdims=True) if each.total else made
        return found

    def events(
        self,
        process: Process,
        channel: Channel,
        m_x: float,
        m_mediator: float,
        quantities: Sequence[str] = ALL,
        *,
        loss: float = 0.0,
    ) -> dict[str, Array]:
        """Return events {quantity: (legs, parts, bins)} per unit couplings of one channel at one point."""
        x = spectrum_of([process], channel, m_x)
        fluxes = {key: h[0] for key, h in self.fluxes(x, channel, quantities, loss=loss).items()}
        return self.fold(fluxes, self.kernels(process, m_x, m_mediator, quantities), quantities)
