"""MiniBooNE's electron-like spectra in neutrino and antineutrino mode."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np

from globalfit.arrays import Array
from globalfit.errors import GlobalfitError
from globalfit.likelihood import Prediction, Published
from globalfit.likelihoods.measurements import Vintages, record
from globalfit.likelihoods.miniboone_release import BINS, FILE, AppearanceDensity, Release, as_spectrum
from globalfit.model import Point
from globalfit.physics.compiled_code import Engine, check_engine

_NULL = -221.6203073  # the 38 x 38 form at zero signal, evaluated once with numpy.linalg.slogdet and solve


@dataclass(frozen=True)
class MiniBooNE:
    """Spectra of E_nu^QE in both modes with the released covariance, the muon samples included.

    The data are a Gaussian of 38 bins: 11 electron-like and 8 muon bins in each mode. The covariance contains
    the signal's own systematic errors and its Poisson variance, so it depends on the prediction, and ln det V
    stays in ln L.

    Parameters
    ----------
    measurement : str
        One of `vintages`; files and citation are in ``data/miniboone.toml``.
    data_nu, data_nubar : sequence of 11 floats, optional
        Replace the observed electron-like events, for instance by a simulated data set.
    engine : {"auto", "numpy", "numba"}
        What calculates ln L. "auto" is compiled code where numba is installed; both agree to 1e-10.

    Raises
    ------
    GlobalfitError
        If `measurement` or `engine` is unknown or the events are not 11 finite numbers, none negative.
    """

    measurement: str = "miniboone-2020"
    data_nu: tuple[float, ...] | None = None
    data_nubar: tuple[float, ...] | None = None
    engine: Engine = "auto"

    name: ClassVar[str] = "miniboone"
    needs: ClassVar[tuple[str, ...]] = ("signal_nu", "signal_nubar")
    version: ClassVar[str] = "1"
    cost: ClassVar[float] = 10.0
    vintages = Vintages()

    def __post_init__(self) -> None:
        record(FILE, self.measurement, self.name)
        check_engine(self.name, self.engine)
        for option in ("data_nu", "data_nubar"):
            if (events := getattr(self, option)) is not None:
                object.__setattr__(self, option, as_events(self.name, option, events))

    @property
    def release(self) -> Release:
        """The release with the electron-like data of this likelihood."""
        return _release(self.measurement, self.data_nu, self.data_nubar)

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        return str(self._record["citation"])

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data: the events of both modes."""
        return (*self._record["data_nu"], *self._record["data_nubar"])

    @property
    def published(self) -> tuple[Published, ...]:
        """Ln L at zero signal."""
        if self.data_nu is not None or self.data_nubar is not None:
            return ()
        zero: Mapping[str, tuple[float, ...]] = {
            "signal_nu": (0.0,) * BINS,
            "signal_nubar": (0.0,) * BINS,
        }
        return (Published(zero, _NULL, "the released 38 x 38 covariance at zero signal"),)

    def predict(self, point: Point) -> Prediction:
        """Return the signal ``signal_nu``, ``signal_nubar`` (n, 11) and its sum below 1250 MeV.

        The sums are ``excess_nu`` and ``excess_nubar`` (n,), events in 200 < E_nu^QE < 1250 MeV.
        """
        nu, nubar = signals(point)
        low = self.release.low_energy
        return {
            "signal_nu": nu,
            "signal_nubar": nubar,
            "excess_nu": nu[:, low].sum(axis=1),
            "excess_nubar": nubar[:, low].sum(axis=1),
        }

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the complete ln density (n,) of the 38 observed bins, per event each.

        Only ``signal_nu`` and ``signal_nubar`` (n, 11) are read. An infinite signal, where a model has no
        prediction, gives -inf. Where V is not positive definite the result
        is -inf, with a warning: the released covariance is rounded and has negative eigenvalues. It takes a
        jagged spectrum with more than 100 events in some bins, mostly of antineutrino mode, to get there.

        Raises
        ------
        LikelihoodError
            If a signal has the wrong shape or is negative.
        """
        spectra = [as_spectrum(self.name, each, prediction[each], BINS) for each in self.needs]
        signal = np.hstack(spectra)
        ln_density = _density(self.measurement, self.data_nu, self.data_nubar)(signal, self.engine)
        endless = np.isinf(signal).any(axis=1)
        ln_density[endless] = -np.inf
        if np.any((ln_density == -np.inf) & ~endless):
            warnings.warn(
                "miniboone: the covariance is not positive definite at some points, ln L is -inf there: "
                "the released matrix is rounded and fails for jagged spectra of hundreds of events a bin",
                RuntimeWarning,
                stacklevel=2,
            )
        return ln_density

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of electron-like events drawn at the prediction (n = 1), given the muon data.

        The muon samples do not depend on the signal: given them as they are, the electron-like bins are the
        22-dimensional Gaussian of the elimination, whose covariance is that at the signal. A draw with a
        negative bin is made anew.
        """
        signal = np.hstack([prediction[each] for each in self.needs])
        release = self.release
        density = _density(self.measurement, self.data_nu, self.data_nubar)
        events = density.draw(signal, release.data, rng)
        return replace(self, data_nu=tuple(events[:BINS]), data_nubar=tuple(events[BINS:]))

    @property
    def ideal(self) -> float:
        """The highest density of any signal: one that is free in each bin, and follows its noise too."""
        return _highest(self.measurement, self.data_nu, self.data_nubar)

    def pulls(self, prediction: Prediction) -> dict[str, Array]:
        """Return predicted minus observed excess (n,) below 1250 MeV, in standard deviations.

        They are sums of the bins that `log_likelihood` compares, with their covariance at the signal.
        """
        density = _density(self.measurement, self.data_nu, self.data_nubar)
        low = self.release.low_energy.astype(np.float64)
        none = np.zeros(BINS)
        groups = np.array([np.append(low, none), np.append(none, low)])
        gap, error = density.sums(np.hstack([prediction[each] for each in self.needs]), groups)
        return {"excess_nu": gap[:, 0] / error[:, 0], "excess_nubar": gap[:, 1] / error[:, 1]}

    def null(self, point: Point) -> Prediction:
        """Return the prediction (n, 11), (n,) without a signal."""
        none, sums = np.zeros((point.n, BINS)), np.zeros(point.n)
        return {"signal_nu": none, "signal_nubar": none, "excess_nu": sums, "excess_nubar": sums}

    @property
    def _record(self) -> Mapping[str, Any]:
        return record(FILE, self.measurement, self.name)


def signals(point: Point) -> tuple[Array, Array]:
    """Return the signal (n, 11) per E_nu^QE bin in neutrino and in antineutrino mode, in events.

    The model provides both: events in the detector's exposure with efficiency and resolution folded in.
    """
    return point.signal_nu, point.signal_nubar


def as_events(likelihood: str, option: str, events: Sequence[float]) -> tuple[float, ...]:
    """Return observed events as a tuple of `BINS` floats after a check."""
    values = tuple(float(each) for each in events)
    if len(values) != BINS:
        problem = f"'{option}' has {len(values)} numbers"
        raise GlobalfitError(likelihood, problem, f"give {BINS}, one for each bin of E_nu^QE")
    for each in values:
        if not 0.0 <= each < math.inf:
            problem = f"'{option}' contains {each:g}"
            raise GlobalfitError(likelihood, problem, "give finite numbers, none negative")
    return values


@lru_cache(maxsize=8)  # simulated data sets come and go
def _release(
    measurement: str, nu: tuple[float, ...] | None = None, nubar: tuple[float, ...] | None = None
) -> Release:
    published = Release.read(record(FILE, measurement, MiniBooNE.name))
    data = published.data.copy()
    if nu is not None:
        data[:BINS] = nu
    if nubar is not None:
        data[BINS:] = nubar
    return replace(published, data=data)


@lru_cache(maxsize=8)  # simulated data sets come and go
def _density(
    measurement: str, nu: tuple[float, ...] | None, nubar: tuple[float, ...] | None
) -> AppearanceDensity:
    return AppearanceDensity(_release(measurement, nu, nubar))


@lru_cache(maxsize=8)
def _highest(measurement: str, nu: tuple[float, ...] | None, nubar: tuple[float, ...] | None) -> float:
    return _density(measurement, nu, nubar).highest()
