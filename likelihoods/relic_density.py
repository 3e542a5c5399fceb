"""Relic density: freeze-out of the dark fermions eta_1, eta_2 against the measured Omega h^2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from scipy.special import log_ndtr

from globalfit.arrays import Array
from globalfit.constants import M_E, M_MU
from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.likelihood import Prediction, Published
from globalfit.likelihoods.measurements import Vintages, record
from globalfit.model import Point
from globalfit.physics.compiled_code import Engine, check_engine
from globalfit.physics.freeze_out.dark_sector import DarkSector
from globalfit.physics.freeze_out.final_states import (
    Lepton,
    finals_of_aprime,
    finals_of_phi,
    longitudinal_pairs,
)
from globalfit.physics.freeze_out.relic import relic
from globalfit.statistics import gaussian

Mode = Literal["gaussian", "upper-limit"]
BLOCK = 2048  # points at a time: their arrays stay in the cache
KINETIC_DECOUPLING = 0.3 * math.log(10.0)  # 0.3 dex on the phi' resonance


_FILE = "relic_density.toml"


@dataclass(frozen=True)
class RelicDensity:
    """Omega h^2 of eta_1 by freeze-out, co-annihilation with eta_2 included, against Planck.

    A Gaussian in ln(Omega h^2) with

        sigma = hypot(max(error_floor, measured error), 0.69/(1 + (|R - 1|/0.1)^4)),   R = m_phi/(2 m_eta):

    the floor stands for what a freeze-out calculation at this order does not know (g*, kinetic equilibrium
    with the plasma, higher orders); the second term, 0.3 dex, for early kinetic decoupling on the phi'
    resonance (T. Binder et al., Eur. Phys. J. C 81 (2021) 577, arXiv:2103.01944, finds up to an order of
    magnitude).

    Parameters
    ----------
    measurement : str
        One of `vintages`; value and citation are in ``data/relic_density.toml``.
    omega_h2, error : float, optional
        Replace the measured abundance and its error.
    mode : {"gaussian", "upper-limit"}
        eta_1 is all of the dark matter, or at most all of it: then ln L is ln P(abundance <= measured) of a
        log-normal error sigma on the prediction, a probability, not a density.
    error_floor : float
        Least sigma of ln(Omega h^2).
    n_eff_mass : float
        Particles in equilibrium below this mass in MeV disturb N_eff and nucleosynthesis: flagged.
    engine : {"auto", "numpy", "numba"}
        What calculates the abundance. "auto" is compiled code where numba is installed (``pip install
        globalfit[numba]``), which compiles once and keeps the result on disk; both agree to 1e-8 or better.

    Raises
    ------
    GlobalfitError
        If an option is unknown or a number is out of range; `predict` if a mass is not positive, the gap is
        negative, a width is undefined or g*(T) is not known at freeze-out.
    """

    measurement: str = "planck-2018"
    omega_h2: float | None = None
    error: float | None = None
    mode: Mode = "gaussian"
    error_floor: float = 0.3
    n_eff_mass: float = 3.7  # 2 sigma, N. Sabti et al., JCAP 01 (2020) 004, arXiv:1910.01649
    engine: Engine = "auto"

    name: ClassVar[str] = "relic-density"
    version: ClassVar[str] = "1"
    cost: ClassVar[float] = 100.0
    needs: ClassVar[tuple[str, ...]] = (
        *(
            "m_eta",
            "delta_eta",
            "m_aprime",
            "m_phi",
            "m_nus",
            "width_aprime",
            "width_phi",
            "eta_charges",
            "f",
        ),
        *("g_eta", "y_eta", "y_eta2", "g_r", "theta_nu", "y_nus", "y_nua_nus"),
        *("y_e", "y_mu", "y_u", "y_d", "y_c"),
        *("g_e_vector", "g_e_axial", "g_mu_vector", "g_mu_axial", "g_u_vector", "g_d_vector"),
    )
    vintages = Vintages()

    def __post_init__(self) -> None:
        record(_FILE, self.measurement, self.name)
        if self.mode not in get_args(Mode):
            raise GlobalfitError(self.name, f"no mode '{self.mode}'", did_you_mean(self.mode, get_args(Mode)))
        check_engine(self.name, self.engine)
        for field, number in (("omega_h2", self.omega_h2), ("error", self.error)):
            if number is not None and not 0.0 < number < math.inf:
                raise GlobalfitError(self.name, f"'{field}' is {number}", "give a finite number above 0")
        for field, number in (("error_floor", self.error_floor), ("n_eff_mass", self.n_eff_mass)):
            if not 0.0 <= number < math.inf:
                raise GlobalfitError(self.name, f"'{field}' is {number}", "give a finite number not below 0")

    @property
    def _record(self) -> Mapping[str, Any]:
        return record(_FILE, self.measurement, self.name)

    @property
    def observed(self) -> float:
        """The measured Omega h^2."""
        return self.omega_h2 if self.omega_h2 is not None else float(self._record["omega_h2"])

    @property
    def error_ln_observed(self) -> float:
        """The error of its logarithm."""
        error = self.error if self.error is not None else float(self._record["error_omega_h2"])
        return error / self.observed

    @property
    def reference(self) -> str:
        """Citation of the measurement."""
        return str(self._record["citation"])

    @property
    def data(self) -> tuple[str, ...]:
        """Identifiers of the data in the measurement."""
        return tuple(self._record["data"])

    @property
    def published(self) -> tuple[Published, ...]:
        """The density at the measured abundance, far from the resonance."""
        if self.mode == "upper-limit":
            height, what = math.log(0.5), "ln(1/2): half of the error is above the measurement"
        else:
            sigma = max(self.error_floor, self.error_ln_observed)
            height, what = -math.log(sigma * math.sqrt(2.0 * math.pi)), "-ln(sigma sqrt(2 pi))"
        at = {"omega_h2": self.observed, "error_ln_omega_h2": 0.0}
        return (Published(at, height, f"closed form: {what}"),)

    def predict(self, point: Point) -> Prediction:
        """Return the abundance and what goes with it, each (n,).

        ``omega_h2``; ``error_ln_omega_h2``, the theory error of its logarithm on the resonance, without the
        floor; ``sigma_v_freeze_out`` in cm^3/s and ``x_freeze_out`` = m_eta/T, where the density leaves
        equilibrium; ``out_of_equilibrium``, 1 where eta never was in equilibrium; ``n_eff_dangerous``, 1
        where eta, A' or phi' is lighter than `n_eff_mass`.
        """
        if point.n > BLOCK:
            parts = [self.predict(point.take(slice(i, i + BLOCK))) for i in range(0, point.n, BLOCK)]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        found = relic(dark_sector(point), engine=self.engine)
        lightest = np.minimum(np.minimum(point.m_eta, point.m_aprime), point.m_phi)
        return {
            "omega_h2": found.omega_h2,
            "error_ln_omega_h2": error_kinetic_decoupling(point.m_phi, point.m_eta),
            "sigma_v_freeze_out": found.sigma_v_freeze_out,
            "x_freeze_out": found.x_freeze_out,
            "out_of_equilibrium": found.out_of_equilibrium.astype(np.float64),
            "n_eff_dangerous": (lightest < self.n_eff_mass).astype(np.float64),
        }

    def log_likelihood(self, prediction: Prediction) -> Array:
        """Return the ln density (n,) per unit ln(Omega h^2), or in upper-limit mode the ln probability."""
        floor = max(self.error_floor, self.error_ln_observed)
        sigma = np.hypot(floor, prediction["error_ln_omega_h2"])
        ln_omega = np.log(prediction["omega_h2"])
        if self.mode == "upper-limit":
            ln_probability: Array = log_ndtr((math.log(self.observed) - ln_omega) / sigma)
            return ln_probability
        return gaussian(math.log(self.observed), ln_omega, sigma)

    @property
    def ideal(self) -> float:
        """The density of the measured abundance far from a resonance; 0 in upper-limit mode."""
        if self.mode == "upper-limit":
            return 0.0
        return -math.log(max(self.error_floor, self.error_ln_observed) * math.sqrt(2.0 * math.pi))

    def pulls(self, prediction: Prediction) -> dict[str, Array]:
        """Return ln(prediction/data) (n,) in standard deviations; in upper-limit mode none is below 0."""
        floor = max(self.error_floor, self.error_ln_observed)
        pull = np.log(prediction["omega_h2"] / self.observed) / np.hypot(
            floor, prediction["error_ln_omega_h2"]
        )
        return {"omega_h2": np.maximum(pull, 0.0) if self.mode == "upper-limit" else pull}

    def simulate(self, prediction: Prediction, rng: np.random.Generator) -> Self:
        """Return the likelihood of an abundance drawn at the prediction (n = 1), its relative error kept.

        Raises
        ------
        GlobalfitError
            In upper-limit mode, which is no density of data.
        """
        if self.mode == "upper-limit":
            raise GlobalfitError(
                self.name, "mode = 'upper-limit' is no density of data", "use mode = 'gaussian'"
            )
        floor = max(self.error_floor, self.error_ln_observed)
        sigma = math.hypot(floor, prediction["error_ln_omega_h2"][0])
        drawn = math.exp(rng.normal(math.log(prediction["omega_h2"][0]), sigma))
        return replace(self, omega_h2=drawn, error=drawn * self.error_ln_observed)


def error_kinetic_decoupling(m_phi: Array, m_eta: Array) -> Array:
    """Return the error (n,) of ln(Omega h^2) from early kinetic decoupling: 0.3 dex at m_phi = 2 m_eta."""
    distance = np.abs(0.5 * m_phi / m_eta - 1.0)
    return KINETIC_DECOUPLING / (1.0 + (distance / 0.1) ** 4)


def dark_sector(point: Point) -> DarkSector:
    """Return masses, couplings and final states of the dark sector at n points of a U(1)_T3R model.

    The widths are those of the model, at mass sqrt s; what does not couple at any point is left out.
    """
    axial = str(point.eta_charges) == "literal"  # the one option that changes which amplitudes there are
    leptons = (
        Lepton(M_E, point.g_e_vector, point.g_e_axial, point.y_e),
        Lepton(M_MU, point.g_mu_vector, point.g_mu_axial, point.y_mu),
    )
    m_nus, g_r = point.m_nus, point.g_r
    return DarkSector(
        point.m_eta,
        point.delta_eta,
        point.m_aprime,
        point.m_phi,
        point.width_aprime,
        point.width_phi,
        point.g_eta,
        point.y_eta,
        point.y_eta2,
        point.f,
        finals_of_aprime(m_nus, g_r, point.theta_nu, leptons, point.g_u_vector, point.g_d_vector),
        finals_of_phi(m_nus, point.y_nus, point.y_nua_nus, leptons, point.y_u, point.y_d, point.y_c),
        longitudinal_pairs(m_nus, g_r, leptons) if axial else (),
        "axial" if axial else "vector",
    )
