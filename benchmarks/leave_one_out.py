"""What `globalfit leave-one-out` costs on a chain, and whether its two routes agree.

    python benchmarks/leave_one_out.py CHAIN [--particles N]

The whole command is timed by the clock and in processor time of this process and its workers; the clock of a
machine that is busy with something else says little. The relic density calculates in compiled code where
numba is installed, and then with numpy. Where reweighting is reliable, its result is put beside that of
sampling anew.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import write

from globalfit.analysis.draws import Draws, of_chain
from globalfit.analysis.leave_one_out import REWEIGHTED, Without, leave_one_out
from globalfit.analysis.parts import parts, sample_parts
from globalfit.chains.chain import Chain
from globalfit.fit import Fit
from globalfit.fitfile import read_fit
from globalfit.physics.freeze_out.relic import numba_is_installed
from globalfit.stored import stored_fit

TABLE = "[likelihoods.relic-density]\n"
AIMS = {"numba": 90.0, "numpy": 300.0}  # seconds on two cores


def main() -> None:
    """Measure and write ``results/leave_one_out.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chain", type=Path)
    parser.add_argument("--particles", type=int, default=8000)
    parser.add_argument("--engines", default="numba,numpy")
    options = parser.parse_args()
    chain = Chain.open(options.chain)
    draws, fit = of_chain(chain), stored_fit(chain)
    figures: dict[str, Any] = {"particles": options.particles, "converged": chain.verdict.converged}
    for engine in options.engines.split(","):
        if engine == "numba" and not numba_is_installed():
            continue
        made = with_engine(fit, engine)
        clock, spent = time.perf_counter(), processor_time()
        found = leave_one_out(draws, made, particles=options.particles)
        figures[engine] = {
            "seconds_by_the_clock": round(time.perf_counter() - clock, 1),
            "seconds_of_processor": round(processor_time() - spent, 1),
            "aim_seconds_by_the_clock": AIMS[engine],
            "routes": {each.name: each.route for each in found},
            "pareto_k": {each.name: round(each.k, 2) for each in found},
        }
        print(engine, figures[engine], flush=True)
        if "agreement" not in figures:
            figures["agreement"] = agreement(draws, made, found, options.particles)
    write("leave_one_out", figures)


def processor_time() -> float:
    """Return the processor time of this process and its finished workers, in seconds."""
    return sum(os.times()[:4])


def with_engine(fit: Fit, engine: str) -> Fit:
    """Return the fit with this engine of the relic density."""
    recipe = fit.recipe
    assert recipe is not None
    text = recipe.text.replace(TABLE, f'{TABLE}engine = "{engine}"\n')
    return read_fit(recipe.path, text, recipe.likelihoods, recipe.as_of)


def agreement(draws: Draws, fit: Fit, found: list[Without], particles: int) -> dict[str, Any]:
    """Compare what was reweighted with new samples: medians in standard deviations, ln p(data | rest)."""
    home = {name: part for part in parts(fit.posterior) for name in part.likelihoods}
    those = [each for each in found if each.route == REWEIGHTED and each.name in home]
    wanted = {each.name: home[each.name].without(each.name) for each in those}
    wholes = {each.name: home[each.name].likelihoods for each in those}
    done = sample_parts(fit, [*wanted.values(), *wholes.values()], particles=particles, seed=2)
    told: dict[str, Any] = {}
    for each in those:
        other, whole = done[wanted[each.name]], done[wholes[each.name]]
        shifts = {}
        for name in home[each.name].parameters:
            low, median, high = each.intervals[name]
            shifts[name] = round(float((other.interval(name)[1] - median) / (0.5 * (high - low))), 3)
        gain = float(whole.log_evidence or 0.0) - float(other.log_evidence or 0.0)
        error = float(np.hypot(whole.error_log_evidence or 0.0, other.error_log_evidence or 0.0))
        told[each.name] = {
            "shifts_of_medians_in_sigma": shifts,
            "log_predictive_reweighted": round(float(each.log_predictive or 0.0), 3),
            "log_predictive_sampled": round(gain, 3),
            "error": round(float(np.hypot(error, each.error_log_predictive or 0.0)), 3),
        }
    return told


if __name__ == "__main__":
    main()
