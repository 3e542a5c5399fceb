"""Freeze-out of the dark fermions: cross-sections, thermal average, plasma, Boltzmann equation."""
