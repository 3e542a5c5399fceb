"""Commands that infer more than a chain does: evidence, best fit, profile likelihood, calibration."""

from __future__ import annotations

import csv
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from globalfit.commands.common import (
    AsOf,
    ChainPath,
    Debug,
    FitPath,
    Json,
    More,
    bars,
    load,
    print_json,
    say,
    words,
)

Seed = Annotated[int, typer.Option(min=0, help="of the random numbers")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the output if it exists")]


class Method(StrEnum):
    """How an evidence is computed."""

    smc = "smc"
    nautilus = "nautilus"


def evidence(
    fit: FitPath,
    sampler: Annotated[Method, typer.Option(help="tempered Monte Carlo, or nautilus")] = Method.smc,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="independent runs; 4 for smc, 1 for nautilus by default")
    ] = None,
    seed: Seed = 1,
    likelihood: More = None,
    as_of: AsOf = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compute ln Z, with its error, the priors it depends on, and ln L of each experiment at the null."""
    from globalfit.arrays import strict
    from globalfit.inference.evidence import evidence as evidence_

    loaded = load(fit, likelihood, as_of)
    with bars() as show:
        found = evidence_(loaded.posterior, sampler.value, repeats=repeats, seed=seed, progress=show)
    if as_json:
        null = {name: vars(each) for name, each in found.null.items()}
        print_json(strict(vars(found) | {"null": null}))
        return
    print(f"ln Z = {found.log_evidence:.3f} +- {found.error:.3f}  ({found.sampler}, seed {found.seed})")
    if len(found.repeats) > 1:
        shown = ", ".join(f"{each:.3f}" for each in found.repeats)
        print(f"repeats: {shown} (standard deviation {found.spread:.3f})")
    points = ", ".join(f"{name} {n}" for name, n in found.evaluations.items())
    print(f"cost: {found.seconds:.1f} s; points: {points}")
    print("ln Z refers to these priors, normalised inside the constraints:")
    for name, (shape, low, high) in found.priors.items():
        print(f"  {name:24s} {shape} {low:.6g} .. {high:.6g}")
    if found.allowed < 1.0:
        print(f"  the constraints allow {100.0 * found.allowed:.3g} % of them")
    print("ln L without new physics:")
    for name, each in found.null.items():
        if each.log_likelihood is None or each.log_evidence is None:
            print(f"  {name:24s} none: {each.reason}")
        else:
            more = (
                f"  (averaged over its nuisance parameters {each.log_evidence:.3f})"
                if each.log_evidence != each.log_likelihood
                else ""
            )
            print(f"  {name:24s} {each.log_likelihood:.3f}{more}")


def optimum(
    fit: FitPath,
    chain: Annotated[Path | None, typer.Option(help="chain of the fit, to start from")] = None,
    seed: Seed = 1,
    likelihood: More = None,
    as_of: AsOf = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Find the highest likelihood, and say how many searches agree on it."""
    from globalfit.inference.optimum import optimum as optimum_

    loaded = load(fit, likelihood, as_of)
    population = None if chain is None else _samples(chain, loaded.posterior.space.names)
    with bars() as show:
        found = optimum_(loaded.posterior, population=population, seed=seed, progress=show)
    if as_json:
        print_json(found.to_dict())
    else:
        edge = dict.fromkeys(found.at_edge, "  (at the edge of its prior)")
        for name, value in found.values.items():
            print(f"{name:24s} {value:.8g}{edge.get(name, '')}")
        print(f"ln L = {found.log_likelihood:.4f}, of informative priors {found.knowledge:.4f}")
        for name, value in found.log_likelihoods.items():
            print(f"  {name:24s} {value:.4f}")
        print(f"{found.agreeing} of {found.starts} searches agree; {found.evaluations} points")
    if not found.trusted:
        say("note: only one search ended at this maximum; try another --seed, or --chain")


def profile(
    file: ChainPath,
    parameters: Annotated[str, typer.Option("--parameters", "-p", help="one or two, comma-separated")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=".png, .pdf or .svg; .csv for a table")
    ] = None,
    bins: Annotated[int | None, typer.Option(min=3, max=200, help="grid values along each axis")] = None,
    fit: Annotated[Path | None, typer.Option(help="fit file, where it is not all in the chain")] = None,
    seed: Seed = 1,
    overwrite: Overwrite = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Draw the profile likelihood of one or two parameters beside the posterior."""
    from globalfit.arrays import strict
    from globalfit.chains.chain import Chain
    from globalfit.chains.corner import check_output
    from globalfit.errors import ChainError
    from globalfit.inference.optimum import optimum as optimum_
    from globalfit.inference.profile import profile as profile_
    from globalfit.inference.profile import rows
    from globalfit.stored import stored_fit

    table = output is not None and output.suffix.lower() == ".csv"
    if output is not None and not table:
        check_output(output, overwrite=overwrite)
    elif output is not None and output.exists() and not overwrite:
        raise ChainError(str(output), "exists", "choose another -o, or --overwrite")
    chain = Chain.open(file)
    loaded = stored_fit(chain, fit)
    samples = _samples(file, loaded.posterior.space.names)
    names = words(parameters)
    with bars() as show:
        best = optimum_(loaded.posterior, population=samples, seed=seed)
        top = best.log_likelihood + best.knowledge
        found = profile_(loaded.posterior, names, samples, best=top, bins=bins, seed=seed, progress=show)
    columns, lines = rows(found)
    if output is not None and table:
        with output.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(lines)
        say(f"wrote {output}")
    elif output is not None:
        import matplotlib as mpl

        with mpl.rc_context({"backend": "agg"}):
            from globalfit.inference.drawing import draw_profile, save

            save(draw_profile(found, chain), output)
        say(f"wrote {output}")
    ranges = {f"{level}": each for level, each in found.intervals().items()} if len(names) == 1 else None
    if as_json:
        print_json(
            strict({"best": best.to_dict(), "profile": lines, "intervals": ranges,
                    "evaluations": found.evaluations})
        )  # fmt: skip
        return
    print(f"best fit: ln L = {best.log_likelihood:.4f}, {best.agreeing} of {best.starts} searches agree")
    for label, each in zip(("68 %", "95 %"), (ranges or {}).values(), strict=False):
        print(f"{names[0]}, {label}: " + ", ".join(f"{low:.6g} .. {high:.6g}" for low, high in each))
    say(f"{found.evaluations} points; {found.converged.mean():.0%} of the grid values converged")


def calibrate(
    fit: FitPath,
    n: Annotated[int, typer.Option("-n", min=20, help="simulated data sets")] = 200,
    seed: Seed = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="plot of the ranks: .png, .pdf or .svg")
    ] = None,
    particles: Annotated[int, typer.Option(min=100, help="of the sampler of each fit")] = 1000,
    overwrite: Overwrite = False,
    likelihood: More = None,
    as_of: AsOf = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Fit data simulated at points of the prior, and test whether the truth has every rank equally often.

    Exits with 1 if it has not, at a family-wise level of 0.01.
    """
    from globalfit.chains.corner import check_output
    from globalfit.inference.calibration import calibrate as calibrate_

    if output is not None:
        check_output(output, overwrite=overwrite)
    loaded = load(fit, likelihood, as_of)
    with bars() as show:
        found = calibrate_(loaded.posterior, n, seed=seed, particles=particles, progress=show)
    if output is not None:
        import matplotlib as mpl

        with mpl.rc_context({"backend": "agg"}):
            from globalfit.inference.drawing import draw_ranks, save

            save(draw_ranks(found), output)
        say(f"wrote {output}")
    if as_json:
        print_json(found.to_dict())
    else:
        print(f"{'quantity':32s} {'p':>8s} {'adjusted':>8s}  inside 68 %, 95 %")
        for name, p in found.p_values.items():
            inside = ", ".join(f"{each:.3f}" for each in found.coverage[name])
            print(f"{name:32s} {p:8.4f} {found.adjusted[name]:8.4f}  {inside}")
        if found.refused > 0.0:
            print(f"{found.refused:.1%} of the prior has no prediction and was left out")
        print("CALIBRATED" if found.passed else f"NOT CALIBRATED: {found.worst}")
    if not found.passed:
        raise typer.Exit(1)


def _samples(path: Path, names: tuple[str, ...]) -> Any:
    """Return a few thousand kept samples (n, dim) of a chain, the best one first."""
    import numpy as np

    from globalfit.chains.chain import Chain
    from globalfit.errors import ChainError

    chain = Chain.open(path)
    if set(chain.names) != set(names):
        raise ChainError(str(path), f"samples {', '.join(chain.names)}", "give a chain of this fit")
    values = np.column_stack([chain.get(name) for name in names])
    best = chain.best()
    kept = values[:: max(1, len(values) // 4000)]
    return np.concatenate([[[best[name] for name in names]], kept])
