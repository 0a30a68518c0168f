"""One file per engine; what differs between engines stands nowhere else."""
