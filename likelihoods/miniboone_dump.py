"""MiniBooNE with the beam on its dump: a count of electron-like events, and no excess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction, Published
from globalfit.likelihoods.measurements import Recorded, Vintages, record
from globalfit.model import Point
from globalfit.parameters import Parameter
from globalfit.priors.shapes import LogNormal
from globalfit.statistics import poisson


@dataclass(frozen=True)
class MiniBooNEDump(Recorded):
    """Electron-like events of the beam-dump run, 200 < E_nu^QE < 1250 MeV: Poisson.

    Without target and horn the flux from charged mesons falls by a factor that simulation knows to about
    25 %. The model predicts the events from charged mesons for one value of that factor, `flux_ratio`; the
    nuisance ``dump_flux_ratio`` rescales them. Those from neutral mesons, which no horn focuses, stay.

    Parameters
    ----------
    measurement : str
        One of `vintages`; the numbers are in ``data/miniboone_dump.toml``.
    observed : int, optional
        Replaces the observed count.
    flux_ratio : float, optional
        Flux per proton in the dump run over neutrino mode for which ``signal_dump_charged`` was predicted.
        Default: the median of the nuisance, 1/34.

    Raises
    ------
    GlobalfitError
        If `measurement` is unknown or a number is out of range.
    """

    measurement: str = "miniboone-dm-2018"
    observed: int | None = None
    flux_ratio: float | None = None

    name: ClassVar[str] = "miniboone-dump"
    needs: ClassVar[tuple[str, ...]] = ("signal_dump_charged", "signal_dump_neutral")
    file: ClassVar[str] = "miniboone_dump.toml"
    version: ClassVar[str] = "1"
    vintages = Vintages()

    def __post_init__(self) -> None:
        record(self.file, self.measurement, self.name)
        if self.observed is not None and not (self.observed >= 0 and float(self.observed).is_integer()):
            problem = f"'observed' is {self.observed}"
            raise GlobalfitError(self.name, problem, "give a whole number not below 0")
        if self.flux_ratio is not None and not 0.0 < self.flux_ratio < math.inf:
            raise GlobalfitError(self.name, f"'flux_ratio' is {self.flux_ratio}", "give a number above 0")

    @property
    def count(self) -> int:
        """Observed events."""
        return int(self._record["observed"] if self.observed is None else self.observed)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The nuisance parameters: ratio of fluxes, and expected background in events."""
        known = self._record
        ratio = LogNormal(known["flux_ratio"], known["error_ln_flux_ratio"])
        background = LogNormal(known["background"], known["error_ln_background"])
        return (
            Parameter("dump_flux_ratio", "", r"r_\mathrm{dump}", ratio),
            Parameter("dump_background", "", r"b_\mathrm{dump}", background),
        )

    @property
    def published(self) -> tuple[Published, ...]:
        """The probability of the count over its background alone."""
        if self.observed is not None:
            return ()
        b = float(self._record["background"])
        ln_p = self.count * math.log(b) - b - math.lgamma(self.count + 1)
        at: Mapping[str, float | tuple[float, ...]] = {"signal_dump": 0.0, "background_dump": b}
        return (Published(at, ln_p, "closed form: Poisson probability without signal"),)

    def predict(self, point: Point) -> Prediction:
        """Return ``signal_dump`` and ``background_dump`` (n,) in events."""
        nominal = self._record["flux_ratio"] if self.flux_ratio is None else self.flux_ratio
        charged = point.dump_flux_ratio / nominal * point.signal_dump_charged
        return {
            "signal_dump": charged + point.signal_dump_neutral,
            "background_dump": point.dump_background,
        }

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln probability (n,) of the count."""
        return poisson(self.count, prediction["signal_dump"] + prediction["background_dump"])

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of a count drawn at the prediction (n = 1)."""
        expected = prediction["signal_dump"][0] + prediction["background_dump"][0]
        return replace(self, observed=int(rng.poisson(expected)))

    def null(self, point: Point) -> Prediction:
        """Return the prediction (n,) without a signal, over the point's background."""
        return {"signal_dump": np.zeros(point.n), "background_dump": point.dump_background}
