"""The sections of a report: what is said of a chain, in the order a reader needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from globalfit.analysis.ledger import Ledger
from globalfit.analysis.pushback import Violation
from globalfit.analysis.tabular import blocks
from globalfit.chains.summary import Row, Summary
from globalfit.report.markup import Content, Node, add, element, listing, section, table
from globalfit.report.predictive import Predictive
from globalfit.show import spread_digits

ELSEWHERE = ("answer", "limits broken")  # parts of the ledger that the page shows already


def verdict(summary: Summary) -> Node:
    """Return the verdict with its reasons: the first thing on the page."""
    good = summary.converged
    made = element("div", class_=f"verdict {'good' if good else 'bad'}", id="verdict", role="status")
    add(made, element("strong", "CONVERGED" if good else "NOT CONVERGED"))
    ensembles = int(getattr(summary, "ensembles", 1))
    if not good:
        add(made, element("p", "No intervals are given: they would not be intervals."))
    elif ensembles > 1:
        add(made, element("p", f"{ensembles} independent ensembles agree."))
    if summary.reasons:
        add(made, listing(summary.reasons))
    several = f" of {ensembles} ensembles" if ensembles > 1 else ""
    steps = f"{summary.steps} steps × {summary.walkers} walkers{several}, {summary.discard} steps discarded"
    add(made, element("p", f"{steps}, acceptance {summary.acceptance:.2f}.", class_="note"))
    return made


def limits(found: Sequence[Violation], checked: bool) -> Node:
    """Return the limits that the best sample violates though they are not in the fit."""
    if not found:
        said = (
            "The best sample violates none of the limits that are checked."
            if checked
            else "Not checked: the known limits need the scale V of a U(1)_T3R model, which this fit has not."
        )
        return section("limits", "Limits outside the fit", element("p", said))
    rows = [
        (arrows(each.title), *(f"{x:.3g}" for x in (each.predicted, each.limit, each.factor)), each.citation)
        for each in found
    ]
    head = ("limit", "best sample", "limit (90 %)", "times too large", "citation")
    worst = max(found, key=lambda each: each.factor)
    said = (
        f"The best sample violates {len(found)} limit{'s' if len(found) > 1 else ''} that "
        f"{'are' if len(found) > 1 else 'is'} not in the fit: {found[0].title}, by a factor of "
        f"{found[0].factor:.3g}" + ("." if worst is found[0] else f"; {worst.title} by {worst.factor:.3g}.")
    )
    banner = element("div", element("p", element("strong", arrows(said))), class_="banner", role="alert")
    return section(
        "limits", "Violated limits", banner, table(head, rows, "Limits violated by the best sample")
    )


def arrows(text: str) -> str:
    """Return a text with arrows for those of a keyboard."""
    return text.replace(" -> ", " → ")


def _lines(text: str) -> Node:
    """Return the items of an enumeration, one a line."""
    return element("span", *(element("span", each) for each in arrows(text).split(", ")), class_="lines")


def quantities(summary: Summary) -> Node:
    """Return the tables of parameters, fixed values and derived quantities."""
    made = section("parameters", "Parameters and derived quantities")
    for rows, title in ((summary.rows, "parameter"), (summary.derived, "derived quantity")):
        if not rows:
            continue
        head = [title, "unit"]
        head += ["median", "68 %", "95 %", "best"] if summary.converged else ["best"]
        head += ["tau", "R-hat", "ESS", "remark"]
        caption = f"{title.capitalize()}: " + (
            "median, central intervals, value of the best sample" if summary.converged else "best sample"
        )
        add(made, table(head, [_row(each, summary) for each in rows], caption))
    if summary.fixed:
        rows_ = list(summary.fixed.items())
        add(made, table(("fixed parameter", "value"), rows_, "Fixed parameters and defaults"))
    return made


def _row(row: Row, summary: Summary) -> list[Content]:
    converged = summary.converged
    digits = spread_digits(row.high68 - row.low68, row.median)
    found: list[Content] = [row.name, row.unit]
    if converged:
        found += [
            _rounded(row.median, digits),
            f"{row.low68:.{digits}g} .. {row.high68:.{digits}g}",
            f"{row.low95:.{digits}g} .. {row.high95:.{digits}g}",
        ]
    bulk = getattr(row, "ess_bulk", None)
    found += [_rounded(row.best, digits if converged else 6)]
    if row.name in getattr(summary, "constant", ()):
        return [*found, "-", "-", "-", "constant"]
    found += ["-" if x is None else _rounded(x, 4) for x in (row.tau, getattr(row, "rhat", None))]
    found.append("-" if bulk is None and row.ess is None else float(round(bulk or row.ess or 0.0)))
    found.append(f"prior-bounded ({row.bounded})" if row.bounded else "")
    return found


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def accounts(found: Ledger | None) -> Node:
    """Return the ledger: its answer, and its tables but for what the page shows elsewhere."""
    made = section("ledger", "What the fit explains")
    if found is None:
        add(made, element("p", "Not shown: no plug-in was loaded.", class_="missing"))
        return made
    add(made, element("p", element("strong", "At the best sample: "), arrows(f"{found.answer}.")))
    for block in blocks(found):
        if block.title in ELSEWHERE or (block.title == "parameters" and not found.converged):
            continue
        if block.columns:
            if block.rows:
                caption = block.title[:1].upper() + block.title[1:]
                long = [block.columns.index(name) for name in ("pulls", "by") if name in block.columns]
                rows = [
                    [_lines(cell) if i in long and cell else cell for i, cell in enumerate(row)]
                    for row in block.rows
                ]
                add(made, table(block.columns, rows, caption))
        else:
            text = arrows("; ".join(row[0] for row in block.rows))
            add(made, element("p", element("strong", f"{block.title[:1].upper()}{block.title[1:]}: "), text))
    return made


def experiments(summary: Summary, found: Predictive | None) -> Node:
    """Return ln L of each experiment at the best sample; at the null point and ideal where that is known."""
    made = section("likelihoods", "ln L of each experiment")
    if not summary.likelihoods:
        add(made, element("p", "The file holds no ln L of experiments.", class_="missing"))
        return made
    rows = []
    for each in summary.likelihoods:
        null = found.null.get(each["name"]) if found else None
        ideal = found.ideal.get(each["name"]) if found else None
        rows.append({"best": each["best"], "mean": each["mean"], "null": null, "ideal": ideal})
    columns = [key for key in ("best", "mean", "null", "ideal") if any(row[key] is not None for row in rows)]
    titles = {
        "best": "best sample",
        "mean": "posterior mean",
        "null": "without new physics",
        "ideal": "ideal",
    }
    table_rows: list[list[Content]] = [
        [each["name"], *(_fixed(row[key]) for key in columns)]
        for each, row in zip(summary.likelihoods, rows, strict=True)
    ]
    total = [
        None if any(row[key] is None for row in rows) else sum(row[key] for row in rows) for key in columns
    ]
    if len(rows) > 1:
        table_rows.append(["all", *(_fixed(x) for x in total)])
    add(made, table(("likelihood", *(titles[key] for key in columns)), table_rows, "ln L"))
    if "null" not in columns:
        said = "ln L without new physics is not known: no likelihood could be asked, or none says it."
        add(made, element("p", said, class_="missing"))
    return made


def _fixed(value: float | None) -> Content:
    return "-" if value is None else f"{value:.3f}"


def _pull(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def predicted(found: Predictive, *, converged: bool) -> list[Node]:
    """Return the tables of pulls and of observables beside what is measured."""
    made = []
    if found.pulls:
        rows = [
            (each.observable, each.likelihood, *(_pull(x) for x in (each.value, each.null)))
            for each in found.pulls
        ]
        caption = "Pulls: (prediction − measurement) / error, theory errors included"
        made.append(table(("observable", "likelihood", "best sample", "no new physics"), rows, caption))
    values = []
    for each in found.data:
        low, high = each.interval
        row: list[Content] = [
            each.title,
            each.likelihood,
            _rounded(each.value, 5),
            f"{low:.4g} .. {high:.4g}",
        ]
        row.append(_rounded(float(each.compared(found.best)), 5))
        if converged:
            draws = each.compared(found.draws)
            row.append(_spread(draws, 0.16, 0.84))
            row.append(_spread(draws, 0.025, 0.975))
        values.append(row)
    if values:
        head = ["observable", "likelihood", "measured", "± error", "best sample"]
        head += ["68 % predicted", "95 % predicted"] if converged else []
        made.append(table(head, values, "What is measured, and what is predicted"))
    return made


def _spread(draws: Any, low: float, high: float) -> str:
    import numpy as np

    edges = np.quantile(draws, [low, high])
    return f"{edges[0]:.4g} .. {edges[1]:.4g}"


def modes(summary: Summary) -> Node | None:
    """Return the census of modes and ln Z, where the summary has them."""
    made = section("modes", "Modes and evidence")
    for census in getattr(summary, "census", ()):
        told = f", told apart by {', '.join(census['told_by'])}" if census.get("told_by") else ""
        rows: list[list[Content]] = []
        for each in census["modes"]:
            ln_l = each.get("ln_likelihood") or {}
            rows.append(
                [
                    each["label"],
                    f"{each['mass']:.3f} ± {each['error']:.3f}",
                    " ".join(f"{mass:.2f}" for mass in each["masses"]),
                    _fixed(sum(ln_l.values())) if ln_l else "-",
                    ", ".join(f"{key} = {value:.4g}" for key, value in each.get("best", {}).items()),
                ]
            )
        head = ("mode", "mass", "by ensemble", "ln L of its best sample", "its best sample")
        add(made, table(head, rows, f"Modes: {census['name']}{told}"))
    evidence = [row["log_evidence"] for row in getattr(summary, "evidence", ())]
    if evidence:
        text = ", ".join(f"{value:.2f}" for value in evidence)
        add(made, element("p", f"ln Z of the tempered starts: {text}"))
    return made if len(made) > 1 else None
