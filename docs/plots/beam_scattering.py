"""Draw cross-sections and reconstructed shapes of beam particles: docs/physics/beam-scattering.png.

Run from the top of a checkout: ``python docs/plots/beam_scattering.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np

from globalfit.arrays import Array
from globalfit.physics.beam import cross_sections, kernels, nuclei
from globalfit.physics.beam.cards import read_card
from globalfit.physics.beam.detectors import Detector, detector
from globalfit.physics.beam.events import events
from globalfit.physics.beam.flux import flux
from globalfit.physics.beam.grid import LEGS, combine
from globalfit.physics.beam.meson_decays import three_body
from globalfit.physics.beam.pair_kernels import pair_kernel
from globalfit.physics.beam.sources import booster
from globalfit.physics.beam.spectrum import cascade

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "docs" / "physics" / "beam-scattering.png"
CARD = read_card(ROOT / "likelihoods" / "data" / "experiments" / "miniboone.toml")
MINIBOONE = detector(CARD.name, CARD.composition, CARD.response)
MOLECULE = nuclei.scatterers({"C": 1.0, "H": 2.0})
COLOURS = {"scalar": "#0072b2", "pseudoscalar": "#56b4e9", "vector": "#d55e00", "dark matter": "#009e73"}
LINES = {"coherent": "-", "incoherent": "--", "free": ":"}


@dataclass(frozen=True)
class Portal:
    """One explanation: production, scattering, charge."""

    process: str
    leptons: tuple[str, ...]
    m_x: float
    masses: tuple[float, ...]
    legs: str = ""
    charge: str = "Z"

    def cross_section(self, energy: Array, part: nuclei.Scatterer) -> Array:
        """Return the cross-section in cm^2 at unit charge and unit coupling."""
        if self.masses[2:]:
            m_chi, m_chi_prime, m_v = self.masses
            return cross_sections.upscattering_cross_section(energy, m_chi, m_chi_prime, m_v, part)
        m_x, m_mediator = self.masses
        return cross_sections.photon_cross_section(self.scattering, energy, m_x, m_mediator, part)

    @property
    def scattering(self) -> str:
        """Name of the process in the detector."""
        return "vector-scalar" if self.process == "vector" else self.process

    def spectrum(self, det: Detector) -> dict[str, Array]:
        """Return the normalised reconstructed spectra in neutrino mode."""
        h = np.zeros(89)
        for parent in ("pi+", "pi-", "k+"):
            sample = booster(parent, "nu", 2**14)
            for lepton in self.leptons:
                x = three_body(parent, lepton, self.process, self.m_x)
                shape = cascade(x, self.masses[0]) if self.masses[2:] else x
                each = flux(sample, CARD.volume, shape)
                h += np.einsum("c,cpe->e", combine(*LEGS[self.legs]), each) if self.legs else each
        if self.masses[2:]:
            on_shell = self.m_x if self.masses[1] - self.masses[0] > self.m_x else None
            m_chi, m_chi_prime, m_v = self.masses
            made = pair_kernel(det, m_chi, m_chi_prime, m_v, m_on_shell=on_shell)
        else:
            made = kernels.photon_kernel(self.scattering, det, self.masses[0], self.masses[1])
        weights = nuclei.charge_weights(det.parts, *nuclei.named_charges(self.charge))
        out = {name: events(1.0, h, kernels.weighted(k, weights)) for name, k in made.items()}
        return {name: each / each.sum() for name, each in out.items()}


PORTALS = {
    "scalar": Portal("scalar", ("mu",), 1.0, (1.0, 49.0)),
    "pseudoscalar": Portal("pseudoscalar", ("mu",), 1.0, (1.0, 85.0)),
    "vector": Portal("vector", ("mu",), 5.0, (5.0, 650.0), "meson", "A"),
    "dark matter": Portal("vector", ("e", "mu"), 17.0, (8.0, 40.0, 17.0), "lepton"),
}
LABELS = {
    "scalar": "scalar 1, Z' 49 MeV",
    "pseudoscalar": "pseudoscalar 1, Z' 85 MeV",
    "vector": "vector 5, scalar 650 MeV",
    "dark matter": "dark matter 8 to 40, V 17 MeV",
}


def main() -> None:
    """Draw the figure."""
    figure, axes = plt.subplots(2, 2, figsize=(11.0, 8.0), constrained_layout=True)
    top, other = axes[0]
    energy = np.geomspace(20.0, 5000.0, 120)
    for name in ("scalar", "vector", "dark matter"):
        portal = PORTALS[name]
        axis = other if name == "dark matter" else top
        for part in MOLECULE:
            charge = part.charge_squared(*nuclei.named_charges(portal.charge))
            sigma = part.number * charge * portal.cross_section(energy, part)
            label = f"{LABELS[name]}: {part.label}"
            axis.loglog(energy, sigma, LINES[part.part], color=COLOURS[name], label=label)
    top.set(ylabel=r"$\sigma(X N \to \gamma N)/(g_n\lambda\;\mathrm{MeV})^2$  [cm$^2$ per CH$_2$]")
    other.set(ylabel=r"$\sigma(\chi N \to \chi' N)/(g_n g_\chi)^2$  [cm$^2$ per CH$_2$]")
    top.set_ylim(1e-29, 1e-21)
    other.set_ylim(1e-28, 1e-22)
    for axis in (top, other):
        axis.set(xlabel="energy [MeV]")
        axis.legend(fontsize=7)
    for axis, observable, title in zip(
        axes[1], ("enuqe", "costheta"), ("reconstructed $E_\\nu^{QE}$ [MeV]", r"$\cos\theta$"), strict=True
    ):
        edges = np.array(getattr(MINIBOONE, observable))
        for name, portal in PORTALS.items():
            shape = portal.spectrum(MINIBOONE)[observable]
            density = shape / np.diff(edges)
            axis.stairs(density, edges, color=COLOURS[name], label=LABELS[name])
        axis.set(xlabel=title, ylabel="density, neutrino mode")
        axis.legend(fontsize=7)
    axes[1][0].set_xlim(200.0, 1500.0)
    axes[1][1].set_yscale("log")
    axes[1][1].set_ylim(1e-3, 20.0)
    figure.savefig(OUTPUT, dpi=110)


if __name__ == "__main__":
    main()
