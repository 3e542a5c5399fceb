"""How the chain of a report was made: command, fit file, warnings, environment."""

from __future__ import annotations

import shlex
import tomllib

from globalfit.chains.chain import Chain
from globalfit.chains.summary import Summary
from globalfit.report.markup import Node, add, element, listing, section, table


def origin(chain: Chain, summary: Summary) -> Node:
    """Return the command, the fit file, warnings and environment."""
    made = section("origin", "How it was made")
    if chain.config:
        said = f"Save the fit file below as {chain.path.stem}.toml; then"
        add(made, element("p", said), element("pre", element("code", command(chain)), id="command"))
        text = element("pre", element("code", chain.config), id="fit-file", tabindex="0")
        add(made, element("h3", "Fit file"), text)
    else:
        add(made, element("p", "The file does not say what was fitted.", class_="missing"))
    if summary.warnings:
        add(made, element("h3", "Warnings"), listing(summary.warnings))
    rows: list[tuple[str, str]] = [(name, str(value)) for name, value in chain.environment.items()]
    rows += [
        (key, str(chain.attributes[key])) for key in ("created", "fingerprint") if key in chain.attributes
    ]
    rows.append(("seed", str(chain.run.get("seed"))))
    for part in chain.run.get("segments", ()):
        rows.append((f"to step {part.get('stop')}", f"{part.get('reason')}, {part.get('ended')}"))
    add(made, element("h3", "Environment"), table(("", "made with"), rows, "Versions, seed and runs"))
    return made


def command(chain: Chain) -> str:
    """Return the command that samples the chain again from its fit file."""
    words = [
        "globalfit",
        "run",
        f"{chain.path.stem}.toml",
        "-o",
        chain.path.name,
        "--steps",
        str(chain.steps),
    ]
    if as_of := str(chain.attributes.get("as_of") or ""):
        words += ["--as-of", as_of]
    if len(chain.ensembles) > 1:
        words += ["--ensembles", str(len(chain.ensembles))]
    try:
        given = tomllib.loads(chain.config).get("likelihoods", {})
    except tomllib.TOMLDecodeError:
        given = {}
    for row in chain.likelihoods:
        if row["name"] not in given:
            words += ["--likelihood", row["name"]]
    return shlex.join(words)
