"""Page builders, one module per kind of page: from a snapshot to pages, nothing else."""
