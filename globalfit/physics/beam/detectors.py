"""Detectors as the kernels see them: how many nuclei, which response, which observables.

Numbers that are only recalled, not read in a source, say [unconfirmed] in their comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from globalfit.errors import GlobalfitError
from globalfit.physics.beam.nuclei import Scatterer, scatterers
from globalfit.physics.beam.response import Response

AVOGADRO = 6.02214076e23


@dataclass(frozen=True)
class Detector:
    """A target with a response and binned observables; an observable without edges does not exist.

    Parameters
    ----------
    name : str
    composition : mapping of str to float
        Number of nuclei by symbol, in the volume over which the flux is averaged and to which the
        efficiency refers.
    response : Response
    enuqe, evis, costheta : tuple of float
        Bin edges (MeV, MeV, none), increasing.
    window : (float, float) or None
        E_nu^QE range in MeV that events of `evis` and `costheta` must reconstruct to.

    Raises
    ------
    GlobalfitError
        If a nucleus is unknown, a number not positive, or edges do not increase.
    """

    name: str
    composition: Mapping[str, float]
    response: Response
    enuqe: tuple[float, ...] = ()
    evis: tuple[float, ...] = ()
    costheta: tuple[float, ...] = ()
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "composition", MappingProxyType(dict(self.composition)))
        scatterers(self.composition)
        for observable in ("enuqe", "evis", "costheta"):
            edges = getattr(self, observable)
            if len(edges) == 1 or np.any(np.diff(edges) <= 0.0):
                raise GlobalfitError(
                    self.name, f"edges of '{observable}' do not increase", "give two or more"
                )

    @property
    def parts(self) -> tuple[Scatterer, ...]:
        """The ways of scattering: the first axis of every kernel of this detector."""
        return scatterers(self.composition)


def nuclei_in(tonnes: float, molecule: Mapping[str, int], molar_mass: float) -> dict[str, float]:
    """Return the number of nuclei in a mass of a molecule such as {"C": 1, "H": 2} of `molar_mass` g/mol."""
    molecules = tonnes * 1e6 / molar_mass * AVOGADRO
    return {symbol: number * molecules for symbol, number in molecule.items()}


OIL = {"C": 1, "H": 2}
OIL_MOLAR_MASS = 14.0266  # g/mol of CH2

# Efficiency for photons and electrons at generated energy, fiducial cut included, relative to the whole tank:
# MiniBooNE data release of 2012 (arXiv:1207.4809), at the centres of its bins; systematic error 15 %.
MINIBOONE_EFFICIENCY = (
    (50.0, 0.0), (150.0, 0.089), (250.0, 0.135), (350.0, 0.139), (450.0, 0.131), (550.0, 0.123),
    (650.0, 0.116), (750.0, 0.106), (850.0, 0.102), (950.0, 0.095), (1050.0, 0.089),
    (1200.0, 0.082), (1400.0, 0.073), (1600.0, 0.067), (1800.0, 0.052), (2000.0, 0.026),
)  # fmt: skip

MINIBOONE = Detector(
    name="miniboone",
    # 805.8 t of CH2: a sphere of 610.6 cm at 0.845 g/cm^3 (NIM A 599 (2009) 28)
    composition=nuclei_in(805.8, OIL, OIL_MOLAR_MASS),
    # resolutions: J. Phys. Conf. Ser. 120 (2008) 052003 as parametrised in the code of arXiv:2308.02543;
    # pairs: the same code; threshold: arXiv:2006.16883
    response=Response(
        efficiency=MINIBOONE_EFFICIENCY,
        energy_stochastic=0.12,
        energy_constant=10.0,
        angle_constant=2.7,
        angle_log=1.0,
        threshold=140.0,
        ring_angle=13.0,
        ring_energy=30.0,
    ),
    enuqe=(200.0, 300.0, 375.0, 475.0, 550.0, 675.0, 800.0, 950.0, 1100.0, 1250.0, 1500.0, 3000.0),
    evis=tuple(np.linspace(100.0, 1250.0, 24).tolist()),
    costheta=tuple(np.linspace(-1.0, 1.0, 21).round(10).tolist()),
    window=(200.0, 1250.0),
)

# 72.2 t in the fiducial volume, electron efficiency 0.42 flat and 7 % energy resolution at 52.8 MeV
# [both unconfirmed]
LSND = Detector(
    name="lsnd",
    composition=nuclei_in(72.2, OIL, OIL_MOLAR_MASS),
    response=Response(efficiency=((0.0, 0.42), (1000.0, 0.42)), energy_stochastic=0.0161),
    evis=(20.0, 60.0, 200.0),
)

# 85 t of active argon, peak efficiency of the 1 photon 0 proton selection (arXiv:2110.00409)
MICROBOONE = Detector(
    name="microboone",
    composition=nuclei_in(85.0, {"Ar": 1}, 39.948),
    response=Response(efficiency=((0.0, 0.0529), (1000.0, 0.0529)), threshold=100.0),
    evis=(100.0, 3000.0),
)
