"""One chain as one HTML page that needs no network and no plug-in, and its figures as a PDF."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from globalfit import __version__
from globalfit.analysis.ledger import Ledger, ledger
from globalfit.analysis.pushback import Violation, violations
from globalfit.chains.chain import Chain
from globalfit.chains.export.writing import refuse, replacing
from globalfit.chains.summary import Summary, summarise
from globalfit.errors import ChainError, GlobalfitError
from globalfit.fit import Fit
from globalfit.report import citations, origin, sections
from globalfit.report.corner_figure import corner_figure, corner_shown
from globalfit.report.drawing import STYLE, Drawing, Drawn, Maker, images
from globalfit.report.figures import observables, pulls, spectrum
from globalfit.report.marginals import marginals, marginals_figure
from globalfit.report.markup import Node, add, data_uri, element, listing, render, section
from globalfit.report.predictive import SAMPLES, Predictive, predict
from globalfit.report.second import Second
from globalfit.stored import stored_fit

AGREE = 1e-6  # ln L found again
Figured: TypeAlias = "Drawn | str"


@dataclass(frozen=True)
class Report:
    """What a page and its figures show of a chain.

    Attributes
    ----------
    chain, summary
        The chain and its summary.
    violations : tuple of Violation
        Limits outside the fit.
    predictive : Predictive or None
        None where the fit could not be put together again.
    missing : str
        Why.
    ledger : Ledger or None
        What the fit explains; None if no plug-in was to be loaded.
    fit : Fit or None
        The fit of the chain, if it could be put together again.
    second : Second or None
        Another process, which has begun the corner plot.
    """

    chain: Chain
    summary: Summary
    violations: tuple[Violation, ...]
    predictive: Predictive | None = None
    missing: str = ""
    ledger: Ledger | None = None
    fit: Fit | None = None
    second: Second | None = None


def report(
    chain: Chain,
    *,
    discard: int | None = None,
    samples: int = SAMPLES,
    fit: Path | None = None,
    second: Second | None = None,
) -> Report:
    """Gather what is to be shown of a chain.

    Parameters
    ----------
    chain : Chain
        The chain; no plug-in is needed.
    discard : int, optional
        Steps to leave out at the start; chosen from the chain by default.
    samples : int
        How many kept samples are evaluated again for the posterior predictive; 0 for none, and then no
        plug-in is loaded.
    fit : Path, optional
        The fit file; needed where a likelihood is a loose file, which a chain never causes to be run.
    second : Second, optional
        Another process, which draws figures meanwhile.
    """
    if second is not None:
        try:
            first = chain.discard if discard is None else chain.first(discard)
            second.begin_corner(corner_shown(chain, first, judged=False))
        except ChainError:  # said where it is drawn here
            second = None
    summary = summarise(chain, discard=discard)
    found = tuple(violations(chain))
    if samples < 1:
        missing = "no sample was evaluated again; leave out --no-predict"
        return Report(chain, summary, found, missing=missing, second=second)
    whole, predictive, said, missing = None, None, None, ""
    try:
        whole = stored_fit(chain, fit)
        predictive = predict(chain, whole, samples=samples, discard=summary.discard)
        said = ledger(chain, fit, fit=whole, discard=summary.discard)
    except (GlobalfitError, ValueError) as error:  # what an unknown file says of its fit may be anything
        whole, missing = None, "; ".join(str(error).splitlines())  # a fit that fails here fails there too
    return Report(chain, summary, found, predictive, missing, said, whole, second)


def drawings(found: Report) -> Iterator[Figured]:
    """Yield the figures of a report with their images, or a line where one cannot be drawn."""
    chain, discard, converged = found.chain, found.summary.discard, found.summary.converged
    corner: Maker = partial(_corner, chain, discard)
    makers: list[Maker] = [*_predicted(found)]
    if (second := found.second) is not None:  # which draws what the samples predict while this one profiles
        corner, makers = second.end_corner(converged, corner), [second.draw(each) for each in makers]
    rows, label = marginals(chain, discard, converged=converged, fit=found.fit)
    each: Maker = partial(marginals_figure, rows, label, converged=converged)
    yield from images(corner, each if second is None else second.draw(each), *makers)


def _corner(chain: Chain, discard: int) -> Drawing:
    return corner_figure(corner_shown(chain, discard))


def _predicted(found: Report) -> Iterator[Maker]:
    """Yield what draws the figures of the predictions, in any process."""
    if (predictive := found.predictive) is None:
        return
    converged = found.summary.converged
    for name in dict.fromkeys(each.likelihood for each in predictive.spectra):
        curves = [each for each in predictive.spectra if each.likelihood == name]
        yield partial(spectrum, predictive, curves, converged=converged)
    if predictive.pulls:
        yield partial(pulls, predictive)
    yield partial(observables, predictive, converged=converged)


def page(found: Report, figures: Sequence[Figured]) -> str:
    """Return the HTML page of a report with its figures, those of `drawings`."""
    chain, summary = found.chain, found.summary
    early, late, failed = _figures(figures)
    style, script = (
        files("globalfit.report").joinpath(f"page.{kind}").read_text(encoding="utf-8")
        for kind in ("css", "js")
    )
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{chain.path.name}: globalfit report"),
        _raw("style", style),
    )
    known = summary.model.startswith("t3r-") and any(row["name"] == "vev" for row in chain.parameters)
    parts = [
        sections.limits(found.violations, known),
        citations.fitted(chain, summary),
        sections.quantities(summary),
        *early,
        sections.accounts(found.ledger),
        sections.experiments(summary, found.predictive),
        _predictions(found, late),
        sections.modes(summary),
        origin.origin(chain, summary),
    ]
    if failed:
        parts.insert(-1, section("failed", "Not drawn", listing(failed, class_="missing")))
    shown = [each for each in parts if each is not None]
    links = [element("a", each[0].text or "", href=f"#{each.get('id')}") for each in shown]
    main = element("main", sections.verdict(summary), *shown)
    body = element(
        "body",
        element(
            "header",
            element("h1", chain.path.name),
            element("p", f"globalfit {__version__}", class_="note"),
        ),
        element("nav", listing(links), aria_label="Contents"),
        main,
        _raw("script", script),
    )
    return render(element("html", head, body, lang="en"))


def write(found: Report, output: Path, *, pdf: Path | None = None, overwrite: bool = False) -> None:
    """Write the page, and the figures as a PDF if asked.

    Raises
    ------
    ChainError
        If a file exists and `overwrite` is false, has no folder or another suffix, or cannot be written.
    """
    check_outputs(found.chain.path, output, pdf, overwrite=overwrite)
    figures = list(drawings(found))
    text = page(found, figures)
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    if pdf is not None:
        write_pdf(found.chain.path.name, figures, pdf)


def write_pdf(title: str, figures: Sequence[Figured], output: Path) -> None:
    """Write every figure on a page of a PDF.

    Raises
    ------
    ChainError
        If it cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    with replacing(output) as temporary, mpl.rc_context(STYLE):
        about = {"Title": title, "Creator": f"globalfit {__version__}"}
        with PdfPages(temporary, metadata=about) as pages:
            for each in figures:
                if not isinstance(each, str) and each[0].figure is not None:
                    pages.savefig(each[0].figure)


def check_outputs(chain: Path, output: Path, pdf: Path | None, *, overwrite: bool) -> None:
    """Refuse outputs of another suffix, that exist, have no folder, or are the chain itself."""
    wanted = [(output, (".html", ".htm"))] + ([(pdf, (".pdf",))] if pdf is not None else [])
    for path, suffixes in wanted:
        if path.suffix.lower() not in suffixes:
            raise ChainError(str(path), f"unknown format '{path.suffix}'", f"use {' or '.join(suffixes)}")
    refuse([path for path, _ in wanted], chain, overwrite=overwrite)


def _figures(figures: Sequence[Figured]) -> tuple[list[Node], list[Node], list[str]]:
    """Return the sections of corner plot and marginals, the figures of the predictive, and what failed."""
    early: list[Node] = []
    late: list[Node] = []
    failed: list[str] = []
    for each in figures:
        if isinstance(each, str):
            failed.append(each)
            continue
        drawing, image = each
        img = element("img", src=data_uri(*image), alt=drawing.alt)
        if drawing.key in ("corner", "marginals"):
            early.append(section(drawing.key, drawing.title, element("figure", img)))
        else:
            caption = element("figcaption", drawing.title)
            late.append(element("figure", img, caption, id=drawing.key))
    return early, late, failed


def _predictions(found: Report, figures: list[Node]) -> Node:
    made = section("predictions", "Pulls, spectra and observables")
    predictive = found.predictive
    if predictive is None:
        add(made, element("p", f"Not shown: {found.missing}.", class_="missing"))
        return made
    said = (
        f"{predictive.samples} kept samples evaluated again; bands hold 68 and 95 % of them."
        if found.summary.converged
        else "The best sample alone: the chain is not converged, so that no bands are drawn."
    )
    add(made, element("p", said, class_="note"))
    if predictive.difference > AGREE:
        gap = (
            f"ln L differs from that stored by up to {predictive.difference:.2g}: data or code have changed."
        )
        add(made, element("p", gap, class_="banner"))
    add(made, *figures, *sections.predicted(predictive, converged=found.summary.converged))
    if not (figures or predictive.pulls):
        add(made, element("p", "The likelihoods do not say what is measured.", class_="missing"))
    return made


def _raw(name: str, text: str) -> Node:
    """Return an element with a shipped text as it is: the policy's hash is of these bytes."""
    made = element(name)
    made.text = text
    return made


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
