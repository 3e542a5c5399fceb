"""All topics of the validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from globalfit.errors import GlobalfitError, did_you_mean
from globalfit.validation import flavour, mesons, miniboone, muon, portals, relic
from globalfit.validation.row import Row

TOPICS: dict[str, Callable[[], Iterator[Row]]] = {
    "muon-g2": muon.rows,
    "relic-density": relic.rows,
    "flavour": flavour.rows,
    "miniboone": miniboone.rows,
    "portals": portals.rows,
    "meson-decays": mesons.rows,
}


def validate(topics: Sequence[str] = ()) -> list[Row]:
    """Return the rows of some topics, all by default.

    Raises
    ------
    GlobalfitError
        If there is no such topic.
    """
    for name in topics:
        if name not in TOPICS:
            raise GlobalfitError("validate", f"no topic named '{name}'", did_you_mean(name, TOPICS))
    return [row for name, rows in TOPICS.items() if not topics or name in topics for row in rows()]
