"""What a chain file is, without judging its samples."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from globalfit.chains.beginning import Start, find_start
from globalfit.chains.chain import Chain
from globalfit.chains.files import open_file
from globalfit.chains.journal import scan
from globalfit.chains.lock import describe, writer_of
from globalfit.chains.places import journal_of, lock_of
from globalfit.chains.records import decode_header, stands_at
from globalfit.errors import ChainError
from globalfit.sampling.beginning import told

BEGUN = "all ensembles have begun; there is no step yet"


def inspect_chain(path: Path) -> dict[str, Any]:
    """Return the facts of a chain file and of the journal beside it, in plain JSON types.

    Raises
    ------
    ChainError
        See `Chain.open`.
    """
    if (start := find_start(path)) is not None:
        return _before_the_first_step(path, start)
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
        "ensembles": ensembles_of(path),
        "segments": chain.run["segments"],
        "fingerprint": chain.attributes.get("fingerprint", ""),
        "created": chain.attributes.get("created", ""),
        "environment": chain.environment,
        "warnings": chain.warnings,
    }


def _before_the_first_step(path: Path, start: Start) -> dict[str, Any]:
    """Return the facts of a run that has published nothing yet."""
    header, holder = start.header, writer_of(lock_of(path))
    reached = {k: None if at is None else {"stage": at[0], "beta": at[1]} for k, at in start.reached.items()}
    left = start.seconds_left
    return {
        "file": str(path),
        "bytes": 0,
        "steps": 0,
        "walkers": header["resolved"]["sampler"]["walkers"] * len(header["ensembles"]),
        "parameters": [row["name"] for row in header["parameters"] if row["role"] == "sampled"],
        "model": header["model"],
        "as_of": header["as_of"],
        "likelihoods": {row["name"]: row["measurement"] for row in header["likelihoods"]},
        "complete": False,
        "writer": describe(holder) if holder else None,
        "journal": _journal(journal_of(path)),
        "start": {
            "said": told(start.reached, start.of) if reached else BEGUN,
            "ensembles": reached,
            "seconds_left": left if math.isfinite(left) else None,
        },
        "seed": header["seed"],
        "engine": None,
        "ensembles": header["ensembles"],
        "segments": header["segments"],
        "fingerprint": header["fingerprint"],
        "created": header["created"],
        "environment": header["environment"],
        "warnings": header["warnings"],
    }


def ensembles_of(path: Path) -> list[int]:
    """Return the numbers of the ensembles whose walkers a chain file holds; a file of emcee holds one."""
    with open_file(path, "name a chain", foreign=True) as file:
        mcmc = file["mcmc"]
        if "walker_ensemble" not in mcmc:
            return [0]
        return sorted({int(number) for number in mcmc["walker_ensemble"][()]})


def _journal(path: Path) -> dict[str, Any] | None:
    """Return what a journal holds, or what is wrong with it; None without one."""
    if not path.exists():
        return None
    found: dict[str, Any] = {"file": str(path), "bytes": path.stat().st_size}
    try:
        journal = scan(path)
        words, starts = decode_header(journal.header)
        steps = {start.ensemble: start.state.step for start in starts}
        last: dict[int, int] = {}
        ensembles = words.get("ensembles", [0])
        with path.open("rb") as file:
            for place, length in reversed(journal.places):
                file.seek(place)
                if stands := stands_at(file.read(length)):
                    last.setdefault(*stands)
                if len(last) == len(ensembles):
                    break
    except FileNotFoundError:  # the run has just ended
        return None
    except ChainError as error:
        return found | {"problem": str(error)}
    reached = [(steps | last).get(k) for k in ensembles]
    common = min((step for step in reached if step is not None), default=0) if None not in reached else 0
    found |= {"records": len(journal.places), "steps": common, "torn_bytes": journal.cut}
    return found | ({"ensembles": dict(zip(ensembles, reached, strict=True))} if len(ensembles) > 1 else {})
