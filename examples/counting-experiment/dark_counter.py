"""The dark counter, an invented experiment: muons on a dump, events with missing momentum."""

from dataclasses import dataclass
from typing import ClassVar

from globalfit.constants import M_MU
from globalfit.statistics import poisson_with_background


@dataclass(frozen=True)
class DarkCounter:
    """Muons that lose momentum to a phi' radiated in the dump (an INVENTED experiment with invented counts).

    The number of signal events is that of muons times `efficiency` times y_mu^2/(1 + m_phi^2/m_mu^2): the
    coupling and the mass dependence of bremsstrahlung, the rest in one number. A real experiment puts the
    efficiency of its simulation there, as a function of m_phi.
    """

    observed: int = 3
    background: float = 1.9
    error_background: float = 0.6
    muons: float = 1e10
    efficiency: float = 1e-5

    name: ClassVar[str] = "dark-counter"
    reference: ClassVar[str] = "invented, to show how a counting experiment is written"
    needs: ClassVar[tuple[str, ...]] = ("y_mu", "m_phi")

    def predict(self, point):
        """Return the expected signal events (n,)."""
        rate = point.y_mu**2 / (1.0 + (point.m_phi / M_MU) ** 2)
        return {"signal_dark_counter": self.muons * self.efficiency * rate}

    def log_likelihood(self, prediction):
        """Return ln P (n,) of the observed count; the background has a gamma density."""
        signal = prediction["signal_dark_counter"]
        return poisson_with_background(self.observed, signal, self.background, self.error_background)
