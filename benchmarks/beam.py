"""Beam predictions and the seven-likelihood posterior: points/s, tables' size and load time, on one thread.

Run from the top of a checkout: ``OPENBLAS_NUM_THREADS=1 python benchmarks/beam.py``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
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

ROOT = Path(__file__).parent.parent
N = 256
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


def seconds(function: Callable[[], object], rounds: int = 41) -> float:
    """Return the median processor time of a call."""
    function()
    times = []
    for _ in range(rounds):
        begin = process_time()
        function()
        times.append(process_time() - begin)
    return statistics.median(times)


def predictions() -> dict[str, Any]:
    """Return microseconds a point of signal_nu and signal_nubar, and of the likelihood on top, by portal."""
    rng = np.random.default_rng(1)
    found: dict[str, Any] = {}
    for portal in ("long-lived-scalar", "long-lived-pseudoscalar", "long-lived-vector"):
        model = T3RMuon(portal=portal)  # type: ignore[arg-type]
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
            mortal = replace(model, lifetime="leptons")

            def predict(model: T3RMuon = model, columns: dict[str, Any] = columns) -> dict[str, Any]:
                at = model.point(dict(columns))
                return {"signal_nu": at.signal_nu, "signal_nubar": at.signal_nubar}

            ready = predict()
            found[f"{portal}, {label}"] = {
                "prediction points/s": round(N / seconds(predict)),
                "with K- apart": round(N / seconds(partial(predict, columns=apart))),
                "with a lifetime": round(N / seconds(partial(predict, model=mortal))),
                "likelihood points/s": round(
                    N / seconds(lambda ready=ready: MiniBooNE().log_likelihood(ready))  # type: ignore[misc]
                ),
            }
    return found


def dark_matter() -> dict[str, int]:
    """Return points/s of signal_nu and signal_nubar of the dark-matter portals, points of open decays."""
    rng = np.random.default_rng(3)
    columns = {
        "m_aprime": rng.uniform(90.0, 200.0, N),
        "m_eta": rng.uniform(5.0, 40.0, N),
        "delta_eta": rng.uniform(2.0, 60.0, N),
        "m_v2": rng.uniform(20.0, 500.0, N),
        **{name: np.full(N, value) for name, value in OTHERS.items()},
    }
    found = {}
    for portal in ("dark-matter-single", "dark-matter-double", "predicted"):
        model = T3RMuon(portal=portal)  # type: ignore[arg-type]

        def predict(model: T3RMuon = model) -> object:
            at = model.point(dict(columns))
            return at.signal_nu, at.signal_nubar

        found[portal] = round(N / seconds(predict))
    return found


def posterior(name: str) -> dict[str, Any]:
    """Return points/s of a fit's posterior in batches, and each likelihood's share of the time."""
    fit = load_fit(ROOT / "fits" / f"{name}.toml")
    theta = fit.posterior.space.draw(N, np.random.default_rng(2))
    whole = seconds(lambda: fit.posterior(theta), 15)
    columns = fit.posterior.space.columns(theta)
    shares: dict[str, float] = {}
    for key, likelihood in fit.posterior.likelihoods.items():

        def one(likelihood: Any = likelihood) -> object:
            at = fit.posterior.point(dict(columns))
            return likelihood.log_likelihood(likelihood.predict(at))

        shares[key] = round(seconds(one, 15) / whole, 3)
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
            "portals": predictions(),
            "dark-matter portals, points/s": dark_matter(),
            "tables": {"MB": round(tables().stat().st_size / 1e6, 2), "load s": round(load_seconds(), 3)},
            "posterior": {name: posterior(name) for name in ("deck-2022", "today")},
        },
    )


if __name__ == "__main__":
    main()
