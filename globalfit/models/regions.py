"""Regions of the models in which modes of their posteriors lie: what a mode census counts."""

from __future__ import annotations

from globalfit.regions import Partition

# Freeze-out leaves a cross of thin sheets about the two resonances, at m_phi = 2 m_eta and m_A' = 2 m_eta.
SHEETS = (
    Partition(
        "phi' resonance, R = m_phi/(2 m_eta)",
        "m_phi",
        over="m_eta",
        factor=0.5,
        edges=(0.99, 1.01, 1.7),
        labels=("below, R < 0.99", "on resonance", "above, 1.01 < R < 1.7", "far above, R > 1.7"),
    ),
    Partition(
        "A' resonance, R_A = m_A'/(2 m_eta)",
        "m_aprime",
        over="m_eta",
        factor=0.5,
        edges=(1.0,),
        labels=("below, R_A < 1", "above, R_A > 1"),
    ),
)
# B_s -> mu mu measures a radius about a point with c_scalar = 0; R_K leaves signs of the vector coefficients.
SIGNS = tuple(
    Partition(f"sign of {name}", name, edges=(0.0,), labels=(f"{name} < 0", f"{name} > 0"))
    for name in ("c_scalar", "c_muon")
)


def regions_by_name(model: str) -> tuple[Partition, ...]:
    """Return the partitions of the built-in model of this name, for chains that store none."""
    return (*SHEETS, *SIGNS) if model.startswith("t3r-") else ()
