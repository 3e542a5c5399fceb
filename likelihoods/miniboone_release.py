"""The MiniBooNE data release and its likelihood with the muon samples eliminated exactly.

The release gives a fractional covariance F of 60 predictions P: signal, electron-like background and muon
events in both modes. V = F P P^T, signal and background bins added, plus diag(signal): the statistical errors
of data and background are inside F already. The muon rows of V depend on the signal s only linearly, through
the signal rows, so their Schur complement leaves 22 bins with

    V_ij = s_i G_ij s_j + s_i C_ij + s_j C_ji + K_ij + s_i delta_ij,    r_i = R_i - s_i (1 + u_i),

where G, C, K, R and u are constants: the same ln L as the 38 x 38 form (docs/physics/miniboone.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, pi
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from globalfit.arrays import Array
from globalfit.errors import LikelihoodError
from globalfit.likelihoods.measurements import matrix, table
from globalfit.physics.compiled_code import Engine, is_compiled

FILE = "miniboone.toml"
BINS = 11  # of E_nu^QE in each mode
_ELECTRON, _MUON = 2 * BINS, 16
_SIGNAL = np.r_[0:11, 30:41]  # rows of the fractional covariance, neutrino mode first
_BACKGROUND = np.r_[11:22, 41:52]
_MUONS = np.r_[22:30, 52:60]
_CHUNK = 32  # points whose matrices stay in the cache
_LARGEST = 1e100  # events: beyond, ln L is continued as a constant so that nothing overflows
_CORNER = 1e300
_DRAWS = 1000  # of a spectrum without negative bins


@dataclass(frozen=True, eq=False)
class Release:
    """Data and predictions in events, neutrino mode first.

    Attributes
    ----------
    edges : array (12,)
        Bin edges of E_nu^QE in MeV.
    data, background : array (22,)
        Electron-like events; background before the constraint.
    muon_data, muon_prediction : array (16,)
        The nu_mu and nubar_mu samples.
    fraction : array (60, 60)
        Fractional covariance in the order of the release.
    """

    edges: Array
    data: Array
    background: Array
    muon_data: Array
    muon_prediction: Array
    fraction: Array

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """Return the release whose files `record` names."""
        electron, muon = table(record["electron"]), table(record["muon"])
        return cls(
            edges=np.append(electron["low"], electron["high"][-1]),
            data=np.append(electron["nu_data"], electron["nubar_data"]),
            background=np.append(electron["nu_background"], electron["nubar_background"]),
            muon_data=np.append(muon["nu_data"], muon["nubar_data"]),
            muon_prediction=np.append(muon["nu_prediction"], muon["nubar_prediction"]),
            fraction=matrix(record["covariance"]),
        )

    @property
    def low_energy(self) -> NDArray[np.bool_]:
        """Which of the 11 bins (11,) lie in 200 < E_nu^QE < 1250 MeV."""
        inside: NDArray[np.bool_] = self.edges[1:] <= 1250.0
        return inside

    def block(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
        """Return a block of the fractional covariance."""
        part: Array = self.fraction[np.ix_(rows, columns)]
        return part

    def covariance_background(self) -> Array:
        """Return the covariance (22, 22) of the unconstrained background, in events^2."""
        return self.block(_BACKGROUND, _BACKGROUND) * np.outer(self.background, self.background)

    def constrained_background(self) -> tuple[Array, Array]:
        """Return the background (22,) given the muon data, and its covariance (22, 22).

        Both muon samples constrain both modes; their predictions' Poisson variances are added, which
        reproduces Table I of the paper.
        """
        muons = self.block(_MUONS, _MUONS) * np.outer(self.muon_prediction, self.muon_prediction)
        muons = muons + np.diag(self.muon_prediction)
        mixed = self.block(_BACKGROUND, _MUONS) * np.outer(self.background, self.muon_prediction)
        gain = np.linalg.solve(muons, mixed.T).T
        shifted = self.background + gain @ (self.muon_data - self.muon_prediction)
        return shifted, self.covariance_background() - gain @ mixed.T


class AppearanceDensity:
    """ln density of the 22 electron-like and 16 muon bins of a release, as a function of the signal."""

    def __init__(self, release: Release) -> None:
        block, background = release.block, release.background
        muons = block(_MUONS, _MUONS) * np.outer(release.muon_prediction, release.muon_prediction)
        signal_muon = block(_SIGNAL, _MUONS) * release.muon_prediction
        background_muon = block(_BACKGROUND, _MUONS) * np.outer(background, release.muon_prediction)
        residual = release.muon_data - release.muon_prediction
        to_signal = np.linalg.solve(muons, signal_muon.T)
        to_background = np.linalg.solve(muons, background_muon.T)
        pull = np.linalg.solve(muons, residual)
        # A 23rd row holds the residual, so that the Cholesky factor has L^-1 r as its last row. Its pad
        # signal is 0, its last element only has to exceed r^T V^-1 r.
        self._quadratic = np.zeros((_ELECTRON + 1, _ELECTRON + 1))
        self._linear = np.zeros_like(self._quadratic)
        self._constant = np.zeros_like(self._quadratic)
        inner = np.s_[:_ELECTRON, :_ELECTRON]
        self._quadratic[inner] = block(_SIGNAL, _SIGNAL) - signal_muon @ to_signal
        self._linear[inner] = block(_SIGNAL, _BACKGROUND) * background - signal_muon @ to_background
        self._linear[:_ELECTRON, _ELECTRON] = -1.0 - signal_muon @ pull
        self._constant[inner] = release.covariance_background() - background_muon @ to_background
        self._constant[_ELECTRON, :_ELECTRON] = release.data - background - background_muon @ pull
        self._constant[_ELECTRON, _ELECTRON] = _CORNER
        self._offset = float(
            residual @ pull + np.linalg.slogdet(muons)[1] + (_ELECTRON + _MUON) * log(2.0 * pi)
        )

    def __call__(self, signal: Array, engine: Engine = "numpy") -> Array:
        """Return ln density (n,) for signals (n, 22) in events; -inf where V is not positive definite."""
        held = np.minimum(signal, _LARGEST)
        if is_compiled(engine):
            from globalfit.likelihoods.miniboone_compiled import ln_density  # imports numba

            out = ln_density(held, self._quadratic, self._linear, self._constant)
            out -= 0.5 * self._offset
        else:
            out = self._with_numpy(held)
        out[np.isnan(out) & ~np.isnan(signal).any(axis=1)] = -np.inf
        return out

    def _with_numpy(self, signal: Array) -> Array:
        n = len(signal)
        out = np.empty(n)
        s = np.zeros((n, _ELECTRON + 1))
        s[:, :_ELECTRON] = signal
        work = np.empty((2, min(n, _CHUNK), _ELECTRON + 1, _ELECTRON + 1))
        for i in range(0, n, _CHUNK):
            part = s[i : i + _CHUNK]
            root = _cholesky(self._covariance(part, work[:, : len(part)]))
            z = root[:, _ELECTRON, :_ELECTRON]
            ln_root = np.log(np.einsum("nii->ni", root)[:, :_ELECTRON]).sum(axis=1)
            out[i : i + _CHUNK] = -0.5 * (np.einsum("ni,ni->n", z, z) + self._offset) - ln_root
        return out

    def draw(self, signal: Array, data: Array, rng: np.random.Generator) -> Array:
        """Return electron-like events (22,), none negative, drawn at a signal (1, 22) given the muon data.

        `data` (22,) are the events the density was made for.
        """
        s = np.append(np.minimum(signal, _LARGEST), [[0.0]], axis=1)
        v = self._covariance(s, np.empty((2, 1, _ELECTRON + 1, _ELECTRON + 1)))[0]
        root = _cholesky(v[None, :_ELECTRON, :_ELECTRON])[0]
        mean = data - v[_ELECTRON, :_ELECTRON]
        for _ in range(_DRAWS):
            events: Array = mean + root @ rng.standard_normal(_ELECTRON)
            if (events >= 0.0).all():
                return events
        raise LikelihoodError(
            "miniboone", f"{_DRAWS} draws of data had negative or undefined bins", "narrow the priors"
        )

    def sums(self, signal: Array, groups: Array) -> tuple[Array, Array]:
        """Return prediction minus data summed over groups of bins (n, m), and its standard deviation.

        They are of the 22 electron-like bins at the signal (n, 22), given the muon data; `groups` (m, 22)
        holds 1 for each bin of a group.
        """
        n = len(signal)
        s = np.append(np.minimum(signal, _LARGEST), np.zeros((n, 1)), axis=1)
        v = self._covariance(s, np.empty((2, n, _ELECTRON + 1, _ELECTRON + 1)))
        lower = np.tril(v[:, :_ELECTRON, :_ELECTRON])
        diagonal = np.einsum("nii->ni", lower)
        variance = 2.0 * np.einsum("mi,nij,mj->nm", groups, lower, groups) - diagonal @ groups.T
        return -v[:, _ELECTRON, :_ELECTRON] @ groups.T, np.sqrt(variance)

    def highest(self) -> float:
        """Return the highest ln density of any signal that is negative in no bin."""
        from scipy.optimize import minimize

        step = 1e-3 * np.eye(_ELECTRON)

        def loss(signal: Array) -> tuple[float, Array]:
            down = np.maximum(signal - step, 0.0)
            up = signal + step
            at = self(np.concatenate([signal[None], down, up]))
            gradient = (at[_ELECTRON + 1 :] - at[1 : _ELECTRON + 1]) / np.diagonal(up - down)
            return -float(at[0]), -gradient

        found = minimize(
            loss, np.full(_ELECTRON, 10.0), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * _ELECTRON
        )
        return -float(found.fun)

    def _covariance(self, s: Array, work: Array) -> Array:
        """Return V (n, 23, 23), its lower triangle valid, the residual in its last row."""
        v, term = work
        rows, columns = s[:, :, None], s[:, None, :]
        np.multiply(rows, self._quadratic, out=v)
        v += self._linear.T
        v *= columns
        v += self._constant
        v += np.multiply(rows, self._linear, out=term)
        np.einsum("nii->ni", v)[:] += s
        matrices: Array = v
        return matrices


def as_spectrum(likelihood: str, name: str, values: Array, bins: int) -> Array:
    """Return a predicted spectrum (n, bins) after a check; nan is let through, to be told with its point.

    Raises
    ------
    LikelihoodError
        If the shape is wrong or events are negative.
    """
    events = np.asarray(values, dtype=np.float64)
    if events.ndim != 2 or events.shape[1] != bins:
        raise LikelihoodError(likelihood, f"'{name}' has shape {events.shape}", f"give (n, {bins})")
    if (negative := events < 0.0).any():
        i, j = (int(k) for k in np.argwhere(negative)[0])
        problem = f"'{name}' = {events[i, j]:g} in bin {j} of point {i}"
        raise LikelihoodError(likelihood, problem, "a signal is not negative: correct the prediction")
    return events


def _cholesky(matrices: Array) -> Array:
    """Return lower Cholesky factors (n, k, k); nan where a matrix is not positive definite."""
    try:
        roots = np.asarray(np.linalg.cholesky(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        roots = np.full_like(matrices, np.nan)
        for i, each in enumerate(matrices):  # rare: one of the batch is not
            try:
                roots[i] = np.linalg.cholesky(each)
            except np.linalg.LinAlgError:
                continue
    return roots
