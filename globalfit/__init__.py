"""Bayesian global fits of light-mediator models to low-energy anomalies."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

# In a checkout, likelihoods/, priors/ and chains/ stand beside this package; installed, they are inside it.
_here = Path(__file__).parent
if not (_here / "likelihoods").is_dir():
    __path__.append(str(_here.parent))
