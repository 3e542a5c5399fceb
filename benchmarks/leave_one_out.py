"""What `globalfit leave-one-out` costs on a chain, and whether its two routes agree.

    python benchmarks/leave_one_out.py CHAIN [--particles N]

All is timed by the clock and in processor time of this process and its workers; the clock of a machine that
is busy with something else says little. The relic density and MiniBooNE calculate in compiled code where
numba is installed, and then with numpy. Where reweighting is reliable, its result is put beside that of
sampling anew with several seeds.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from converged import with_engine
from machine import write

from globalfit.analysis.draws import Draws, of_chain
from globalfit.analysis.leave_one_out import MOST, REWEIGHTED, Without, leave_one_out
from globalfit.analysis.parts import parts, sample_parts
from globalfit.arrays import Array
from globalfit.chains.chain import Chain
from globalfit.fit import Fit
from globalfit.fitfile import read_fit
from globalfit.physics.compiled_code import numba_is_installed
from globalfit.stored import stored_fit

AIMS = {"numba": 90.0, "numpy": 300.0}  # seconds by the clock on two idle cores
SEEDS = (2, 3, 4, 5)  # of new samples that reweighting is compared with: their scatter is the error


def main() -> None:
    """Measure and write ``results/leave_one_out.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chain", type=Path)
    parser.add_argument("--particles", type=int, default=8000)
    parser.add_argument("--engines", default="numba,numpy")
    options = parser.parse_args()
    chain = Chain.open(options.chain)
    draws, fit = of_chain(chain, MOST), stored_fit(chain)
    figures: dict[str, Any] = {
        "fit": options.chain.stem,
        "particles": options.particles,
        "converged": chain.verdict.converged,
    }
    for engine in options.engines.split(","):
        if engine == "numba" and not numba_is_installed():
            continue
        made = of_engine(fit, engine)
        if engine == "numba":  # compiled or read before the clock starts, as after any earlier run
            made.posterior(made.posterior.space.draw(64, np.random.default_rng(1)))
        clock, spent, load = time.perf_counter(), processor_time(), os.getloadavg()[0]
        found = leave_one_out(draws, made, particles=options.particles)
        figures[engine] = {
            "seconds_by_the_clock": round(time.perf_counter() - clock, 1),
            "seconds_of_processor": round(processor_time() - spent, 1),
            "aim_seconds_by_the_clock": AIMS[engine],
            "load_before": round(load, 1),
            "routes": {each.name: each.route for each in found},
            "pareto_k": {each.name: round(each.k, 2) for each in found},
        }
        print(engine, figures[engine], flush=True)
        if "agreement" not in figures and (engine == "numba" or not numba_is_installed()):
            figures["agreement"] = agreement(draws, made, found, options.particles)
            write("leave_one_out", figures)
    write("leave_one_out", figures)


def processor_time() -> float:
    """Return the processor time of this process and its finished workers, in seconds."""
    return sum(os.times()[:4])


def of_engine(fit: Fit, engine: str) -> Fit:
    """Return the fit with this engine of the relic density and MiniBooNE."""
    recipe = fit.recipe
    assert recipe is not None
    return read_fit(recipe.path, with_engine(recipe.text, engine), recipe.likelihoods, recipe.as_of)


def agreement(draws: Draws, fit: Fit, found: list[Without], particles: int) -> dict[str, Any]:
    """Compare what was reweighted with new samples of several seeds, whose scatter is their error.

    Told are, in half-widths of the 68 % interval, how far the medians with all experiments are apart, chain
    against tempered run, which is no matter of weights, and how far their shifts without the experiment are.
    """
    home = {name: part for part in parts(fit.posterior) for name in part.likelihoods}
    those = [each for each in found if each.route == REWEIGHTED and each.name in home]
    wanted = {each.name: home[each.name].without(each.name) for each in those}
    wholes = {each.name: home[each.name].likelihoods for each in those}
    sides = [*wanted.values(), *wholes.values()]
    done = [sample_parts(fit, sides, particles=particles, seed=seed) for seed in SEEDS]
    told: dict[str, Any] = {}
    for each in those:
        medians, shifts = {}, {}
        for name in home[each.name].parameters:
            low, median, high = draws.interval(name)
            anew, whole = (
                np.array([some[side[each.name]].interval(name)[1] for some in done])
                for side in (wanted, wholes)
            )
            medians[name] = difference((whole - median) / (0.5 * (high - low)))
            moved = (anew - whole) - (each.intervals[name][1] - median)
            shifts[name] = difference(moved / (0.5 * (high - low)))
        gains = [
            float(some[wholes[each.name]].log_evidence or 0.0)
            - float(some[wanted[each.name]].log_evidence or 0.0)
            for some in done
        ]
        told[each.name] = {
            "medians_with_all": medians,
            "shifts_of_medians": shifts,
            "log_predictive_reweighted": round(float(each.log_predictive or 0.0), 3),
            "log_predictive_sampled": round(float(np.mean(gains)), 3),
            "scatter_between_seeds": round(float(np.std(gains, ddof=1)), 3),
        }
    return told


def difference(values: Array) -> dict[str, float]:
    """Return the mean of some differences, and the scatter between them."""
    return {"difference": round(float(values.mean()), 3), "scatter": round(float(values.std(ddof=1)), 3)}


if __name__ == "__main__":
    main()
