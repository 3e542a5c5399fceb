"""The identity of a fit: by it a chain recognises the fit that began it, and says what differs."""

from __future__ import annotations

import hashlib
import json
from typing import Any

# Keys of the resolved fit that may change when a chain is continued.
RUN_CONTROL = ("steps", "max_steps", "target")


def canonical(resolved: dict[str, Any]) -> str:
    """Return the canonical JSON of a resolved fit, run-control keys left out."""
    kept = {**resolved, "sampler": {k: v for k, v in resolved["sampler"].items() if k not in RUN_CONTROL}}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


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


def _shown(value: object) -> str:
    return "absent" if value is None else json.dumps(value)
