"""Direct flavio values that the forms are held against; run as a program it writes them (2 minutes)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import quad

from globalfit.build.environment import Flavio, open_flavio
from globalfit.physics.flavour.channels import CHANNELS, Channel
from globalfit.physics.flavour.operators import OPERATORS
from globalfit.physics.wilson import WilsonCoefficients, aprime_exchange, phi_exchange, z_induced

FILE = Path(__file__).parent / "data" / "flavour_reference.json"
BENCHMARKS = {  # arXiv:2105.07655, as on the talk's slide
    "SM": (0.0, 0.0, 0.0, 0.0, 0.0),
    "BMA": (4.85, -0.30, 0.0, 0.033, 0.0),
    "BMB": (-5.86, 3.65, 0.0, 0.024, 0.030),
    "BMC": (2.7, -0.8, 0.0, 0.011, 0.043),
    "BMD": (-5.67, 4.55, -1.28, 0.0, 0.0),
}
# One channel of each kind of bin, for the slow quadratures.
MEDIATED = (
    "bplus_kplus_mumu_0.1_1.1",
    "b0_kstar0_mumu_0.045_1.1",
    "b0_kstar0_mumu_1.1_6",
    "b0_k0_mumu_15_22",
    "lambdab_lambda_mumu_15_20",
    "b0_kstar0_ee_0.1_1.1",
)
MASSES = (5.0, 17.0, 60.0, 100.0, 150.0, 200.0)


def random_points(count: int, size: float, seed: int) -> list[dict[str, dict[str, complex]]]:
    """Complex coefficients at 4.8 GeV: |Re|, |Im| < size for C9, C10, less for the others."""
    rng = np.random.default_rng(seed)
    scale = {"C7": 0.1, "C9": 1.0, "C10": 1.0, "CS": 0.03, "CP": 0.03}
    return [
        {
            lepton: {
                op: size * scale[op.rstrip("p")] * complex(*rng.uniform(-0.7, 0.7, 2)) for op in OPERATORS
            }
            for lepton in ("mu", "e")
        }
        for _ in range(count)
    ]


def constant(points: list[dict[str, dict[str, complex]]]) -> WilsonCoefficients:
    """The same as our structure."""
    parts: Any = {
        lepton: {op: np.array([point[lepton][op] for point in points]) for op in OPERATORS}
        for lepton in ("mu", "e")
    }
    return WilsonCoefficients(parts, 4.8)


def named(channel: Channel, point: dict[str, dict[str, complex]]) -> dict[str, complex]:
    """The same as flavio names it, for the lepton of `channel` (C7 differs between leptons)."""
    return {
        (f"{op}_bs" if op.startswith("C7") else f"{op}_bs{channel.lepton * 2}"): value
        for op, value in point[channel.lepton].items()
    }


def mediator_case(m_aprime: float) -> WilsonCoefficients:
    """One point with all three parts, couplings that change rates by tens of per cent."""
    one = np.ones(1)
    g_r = m_aprime / (np.sqrt(2.0) * 1e4)
    strength = 1.2e-9 / g_r  # g_sb for C9 of order 1 at q^2 = 1 GeV^2
    aprime = aprime_exchange(
        m_aprime * one,
        1e-6 * m_aprime * one,
        strength * one,
        -0.4 * strength * one,
        {"mu": 0.6 * g_r * one, "e": -0.3 * g_r * one},
        {"mu": 1e-3 * (m_aprime / 200.0) ** 2 * g_r * one, "e": 0.0 * one},
    )
    phi = phi_exchange(85.0 * one, 1e-7 * one, 1e-9 * one, {"mu": 7.5e-3 * one})
    return WilsonCoefficients(z_induced(1e-4 * one), 91.1876, (aprime, phi))


def constant_part(flavio: Flavio, wilson: WilsonCoefficients) -> dict[str, complex]:
    """Constant coefficients of point 0 at 4.8 GeV, run by wilson."""
    start = {
        f"{op}_bs{lepton * 2}": complex(values[0])
        for lepton, part in wilson.constant.items()
        for op, values in part.items()
    }
    made: dict[str, complex] = flavio.coefficients(start, wilson.scale).get_wc("bsmumu", 4.8, flavio.central)
    return made


def coefficients_at(
    ran: dict[str, complex], wilson: WilsonCoefficients, channel: Channel, q2: float
) -> dict[str, complex]:
    """WCxf coefficients of point 0 at `q2`: the constant part `ran` and the exchanges, written out here."""
    pair = channel.lepton * 2
    total = {f"{op}_bs{pair}": complex(ran[f"{op}_bs{pair}"]) for op in OPERATORS if not op.startswith("C7")}
    m_lepton = {"mu": 0.1056583755, "e": 0.00051099895}[channel.lepton]
    for x in wilson.exchanges:
        m, width = float(x.mass[0]) * 1e-3, float(x.width[0]) * 1e-3
        propagator = 1.0 / (q2 - m**2 + 1j * m * width)
        for op, value in x.strengths.get(channel.lepton, {}).items():
            total[f"{op}_bs{pair}"] += float(value[0]) * propagator
            if x.mediator == "aprime" and op in ("C10", "C10p"):
                scalar = op.replace("C10", "CP")
                total[f"{scalar}_bs{pair}"] += -2.0 * m_lepton / m**2 * float(value[0]) * propagator
    return total


def integrate(flavio: Flavio, wilson: WilsonCoefficients, channel: Channel) -> float:
    """Adaptive quadrature of flavio's differential rate with coefficients that change with q^2."""
    low, high = channel.bin
    ran = constant_part(flavio, wilson)

    def rate(q2: float) -> float:
        made = flavio.coefficients(coefficients_at(ran, wilson, channel, q2))
        return flavio.rate(channel, q2, made, flavio.central)

    if low < 1.0:  # steep: integrate over ln q^2
        value = quad(
            lambda u: np.exp(u) * rate(np.exp(u)), np.log(low), np.log(high), epsabs=0, epsrel=1e-6, limit=200
        )[0]
    else:
        value = quad(rate, low, high, epsabs=0, epsrel=1e-6, limit=200)[0]
    return float(value / (high - low))


def binned(flavio: Flavio, channel: Channel, coefficients: Any) -> float:
    """flavio's own binned rate, by its own quadrature."""
    pair = channel.lepton * 2
    if channel.kind == "leptonic":
        return flavio.predict(f"BR({channel.process}{pair})", coefficients, flavio.central)
    return flavio.predict(f"<dBR/dq2>({channel.process}{pair})", coefficients, flavio.central, *channel.bin)


def contact_names(values: tuple[float, ...]) -> dict[str, complex]:
    """The talk's five numbers as WCxf coefficients at 160 GeV, written out independently."""
    universal, muon, primed, scalar, pseudoscalar = values
    c9 = -(1.0 - 4.0 * 0.2312) * universal
    return {
        "C9_bsmumu": c9 + muon, "C10_bsmumu": universal + muon, "C9p_bsmumu": primed, "C10p_bsmumu": primed,
        "CS_bsmumu": scalar, "CP_bsmumu": pseudoscalar, "C9_bsee": c9, "C10_bsee": universal,
    }  # fmt: skip


def reference(flavio: Flavio) -> dict[str, Any]:
    """Everything the stored file holds."""
    channels = [channel for channel in CHANNELS if channel.name != "b0_mumu"]
    points = random_points(6, 3.0, 1) + random_points(2, 7.5, 2)
    found: dict[str, Any] = {
        "versions": flavio.versions,
        "binned": {
            channel.name: [
                binned(flavio, channel, flavio.coefficients(named(channel, point))) for point in points
            ]
            for channel in channels
        },
        "benchmarks": {
            name: {
                channel.name: binned(flavio, channel, flavio.coefficients(contact_names(values), 160.0))
                for channel in channels
            }
            for name, values in BENCHMARKS.items()
        },
        "mediator": {
            channel.name: [integrate(flavio, mediator_case(m), channel) for m in MASSES]
            for channel in CHANNELS
            if channel.name in MEDIATED
        },
    }
    return found


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(reference(open_flavio()), indent=1), encoding="utf-8")
    print(f"wrote {FILE}", file=sys.stderr)
