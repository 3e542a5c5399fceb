"""Limits on charged pion and kaon decays to a lepton, a neutrino and a light boson X."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction
from globalfit.likelihoods.measurements import record, table
from globalfit.model import Point
from globalfit.statistics import upper_limit

FILE = "meson_decays.toml"


@dataclass(frozen=True)
class MesonDecays:
    """BR(K -> mu nu X), BR(pi -> e nu X), BR(pi -> mu nu X) below published limits, X invisible.

    Each channel is a half-Gaussian that is 1 at a branching ratio of 0 and falls to the published 90 % limit
    at the mass of X. Outside the masses of a curve a channel says nothing. None of the curves is the
    experiment's own (``data/meson_decays.toml``, docs/physics/meson-decays.md).

    Parameters
    ----------
    channels : sequence of str
        Any of "k_mu_nu_x", "pi_e_nu_x", "pi_mu_nu_x", and "pi_e_nu_ee" for a prompt X -> e+ e-. The model
        provides each as the quantity ``br_<channel>``.
    mass : str
        The model's mass of X: "m_x", or "m_aprime", "m_phi".

    Raises
    ------
    GlobalfitError
        If a channel is unknown or stands twice, or none is given.
    """

    channels: tuple[str, ...] = ("k_mu_nu_x", "pi_e_nu_x", "pi_mu_nu_x")
    mass: str = "m_x"

    name: ClassVar[str] = "meson-decays"
    version: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        if not self.channels:
            raise GlobalfitError(self.name, "'channels' is empty", "name one, such as 'k_mu_nu_x'")
        for channel in self.channels:
            record(FILE, channel, self.name)
            if self.channels.count(channel) > 1:
                raise GlobalfitError(self.name, f"channel '{channel}' stands twice", "name it once")

    @property
    def _records(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(record(FILE, channel, self.name) for channel in self.channels)

    @property
    def needs(self) -> tuple[str, ...]:
        """The mass of X and its branching ratios."""
        return (self.mass, *(f"br_{channel}" for channel in self.channels))

    @property
    def reference(self) -> str:
        """Citations of the limits, and what each curve is."""
        return "; ".join(f"{each['citation']} ({each['origin']})" for each in self._records)

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data."""
        return tuple(each for one in self._records for each in one["data"])

    def predict(self, point: Point) -> Prediction:
        """Return ``br_<channel>`` (n,) of each channel and ``mass_tested`` (n,), the mass of X in MeV."""
        branching: dict[str, Array] = {f"br_{each}": getattr(point, f"br_{each}") for each in self.channels}
        return branching | {"mass_tested": getattr(point, self.mass)}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the ln likelihood ratio (n,) to no decay at all: 0 without X, -1.353 at a limit."""
        m = prediction["mass_tested"]
        total = np.zeros(len(m))
        for channel in self.channels:
            top = limit(channel, m)
            tested = top < np.inf
            br = prediction[f"br_{channel}"][tested]
            total[tested] += upper_limit(top[tested], br, level=0.9, curve=True)
        return total

    def null(self, point: Point) -> Prediction:
        """Return the prediction (n,) without decays to X."""
        none = {f"br_{each}": np.zeros(point.n) for each in self.channels}
        return none | {"mass_tested": np.ones(point.n)}


def limit(channel: str, m: Array) -> Array:
    """Return the 90 % CL limit (n,) on a branching ratio at masses `m` (n,) in MeV; inf outside the curve.

    The logarithm of the limit is interpolated linearly in the mass.
    """
    curve = table(record(FILE, channel, MesonDecays.name)["file"])
    inside = (m >= curve["m_x"][0]) & (m <= curve["m_x"][-1])
    return np.where(inside, np.exp(np.interp(m, curve["m_x"], np.log(curve["limit"]))), np.inf)
