"""Magnetic moment of the electron: a measured number in a loose file, used by gaussian.toml."""

from dataclasses import dataclass
from typing import ClassVar

from globalfit.constants import M_E
from globalfit.physics.magnetic_moment import delta_a_vector
from globalfit.statistics import gaussian


@dataclass(frozen=True)
class ElectronG2:
    """Measured minus predicted a_e, with alpha from the recoil of rubidium atoms (caesium disagrees)."""

    delta_a_e: float = 4.8e-13
    error: float = 3.0e-13

    name: ClassVar[str] = "electron-g2"
    reference: ClassVar[str] = "Morel et al., Nature 588 (2020) 61; Hanneke et al., PRL 100 (2008) 120801"
    needs: ClassVar[tuple[str, ...]] = ("g_e_vector", "g_e_axial", "m_aprime")

    def predict(self, point):
        """Return the contribution of A' (n,)."""
        return {"delta_a_e": delta_a_vector(point.g_e_vector, point.g_e_axial, point.m_aprime, M_E)}

    def log_likelihood(self, prediction):
        """Return ln L (n,), per unit of a_e."""
        return gaussian(self.delta_a_e, prediction["delta_a_e"], self.error)
