"""Limits that a point violates though they are not in the fit: the banner of the summary.

Read from what a chain stores of a point of U(1)_T3R; no plug-in is needed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from globalfit.arrays import Array, strict
from globalfit.chains.chain import Chain
from globalfit.constants import HBARC_MEV_M
from globalfit.physics.kaon_decays import br_k_pi_aprime, br_k_pi_phi

C_M_PER_PS = 2.99792458e-4
LIFETIMES = {"1e1": 10.0, "1e2": 100.0, "1e3": 1000.0}  # ps
VISIBLE = ("e_e", "mu_mu", "gamma_gamma", "pi_pi", "pi0_gamma")
MUON = "t3r-muon"
# BR(pi+ -> e+ nu A') f^2/GeV^2, first-generation quarks, by mass in MeV: docs/physics/meson-decays.md
PI_E_NU = (
    (1.0, 5.0, 10.0, 20.0, 30.0, 50.0, 80.0, 100.0, 120.0, 130.0),
    (1.923e-4, 1.923e-4, 1.917e-4, 1.864e-4, 1.724e-4, 1.197e-4, 3.407e-5, 6.756e-6, 2.893e-7, 9.48e-9),
)


@dataclass(frozen=True)
class Violation:
    """A limit and what a point predicts.

    Attributes
    ----------
    title : str
        What is limited.
    predicted, limit : float
        In the same unit, a branching ratio or a coupling.
    factor : float
        By how much the rate is too large; below one nothing is violated.
    citation : str
        Of the limit.
    """

    title: str
    predicted: float
    limit: float
    factor: float
    citation: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        found: dict[str, Any] = strict(asdict(self))
        return found


def violations(chain: Chain, point: Mapping[str, float] | None = None) -> list[Violation]:
    """Return the limits that a point of a chain violates, the kaon's first, then by factor.

    Parameters
    ----------
    chain : Chain
        Of a U(1)_T3R model; for others nothing is checked.
    point : mapping of str to float, optional
        Stored quantities; the best sample by default.

    Notes
    -----
    Limits that are part of the fit are left out. Masses outside a curve are not limited by it.
    """
    model = str(chain.attributes.get("model", ""))
    if not model.startswith("t3r-"):
        return []
    fixed = {row["name"]: float(row["value"]) for row in chain.parameters if np.isfinite(row["value"])}
    values = fixed | dict(chain.best() if point is None else point)
    if not {"vev"} <= values.keys():
        return []
    kappa = 2.0**0.5 if chain.resolved.get("model", {}).get("kappa", "sqrt2") == "sqrt2" else 1.0
    names = {row["name"] for row in chain.likelihoods}
    found = [each for each in _checked(model, values, kappa * values["vev"], names) if each.factor > 1.0]
    return sorted(found, key=lambda each: (not each.title.startswith("K"), -each.factor))


def _checked(model: str, values: Mapping[str, float], f: float, fitted: set[str]) -> Iterator[Violation]:
    if "m_phi" in values:
        m = values["m_phi"]
        rate = float(br_k_pi_phi(np.array([m]), np.array([f]))[0])
        yield from _kaon("phi'", m, rate, "phi", values)
    if "m_aprime" in values:
        m = values["m_aprime"]
        rate = float(br_k_pi_aprime(np.array([m]), np.array([f]))[0])
        yield from _kaon("A'", m, rate, "aprime", values)
        hidden = _invisible("aprime", values)
        if model != "t3r-second-generation" and "meson-decays" not in fitted and m < 130.0:
            rate = float(np.exp(np.interp(m, PI_E_NU[0], np.log(PI_E_NU[1])))) / (f / 1e3) ** 2
            yield from _against("pi-e-nu-invisible", "pi+ -> e+ nu A', A' invisible", m, rate * hidden)
        if model == MUON and "g_mu_vector" in values:
            g = abs(values["g_mu_vector"]) * hidden**0.5
            yield from _against("na64-mu", "mu N -> mu N A', A' invisible", m, g, power=2)


def _kaon(
    name: str, m: float, rate: float, particle: str, values: Mapping[str, float]
) -> Iterator[Violation]:
    hidden = _invisible(particle, values)
    yield from _against("k-pi-invisible", f"K+ -> pi+ {name}, {name} invisible", m, rate * hidden)
    photons = values.get(f"br_{particle}_gamma_gamma", 0.0)
    if photons > 0.0:
        tau = values.get(f"ctau_{particle}", HBARC_MEV_M) / C_M_PER_PS
        label = min(LIFETIMES, key=lambda key: abs(np.log(LIFETIMES[key] / max(tau, 1e-30))))
        title = f"K+ -> pi+ {name}, {name} -> gamma gamma"
        yield from _against("k-pi-gamma-gamma", title, m, rate * photons, suffix=f"_{label}")


def _invisible(particle: str, values: Mapping[str, float]) -> float:
    """Share of decays that leave nothing; 1 where the chain stores no branching ratio."""
    seen = sum(values.get(f"br_{particle}_{channel}", 0.0) for channel in VISIBLE)
    return float(np.clip(1.0 - seen, 0.0, 1.0))


def _against(
    key: str, title: str, m: float, predicted: float, *, suffix: str = "", power: int = 1
) -> Iterator[Violation]:
    record = _limits()[key]
    masses, limits = record["mass" + suffix], record["limit" + suffix]
    if masses[0] <= m <= masses[-1]:
        limit = float(np.exp(np.interp(m, masses, np.log(limits))))
        yield Violation(title, predicted, limit, (predicted / limit) ** power, str(record["citation"]))


@cache
def _limits() -> Mapping[str, Mapping[str, Any]]:
    text = files("globalfit.likelihoods").joinpath("data", "limits.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = tomllib.loads(text)
    arrays: dict[str, dict[str, Array | str]] = {
        key: {k: np.array(v, dtype=np.float64) if isinstance(v, list) else v for k, v in record.items()}
        for key, record in found.items()
    }
    return arrays
