"""Tables for people: what the commands print on stdout without ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from globalfit.describe import prior_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from globalfit.chains.beginning import Start
    from globalfit.chains.summary import Row, Summary
    from globalfit.chains.watch import View
    from globalfit.checking import FitCheck
    from globalfit.fit import Fit
    from globalfit.testing import Finding


def print_plugins(console: Console, rows: list[dict[str, str]]) -> None:
    """Print the table of ``globalfit list``."""
    table = Table("kind", "name", "what", "from", box=None, header_style="bold")
    for row in rows:
        table.add_row(*(escape(row[key]) for key in ("kind", "name", "what", "from")))
    console.print(table)


def print_plugin(console: Console, found: dict[str, Any]) -> None:
    """Print the page of ``globalfit show NAME``."""
    console.print(f"[bold]{found['name']}[/] ({found['kind']}, from {found['from']})\n")
    console.print(escape(found["doc"]), highlight=False)
    if found.get("reference"):
        console.print(f"\n[bold]reference[/] {escape(found['reference'])}", highlight=False)
    if found.get("needs"):
        console.print(f"[bold]needs[/] {', '.join(found['needs'])}", highlight=False)
    for title, key in (
        ("options", "options"),
        ("parameters", "parameters"),
        ("measurements", "measurements"),
    ):
        if found.get(key):
            console.print()
            console.print(_listing(title, found[key]))
    if found.get("derived"):
        console.print(f"\n[bold]derived[/] {', '.join(found['derived'])}", highlight=False)
    for parameter, choices in found.get("coordinates", {}).items():
        console.print(f"[bold]coordinates[/] {parameter}: {', '.join(choices)}", highlight=False)
    for note in found.get("notes", ()):
        console.print(f"[bold]note[/] {escape(note)}", highlight=False)


def _listing(title: str, content: Any) -> Table:
    if title == "options":
        table = Table("option", "type", "default", box=None, header_style="bold")
        for name, option in content.items():
            table.add_row(name, escape(option["type"]), escape(option["default"]))
    elif title == "parameters":
        ranged = any("range" in row for row in content)
        heads = ("parameter", "unit", "default", *(("natural range",) if ranged else ()))
        table = Table(*heads, box=None, header_style="bold")
        for row in content:
            default = row["default"] or "(the fit says)"
            table.add_row(row["name"], row["unit"], default, *([row["range"]] if ranged else []))
    else:
        table = Table("measurement", "used from", "value", "reference", box=None, header_style="bold")
        for row in content:
            value = f"{row['value']:.4g} +- {row['error']:.2g}" if "error" in row else ""
            table.add_row(row["name"], row["used_from"], value, escape(row["reference"]))
    return table


def print_check(console: Console, fit: Fit, check: FitCheck) -> None:
    """Print the report of ``globalfit check``."""
    space = fit.posterior.space
    table = Table("parameter", "unit", "value or prior", "", box=None, header_style="bold")
    units = {parameter.name: parameter.unit for parameter in fit.posterior.model.parameters}
    for parameter in space.sampled:
        table.add_row(parameter.name, parameter.unit, escape(prior_text(parameter.prior)), "sampled")
    for name, value in space.fixed.items():
        role = "default" if name in fit.defaults else "fixed"
        table.add_row(name, units.get(name, ""), f"{value:g}", role)
    for name, other in space.tied.items():
        table.add_row(name, units.get(name, ""), f"= {other}", "tied")
    console.print(f"[bold]{escape(str(fit.path))}[/]: {fit.posterior.model.name}, data as of {fit.as_of}\n")
    console.print(table)
    table = Table("likelihood", "measurement", "time/point", "highest ln L", "median", box=None)
    table.header_style = "bold"
    for row in check.likelihoods:
        likelihood = fit.posterior.likelihoods[row.name]
        measurement = str(getattr(likelihood, "measurement", ""))
        numbers = (f"{row.microseconds:.2g} us", f"{row.highest:.2f}", f"{row.median:.4g}")
        table.add_row(row.name, measurement, *numbers)
    console.print()
    console.print(table)
    console.print("\n[bold]largest change of ln L as a parameter crosses its prior[/]")
    table = Table("", *(row.name for row in check.likelihoods), box=None, header_style="bold")
    for name, changes in zip(check.parameters, check.sensitivity, strict=True):
        table.add_row(name, *(f"{change:.3g}" for change in changes))
    console.print(table)
    if fit.posterior.constraints:
        console.print(f"\nconstraints allow {100 * check.allowed:.1f} % of the prior")


def print_record(console: Console, record: dict[str, Any]) -> None:
    """Print one evaluated point."""
    table = Table("", "", "", box=None, show_header=False)
    for name, value in record["parameters"].items():
        table.add_row("parameter", name, number(value))
    for name, value in record["derived"].items():
        table.add_row("derived", name, number(value))
    for name, entry in record["likelihoods"].items():
        for observable, value in entry["observables"].items():
            table.add_row(name, observable, number(value))
        table.add_row(name, "ln likelihood", number(entry["ln_likelihood"]))
    table.add_row("", "ln prior", number(record["ln_prior"]))
    table.add_row("", "ln posterior", number(record["ln_posterior"]))
    console.print(table)


def print_summary(
    console: Console, summary: Summary, banner: Callable[[Console], None] = lambda console: None
) -> None:
    """Print the tables of ``globalfit summary``, the verdict first, then what `banner` prints."""
    if summary.converged:
        console.print(f"[bold green]CONVERGED[/]: {summary.ensembles} ensembles agree")
    else:
        console.print("[bold red]NOT CONVERGED[/]: no intervals are given")
        for reason in summary.reasons:
            console.print(f"  {escape(reason)}", highlight=False)
    banner(console)
    ensembles = f" of {summary.ensembles} ensembles" if summary.ensembles > 1 else ""
    console.print(
        f"{summary.model}, data as of {summary.as_of}: {summary.steps} steps x {summary.walkers} walkers"
        f"{ensembles}, {summary.discard} discarded, acceptance {summary.acceptance:.2f}\n",
        highlight=False,
    )
    columns = ("parameter", "median", "68 %", "95 %", "best", "tau", "ESS (tau)", "R-hat", "bulk", "tail", "")
    table = Table(*columns, box=None, header_style="bold")
    for row in summary.rows:
        remark = f"prior-bounded ({row.bounded})" if row.bounded else ""
        table.add_row(_title(row), *_intervals(row, summary.converged), *_diagnostics(row), remark)
    console.print(table)
    if summary.derived:
        table = Table(*("derived", *columns[1:-1]), box=None, header_style="bold")
        for row in summary.derived:
            table.add_row(_title(row), *_intervals(row, summary.converged), *_diagnostics(row))
        console.print()
        console.print(table)
    for census in summary.census:
        _print_census(console, census)
    if summary.evidence:
        _print_evidence(console, summary.evidence)
    table = Table(
        "likelihood", "measurement", "ln L best", "mean", "reference", box=None, header_style="bold"
    )
    for each in summary.likelihoods:
        best, mean = f"{each['best']:.3f}", f"{each['mean']:.3f}"
        table.add_row(each["name"], each["measurement"], best, mean, escape(each["reference"]))
    console.print()
    console.print(table)
    if summary.fixed:
        fixed = ", ".join(f"{name} = {value:g}" for name, value in summary.fixed.items())
        console.print(f"\nfixed: {fixed}", highlight=False)
    if summary.constant:
        console.print(f"constant: {', '.join(summary.constant)}", highlight=False)
    for said in summary.unconfirmed:
        console.print(f"unconfirmed input of {escape(said)}", highlight=False)
    for warning in summary.warnings:
        console.print(f"note: {escape(warning)}", highlight=False)


def _print_census(console: Console, census: dict[str, Any]) -> None:
    """Print the modes of one division of parameter space: mass by ensemble, ln L of the best point."""
    modes = census["modes"]
    told = f", told apart by {', '.join(census['told_by'])}" if census["told_by"] else ""
    title = f"modes: {escape(census['name'])}{told}"
    if len(modes) == 1:
        console.print(f"\n[bold]{title}[/]: one, '{escape(modes[0]['label'])}'", highlight=False)
        return
    names = list(modes[0]["ln_likelihood"])
    table = Table("mode", "mass", "by ensemble", "ln L best", *names, box=None, header_style="bold")
    for mode in modes:
        each = mode["ln_likelihood"]
        table.add_row(
            escape(mode["label"]),
            f"{mode['mass']:.3f} +- {mode['error']:.3f}",
            " ".join(f"{mass:.2f}" for mass in mode["masses"]),
            f"{sum(each.values()):.2f}" if each else "-",
            *(f"{each[name]:.2f}" for name in names),
        )
    console.print(f"\n[bold]{title}[/]", highlight=False)
    console.print(table)


def _print_evidence(console: Console, rows: tuple[dict[str, Any], ...]) -> None:
    """Print ln Z of the tempered starts, with the scatter between them."""
    values = [row["log_evidence"] for row in rows]
    mean = sum(values) / len(values)
    text = ", ".join(f"{value:.2f}" for value in values)
    if len(values) > 1:
        scatter = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
        text = f"{mean:.2f} (tempered starts: {text}; standard deviation {scatter:.2f})"
    console.print(f"\nln Z = {text}", highlight=False)


def _diagnostics(row: Row) -> list[str]:
    """Return tau, effective samples by tau, R-hat, bulk and tail effective samples as texts."""
    tau = "-" if row.tau is None else f"{'>= ' if row.saturated else ''}{row.tau:.1f}"
    forms = ((row.ess, ".0f"), (row.rhat, ".3f"), (row.ess_bulk, ".0f"), (row.ess_tail, ".0f"))
    return [tau, *("-" if value is None else format(value, form) for value, form in forms)]


def print_info(console: Console, found: dict[str, Any]) -> None:
    """Print what ``globalfit info`` found."""
    import math

    from globalfit.progress import about

    journal = found["journal"]
    state = f"being written by {found['writer']}" if found["writer"] else "no run is writing it"
    rows = {
        "chain": f"{found['steps']} steps x {found['walkers']} walkers, {found['bytes']} bytes; {state}",
        "model": f"{found['model'] or '?'}, data as of {found['as_of'] or '?'}",
        "parameters": ", ".join(found["parameters"]),
        "likelihoods": ", ".join(f"{k} ({v})" if v else k for k, v in found["likelihoods"].items()),
        "seed": str(found["seed"]),
        "fingerprint": found["fingerprint"],
        "made with": ", ".join(f"{name} {version}" for name, version in found["environment"].items()),
    }
    if start := found.get("start"):
        left = about(start["seconds_left"] or math.nan)
        rows["start"] = f"{start['said']}{left}"
    if journal is not None:
        said = journal.get("problem") or f"{journal['steps']} steps, {journal['torn_bytes']} torn bytes"
        rows["journal"] = f"{journal['file']}, {journal['bytes']} bytes: {said}"
    elif not found["complete"]:
        rows["journal"] = "gone; 'globalfit run' goes on from what was published"
    for segment in found["segments"]:
        where = f" on {segment['host']}" if "host" in segment else ""
        rows[f"to step {segment['stop']}"] = f"{segment['reason']}, {segment['ended']}{where}"
    table = Table("", "", box=None, show_header=False)
    for name, text in rows.items():
        table.add_row(name, escape(text))
    console.print(table)
    for warning in found["warnings"]:
        console.print(f"note: {escape(warning)}", highlight=False)


def start_line(start: Start) -> str:
    """Return how far the starts of a run have come that has no step yet."""
    from globalfit.chains.info import BEGUN
    from globalfit.progress import about
    from globalfit.sampling.beginning import told

    said = f"start: {told(start.reached, start.of)}" if start.reached else BEGUN
    return f"{said}{about(start.seconds_left)}" + ("" if start.writing else "; no run is writing it")


def view_table(view: View | Start) -> Table | str:
    """Return what ``globalfit watch`` shows of a chain, or of a run that has no step yet."""
    import math

    from globalfit.chains.beginning import Start
    from globalfit.chains.watch import spark
    from globalfit.progress import duration

    if isinstance(view, Start):
        return start_line(view)

    def shown(value: float, form: str) -> str:
        return format(value, form) if math.isfinite(value) else "?"

    wanted = f"/{view.ess_wanted}" if view.ess_wanted else ""
    left = f"{duration(view.seconds_left)} left" if view.writing else "no run is writing it"
    title = (
        f"{view.steps} steps x {view.walkers} walkers, acceptance {view.acceptance:.2f}, "
        f"tau {shown(view.tau, '.0f')}, ESS {shown(view.ess, '.0f')}{wanted}, {left}"
    )
    table = Table("", "median now", "median of the walkers, step by step", title=title, box=None)
    for name, value in view.medians.items():
        table.add_row(name, number(value), spark(view.traces[name]))
    for name, value in view.best.items():
        table.add_row(f"ln L {name}", number(value), "at the best sample")
    return table


def _title(row: Row) -> str:
    return f"{row.name} \\[{row.unit}]" if row.unit else row.name


def _intervals(row: Row, converged: bool) -> list[str]:
    if not converged:
        return ["-", "-", "-", number(row.best)]
    digits = spread_digits(row.high68 - row.low68, row.median)
    low68, high68, low95, high95 = (
        f"{value:.{digits}g}" for value in (row.low68, row.high68, row.low95, row.high95)
    )
    return [
        f"{row.median:.{digits}g}",
        f"{low68} .. {high68}",
        f"{low95} .. {high95}",
        f"{row.best:.{digits}g}",
    ]


def spread_digits(spread: float, centre: float) -> int:
    """Return the significant digits that show `centre` to a tenth of `spread`."""
    import math

    if not (math.isfinite(spread) and spread > 0 and centre):
        return 4
    return min(max(2 + math.ceil(math.log10(abs(centre) / spread)), 3), 10)


def number(value: Any) -> str:
    """Return a number, a list of them, or - for none, to six digits."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return " ".join(number(each) for each in value)
    return f"{value:.6g}"


def print_findings(console: Console, findings: list[Finding]) -> None:
    """Print the findings of ``globalfit test-likelihood``."""
    for finding in findings:
        mark = "[green]ok[/]  " if finding.passed else "[bold red]FAIL[/]"
        console.print(f"{mark} {finding.check:<14} {escape(finding.message)}", highlight=False)
