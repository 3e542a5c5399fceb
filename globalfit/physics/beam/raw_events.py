"""Events of a long-lived particle in any experiment with a card, before efficiencies: the reference path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.physics.beam.cards import Card
from globalfit.physics.beam.channels import PROCESSES, Channel
from globalfit.physics.beam.detectors import Detector
from globalfit.physics.beam.kernels import photon_kernel
from globalfit.physics.beam.nuclei import Scatterer, charge_weights, named_charges, scatterers
from globalfit.physics.beam.prediction import LEPTONS, LongLived
from globalfit.physics.beam.primakoff import VERTICES
from globalfit.physics.beam.reference import spectrum_of
from globalfit.physics.beam.response import Response
from globalfit.physics.beam.sight import Sight, transfer

TOP = 3e5  # MeV, above all energies
STEP = 0.05  # of ln p
PERFECT = Response(efficiency=((0.0, 1.0),))


@dataclass(frozen=True)
class RawEvents:
    """Photons above a threshold with efficiency one: number of events of each parent by part of the target.

    Attributes
    ----------
    parts : tuple of Scatterer
    by_parent : mapping of str to array (parts,)
    """

    parts: tuple[Scatterer, ...]
    by_parent: dict[str, Array]

    @property
    def total(self) -> float:
        """All events."""
        return float(sum(values.sum() for values in self.by_parent.values()))

    @property
    def coherent(self) -> float:
        """Share of the events on whole nuclei."""
        whole = [part.part == "coherent" for part in self.parts]
        return float(sum(values[whole].sum() for values in self.by_parent.values())) / self.total


def raw_events(
    card: Card,
    setup: LongLived,
    m_x: float,
    m_mediator: float,
    coupling: float,
    *,
    mode: str = "nu",
    above: float = 100.0,
    below: float = TOP,
    n: int = 2**14,
    seed: int = 1,
) -> RawEvents:
    """Return the photons of a long-lived X in an experiment, at one point.

    Parameters
    ----------
    card : Card
    setup : LongLived
        Process and conventions; its tables are not read.
    m_x, m_mediator : float
        Masses in MeV.
    coupling : float
        Product of couplings in 1/MeV, `portal_coupling`.
    mode : str
        Of the card's exposure.
    above, below : float
        Range of the photon's energy in MeV.
    n, seed : int
        Mesons drawn for each source, and the seed.

    Raises
    ------
    GlobalfitError
        If the experiment has no such mode, or the range is empty.
    """
    if not 0.0 <= above < below:
        raise GlobalfitError(
            card.name, f"no energies between {above:g} and {below:g} MeV", "set above < below"
        )
    process = PROCESSES[setup.process]
    leg = process.legs.index(setup.key[1])
    momenta = _momenta(m_x, above)
    energies = np.hypot(m_x, np.sqrt(momenta[1:] * momenta[:-1]))
    bins = Detector(card.name, card.composition, PERFECT, evis=(above, below))
    kernel = photon_kernel(
        process.scattering, bins, m_x, m_mediator, energies=energies, observables=("evis",)
    )
    weights = VERTICES[setup.vertex] * charge_weights(bins.parts, *named_charges(setup.nuclear_charge))
    found = {}
    for parent in card.parents:
        sight = Sight(card.source(parent, mode, n, seed), card.volume, 4)
        h = np.zeros(len(energies))
        for lepton in LEPTONS[setup.leptons]:
            x = spectrum_of([process], Channel(parent, lepton), m_x)
            made = transfer(sight, m_x, x.low, x.high, x.density.shape[-1], np.hypot(m_x, momenta))
            h += (x.density @ made[0])[leg]
        per_part = np.einsum("e,peb->p", h, kernel["evis"])
        found[parent] = coupling**2 * card.exposure[mode] * weights * per_part
    return RawEvents(scatterers(card.composition), found)


def _momenta(m_x: float, above: float) -> Array:
    """Edges of bins of X's momentum in MeV, one of them where X has just the energy of the threshold."""
    edge = max(above**2 - m_x**2, 1.0) ** 0.5
    steps = np.arange(np.floor(np.log(0.5 / edge) / STEP), np.ceil(np.log(TOP / edge) / STEP) + 1)
    return np.asarray(edge * np.exp(STEP * steps))
