"""Physical constants, each with its source. Masses in MeV.

PDG: S. Navas et al. (Particle Data Group), Phys. Rev. D 110 (2024) 030001.
CODATA: 2022 adjustment, Mohr et al., Rev. Mod. Phys. 97 (2025) 025002.
"""

from __future__ import annotations

ALPHA = 1.0 / 137.035999177  # fine-structure constant at zero momentum, CODATA
E_CHARGE: float = (4.0 * 3.141592653589793 * ALPHA) ** 0.5  # positron charge, natural units
HBAR_MEV_S = 6.582119569e-22  # hbar in MeV s, CODATA (exact)
HBARC_MEV_M = 1.973269804e-13  # hbar c in MeV m, CODATA (exact)

M_E = 0.51099895069  # CODATA
M_MU = 105.6583755  # PDG
M_TAU = 1776.93  # PDG
M_U = 2.16  # MSbar at 2 GeV, PDG
M_D = 4.70  # MSbar at 2 GeV, PDG
M_S = 93.5  # MSbar at 2 GeV, PDG
M_C = 1273.0  # MSbar at m_c, PDG
M_PI = 139.57039  # charged pion, PDG
M_PI0 = 134.9768  # PDG
M_K = 493.677  # charged kaon, PDG
M_RHO = 775.26  # PDG
M_OMEGA = 782.66  # PDG
M_PROTON = 938.27208943  # CODATA
M_NEUTRON = 939.56542194  # CODATA
F_PI = 92.1  # pion decay constant in the 92 MeV normalisation, PDG (130.2 / sqrt 2)
