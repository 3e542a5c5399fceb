"""Parameters that equal another one: each has to equal one with a prior or a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from globalfit.errors import did_you_mean
from globalfit.problems import Problems


def check_ties(
    given: Mapping[str, object], known: Iterable[str], named: Iterable[str], problems: Problems
) -> None:
    """Add to `problems` the ties to an unknown, absent or tied parameter.

    Parameters
    ----------
    given : mapping
        What the fit says of each parameter; a string is the name it is tied to.
    known, named : iterable of str
        Parameters that exist, and those the file names.
    problems : Problems
        Takes what is wrong.
    """
    ties = {name: other for name, other in given.items() if isinstance(other, str)}
    for name, other in ties.items():
        where = problems.at("parameters", name)
        if other not in known:
            problems.refuse(where, f"tied to unknown parameter '{other}'", did_you_mean(other, known))
        elif other in ties:
            what = "itself" if other == name else f"'{other}', which is tied too"
            problems.refuse(where, f"tied to {what}", "tie it to a parameter with a prior or a value")
            return  # the others of a circle or a chain would say the same
        elif other not in given and other not in named:
            problems.refuse(where, f"tied to '{other}', which the fit lacks", f"add [parameters.{other}]")
