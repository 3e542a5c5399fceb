"""Beam predictions and the seven-likelihood posterior: points/s, tables' size and load time, on one thread.

Predictions are calculated with numpy and in compiled code (numba), in turn on the same points.

Run from the top of a checkout: ``OPENBLAS_NUM_THREADS=1 python benchmarks/beam.py``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from machine import write

from globalfit.fitfile import load_fit
from globalfit.likelihoods.miniboone import MiniBooNE
from globalfit.models.portal import tables
from globalfit.models.t3r import T3RMuon
from globalfit.physics.compiled_code import numba_is_installed

ROOT = Path(__file__).parent.parent
N = 256
ENGINES = ("numpy", "numba") if numba_is_installed() else ("numpy",)
OTHERS = {
    "portal_coupling": 1e-7, "g_x": 1e-4, "vev": 1e4, "m_phi": 80.0, "m_nus": 10.0, "epsilon": 1e-4,
}  # fmt: skip
LOAD = """
from time import process_time
from pathlib import Path
import h5py, numpy
from globalfit.physics.beam.tables import load_tables
begin = process_time(); load_tables(Path({path!r})); print(process_time() - begin)
"""


def in_turn(calls: Mapping[str, Callable[[], object]], rounds: int = 41) -> dict[str, float]:
    """Return the median processor time of a call of each, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            begin = process_time()
            call()
            times[name].append(process_time() - begin)
    return {name: statistics.median(each) for name, each in times.items()}


def signals(model: T3RMuon, columns: dict[str, Any]) -> dict[str, Any]:
    """Return signal_nu and signal_nubar."""
    at = model.point(dict(columns))
    return {"signal_nu": at.signal_nu, "signal_nubar": at.signal_nubar}


def points_per_second(calls: Mapping[str, Callable[[], object]]) -> dict[str, int]:
    return {name: round(N / each) for name, each in in_turn(calls).items()}


def predictions() -> dict[str, Any]:
    """Return points/s of signal_nu and signal_nubar by portal and engine, and of the likelihood on top."""
    rng = np.random.default_rng(1)
    found: dict[str, Any] = {}
    for portal in ("long-lived-scalar", "long-lived-pseudoscalar", "long-lived-vector"):
        model = T3RMuon(portal=portal)
        for label, m_x in (("m_x fixed", np.ones(N)), ("m_x sampled", rng.uniform(1.0, 100.0, N))):
            columns = {
                "m_x": m_x,
                "m_aprime": rng.uniform(5.0, 200.0, N),
                "m_mediator": rng.uniform(50.0, 900.0, N) * (portal == "long-lived-vector"),
                "portal_coupling": rng.uniform(1e-9, 6e-9, N),
                "g_x": rng.uniform(1e-6, 1e-5, N),
                **dict.fromkeys(("flux_pi", "flux_k", "flux_k_minus"), np.ones(N)),
            }
            apart = columns | {"flux_k_minus": rng.uniform(0.5, 1.5, N)}
            ready = signals(model, columns)
            calls: dict[str, Callable[[], object]] = {
                "likelihood": lambda ready=ready: MiniBooNE().log_likelihood(ready)  # type: ignore[misc]
            }
            for engine in ENGINES:
                own = replace(model, engine=engine)  # type: ignore[arg-type]
                mortal = replace(own, lifetime="leptons")
                calls[f"prediction, {engine}"] = partial(signals, own, columns)
                calls[f"with K- apart, {engine}"] = partial(signals, own, apart)
                calls[f"with a lifetime, {engine}"] = partial(signals, mortal, columns)
            found[f"{portal}, {label}"] = points_per_second(calls)
    return found


def dark_matter() -> dict[str, dict[str, int]]:
    """Return points/s of signal_nu and signal_nubar of the dark-matter portals, points of open decays."""
    rng = np.random.default_rng(3)
    columns = {
        "m_aprime": rng.uniform(90.0, 200.0, N),
        "m_eta": rng.uniform(5.0, 40.0, N),
        "delta_eta": rng.uniform(2.0, 60.0, N),
        "m_v2": rng.uniform(20.0, 500.0, N),
        **{name: np.full(N, value) for name, value in OTHERS.items()},
    }
    return {
        portal: points_per_second(
            {
                engine: partial(signals, T3RMuon(portal=portal, engine=engine), columns)  # type: ignore[arg-type]
                for engine in ENGINES
            }
        )
        for portal in ("dark-matter-single", "dark-matter-double", "predicted")
    }


def posterior(name: str) -> dict[str, Any]:
    """Return points/s of a fit's posterior in batches, and each likelihood's share of the time."""
    fit = load_fit(ROOT / "fits" / f"{name}.toml")
    theta = fit.posterior.space.draw(N, np.random.default_rng(2))
    columns = fit.posterior.space.columns(theta)
    calls: dict[str, Callable[[], object]] = {"whole": lambda: fit.posterior(theta)}
    for key, likelihood in fit.posterior.likelihoods.items():

        def one(likelihood: Any = likelihood) -> object:
            at = fit.posterior.point(dict(columns))
            return likelihood.log_likelihood(likelihood.predict(at))

        calls[key] = one
    times = in_turn(calls, 15)
    whole = times.pop("whole")
    shares = {key: round(each / whole, 3) for key, each in times.items()}
    return {"points/s": round(N / whole), "share of the time": shares}


def load_seconds() -> float:
    """Return the median processor time to load the tables in a fresh process."""
    script = LOAD.format(path=str(tables()))
    run = [sys.executable, "-c", script]
    return statistics.median(
        float(subprocess.run(run, capture_output=True, check=True, text=True, cwd=ROOT).stdout)
        for _ in range(5)
    )


def main() -> None:
    """Measure, print and keep the figures."""
    write(
        "beam",
        {
            "points a batch": N,
            "portals, points/s": predictions(),
            "dark-matter portals, points/s": dark_matter(),
            "tables": {"MB": round(tables().stat().st_size / 1e6, 2), "load s": round(load_seconds(), 3)},
            "posterior": {name: posterior(name) for name in ("deck-2022", "today")},
        },
    )


if __name__ == "__main__":
    main()
