"""Speed of the posterior with all seven likelihoods: points per second, and the share of each likelihood.

The relic density, MiniBooNE and beam predictions calculate with numpy or in compiled code (numba); both are
timed in turn, round after round, on the same points of the prior, in processor time of this process: run with
OPENBLAS_NUM_THREADS=1 for one thread. Each likelihood is timed alone as ``log_likelihood(predict(point))`` on
a point whose couplings and events another one has asked for already; "rest" is what remains of the posterior:
priors, couplings, events, checks.

Compiling is not in these figures: see relic_density.py.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from converged import with_engine
from machine import write

from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.physics.compiled_code import numba_is_installed

FITS = Path(__file__).parents[1] / "fits"
NAMES = ("deck-2022.toml", "today.toml")
BATCHES = (128, 256, 4096)
AIMS = {"numpy": 1.0e4, "numba": 2.5e4}  # points per second


def main() -> None:
    """Measure and write ``results/seven.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    engines = ("numpy", "numba") if numba_is_installed() else ("numpy",)
    figures: dict[str, Any] = {"rounds": rounds, "aims_points_per_second": AIMS, "fits": {}}
    for name in NAMES:
        fits = {engine: fit_with(name, engine) for engine in engines}
        figures["fits"][name] = {str(size): batch(fits, size, rounds) for size in BATCHES}
    write("seven", figures)


def fit_with(name: str, engine: str) -> Fit:
    """Return a fit of the repository with this engine in all that has compiled code."""
    text = with_engine((FITS / name).read_text(encoding="utf-8"), engine)
    if text.count(f'engine = "{engine}"') != 3:
        raise ValueError(f"{name} lacks the model, [likelihoods.relic-density] or [likelihoods.miniboone]")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        return load_fit(path)


def batch(fits: dict[str, Fit], size: int, rounds: int) -> dict[str, Any]:
    """Time the posterior of each engine, and its likelihoods, on the same points."""
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    results = []
    for engine, fit in fits.items():
        posterior = fit.posterior
        theta = posterior.space.draw(size, np.random.default_rng(size))
        point = posterior.model.point(posterior.space.columns(theta))
        calls[engine, "posterior"] = lambda posterior=posterior, theta=theta: posterior(theta)  # type: ignore[misc]
        for name, each in posterior.likelihoods.items():
            calls[engine, name] = lambda each=each, point=point: each.log_likelihood(each.predict(point))  # type: ignore[misc]
        results.append(posterior.evaluate(theta).log_likelihood)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-6, atol=1e-6)
    seconds = in_turn(calls, rounds)
    found: dict[str, Any] = {}
    for engine in fits:
        own = {name: each for (which, name), each in seconds.items() if which == engine}
        whole = own.pop("posterior")
        found[engine] = {
            "points_per_second": round(size / whole),
            "aim_reached": size / whole >= AIMS[engine],
            "microseconds_per_point": round(1e6 * whole / size, 1),
            "likelihoods_microseconds_per_point": {n: round(1e6 * t / size, 2) for n, t in own.items()},
            "rest_microseconds_per_point": round(1e6 * (whole - sum(own.values())) / size, 2),
            "share_of_relic_density": round(own["relic-density"] / whole, 3),
        }
    return found


def in_turn(calls: dict[tuple[str, str], Callable[[], object]], rounds: int) -> dict[tuple[str, str], float]:
    """Return the median processor time of one call of each, taken in turn."""
    counts, times = {}, {key: [] for key in calls}  # type: ignore[var-annotated]
    for key, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        counts[key] = max(1, round(0.02 / max(time.perf_counter() - start, 1e-7)))
    for _ in range(rounds):
        for key, call in calls.items():
            start = time.process_time()
            for _ in range(counts[key]):
                call()
            times[key].append((time.process_time() - start) / counts[key])
    return {key: statistics.median(each) for key, each in times.items()}


if __name__ == "__main__":
    main()
