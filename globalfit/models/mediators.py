"""Points of a model with a vector A' and a scalar phi': total widths, branching ratios and decay lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from globalfit.arrays import Array
from globalfit.model import MissingParameterError, Point
from globalfit.parameters import Quantity
from globalfit.physics.decays import branching_ratio, decay_length

SYMBOL = {
    "aprime_aprime": r"A' A'",
    "e_e": r"e^+ e^-",
    "eta_eta": r"\eta \eta",
    "gamma_gamma": r"\gamma \gamma",
    "mu_mu": r"\mu^+ \mu^-",
    "nu_nu": r"\nu \bar\nu",
    "nua_nus": r"\nu_A \nu_s",
    "nus_nus": r"\nu_s \nu_s",
    "pi0_gamma": r"\pi^0 \gamma",
    "pi_pi": r"\pi \pi",
}


@dataclass(frozen=True, eq=False)
class MediatorPoint(Point):
    """A point that knows the partial widths of A' and phi'.

    ``br_aprime_<channel>`` and ``br_phi_<channel>`` follow from them. A model subclasses it
    with ``widths_aprime`` and ``widths_phi``, ``{channel: (n,)}`` in MeV.
    """

    @property
    def widths_aprime(self) -> dict[str, Array]:
        """Partial widths of A' in MeV, {channel: (n,)}."""
        raise NotImplementedError

    @property
    def widths_phi(self) -> dict[str, Array]:
        """Partial widths of phi' in MeV, {channel: (n,)}."""
        raise NotImplementedError

    @cached_property
    def width_aprime(self) -> Array:
        """Total width of A' (n,) in MeV; zero is legal."""
        return _total(self.widths_aprime, self.n)

    @cached_property
    def width_phi(self) -> Array:
        """Total width of phi' (n,) in MeV; zero is legal."""
        return _total(self.widths_phi, self.n)

    @cached_property
    def ctau_aprime(self) -> Array:
        """Decay length c tau of A' (n,) in m; inf where it is stable."""
        return decay_length(self.width_aprime)

    @cached_property
    def ctau_phi(self) -> Array:
        """Decay length c tau of phi' (n,) in m; inf where it is stable."""
        return decay_length(self.width_phi)

    def __getattr__(self, name: str) -> Array:
        if not name.startswith(("br_aprime_", "br_phi_")):
            return super().__getattr__(name)
        if name.startswith("br_phi_"):
            return self._branching(name, self.widths_phi, self.width_phi)
        return self._branching(name, self.widths_aprime, self.width_aprime)

    def _branching(self, name: str, widths: dict[str, Array], total: Array) -> Array:
        channel = name.split("_", 2)[2]
        if channel not in widths:
            raise MissingParameterError(self.model_name, name)
        return branching_ratio(widths[channel], total)


def mediator_quantities(aprime: tuple[str, ...], phi: tuple[str, ...]) -> tuple[Quantity, ...]:
    """Return widths, decay lengths and branching ratios of A' and phi' for these channels."""
    return (
        Quantity("width_aprime", "MeV", r"\Gamma_{A'}"),
        Quantity("width_phi", "MeV", r"\Gamma_{\phi'}"),
        Quantity("ctau_aprime", "m", r"c\tau_{A'}"),
        Quantity("ctau_phi", "m", r"c\tau_{\phi'}"),
        *(Quantity(f"br_aprime_{name}", "", rf"\mathrm{{BR}}(A' \to {SYMBOL[name]})") for name in aprime),
        *(Quantity(f"br_phi_{name}", "", rf"\mathrm{{BR}}(\phi' \to {SYMBOL[name]})") for name in phi),
    )


def _total(widths: dict[str, Array], n: int) -> Array:
    total = np.zeros(n)
    for width in widths.values():
        total = total + width
    return total
