"""Samplers on the same likelihood: processor seconds until each says it is done, and whether it is right.

Four are run one after the other on each target, in processor time of this process (run with OMP_NUM_THREADS=1
and OPENBLAS_NUM_THREADS=1 for one thread):

* globalfit: tempered starts and component moves, four ensembles, until the verdict is CONVERGED;
* emcee as it comes: stretch moves from draws of the prior, until its own rule holds (50 autocorrelation
  times, known to 1 %);
* Cobaya's MCMC as it comes, from a draw of the prior, until R-1 < 0.01;
* nautilus with 3000 live points, until 10 000 effective samples, the exploration discarded.

The targets are three modes in six dimensions, whose weights and evidence are exact, and muon g-2 in
three parameters, ``fits/t3r-muon.toml`` in plain coordinates, whose evidence and marginal distributions are
integrals over a grid. Effective samples are steps x walkers / tau (emcee's tau) of chains and those that
nautilus states. All of that is worth nothing where the answer is wrong: hence the distance of the marginal
distributions to the truth (Kolmogorov-Smirnov, the worst parameter), weights of modes and ln Z.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import emcee
import numpy as np
from machine import RESULTS, write
from scipy.special import ndtr

from globalfit.arrays import Array
from globalfit.fit import Fit
from globalfit.fitfile import load_fit
from globalfit.model import Point
from globalfit.parameters import Parameter, ParameterSpace
from globalfit.posterior import Posterior
from globalfit.priors.shapes import Uniform
from globalfit.sampling.autocorrelation import autocorrelation_time
from globalfit.tables import SamplerTable

FIT = Path(__file__).parents[1] / "fits" / "t3r-muon.toml"
WALKERS = 256
MOST = 10_000  # steps of emcee
ACCEPTED = 40_000  # of Cobaya at most
LIVE, EFFECTIVE = 3000, 10_000
CELLS = (60, 60, 3000)  # of the grid in vev, m_aprime, m_phi, in quantiles of the prior

CENTRES = np.array([[-5.0] * 6, [5.0] * 6, [-5.0, 5.0] * 3])
SHARES = np.array([0.5, 0.3, 0.2])
WIDTH = 0.5


@dataclass(frozen=True)
class Target:
    """A fit, and what is known of its posterior: ln Z, marginal distribution functions, weights of modes."""

    fit: Fit
    log_evidence: float
    marginals: tuple[Callable[[Array], Array], ...]
    mode: Callable[[Array], Array] | None = None

    @property
    def posterior(self) -> Posterior:
        return self.fit.posterior


class Counted:
    """A likelihood that counts the points at which it is evaluated."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.points = inner, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def predict(self, point: Point) -> Any:
        self.points += point.n
        return self.inner.predict(point)


class Plain:
    """A model whose points are its parameters."""

    name = reference = "plain"
    derived, coordinates, ranges = (), MappingProxyType({}), MappingProxyType({})
    parameters = tuple(Parameter(f"x{i}") for i in range(6))

    def point(self, columns: Any) -> Point:
        return Point(columns, self.name)


class ThreeModes:
    """Three normalised Gaussians of weight 1/2, 3/10 and 1/5, at least 35 of their widths apart."""

    name = reference = "three-modes"
    needs = tuple(f"x{i}" for i in range(6))

    def predict(self, point: Point) -> dict[str, Array]:
        return {"x": np.column_stack([getattr(point, name) for name in self.needs])}

    def log_likelihood(self, prediction: dict[str, Array]) -> Array:
        return three_modes(prediction["x"])


def three_modes(x: Array) -> Array:
    """Return ln L (n,) at x (n, 6)."""
    squares = np.square(x[:, None] - CENTRES).sum(axis=-1) / WIDTH**2
    terms = np.log(SHARES) - 0.5 * squares - 3.0 * math.log(2.0 * math.pi * WIDTH**2)
    return np.asarray(np.logaddexp.reduce(terms, axis=1))


def toy(seed: int) -> Target:
    """Return the three modes, in flat priors from -10 to 10."""
    likelihood, prior = ThreeModes(), Uniform(-10.0, 10.0)
    space = ParameterSpace([Parameter(name, prior=prior) for name in likelihood.needs])
    posterior = Posterior(space, cast("Any", Plain()), [cast("Any", likelihood)])
    table = SamplerTable.model_validate(
        {"start": "tempered", "walkers": WALKERS // 4, "seed": seed, "target": {"ess": EFFECTIVE}}
    )
    said = {"prior": {"shape": "uniform"} | asdict(prior)}
    resolved = {
        "sampler": table.model_dump(mode="json"),
        "parameters": dict.fromkeys(likelihood.needs, said),
        "likelihoods": {likelihood.name: {"class": "ThreeModes"}},
    }
    day = datetime.date(2025, 1, 1)
    fit = Fit(Path("three-modes"), "", posterior, table, day, resolved, {})

    def below(i: int) -> Callable[[Array], Array]:
        return lambda t: ndtr((np.asarray(t)[:, None] - CENTRES[:, i]) / WIDTH) @ SHARES

    def mode(x: Array) -> Array:
        return np.asarray(np.square(x[:, None] - CENTRES).sum(axis=-1).argmin(axis=1))

    return Target(fit, -6.0 * math.log(20.0), tuple(below(i) for i in range(6)), mode)


def muon(seed: int) -> Target:
    """Return muon g-2 in plain coordinates, with its integrals over a grid of midpoints."""
    lines = FIT.read_text(encoding="utf-8").replace("seed = 1", f"seed = {seed}").splitlines()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.toml"
        path.write_text("\n".join(line for line in lines if not line.startswith("coordinates")))
        fit = load_fit(path)
    space = fit.posterior.space
    middles = [(np.arange(cells) + 0.5) / cells for cells in CELLS]
    log_likelihood = np.empty(CELLS)
    for i, u in enumerate(middles[0]):
        for j, v in enumerate(middles[1]):
            cube = np.column_stack([np.full(CELLS[2], u), np.full(CELLS[2], v), middles[2]])
            log_likelihood[i, j] = fit.posterior.evaluate(space.from_unit_cube(cube)).log_likelihood
    top = float(log_likelihood.max())
    weight = np.exp(log_likelihood - top)

    def below(axis: int) -> Callable[[Array], Array]:
        others = tuple(k for k in range(3) if k != axis)
        total = np.concatenate([[0.0], np.cumsum(weight.sum(axis=others))])
        edges = space.priors[axis].quantile(np.linspace(0.0, 1.0, CELLS[axis] + 1))
        return lambda t: np.interp(np.log(t), np.log(edges), total / total[-1])

    log_evidence = top + math.log(float(weight.mean()))
    return Target(fit, log_evidence, tuple(below(axis) for axis in range(3)))


def distance(values: Array, weights: Array, below: Callable[[Array], Array]) -> float:
    """Return the Kolmogorov-Smirnov distance of weighted values (n,) to a distribution function."""
    order = np.argsort(values)
    total = np.cumsum(weights[order]) / weights.sum()
    truth = below(values[order])
    return float(max(np.abs(total - truth).max(), np.abs(np.append(0.0, total[:-1]) - truth).max()))


@dataclass
class Outcome:
    """What a sampler returns: its samples, its word, and what it cost."""

    says: str
    values: Array
    weights: Array
    ess: float
    log_evidence: tuple[float, float] | None = None


def ours(target: Target, seed: int) -> Outcome:
    """Sample until the verdict is CONVERGED, into a file as ever."""
    with tempfile.TemporaryDirectory() as folder:
        chain = target.fit.run(Path(folder) / "chain.h5", target_ess=EFFECTIVE)
        verdict = chain.verdict
        values = np.column_stack([chain.get(name) for name in target.posterior.space.names])
    says = "CONVERGED" if verdict.converged else "NOT CONVERGED: " + verdict.reasons[0]
    scatter = float(np.std(verdict.evidence, ddof=1)) / math.sqrt(len(verdict.evidence))
    found = (float(np.mean(verdict.evidence)), scatter)
    return Outcome(
        f"{says} after {verdict.steps} steps", values, np.ones(len(values)), verdict.worst_ess, found
    )


def stock_emcee(target: Target, seed: int) -> Outcome:
    """Stretch moves from the prior until the chain is 50 tau long and tau is known to 1 %."""
    posterior = target.posterior
    sampler = emcee.EnsembleSampler(WALKERS, posterior.space.dim, posterior, vectorize=True)
    state: Any = posterior.space.draw(WALKERS, np.random.default_rng(seed))
    state = emcee.State(state, random_state=np.random.RandomState(seed).get_state())
    steps, tau, settled = 500, np.full(posterior.space.dim, np.inf), False
    while not settled and sampler.iteration < MOST:
        state = sampler.run_mcmc(state, min(steps, MOST) - sampler.iteration)
        now = sampler.get_autocorr_time(tol=0)
        settled = bool((sampler.iteration > 50 * now).all() and (np.abs(now - tau) < 0.01 * now).all())
        steps, tau = math.ceil(1.3 * sampler.iteration), now
    chain = sampler.get_chain(discard=int(2 * tau.max()), flat=True)
    says = "50 tau" if settled else f"not done: {sampler.iteration / tau.max():.0f} tau"
    says += f" after {sampler.iteration} steps"
    return Outcome(says, posterior.space.physical(chain), np.ones(len(chain)), len(chain) / float(tau.max()))


def cobaya(target: Target, seed: int) -> Outcome:
    """Cobaya's Metropolis-Hastings with learnt proposals, one point a call."""
    from cobaya.run import run

    logging.disable(logging.WARNING)
    space = target.posterior.space
    (likelihood,) = target.posterior.likelihoods.values()
    fixed = {name: np.array([value]) for name, value in space.fixed.items()}

    def log_likelihood(**values: float) -> float:
        columns = fixed | {name: np.array([value]) for name, value in values.items()}
        return float(likelihood.log_likelihood(likelihood.predict(target.posterior.model.point(columns)))[0])

    params: dict[str, Any] = {}
    for name, prior in zip(space.names, cast("Any", space.priors), strict=True):
        shape = {"dist": "reciprocal", "a": prior.low, "b": prior.high}
        params[name] = {"prior": shape if prior.scale == "log" else [prior.low, prior.high]}
    external = {"external": log_likelihood, "input_params": list(space.names)}
    options = {"seed": seed, "max_samples": ACCEPTED, "max_tries": 100_000, "measure_speeds": False}
    _, sampler = run({"params": params, "likelihood": {"target": external}, "sampler": {"mcmc": options}})
    sample = sampler.products(skip_samples=0.3)["sample"]
    weights = np.asarray(sample["weight"], dtype=np.float64)
    values = np.column_stack([np.asarray(sample[name], dtype=np.float64) for name in space.names])
    steps = np.repeat(values, weights.astype(int), axis=0)
    tau = max(autocorrelation_time(steps[:, i : i + 1]) for i in range(values.shape[1]))
    says = f"R-1 = {sampler.Rminus1_last:.3f}, " + ("done" if sampler.converged else "not done")
    return Outcome(f"{says} after {len(sample)} accepted points", values, weights, len(steps) / tau)


def nautilus(target: Target, seed: int) -> Outcome:
    """Importance nested sampling over the unit cube."""
    from nautilus import Sampler

    posterior, space = target.posterior, target.posterior.space

    def log_likelihood(theta: Array) -> Array:
        return posterior.evaluate(theta).log_likelihood

    sampler = Sampler(
        space.from_unit_cube, log_likelihood, n_dim=space.dim, n_live=LIVE, n_networks=1, vectorized=True,
        pass_dict=False, seed=seed,
    )  # fmt: skip
    sampler.run(n_eff=EFFECTIVE, discard_exploration=True)
    theta, log_weight, _ = sampler.posterior()
    weights = np.exp(log_weight - log_weight.max())
    found = (float(sampler.log_z), 1.0 / math.sqrt(float(sampler.n_eff)))
    return Outcome("done", space.physical(theta), weights, float(sampler.n_eff), found)


SAMPLERS = {"globalfit": ours, "emcee": stock_emcee, "cobaya": cobaya, "nautilus": nautilus}
TARGETS = {"three-modes": toy, "t3r-muon": muon}


def measure(target: Target, sampler: str, seed: int) -> dict[str, Any]:
    """Run one sampler once."""
    posterior = target.posterior
    counted = [Counted(each) for each in posterior.likelihoods.values()]
    copy = Posterior(posterior.space, posterior.model, cast("Any", counted), posterior.constraints)
    begun = time.process_time()
    found = SAMPLERS[sampler](replace(target, fit=replace(target.fit, posterior=copy)), seed)
    seconds = time.process_time() - begun
    evaluations = max(each.points for each in counted)
    columns = enumerate(target.marginals)
    worst = max(distance(found.values[:, i], found.weights, below) for i, below in columns)
    figures: dict[str, Any] = {
        "seed": seed,
        "says": found.says,
        "seconds": round(seconds, 1),
        "evaluations": evaluations,
        "ess": round(found.ess),
        "ess_per_second": round(found.ess / seconds, 1),
        "ess_per_1000_evaluations": round(1000.0 * found.ess / evaluations, 2),
        "ks": round(worst, 4),
    }
    if target.mode is not None:
        shares = np.bincount(target.mode(found.values), weights=found.weights, minlength=3)
        figures["weights"] = (shares / shares.sum()).round(3).tolist()
    if found.log_evidence is not None:
        value, error = found.log_evidence
        figures["ln_z_minus_truth"] = [round(value - target.log_evidence, 3), round(error, 3)]
    return figures


def main() -> None:
    """Measure and write ``results/samplers.json``, where other targets and samplers are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    given = parser.parse_args()
    kept = RESULTS / "samplers.json"
    found = json.loads(kept.read_text(encoding="utf-8"))["targets"] if kept.exists() else {}
    for name in given.targets:
        rows = found.setdefault(name, {"samplers": {}})["samplers"]
        rows |= {sampler: [] for sampler in given.samplers}
        for seed in given.seeds:
            target = TARGETS[name](seed)
            found[name]["ln_z"] = round(target.log_evidence, 4)
            for sampler in given.samplers:
                rows[sampler].append(measure(target, sampler, seed))
                print(name, sampler, rows[sampler][-1], flush=True)
    write("samplers", {"targets": found})


if __name__ == "__main__":
    main()
