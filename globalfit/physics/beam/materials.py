"""Energy loss and absorption of mesons in the materials of a beamline.

Constants: PDG, Atomic and Nuclear Properties of Materials (2024), but for pions in beryllium and aluminium:
183 and 378 mb, inelastic and quasi-elastic at 3 GeV, as in MiniBooNE's simulation (production.in of
SBNSoftware/G4BNB; 213 mb on Be at 1 GeV, 175 at 5). PDG's lengths, of hundreds of GeV, mean 136 and 328.
Kaon lengths: PDG's of the pion times 1.15, the ratio of the K+ and pi+ inelastic cross-sections on nuclei
near 1-3 GeV [unconfirmed].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from globalfit.arrays import Array
from globalfit.constants import M_E

BETHE_K = 0.307075  # MeV cm^2/mol, PDG
KAON_OVER_PION = 1.15  # absorption lengths


@dataclass(frozen=True)
class Material:
    """A material: density g/cm^3, Z/A, mean excitation energy eV, interaction lengths of p, pi, K g/cm^2."""

    name: str
    density: float
    z_over_a: float
    excitation_ev: float
    proton_g_cm2: float
    pion_g_cm2: float
    kaon_g_cm2: float

    def absorption_length(self, parent: str) -> float:
        """Return the interaction length in m of a proton, a pion or a kaon."""
        if parent == "p":
            return self.proton_g_cm2 / self.density * 0.01
        length = self.kaon_g_cm2 if parent.startswith("k") else self.pion_g_cm2
        return length / self.density * 0.01

    def energy_loss(self, p: Array, m: float) -> Array:
        """Return the mean -dE/dx (n,) in MeV/m of a particle of momentum p (n,), mass m, in MeV.

        Bethe's formula without density correction, which matters by 5-10 % above 1 GeV (PDG, eq. 34.5).
        """
        gamma2_beta2 = (p / m) ** 2
        gamma = np.sqrt(1.0 + gamma2_beta2)
        beta2 = gamma2_beta2 / (1.0 + gamma2_beta2)
        transfer = 2.0 * M_E * gamma2_beta2 / (1.0 + 2.0 * gamma * M_E / m + (M_E / m) ** 2)
        logarithm = 0.5 * np.log(2.0 * M_E * gamma2_beta2 * transfer / (self.excitation_ev * 1e-6) ** 2)
        loss: Array = 100.0 * BETHE_K * self.density * self.z_over_a / beta2 * (logarithm - beta2)
        return loss


BERYLLIUM = Material("beryllium", 1.848, 4.0 / 9.0122, 63.7, 77.8, 81.8, KAON_OVER_PION * 109.9)
ALUMINIUM = Material("aluminium", 2.699, 13.0 / 26.9815, 166.0, 107.2, 118.5, KAON_OVER_PION * 136.7)
STEEL = Material("steel", 7.874, 26.0 / 55.845, 286.0, 132.1, 160.8, KAON_OVER_PION * 160.8)
AIR = Material("air", 1.205e-3, 0.49919, 85.7, 90.1, 122.0, KAON_OVER_PION * 122.0)
