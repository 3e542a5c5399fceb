"""From a true electromagnetic shower to what a detector reconstructs: E_nu^QE, E_vis and cos theta bins.

The energy is smeared analytically (a Gaussian integral between bin edges, which E_nu^QE at fixed angle maps
to edges in visible energy), so that predictions are smooth in masses and energies. Directions are smeared by
a Gaussian deflection per transverse axis: radius x sigma(E), radius Rayleigh distributed, azimuth flat.
Energies in MeV; leading axes broadcast, bins are the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from scipy.special import ndtr

from globalfit.arrays import Array
from globalfit.constants import M_E, M_NEUTRON, M_PROTON
from globalfit.errors import GlobalfitError

QE_OFFSET = 0.5 * (
    M_NEUTRON**2 + M_E**2 - M_PROTON**2
)  # no binding energy, as in the experiment's definition


@dataclass(frozen=True)
class Response:
    """Efficiency, resolutions and selection of a detector for photons, electrons and merged e+e- pairs.

    Parameters
    ----------
    efficiency : tuple of (float, float)
        (true energy in MeV, efficiency), interpolated linearly and held constant outside.
    energy_stochastic, energy_constant : float
        sigma_E/GeV = stochastic sqrt(E/GeV) + constant/1000; the constant in MeV.
    angle_constant, angle_log : float
        Deflection per transverse axis in degrees: constant - log x ln(E/GeV), never below zero.
    threshold : float
        Least reconstructed visible energy in MeV.
    ring_angle, ring_energy : float
        A pair counts as one ring if it opens by less than `ring_angle` degrees (at most 90, or 180: any) or
        one lepton has less than `ring_energy` MeV.

    Raises
    ------
    GlobalfitError
        If a field is out of range.
    """

    efficiency: tuple[tuple[float, float], ...]
    energy_stochastic: float = 0.0
    energy_constant: float = 0.0
    angle_constant: float = 0.0
    angle_log: float = 0.0
    threshold: float = 0.0
    ring_angle: float = 180.0
    ring_energy: float = 0.0

    def __post_init__(self) -> None:
        table = np.asarray(self.efficiency, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != 2 or np.any(np.diff(table[:, 0]) <= 0.0):
            raise GlobalfitError(
                "response",
                "'efficiency' is not a table",
                "give (energy, efficiency) pairs, energies increasing",
            )
        if np.any(table[:, 1] < 0.0) or np.any(table[:, 1] > 1.0):
            raise GlobalfitError("response", "an efficiency is outside 0 to 1", "give fractions")
        for name in ("energy_stochastic", "energy_constant", "threshold", "ring_angle", "ring_energy"):
            if not getattr(self, name) >= 0.0:
                raise GlobalfitError("response", f"'{name}' = {getattr(self, name)}", "give zero or more")
        if self.ring_angle > 90.0 and self.ring_angle != 180.0:
            raise GlobalfitError(
                "response", f"'ring_angle' = {self.ring_angle}", "give 0 to 90, or 180 for any"
            )

    def efficiency_at(self, energy: Array) -> Array:
        """Return the efficiency at true energies in MeV, same shape."""
        table = np.asarray(self.efficiency)
        return np.asarray(np.interp(energy, table[:, 0], table[:, 1]))

    def energy_error(self, energy: Array) -> Array:
        """Return sigma_E in MeV at true energies, same shape; at least 1e-3 MeV, so that it can divide."""
        error = self.energy_stochastic * np.sqrt(1e3 * energy) + self.energy_constant
        return np.asarray(np.maximum(error, 1e-3))

    def angle_error(self, energy: Array) -> Array:
        """Return the deflection per transverse axis in radians at true energies, same shape."""
        degrees = self.angle_constant - self.angle_log * np.log(1e-3 * energy)
        return np.asarray(np.deg2rad(np.maximum(degrees, 0.0)))

    def one_ring(self, energy: Array, mass: Array) -> Array:
        """Return the share of isotropic decays to e+ e- that look like one shower.

        With x the product of the leptons' energies, both conditions cut on x alone, and x falls with the
        cosine c of a lepton's direction in the frame of the pair: the pair is narrow at |c| < c_narrow,
        asymmetric at |c| > c_asymmetric.

        Parameters
        ----------
        energy, mass : array (...)
            Energy and invariant mass of the pair in MeV.
        """
        if self.ring_angle == 180.0:
            return np.ones(np.broadcast_shapes(energy.shape, mass.shape))
        cosine2 = np.cos(np.deg2rad(self.ring_angle)) ** 2
        sine2 = max(1.0 - cosine2, 1e-30)
        a = 0.5 * mass**2 - M_E**2
        # (x - a)^2 = cos^2 p_1^2 p_2^2, p_1^2 p_2^2 = x^2 + 2 m_e^2 x - m_e^2 E^2 + m_e^4: the larger root
        half = a + cosine2 * M_E**2
        root = half**2 - sine2 * (a**2 + cosine2 * M_E**2 * (energy**2 - M_E**2))
        narrow = np.where(root > 0.0, (half + np.sqrt(np.maximum(root, 0.0))) / sine2, -np.inf)
        momenta = np.maximum(energy**2 - mass**2, 0.0) * np.maximum(0.25 - (M_E / mass) ** 2, 0.0)
        swing = np.sqrt(np.maximum(momenta, 1e-12))
        c_narrow = np.sqrt(np.maximum(0.25 * energy**2 - narrow, 0.0)) / swing
        c_asymmetric = np.maximum(0.5 * energy - self.ring_energy, 0.0) / swing
        return np.asarray(1.0 - np.maximum(np.minimum(c_asymmetric, 1.0) - np.minimum(c_narrow, 1.0), 0.0))


def enuqe(energy: Array, cosine: Array) -> Array:
    """Return E_nu^QE in MeV of an electron-like shower; negative where no neutrino gives energy and angle."""
    momentum = np.sqrt(np.maximum(energy**2 - M_E**2, 0.0))
    return np.asarray((M_NEUTRON * energy - QE_OFFSET) / (M_NEUTRON - energy + momentum * cosine))


def visible_energy(e_nu: Array | float, cosine: Array) -> Array:
    """Return the visible energy in MeV that reconstructs to E_nu^QE at an angle: the inverse for p = E.

    Increasing in `e_nu`, so bin edges map to bin edges; m_e^2/2E^2 (below 1e-5 above 120 MeV) is neglected.
    """
    return np.asarray((M_NEUTRON * e_nu + QE_OFFSET) / (M_NEUTRON + e_nu * (1.0 - cosine)))


def deflect(cosine: Array, angle: Array, azimuth: Array) -> Array:
    """Return cos theta after a deflection by `angle` (radians) at `azimuth` around the true direction."""
    sine = np.sqrt(np.maximum(1.0 - cosine**2, 0.0))
    deflected = cosine * np.cos(angle) - sine * np.sin(angle) * np.cos(azimuth)
    return np.asarray(np.clip(deflected, -1.0, 1.0))


def deflections(radial: int, azimuthal: int) -> tuple[Array, Array, Array]:
    """Return (radius, azimuth, weight), each (radial x azimuthal,), of a quadrature over deflections.

    radius^2/2 is exponential (Gauss-Laguerre); the azimuth is flat and by symmetry runs over half a circle.
    """
    x, w = np.polynomial.laguerre.laggauss(radial)
    psi = pi * (np.arange(azimuthal) + 0.5) / azimuthal
    radius, azimuth = np.meshgrid(np.sqrt(2.0 * x), psi, indexing="ij")
    weight = np.repeat(w / azimuthal, azimuthal)
    return radius.ravel(), azimuth.ravel(), weight


def enuqe_probability(energy: Array, cosine: Array, edges: Array, response: Response) -> Array:
    """Return the probability (..., bins) to reconstruct into E_nu^QE bins above threshold.

    Parameters
    ----------
    energy : array (...)
        True energy.
    cosine : array (...)
        Reconstructed direction.
    edges : array (bins + 1,)
        MeV.
    response : Response
    """
    limits = np.maximum(visible_energy(np.asarray(edges), cosine[..., None]), response.threshold)
    return _between(energy, limits, response)


def evis_probability(
    energy: Array, cosine: Array, edges: Array, window: tuple[float, float] | None, response: Response
) -> Array:
    """Return the probability (..., bins) of E_vis bins, above threshold and with E_nu^QE in `window`."""
    low, high = _window(cosine, window, response)
    limits = np.clip(np.asarray(edges), low[..., None], high[..., None])
    return _between(energy, limits, response)


def cosine_probability(
    energy: Array,
    cosine: Array,
    radius: Array,
    edges: Array,
    window: tuple[float, float] | None,
    response: Response,
) -> Array:
    """Return the probability (..., bins) of cos theta bins, above threshold and with E_nu^QE in `window`.

    Parameters
    ----------
    energy, cosine : array (...)
        True energy and direction.
    radius : array (...)
        Deflection in units of sigma(E). The azimuth is integrated: exactly for the bin, at the middle of the
        bin's range of azimuth for the window.
    edges : array (bins + 1,)
        Increasing.
    window : (float, float) or None
        E_nu^QE in MeV.
    response : Response
    """
    angle = (radius * response.angle_error(energy))[..., None]
    c = cosine[..., None]
    s = np.sqrt(np.maximum(1.0 - c**2, 0.0))
    spread = np.maximum(s * np.sin(angle), 1e-12)
    azimuth = np.arccos(np.clip((c * np.cos(angle) - np.asarray(edges)) / spread, -1.0, 1.0))
    share = np.diff(azimuth, axis=-1) / pi
    middle = deflect(c, angle, 0.5 * (azimuth[..., 1:] + azimuth[..., :-1]))
    low, high = _window(middle, window, response)
    e = energy[..., None]
    error = response.energy_error(e)
    return np.asarray(share * np.maximum(ndtr((high - e) / error) - ndtr((low - e) / error), 0.0))


def _window(cosine: Array, window: tuple[float, float] | None, response: Response) -> tuple[Array, Array]:
    if window is None:
        return np.full_like(cosine, response.threshold), np.full_like(cosine, np.inf)
    low = np.maximum(visible_energy(window[0], cosine), response.threshold)
    return low, np.maximum(visible_energy(window[1], cosine), low)


def _between(energy: Array, limits: Array, response: Response) -> Array:
    e = energy[..., None]
    return np.asarray(np.diff(ndtr((limits - e) / response.energy_error(e)), axis=-1))
