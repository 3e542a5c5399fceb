"""What is inferred beside the chain: evidence, best fit, profile likelihood, calibration."""
