"""Errors a user can act on: ``<where>: <what is wrong>; <what to do>``, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class GlobalfitError(Exception):
    """An error of the user's input or of a plug-in, told in one line.

    Parameters
    ----------
    where : str
        The place: a file and key, a plug-in's name; may be empty.
    problem : str
        What is wrong.
    remedy : str
        What to do; may be empty.
    """

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(where, problem, remedy)  # the arguments, so that the error can be pickled
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        text = f"{text}; {self.remedy}" if self.remedy else text
        text = " ".join(text.split())  # one line, and nothing a terminal would obey
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class FitError(GlobalfitError):
    """One problem of a fit file."""


class FitErrors(GlobalfitError):
    """All problems of one fit file together, one a line."""

    def __init__(self, problems: Sequence[GlobalfitError]) -> None:
        Exception.__init__(self, tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ModelError(GlobalfitError):
    """A model cannot provide what is asked of it."""


class LikelihoodError(GlobalfitError):
    """A likelihood broke its contract at a point."""


class PluginError(GlobalfitError):
    """A plug-in is unknown, cannot be imported, or is not what it claims to be."""


class ChainError(GlobalfitError):
    """A chain file is missing, damaged, foreign, or belongs to another fit."""


class SamplingError(GlobalfitError):
    """A run cannot start or go on."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a suggestion for a misspelt `name`: the nearest of `known`, or all of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return "none is known here"
    return "known: " + ", ".join(f"'{each}'" for each in names)
