"""Commands that say what a fit explains, and how that changed with the data."""

from __future__ import annotations

from typing import Annotated

import typer

from globalfit.commands.common import (
    ChainPath,
    Debug,
    Discard,
    Json,
    console,
    print_json,
    say,
    words,
)


def ledger(
    file: ChainPath,
    against: Annotated[
        str, typer.Option(help="comma-separated likelihoods outside the fit to look at")
    ] = "rare-b-decays,meson-decays",
    evidence: Annotated[
        bool, typer.Option("--evidence", help="sample ln Z and the Bayes factor against the null")
    ] = False,
    particles: Annotated[int, typer.Option(min=100, help="particles of these tempered runs")] = 4000,
    seed: Annotated[int, typer.Option(help="seed of these tempered runs")] = 1,
    discard: Discard = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what a fit explains, what it breaks, which parameters do it, what pushes back, and the price."""
    from globalfit.analysis.ledger import against_null
    from globalfit.analysis.ledger import ledger as ledger_
    from globalfit.analysis.rebuilt import fit_of
    from globalfit.analysis.tabular import blocks, markdown, print_blocks
    from globalfit.chains.chain import Chain

    if as_json and as_markdown:
        raise typer.BadParameter("give one of --json and --markdown")
    chain = Chain.open(file)
    known = None
    if evidence:
        known = against_null(fit_of(chain), seed, particles)
    found = ledger_(chain, against=words(against), discard=discard, evidence=known)
    if not found.converged:
        say(f"NOT CONVERGED: {chain.verdict.reasons[0]}")
    if as_json:
        print_json(found.to_dict())
    elif as_markdown:
        print(markdown(f"Ledger of {file.name}", blocks(found)))
    else:
        print_blocks(console(), blocks(found))
