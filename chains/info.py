"""What a chain file is, without judging its samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from globalfit.chains.chain import Chain
from globalfit.chains.journal import scan
from globalfit.chains.lock import describe, writer_of
from globalfit.chains.places import journal_of, lock_of
from globalfit.chains.records import Steps, decode, decode_header
from globalfit.errors import ChainError


def inspect_chain(path: Path) -> dict[str, Any]:
    """Return the facts of a chain file and of the journal beside it, in plain JSON types.

    Raises
    ------
    ChainError
        See `Chain.open`.
    """
    chain = Chain.open(path)
    holder = writer_of(lock_of(path))
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "steps": chain.steps,
        "walkers": chain.walkers,
        "parameters": list(chain.names),
        "model": chain.attributes.get("model", ""),
        "as_of": chain.attributes.get("as_of", ""),
        "likelihoods": {row["name"]: row["measurement"] for row in chain.likelihoods},
        "complete": bool(chain.attributes.get("complete", False)),
        "writer": describe(holder) if holder else None,
        "journal": _journal(journal_of(path)),
        "seed": chain.run["seed"],
        "engine": chain.run["engine"],
        "segments": chain.run["segments"],
        "fingerprint": chain.attributes.get("fingerprint", ""),
        "created": chain.attributes.get("created", ""),
        "environment": chain.environment,
        "warnings": chain.warnings,
    }


def _journal(path: Path) -> dict[str, Any] | None:
    """Return what a journal holds, or what is wrong with it; None without one."""
    if not path.exists():
        return None
    found: dict[str, Any] = {"file": str(path), "bytes": path.stat().st_size}
    try:
        journal = scan(path)
        state = decode_header(journal.header)[1].state
        with path.open("rb") as file:
            for place, length in reversed(journal.places):
                file.seek(place)
                record = decode(file.read(length))
                if isinstance(record, Steps):
                    state = record.state
                    break
    except FileNotFoundError:  # the run has just ended
        return None
    except ChainError as error:
        return found | {"problem": str(error)}
    return found | {"records": len(journal.places), "steps": state.step, "torn_bytes": journal.cut}
