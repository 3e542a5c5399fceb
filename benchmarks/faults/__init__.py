"""Faults that are put upon real runs, and what is counted of each."""
