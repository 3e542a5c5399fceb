"""The experiments, one a file, registered as plug-ins like any other."""
