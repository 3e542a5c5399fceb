"""What was fitted, to which data, and what to cite for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from globalfit.chains.chain import Chain
from globalfit.chains.cite import bibtex, references, uncited
from globalfit.chains.summary import Summary
from globalfit.report.formulas import title_of
from globalfit.report.markup import Node, add, data_uri, element, listing, section, table

FIELD = {key: re.compile(rf'\b{key} = "\{{?(.*?)\}}?"[,}}]') for key in ("title", "eprint", "doi", "author")}


def fitted(chain: Chain, summary: Summary) -> Node:
    """Return model, data and what to cite."""
    model = chain.resolved.get("model", {})
    options = ", ".join(
        f"{key} = {value}" for key, value in model.items() if key != "name" and value is not None
    )
    said = element("p", element("strong", summary.model or "unknown model"), f" {options}")
    add(said, f"; data as of {summary.as_of}." if summary.as_of else ".")
    made = section("fit", "Fit, data and citations", said)
    if summary.likelihoods:
        rows = [(each["name"], each["measurement"], each["reference"]) for each in summary.likelihoods]
        add(made, table(("likelihood", "measurement", "reference"), rows, "Data"))
    for said_ in getattr(summary, "unconfirmed", ()):
        add(made, element("p", f"Unconfirmed input of {said_}.", class_="note"))
    items = []
    for each in references(chain):
        field = {
            key: found.group(1) if (found := form.search(each.bibtex)) else "" for key, form in FIELD.items()
        }
        uses = f" – {', '.join(each.used_for)}"
        items.append(element("span", *titled(field["title"]), _links(each.key, field), uses))
    if items:
        add(made, element("h3", "Cite"), listing(items))
        link = data_uri(bibtex(chain).encode("utf-8", "replace"), "application/x-bibtex;charset=utf-8")
        download = element("a", "BibTeX of these", href=link, download="references.bib", id="bibtex")
        add(made, element("p", download))
    for name in uncited(chain):
        add(
            made,
            element("p", f"The reference of {name} has no arXiv number: cite it by hand.", class_="note"),
        )
    return made


def titled(title: str) -> list[Node | str]:
    """Return a title and the stop behind it."""
    return [title_of(title), ". "] if title else []


def _links(key: str, field: Mapping[str, str]) -> Node:
    made = element("span")
    if not key.startswith("arXiv:"):
        address = f"https://inspirehep.net/literature?q={quote('texkey:' + key, safe='')}"
        add(made, element("a", key, href=address, rel="noreferrer"), " ")
    if field["eprint"]:
        address = f"https://arxiv.org/abs/{quote(field['eprint'])}"
        add(made, element("a", f"arXiv:{field['eprint']}", href=address, rel="noreferrer"), " ")
    if field["doi"]:
        add(made, element("a", "doi", href=f"https://doi.org/{quote(field['doi'])}", rel="noreferrer"))
    return made
