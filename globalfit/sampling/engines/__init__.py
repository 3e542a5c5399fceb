"""Who does the blocks of a run: this process, other processes, or the workers of a Dask cluster."""
