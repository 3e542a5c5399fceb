"""Builders of the shipped tables. They run the slow codes, once."""
