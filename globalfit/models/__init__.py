"""The models: parameters, options, and points with their derived couplings."""
