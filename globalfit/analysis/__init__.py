"""Questions to a finished chain: what happens without an experiment, or with a new one; who disagrees."""
