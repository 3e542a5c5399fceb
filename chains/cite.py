"""What a chain is cited by: BibTeX of the data and the codes it used, from the file alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from globalfit.chains.chain import Chain

ARXIV = re.compile(r"(?:arXiv:)?((?:hep-(?:ex|ph)|nucl-ex)/\d{7}|(?<=arXiv:)\d{4}\.\d{4,5})")
EPRINT = re.compile(r'eprint = "([^"]+)"')
ENTRY = re.compile(r"^@\w+\{([^,]+),.*\}$", re.MULTILINE)

MODELS: dict[str, tuple[str, ...]] = {"t3r": ("Dutta:2019fxn", "arXiv:2105.07655"), "b-xl": ()}
CODES = {"emcee": "Foreman-Mackey:2012any", "numpy": "Harris:2020xlr", "scipy": "Virtanen:2019joe"}
FLAVIO = ("lepton-universality", "bs-to-mumu", "rare-b-decays", "flavio")  # their tables are built with it
BEAM = ("miniboone", "lsnd")  # the portals follow this explanation of the excess


@dataclass(frozen=True)
class Reference:
    """A BibTeX entry and what it is cited for."""

    key: str
    bibtex: str
    used_for: tuple[str, ...]


def references(chain: Chain) -> tuple[Reference, ...]:
    """Return what to cite for a chain: each likelihood's data, the model, the codes; in that order.

    Works on any chain file; an arXiv number that the shipped list does not hold gives a bare ``@misc`` entry.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for key, bibtex, purpose in _wanted(chain):
        found.setdefault(key, (bibtex, []))[1].append(purpose)
    return tuple(Reference(key, bibtex, tuple(dict.fromkeys(uses))) for key, (bibtex, uses) in found.items())


def bibtex(chain: Chain) -> str:
    """Return a BibTeX file with one entry a reference, each after a comment that says what it is for."""
    parts = [f"% {chain.path.name}: data and codes used"]
    for each in references(chain):
        parts.append(f"% {', '.join(each.used_for)}\n{_unfolded(each.bibtex)}")
    return "\n\n".join(parts) + "\n"


def uncited(chain: Chain) -> tuple[str, ...]:
    """Return the likelihoods whose reference names no arXiv number: cite them by hand."""
    return tuple(row["name"] for row in chain.likelihoods if not ARXIV.search(row["reference"]))


def _wanted(chain: Chain) -> Iterator[tuple[str, str, str]]:
    by_key, by_eprint = _shipped()
    for row in chain.likelihoods:
        for eprint in dict.fromkeys(ARXIV.findall(row["reference"])):
            key = by_eprint.get(eprint, f"arXiv:{eprint}")
            bare = f'@misc{{{key}, eprint = "{eprint}", archivePrefix = "arXiv"}}'
            yield key, by_key.get(key, bare), f"data of {row['name']}"
    model = str(chain.attributes.get("model", ""))
    names = [row["name"] for row in chain.likelihoods]
    wanted = [(key, "model") for prefix, keys in MODELS.items() if model.startswith(prefix) for key in keys]
    if any(name.startswith(BEAM) for name in names):
        wanted.append(("Dutta:2021cip", "beam portals"))
    if any(row["name"] in FLAVIO for row in chain.likelihoods):
        wanted.append(("Straub:2018kue", "flavio, which built the tables of rare b decays"))
    wanted += [
        (key, f"{code} {chain.environment[code]}") for code, key in CODES.items() if code in chain.environment
    ]
    for key, purpose in wanted:
        yield key, by_key[key], purpose


@cache
def _shipped() -> tuple[dict[str, str], dict[str, str]]:
    text = files("globalfit.likelihoods").joinpath("data", "references.bib").read_text(encoding="utf-8")
    by_key = {match.group(1): match.group(0) for match in ENTRY.finditer(text)}
    by_eprint = {
        found.group(1): key for key, entry in by_key.items() if (found := EPRINT.search(entry)) is not None
    }
    return by_key, by_eprint


def _unfolded(entry: str) -> str:
    """Return an entry with one field a line."""
    head, _, rest = entry.partition(", ")
    fields = re.split(r', (?=\w+ = ")', rest.removesuffix("}"))
    return head + ",\n" + "".join(f"  {field},\n" for field in fields) + "}"
