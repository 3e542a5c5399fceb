"""Speed of the posterior with muon g-2 alone: points per second, overhead of the framework, Cobaya.

All times of a comparison are taken in turn, round after round, so that a busy machine slows all of them
alike; each is the median of the rounds, in processor time of this process (one thread).

The bare function is the likelihood's own ``log_likelihood(predict(point))`` on a point whose couplings are
not yet computed; it does what a hand-written script would: no prior, no checks, no columns. Both run in
plain (log) coordinates. The g-2 ridge coordinate of the quick start is timed beside them: it inverts a loop
function for every point, which is physics, not overhead, and is paid back in autocorrelation time.

Cobaya gets the same physics function as an external likelihood of one point at a time, with the same
priors: log-uniform is scipy's ``reciprocal``, and caches are off, since every point is new. The function it
calls takes the fastest way there is here for one point, a batch of one. Both posteriors are compared before
they are timed.
"""

from __future__ import annotations

import argparse
import logging
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import write

from globalfit.fit import Fit
from globalfit.fitfile import load_fit

FIT = Path(__file__).parents[1] / "fits" / "t3r-muon.toml"
BATCHES = (1, 32, 256, 4096)
ROUNDS = 41
SECONDS = 0.02  # of one timing


def main() -> None:
    """Measure and write ``results/posterior.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    ridge, plain = load_fit(FIT), without_ridge()
    figures: dict[str, Any] = {"fit": "fits/t3r-muon.toml", "rounds": rounds, "batches": {}}
    for size in BATCHES:
        figures["batches"][str(size)] = batch(plain, ridge, size, rounds)
    figures["cobaya"] = cobaya(plain, rounds)
    write("posterior", figures)


def without_ridge() -> Fit:
    """Return the quick start in plain coordinates."""
    text = FIT.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("coordinates")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        fit = load_fit(path)
    assert not fit.sampler.coordinates
    return fit


def batch(plain: Fit, ridge: Fit, size: int, rounds: int) -> dict[str, float]:
    """Time posterior and bare likelihood function on the same `size` points of the prior."""
    posterior = plain.posterior
    theta = posterior.space.draw(size, np.random.default_rng(size))
    along = ridge.posterior.space.draw(size, np.random.default_rng(size))
    columns = posterior.space.columns(theta)
    (likelihood,) = posterior.likelihoods.values()

    def bare() -> Any:
        return likelihood.log_likelihood(likelihood.predict(posterior.model.point(columns)))

    np.testing.assert_array_equal(posterior.evaluate(theta).log_likelihood, bare())
    framework, function, on_ridge = in_turn(
        (lambda: posterior(theta), bare, lambda: ridge.posterior(along)), rounds
    )
    return {
        "points_per_second": round(size / framework),
        "microseconds_per_call": round(1e6 * framework, 1),
        "bare_microseconds_per_call": round(1e6 * function, 1),
        "overhead_microseconds_per_call": round(1e6 * (framework - function), 1),
        "ratio_to_bare": round(framework / function, 2),
        "ratio_with_ridge_coordinate": round(on_ridge / framework, 2),
    }


def cobaya(fit: Fit, rounds: int) -> dict[str, Any]:
    """Time the same posterior in Cobaya, point by point, against one point and 4096 in globalfit."""
    try:
        from cobaya.model import get_model
    except ImportError:
        return {"version": "absent; pip install '.[benchmark]'"}
    logging.disable(logging.WARNING)
    posterior, space = fit.posterior, fit.posterior.space
    (likelihood,) = posterior.likelihoods.values()
    fixed = {name: np.array([value]) for name, value in space.fixed.items()}

    def muon_g2(vev: float, m_aprime: float, m_phi: float) -> float:
        columns = fixed | {
            "vev": np.array([vev]),
            "m_aprime": np.array([m_aprime]),
            "m_phi": np.array([m_phi]),
        }
        return float(likelihood.log_likelihood(likelihood.predict(posterior.model.point(columns)))[0])

    params = {
        name: {"prior": {"dist": "reciprocal", "a": prior.low, "b": prior.high}}  # type: ignore[attr-defined]
        for name, prior in zip(space.names, space.priors, strict=True)
    }
    model = get_model({"params": params, "likelihood": {"muon_g2": {"external": muon_g2}}})
    theta = space.draw(4096, np.random.default_rng(0))
    values = space.physical(theta)
    order = [space.names.index(name) for name in model.parameterization.sampled_params()]
    points = values[:, order]
    rows = list(points[:64])

    ours = posterior.evaluate(theta[:64])
    theirs = np.array([model.logposterior(row, cached=False).logpost for row in rows])
    np.testing.assert_allclose(theirs, ours.log_posterior - ours.log_jacobian, rtol=1e-10)

    def through_cobaya() -> None:
        for row in rows:
            model.logposterior(row, cached=False)

    def one_by_one() -> None:
        for row in theta[:64]:
            posterior(row)

    def bare() -> None:
        for row in values[:64].tolist():
            muon_g2(*row)

    logs, singles, function, together = in_turn(
        (through_cobaya, one_by_one, bare, lambda: posterior(theta)), rounds
    )
    per_point = {
        "cobaya": logs / 64,
        "globalfit_one_at_a_time": singles / 64,
        "function_alone": function / 64,
        "globalfit_batch_4096": together / 4096,
    }
    return {
        "microseconds_per_point": {name: round(1e6 * each, 3) for name, each in per_point.items()},
        "cobaya_over_globalfit_one_at_a_time": round(logs / singles, 2),
        "cobaya_over_globalfit_batch_4096": round(per_point["cobaya"] / per_point["globalfit_batch_4096"], 1),
    }


def in_turn(functions: tuple[Callable[[], object], ...], rounds: int) -> list[float]:
    """Return the median processor time of one call of each function, taken in turn."""
    counts = []
    for function in functions:
        function()
        start = time.perf_counter()
        function()
        counts.append(max(1, math.ceil(SECONDS / max(time.perf_counter() - start, 1e-7))))
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for kept, function, count in zip(times, functions, counts, strict=True):
            start = time.process_time()
            for _ in range(count):
                function()
            kept.append((time.process_time() - start) / count)
    return [statistics.median(each) for each in times]


if __name__ == "__main__":
    main()
