"""Rare B decays: the benchmark points BMA to BMD, their pulls, and the Standard Model of flavio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from globalfit.arrays import Array
from globalfit.registry import load
from globalfit.validation.row import Row

TOPIC = "Rare B decays"
TABLE = "arXiv:2105.07655, as in the talk of October 2022"
FLAVIO = "flavio 2.7.1, arXiv:1810.08132"

POINTS = {  # C10^U, C9 = C10 of right-handed muons, primed, C_S - C_S', C_P - C_P' in GeV^-1
    "SM": (0.0, 0.0, 0.0, 0.0, 0.0),
    "BMA": (4.85, -0.30, 0.0, 0.033, 0.0),
    "BMB": (-5.86, 3.65, 0.0, 0.024, 0.030),
    "BMC": (2.7, -0.8, 0.0, 0.011, 0.043),
    "BMD": (-5.67, 4.55, -1.28, 0.0, 0.0),
}
PARAMETERS = ("c10_universal", "c_muon", "c_muon_primed", "c_scalar", "c_pseudoscalar")


@dataclass(frozen=True)
class Line:
    """A line of the table: observable, what it shows, in which unit, and how wide a bin it integrates."""

    observable: str
    shown: str
    unit: str
    scale: float
    flavio: float  # Standard Model of flavio 2.7.1, its own binned prediction
    talk: tuple[float, float]  # Standard Model of the table, its error
    points: tuple[float, float, float, float]  # BMA to BMD
    tolerance: float  # relative


LINES = (
    Line("r_k_1.1_6", "R_K [1.1, 6]", "", 1.0, 1.000416, (1.0, 0.01), (0.82, 0.87, 0.86, 0.87), 0.015),
    Line("r_kstar_1.1_6", "R_K* [1.1, 6]", "", 1.0, 0.996453, (1.0, 0.01), (0.83, 0.78, 0.97, 0.89), 0.015),
    Line(
        "br_bs_mumu", "BR(B_s -> mu mu)", "1e-9", 1e-9,
        3.628931, (3.63, 0.1), (3.36, 3.05, 2.67, 3.34), 0.03,
    ),
    Line(
        "dbr_bplus_kstarplus_mumu_15_19", "BR(B+ -> K*+ mu mu) [15, 19]", "1e-8", 1e-8 / 4.0,
        25.20078, (26.8, 3.6), (7.80, 82.9, 10.4, 92.4), 0.03,
    ),
    Line(
        "dbr_b0_k0_mumu_15_22", "BR(B0 -> K0 mu mu) [15, 22]", "1e-8", 1e-8 / 7.0,
        9.808900, (9.8, 1.0), (3.31, 30.4, 4.15, 29.4), 0.03,
    ),
    Line(
        "dbr_bplus_kplus_mumu_15_22", "BR(B+ -> K+ mu mu) [15, 22]", "1e-8", 1e-8 / 7.0,
        10.65404, (10.7, 1.2), (3.59, 33.0, 4.50, 32.0), 0.03,
    ),
    Line(
        "dbr_bs_phi_mumu_1_6", "dBR/dq2(B_s -> phi mu mu) [1, 6]", "1e-8/GeV^2", 1e-8,
        5.355621, (4.81, 0.56), (1.60, 16.8, 2.28, 18.7), 0.03,
    ),
    Line(
        "dbr_lambdab_lambda_mumu_15_20", "dBR/dq2(Lambda_b -> Lambda mu mu) [15, 20]", "1e-7/GeV^2", 1e-7,
        0.7010539, (0.71, 0.08), (2.19, 2.28, 0.29, 2.48), 0.03,
    ),
)  # fmt: skip
WHY_LAMBDA = (
    "a misprint by a factor of ten in the table: all other rates of BMA are a third of the Standard Model's, "
    "and 0.219 would be too"
)
PULLS = (4.4, 4.6, 3.8, 4.2)


def rows() -> Iterator[Row]:
    """Yield the rows of this topic."""
    point = points()
    found: dict[str, Array] = {}
    for name in ("lepton-universality", "bs-to-mumu", "rare-b-decays"):
        found |= load("likelihood", name)().predict(point)
    labels = tuple(POINTS)
    for line in LINES:
        values = (found[line.observable] / line.scale).tolist()

        def row(
            what: str, published: float, ours: float, allowed: float, *more: str, line: Line = line
        ) -> Row:
            return Row(TOPIC, f"{line.shown}, {what}", line.unit, published, ours, allowed, *more)

        yield row("SM", line.flavio, values[0], 1e-5 * line.flavio, "1e-5 relative", FLAVIO)
        if not line.observable.startswith(("r_k", "br_bs")):
            yield row("SM", line.talk[0], values[0], line.talk[1], "its error", TABLE)
        for label, published, ours in zip(labels[1:], line.points, values[1:], strict=True):
            why = WHY_LAMBDA if line.shown.startswith("dBR/dq2(Lambda") and label == "BMA" else ""
            allowed = line.tolerance * published
            yield row(label, published, ours, allowed, f"{100.0 * line.tolerance:g} %", TABLE, why)
    for label, published, ours in zip(labels[1:], PULLS, pulls(point).tolist(), strict=True):
        what = f"pull against the Standard Model, {label}"
        yield Row(TOPIC, what, "sigma", published, ours, 0.4, "data set not stated", TABLE)


def points() -> Any:
    """Return the Standard Model and the benchmark points as points of t3r-muon with free coefficients."""
    model = load("model", "t3r-muon")(flavour="contact")
    columns = dict(zip(PARAMETERS, np.array(list(POINTS.values())).T, strict=True))
    return model.point(columns)


def pulls(point: Any) -> Array:
    """Return sqrt(2 |ln L - ln L_SM|) with its sign (4,): R_K 2021, R_K* 2017, B_s combination of 2021."""
    gain = np.zeros(len(POINTS) - 1)
    for name, measurement in (
        ("lepton-universality", "lhcb-rk-2021-rkstar-2017"),
        ("bs-to-mumu", "combination-2021"),
    ):
        each = load("likelihood", name)(measurement=measurement)
        density = each.log_likelihood(each.predict(point))
        gain += density[1:] - density[0]
    return np.asarray(np.sign(gain) * np.sqrt(2.0 * np.abs(gain)))
