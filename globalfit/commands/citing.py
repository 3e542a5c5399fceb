"""The command that says what to cite."""

from __future__ import annotations

from globalfit.commands.common import ChainPath, Debug, Json, print_json, say


def cite(file: ChainPath, as_json: Json = False, debug: Debug = False) -> None:
    """Print BibTeX of exactly the data and codes a chain used."""
    from dataclasses import asdict

    from globalfit.chains.chain import Chain
    from globalfit.chains.cite import bibtex, references, uncited

    chain = Chain.open(file)
    if as_json:
        print_json([asdict(each) for each in references(chain)])
    else:
        print(bibtex(chain), end="")
    for name in uncited(chain):
        say(f"note: the reference of '{name}' has no arXiv number; cite it by hand")
