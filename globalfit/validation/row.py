"""One published number beside ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from globalfit.arrays import strict


@dataclass(frozen=True)
class Row:
    """A published number, ours, and how far they may be apart.

    Attributes
    ----------
    topic, quantity, unit : str
        What it is.
    published, ours : float
        Both values in `unit`.
    tolerance : float
        Largest absolute difference that counts as agreement.
    reason : str
        Where the tolerance comes from.
    source : str
        Where the number is published.
    why : str
        Why it does not come out; empty where it has to.
    """

    topic: str
    quantity: str
    unit: str
    published: float
    ours: float
    tolerance: float
    reason: str
    source: str
    why: str = ""

    @property
    def agrees(self) -> bool:
        """Whether ours lies within the tolerance."""
        return abs(self.ours - self.published) <= self.tolerance

    @property
    def status(self) -> str:
        """Return "agrees", "differs" (known, see `why`), "FAILS", or "STALE" if an explained one agrees."""
        if self.agrees:
            return "STALE" if self.why else "agrees"
        return "differs" if self.why else "FAILS"

    @property
    def sound(self) -> bool:
        """Whether the row is what the project says it is."""
        return self.status in ("agrees", "differs")

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        found: dict[str, object] = strict(plain)
        return found | {"difference": self.ours - self.published, "status": self.status}


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as Markdown, a table for each topic."""
    lines: list[str] = []
    topic = ""
    notes: list[str] = []
    for row in rows:
        if row.topic != topic:
            lines += _notes(notes)
            topic, notes = row.topic, []
            lines += [f"## {topic}", "", "| quantity | published | here | allowed | | source |"]
            lines += ["|---|---|---|---|---|---|"]
        unit = f", {row.unit}" if row.unit else ""
        status = row.status
        if row.why:
            notes += [] if row.why in notes else [row.why]
            status += f" ({notes.index(row.why) + 1})"
        allowed = f"{row.tolerance:.2g}: {row.reason}"
        numbers = f"{row.published:.4g} | {row.ours:.4g}"
        lines.append(f"| {row.quantity}{unit} | {numbers} | {allowed} | {status} | {row.source} |")
    return "\n".join([*lines, *_notes(notes)]) + "\n"


def _notes(notes: list[str]) -> list[str]:
    return ["", *(f"{i}. {note}" for i, note in enumerate(notes, 1)), ""] if notes else [""]
