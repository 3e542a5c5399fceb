"""Runs that are wrong on a real posterior and look fine to one diagnostic or another: what the verdict says.

The fit is ``fits/relic.toml``: muon g-2 and the relic density, whose posterior lies on thin sheets. Four
ensembles each, and three ways to sample it that are common:

* "ball, stretch": walkers around the best of some draws, emcee's default moves;
* "prior, stretch": walkers from the prior, emcee's default moves;
* "prior, DE mix": walkers from the prior, 0.7 DE + 0.2 DE(gamma0 = 1) + 0.1 snooker, fixed scales.

None may be called CONVERGED. Written to ``results/wrong_runs.json``: what each diagnostic says by itself,
every reason of the verdict, and the masses of the regions (with --tempered: beside those of a right run).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import emcee
import numpy as np
from machine import write

from globalfit.chains import Chain
from globalfit.chains.store import open_store
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.sampling.ensemble import advance
from globalfit.sampling.start import start

FIT = Path(__file__).parents[1] / "fits" / "relic.toml"
ENSEMBLES = 4
LOOKED = 4000  # draws of the prior of which the best is the centre of the ball
MIX = [
    (emcee.moves.DEMove(), 0.7),
    (emcee.moves.DEMove(gamma0=1.0), 0.2),
    (emcee.moves.DESnookerMove(), 0.1),
]
RUNS: dict[str, tuple[str, list[tuple[Any, float]]]] = {
    "ball, stretch": ("point", [(emcee.moves.StretchMove(), 1.0)]),
    "prior, stretch": ("prior", [(emcee.moves.StretchMove(), 1.0)]),
    "prior, DE mix": ("prior", MIX),
}


def with_start(name: str, walkers: int, seed: int) -> Fit:
    """Return the fit with another start: "point", "prior" or "tempered"."""
    text = FIT.read_text(encoding="utf-8").partition("[sampler]")[0]
    lines = f'[sampler]\nstart = "{name}"\nwalkers = {walkers}\nensembles = {ENSEMBLES}\nseed = {seed}\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FIT.name
        if name == "point":
            path.write_text(text + lines.replace("point", "prior"), encoding="utf-8")
            values = ", ".join(f"{key} = {value:.6g}" for key, value in best_draw(load_fit(path)).items())
            lines += f"point = {{ {values} }}\n"
        path.write_text(text + lines, encoding="utf-8")
        return load_fit(path)


def best_draw(fit: Fit) -> dict[str, float]:
    """Return the best of some draws of the prior."""
    space = fit.posterior.space
    theta = space.draw(LOOKED, np.random.default_rng(0))
    best = int(fit.posterior.evaluate(theta).log_likelihood.argmax())
    return dict(zip(space.names, space.physical(theta[best : best + 1])[0].tolist(), strict=True))


def sample(fit: Fit, moves: list[tuple[Any, float]], steps: int, path: Path) -> Chain:
    """Sample four ensembles with other moves than the package's."""
    seed = fit.sampler.seed or 0
    point = fit.sampler.point if fit.sampler.start == "point" else None
    with open_store(path, fit) as store:
        for k in range(ENSEMBLES):
            state = start(fit.posterior, fit.sampler.walkers, seed, ensemble=k, point=point)
            store.begin(state, seed, k)
        for k in range(ENSEMBLES):
            block, state = advance(fit.posterior, store.states[k], steps, seconds=math.inf, moves=moves)
            store.append(block, state, k)
        store.finish("steps")
    return Chain.open(path)


def figures_of(chain: Chain) -> dict[str, Any]:
    """Return what each diagnostic says by itself, and what the verdict says."""
    verdict = chain.verdict
    sampled = [each for each in verdict.quantities if each.name in chain.names]
    masses = {
        census.name: {mode.label: [round(mass, 3) for mass in mode.masses] for mode in census.modes}
        for census in verdict.census
    }
    return {
        "steps": chain.steps,
        "walkers": chain.walkers,
        "acceptance": round(chain.acceptance, 4),
        "rhat": round(max(each.rhat for each in sampled), 4),
        "rhat_of_walkers": round(max(rhat_of_walkers(chain, name) for name in chain.names), 4),
        "tau": verdict.worst_tau if math.isfinite(verdict.worst_tau) else None,
        "ess": verdict.worst_ess if math.isfinite(verdict.worst_ess) else None,
        "masses": masses,
        "converged": verdict.converged,
        "reasons": list(verdict.reasons),
    }


def rhat_of_walkers(chain: Chain, name: str) -> float:
    """Return R-hat with the walkers of the first ensemble as chains: the common, wrong way."""
    values = chain.get(name, flat=False)[:, chain.walker_ensemble == 0]
    half = len(values) // 2
    chains = np.concatenate([values[:half], values[-half:]], axis=1)
    within, between = chains.var(axis=0, ddof=1).mean(), chains.mean(axis=0).var(ddof=1)
    return math.sqrt((half - 1) / half + between / within) if within > 0.0 else math.inf


def main() -> None:
    """Run and write ``results/wrong_runs.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--walkers", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tempered", action="store_true", help="the right run beside them, to its target")
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (begins, moves) in RUNS.items():
            fit = with_start(begins, given.walkers, given.seed)
            found[name] = figures_of(sample(fit, moves, given.steps, Path(folder) / f"{len(found)}.h5"))
            print(name, found[name], flush=True)
        if given.tempered:
            fit = with_start("tempered", given.walkers, given.seed)
            found["tempered"] = figures_of(fit.run(Path(folder) / "tempered.h5"))
            print("tempered", found["tempered"], flush=True)
    write("wrong_runs", {"fit": f"fits/{FIT.name}", "seed": given.seed, "runs": found})
    wrong = [name for name in RUNS if found[name]["converged"]]
    if wrong:
        raise SystemExit(f"called CONVERGED: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
