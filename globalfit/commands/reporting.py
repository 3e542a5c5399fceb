"""Commands that show a chain as a page, and what it predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalfit.commands.common import (
    ChainPath,
    Debug,
    Discard,
    FitFile,
    Json,
    Names,
    console,
    print_json,
    say,
    words,
)

Samples = Annotated[int, typer.Option(min=1, max=100_000, help="kept samples that are evaluated again")]


def report(
    file: ChainPath,
    output: Annotated[Path, typer.Option("-o", "--output", help="the page, .html")] = Path("report.html"),
    pdf: Annotated[Path | None, typer.Option("--pdf", help="the figures too, one a page")] = None,
    predict: Annotated[
        bool,
        typer.Option("--predict/--no-predict", help="evaluate samples again; without, no plug-in is loaded"),
    ] = True,
    fit: FitFile = None,
    samples: Samples = 400,
    discard: Discard = None,
    names: Names = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace files that exist")] = False,
    debug: Debug = False,
) -> None:
    """Write one HTML page about a chain: verdict, limits, citations, plots, tables; no network needed."""
    from globalfit.chains.chain import Chain
    from globalfit.report.page import check_outputs, write
    from globalfit.report.page import report as report_
    from globalfit.report.second import second_process, uncollected

    check_outputs(file, output, pdf, overwrite=overwrite)
    with (
        uncollected(),
        second_process(file, figures=pdf is not None) as second,
        Chain.open(file, names=words(names)) as chain,
    ):
        evaluated = samples if predict else 0
        found = report_(chain, discard=discard, samples=evaluated, fit=fit, second=second)
        if not found.summary.converged:
            say(f"NOT CONVERGED: {found.summary.reasons[0]}")
        if found.predictive is None and predict:
            say(f"note: no spectra, no pulls: {found.missing}")
        write(found, output, pdf=pdf, overwrite=overwrite)
    say(f"wrote {output}" + (f" and {pdf}" if pdf else ""))


def predict(
    file: ChainPath,
    experiment: Annotated[
        str,
        typer.Option(
            help="instead, photons in this beam experiment: a card (sbnd, icarus, ...) or its .toml"
        ),
    ] = "",
    above: Annotated[
        float | None, typer.Option(min=0.0, help="with --experiment: lowest energy of a photon, MeV")
    ] = None,
    fit: FitFile = None,
    samples: Samples = 400,
    discard: Discard = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print what the posterior predicts: each observable with its intervals, beside what is measured.

    Kept samples are evaluated again with the fit of the chain; of a chain that is not converged only the best
    sample is given. With --experiment: events of a long-lived X in an experiment that is in no fit, before
    efficiencies.
    """
    from globalfit.chains.chain import Chain
    from globalfit.report.predictive import predict as predict_
    from globalfit.report.show import print_predictive
    from globalfit.stored import stored_fit

    with Chain.open(file) as chain:
        verdict = chain.verdict if discard is None else chain.assess(discard)
        if not verdict.converged:
            say(f"NOT CONVERGED: {verdict.reasons[0]}")
        whole = stored_fit(chain, fit)
        if experiment:
            from globalfit.report.elsewhere import card_of, elsewhere
            from globalfit.report.show import print_elsewhere

            events = elsewhere(
                chain, whole, card_of(experiment), above=above, samples=samples, discard=verdict.discard
            )
            if as_json:
                print_json(events.to_dict(intervals=verdict.converged))
            else:
                print_elsewhere(console(), events, converged=verdict.converged)
            return
        found = predict_(chain, whole, samples=samples, discard=verdict.discard)
    if as_json:
        print_json(found.to_dict(intervals=verdict.converged))
    else:
        print_predictive(console(), found, converged=verdict.converged)
