"""MiniBooNE's visible energy and shower angle in neutrino mode: alternatives to the spectra of E_nu^QE.

The histograms show the events of `miniboone` again: never in one fit with it or with each other. Both are
digitised, and no covariance is published, so the background's errors are options here, not data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction
from globalfit.likelihoods.measurements import Vintages, record, table
from globalfit.likelihoods.miniboone_release import FILE, as_spectrum
from globalfit.model import Point
from globalfit.statistics import correlated_gaussian


@dataclass(frozen=True)
class DigitisedHistogram:
    """A histogram of the neutrino-mode events with 200 < E_nu^QE < 1250 MeV.

    A Gaussian with V_ij = (b_i + s_i + (f_b b_i)^2) delta_ij + f_n^2 b_i b_j: Poisson variance of the
    prediction, an independent error f_b of the background in each bin and a common one f_n.

    Parameters
    ----------
    measurement : str
        One of `vintages`.
    error_bin : float
        f_b, relative.
    error_normalisation : float
        f_n, relative; 0.0518 is the error of the constrained background, 119.6 of 2309.4 events.

    Raises
    ------
    GlobalfitError
        If `measurement` is unknown or an error is negative or not finite.
    """

    measurement: str = "miniboone-2020"
    error_bin: float = 0.1
    error_normalisation: float = 0.0518

    name: ClassVar[str]
    needs: ClassVar[tuple[str]]
    version: ClassVar[str] = "1"
    histogram: ClassVar[str]  # key of its file in data/miniboone.toml
    vintages = Vintages()

    def __post_init__(self) -> None:
        record(FILE, self.measurement, self.name)
        for option in ("error_bin", "error_normalisation"):
            if not 0.0 <= (value := getattr(self, option)) < math.inf:
                problem = f"'{option}' is {value}"
                raise GlobalfitError(self.name, problem, "give a finite relative error, not below 0")

    @property
    def _record(self) -> Mapping[str, Any]:
        return record(FILE, self.measurement, self.name)

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        return f"{self._record['citation']}; histogram digitised"

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data: the events of neutrino mode."""
        return tuple(self._record["data_nu"])

    @property
    def events(self) -> Mapping[str, Array]:
        """Bin edges `low`, `high`, and events `data`, `background` (bins,)."""
        return table(self._record[self.histogram])

    def predict(self, point: Point) -> Prediction:
        """Return the signal (n, bins) in events."""
        (signal,) = self.needs
        return {signal: getattr(point, signal)}

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the histogram, per event each.

        Raises
        ------
        LikelihoodError
            If the signal has the wrong shape or is negative.
        """
        (name,) = self.needs
        data, background = self.events["data"], self.events["background"]
        signal = as_spectrum(self.name, name, prediction[name], data.size)
        endless = np.isinf(signal.sum(axis=1))  # where a model has no prediction
        signal = np.where(endless[:, None], 0.0, signal)
        common = self.error_normalisation**2 * np.outer(background, background)
        variance = background + (self.error_bin * background) ** 2
        covariance = np.tile(common + np.diag(variance), (len(signal), 1, 1))
        np.einsum("nii->ni", covariance)[:] += signal
        ln_density = correlated_gaussian(data, background + signal, covariance)
        return np.where(endless, -np.inf, ln_density)


@dataclass(frozen=True)
class MiniBooNECosTheta(DigitisedHistogram):
    """Cosine of the angle between shower and beam, 20 bins; errors and options of `DigitisedHistogram`."""

    name: ClassVar[str] = "miniboone-costheta"
    needs: ClassVar[tuple[str]] = ("signal_costheta",)
    histogram: ClassVar[str] = "costheta"


@dataclass(frozen=True)
class MiniBooNEEvis(DigitisedHistogram):
    """Visible energy, 23 bins of 50 MeV from 100 MeV; errors and options of `DigitisedHistogram`."""

    name: ClassVar[str] = "miniboone-evis"
    needs: ClassVar[tuple[str]] = ("signal_evis",)
    histogram: ClassVar[str] = "evis"
