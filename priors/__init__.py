"""Prior shapes and constraints."""
