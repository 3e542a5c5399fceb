"""What a figure was measured on and with, and how results are kept."""

from __future__ import annotations

import datetime
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("globalfit", "numpy", "scipy", "emcee", "h5py", "cobaya")


def machine() -> dict[str, Any]:
    """Return processor, cores, load, Python and the versions of the packages involved."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),  # of the last minute, by everything that ran
        "python": platform.python_version(),
        "packages": found,
    }


def write(name: str, figures: dict[str, Any]) -> None:
    """Print the figures and keep them in ``results/NAME.json``."""
    text = json.dumps({"machine": machine(), **figures}, indent=2)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
