"""Titles of papers with formulas in LaTeX, as text with raised and lowered parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from globalfit.report.markup import Node, add, element

SIGNS = {
    "to": " → ", "rightarrow": " → ", "pm": "±", "mp": "∓", "ell": "ℓ", "sqrt": "√", "bar": "\u0304",
    "prime": "′", "times": "×", "sim": "∼", "mu": "μ", "nu": "ν", "pi": "π", "eta": "η", "phi": "φ",
    "tau": "τ", "gamma": "γ", "alpha": "α", "beta": "β", "delta": "δ", "epsilon": "ε", "theta": "θ",
    "lambda": "λ", "sigma": "σ", "chi": "χ", "psi": "ψ", "omega": "ω", "rho": "ρ", "Lambda": "Λ",
    "Delta": "Δ", "Sigma": "Σ", "Upsilon": "Υ", "Omega": "Ω",
}  # fmt: skip
TOKEN = re.compile(r"\\([A-Za-z]+)\s*|([\^_])|([{}])|(.)", re.DOTALL)


def title_of(text: str) -> Node:
    """Return a title whose parts between dollar signs are formulas, as an element; unknown macros by name."""
    made = element("span")
    for i, part in enumerate(text.split("$")):
        if i % 2 == 0:
            add(made, re.sub(r"[{}]", "", part))
        else:
            _formula(made, _tokens(part), one=False)
    return made


def _tokens(text: str) -> Iterator[str]:
    for macro, script, brace, other in TOKEN.findall(text):
        if macro:
            yield SIGNS.get(macro, macro)
        else:
            yield script or brace or other.strip().replace("-", "−").replace("~", " ")


def _formula(into: Node, tokens: Iterator[str], *, one: bool) -> None:
    """Append a formula up to its closing brace, or `one` token or group of it."""
    for token in tokens:
        if token == "}":
            return
        if token == "{":
            _formula(into, tokens, one=False)
        elif token in ("^", "_"):
            script = element("sup" if token == "^" else "sub")
            _formula(script, tokens, one=True)
            into.append(script)
        elif token == SIGNS["bar"]:  # stands behind what it is over
            _formula(into, tokens, one=True)
            add(into, token)
        else:
            add(into, token)
        if one:
            return
