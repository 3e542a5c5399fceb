"""Commands that ask a finished chain about its experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from globalfit.commands.common import ChainPath, Debug, FitFile, Json, bars, console, print_json, say

Particles = Annotated[int, typer.Option(min=100, help="particles of a tempered run")]
Seed = Annotated[int, typer.Option(help="seed of tempered runs")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="processes for tempered runs; as many as cores by default")
]


def leave_one_out(
    file: ChainPath,
    sample: Annotated[
        bool, typer.Option("--sample/--no-sample", help="sample anew where reweighting is not reliable")
    ] = True,
    particles: Particles = 8000,
    seed: Seed = 1,
    workers: Workers = None,
    fit: FitFile = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Leave out every experiment in turn: which of them hold the result, and how it moves without them.

    Reweights the chain where the Pareto shape of the weights is below 0.5, else samples anew, without the
    experiment, the parameters that it is connected with; the route is named.
    """
    from globalfit.analysis.draws import of_chain
    from globalfit.analysis.leave_one_out import MOST
    from globalfit.analysis.leave_one_out import leave_one_out as leave
    from globalfit.analysis.rebuilt import fit_of
    from globalfit.analysis.show import print_without
    from globalfit.chains.chain import Chain

    chain = Chain.open(file)
    draws = of_chain(chain, MOST)
    _warn(chain)
    with bars() as show:
        found = leave(
            draws,
            fit_of(chain, fit) if sample else None,
            seed=seed,
            particles=particles,
            workers=workers,
            progress=show,
        )
    if as_json:
        print_json([each.to_dict() for each in found])
    else:
        print_without(console(), draws, found)


def tension(
    file: ChainPath,
    between: Annotated[
        str, typer.Option(help="two experiments, comma-separated; each against the rest by default")
    ] = "",
    particles: Particles = 8000,
    seed: Seed = 1,
    workers: Workers = None,
    fit: FitFile = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say which experiments disagree: suspiciousness, which does not depend on the prior's width.

    Beside it, how surprising the data of an experiment are to the other side, whatever the posteriors' shape.
    Needs the posterior of each side alone: these are sampled by tempered runs, of the parameters that the
    experiment is connected with.
    """
    from globalfit.analysis.rebuilt import fit_of
    from globalfit.analysis.show import print_tensions
    from globalfit.analysis.tension import pair, tensions
    from globalfit.chains.chain import Chain
    from globalfit.commands.common import words
    from globalfit.errors import ChainError, did_you_mean

    chain = Chain.open(file)
    whole = fit_of(chain, fit)
    names = list(whole.posterior.likelihoods)
    wanted = words(between)
    for name in wanted:
        if name not in names:
            raise ChainError(str(file), f"has no likelihood '{name}'", did_you_mean(name, names))
    if wanted and len(set(wanted)) != 2:
        raise typer.BadParameter("--between takes two different experiments")
    if len(names) < 2:
        raise ChainError(str(file), "holds one experiment", "tension needs two")
    with bars() as show:
        options: dict[str, Any] = {
            "seed": seed,
            "particles": particles,
            "workers": workers,
            "progress": show,
        }
        found = [pair(whole, wanted[0], wanted[1], **options)] if wanted else tensions(whole, **options)
    print_json([each.to_dict() for each in found]) if as_json else print_tensions(console(), found)


def reweight(
    file: ChainPath,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="a plug-in, file.py:Class, or a stub NAME.toml")
    ],
    fit: FitFile = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Add a new experiment to a finished chain in seconds, and say what it would teach.

    A stub is a few lines of TOML: name, observable (a stored quantity), and kind = "gaussian" with value and
    error, "counts" with observed and background, or "limit" with limit.
    """
    from globalfit.analysis.draws import column, of_chain
    from globalfit.analysis.leave_one_out import MOST
    from globalfit.analysis.pareto import DRAWS
    from globalfit.analysis.rebuilt import with_experiment
    from globalfit.analysis.reweight import read_stub, score
    from globalfit.analysis.reweight import reweight as reweight_
    from globalfit.analysis.show import print_reweighted
    from globalfit.chains.chain import Chain

    chain = Chain.open(file)
    stub = experiment.endswith(".toml")
    most = MOST if stub else DRAWS  # at which a plug-in would have to be evaluated
    draws = of_chain(chain, most)
    _warn(chain)
    if stub:
        name, log_likelihood = read_stub(Path(experiment), chain)
        values = log_likelihood(lambda quantity: column(chain, quantity, most))
    else:
        more, likelihood = with_experiment(chain, experiment, fit)
        name, values = likelihood.name, score(more, likelihood, draws)
    found = reweight_(draws, values, name)
    print_json(found.to_dict()) if as_json else print_reweighted(console(), found)
    if values.min() == values.max():
        say(f"note: ln L of '{name}' is the same at every draw: it says nothing about this posterior")
    if not found.reliable:
        say(
            f"note: the Pareto shape of the weights is {found.k:.2f}: not reliable; add '{name}' to the fit "
            "and sample it"
        )


def _warn(chain: Any) -> None:
    if not chain.verdict.converged:
        say(f"NOT CONVERGED: {chain.verdict.reasons[0]}")
