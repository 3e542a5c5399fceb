"""The identity of a fit and of the packages that sample it: by these a chain recognises who began it."""

from __future__ import annotations

import functools
import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

# Keys of the resolved fit that may change when a chain is continued.
RUN_CONTROL = ("steps", "max_steps", "target")
# Packages whose version can change the bits of a chain.
PACKAGES = ("numpy", "scipy", "emcee", "numba")

DATA = (".toml", ".csv", ".h5")  # files of data


def identifying(resolved: dict[str, Any]) -> dict[str, Any]:
    """Return a resolved fit without what may change when a chain is continued."""
    sampler = {k: v for k, v in resolved["sampler"].items() if k not in RUN_CONTROL}
    if sampler.get("ensembles") == 1:  # chains from before there were several do not say so
        del sampler["ensembles"]
    if sampler.get("start") != "tempered":  # other starts have no particles
        sampler.pop("particles", None)
    return {**resolved, "sampler": sampler}


def canonical(resolved: dict[str, Any]) -> str:
    """Return the canonical JSON of a resolved fit, run-control keys left out."""
    return json.dumps(identifying(resolved), sort_keys=True, separators=(",", ":"))


def fingerprint(resolved: dict[str, Any]) -> str:
    """Return the sha256 of the canonical JSON of a resolved fit."""
    return hashlib.sha256(canonical(resolved).encode()).hexdigest()


def differences(old: object, new: object, key: str = "") -> list[str]:
    """Return ``key: old -> new`` for every leaf in which two resolved fits differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for name in [*old, *(name for name in new if name not in old)]:
            found += differences(old.get(name), new.get(name), f"{key}.{name}" if key else str(name))
        return found
    return [] if old == new else [f"{key}: {_shown(old)} -> {_shown(new)}"]


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of globalfit and of the `PACKAGES`, and under ``data`` that of the shipped data."""
    from globalfit import __version__

    found = {"globalfit": __version__, "data": shipped_data()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # numba is optional; others may come without metadata
            found[package] = "absent"
    return found


def shipped_data() -> str:
    """Return a checksum of the measurements and tables that come with the package."""
    folder = Path(str(files("globalfit.likelihoods"))) / "data"
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in DATA:
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:12]


def _shown(value: object) -> str:
    return "absent" if value is None else json.dumps(value)
