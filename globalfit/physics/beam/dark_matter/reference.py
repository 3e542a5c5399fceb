"""Dark-matter events per unit couplings from mesons to bins, one set of masses at a time, without tables.

Tables are built from it and tests compare with it. Per squared production coupling g_1 of V1 and per squared
(g_n g_chi) of V2 at unit nuclear charge; V1 -> chi chibar and chi' -> chi e+ e- always happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam import grid
from globalfit.physics.beam.cards import Card, read_card
from globalfit.physics.beam.dark_matter.channels import OBSERVABLES, SOURCES, Source
from globalfit.physics.beam.detectors import Detector, detector
from globalfit.physics.beam.events import events
from globalfit.physics.beam.meson_decays import three_body, two_body
from globalfit.physics.beam.pair_decay import on_shell
from globalfit.physics.beam.pair_kernels import pair_kernel
from globalfit.physics.beam.sight import Sight, transfer
from globalfit.physics.beam.spectrum import Line, Spectrum, cascade

SAMPLE = 2**19
THINNED = 8  # of the dump and of LSND: several parts, known to 25 %, or more mesons of their own
DRAWS = 2  # energies and detector points for each meson
CARDS = ("miniboone", "lsnd")


@dataclass
class Reference:
    """MiniBooNE and LSND, with their mesons drawn once.

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
        return {name: read_card(self.folder / f"{name}.toml") for name in CARDS}

    @cached_property
    def detectors(self) -> Mapping[str, Detector]:
        """Their detectors."""
        return {n: detector(c.name, c.composition, c.response) for n, c in self.cards.items()}

    def sight(self, card: str, parent: str, mode: str) -> Sight:
        """Return the mesons of a source as the experiment sees them, drawn once."""
        key = (card, parent, mode)
        if key not in self._sights:
            n = self.n // THINNED if mode == "dump" or card == "lsnd" else self.n
            source = self.cards[card].source(parent, mode, n, self.seed)
            self._sights[key] = Sight(source, self.cards[card].volume, DRAWS)
        return self._sights[key]

    def flux(
        self,
        card: str,
        source: Source,
        mode: str,
        m_v1: float,
        m_chi: float,
        weights: Sequence[float] | None = None,
    ) -> Array:
        """Return the flux (terms, 89) of chi and chibar per cm^2 and proton, per unit coupling squared.

        With `weights` of the terms it is their sum, shape (89,).
        """
        total = np.zeros((*(() if weights is not None else (len(source.terms),)), grid.BINS))
        for parent in source.parents:
            if self.cards[card].beam != "booster" and parent != "pi+":
                continue  # stopped-pion sources: positive pions only
            at = chi_spectrum(source.parents[0], source.lepton, m_v1, m_chi)
            if weights is not None:
                at = replace(at, density=np.asarray(weights) @ at.density)
            seen, nodes = self.sight(card, parent, mode), at.density.shape[-1]
            total += at.density @ transfer(seen, at.m, at.low, at.high, nodes, grid.EDGES)[0]
        return total

    def kernel(
        self,
        card: str,
        m_chi: float,
        m_chi_prime: float,
        m_v2: float,
        observables: Sequence[str],
    ) -> dict[str, Array]:
        """Return the kernels {observable: (parts, 89, bins)}, on shell where V2 can be."""
        real = m_v2 if on_shell(m_chi, m_chi_prime, m_v2) else None
        made = self.detectors[card]
        return pair_kernel(
            made,
            m_chi,
            m_chi_prime,
            m_v2,
            m_on_shell=real,
            observables=tuple(observables),
        )

    def events(
        self,
        production: Mapping[str, Sequence[float]],
        m_v1: float,
        m_v2: float,
        m_chi: float,
        m_chi_prime: float,
        quantities: Sequence[str],
    ) -> dict[str, Array]:
        """Return events {quantity: (parts, bins)} of all sources.

        Parameters
        ----------
        production : mapping
            {source: weights of its terms}, see `channels`.
        m_v1, m_v2, m_chi, m_chi_prime : float
            Masses in MeV.
        quantities : sequence of str
            Of `channels.OBSERVABLES`, or "signal_lsnd".
        """
        found = {}
        kernels: dict[tuple[str, str], Array] = {}
        fluxes: dict[tuple[str, str], Array] = {}
        for name in quantities:
            card, mode, observable, last, total = place(name)
            if (card, mode) not in fluxes:
                fluxes[card, mode] = self._total(production, card, mode, m_v1, m_chi)
            if (card, observable) not in kernels:
                made = self.kernel(card, m_chi, m_chi_prime, m_v2, (observable,))
                kernels[card, observable] = made[observable]
            pot = self.cards[card].exposure[mode]
            kernel = kernels[card, observable][..., :last]
            made_events = np.stack([events(pot, fluxes[card, mode], part) for part in kernel])
            found[name] = made_events.sum(axis=-1, keepdims=True) if total else made_events
        return found

    def _total(
        self, production: Mapping[str, Sequence[float]], card: str, mode: str, m_v1: float, m_chi: float
    ) -> Array:
        h = np.zeros(grid.BINS)
        for name, weights in production.items():
            source = SOURCES[name]
            if m_v1 >= source.threshold or 2.0 * m_chi >= m_v1:
                continue
            if card == "lsnd" and source.meson != "pi":
                continue  # no kaons from 800 MeV; neutral pions of its beam stop are not simulated
            h += self.flux(card, source, mode, m_v1, m_chi, weights)
        return h


def place(quantity: str) -> tuple[str, str, str, int, bool]:
    """Return card, mode, observable, number of bins and whether they are summed."""
    if quantity == "signal_lsnd":
        return "lsnd", "nu", "evis", 1, False  # 20 to 60 MeV
    each = OBSERVABLES[quantity]
    return "miniboone", each.mode, each.kernel, each.last, each.total


@lru_cache(maxsize=64)
def chi_spectrum(parent: str, lepton: str, m_v1: float, m_chi: float) -> Spectrum:
    """Return the spectrum (terms, nodes) of chi and chibar in the meson's frame, V1 polarised."""
    vector = production_spectrum(parent, lepton, m_v1)
    if isinstance(vector, Line):
        # V1 of M -> gamma V1 is transverse
        line = replace(vector, br=np.stack([vector.br, np.zeros_like(vector.br)])[None])
        made = cascade(line, m_chi, polarised=True)
    else:
        made = cascade(vector, m_chi, polarised=True)
    return replace(made, density=made.density.sum(axis=-2))


def production_spectrum(parent: str, lepton: str, m_v1: float) -> Line | Spectrum:
    """Return V1 in the meson's frame: a line, or a spectrum (terms, polarisation, nodes)."""
    if not lepton:
        return two_body(parent, m_v1)
    vector = three_body(parent, lepton, "vector", m_v1)
    right = three_body(parent, lepton, "vector", m_v1, (0.0, 1.0))
    return replace(vector, density=np.concatenate((vector.density, right.density[[0, 3, 4]])))
