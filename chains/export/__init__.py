"""Writing chains for other programs: ArviZ, GetDist, and anything that reads a table."""
