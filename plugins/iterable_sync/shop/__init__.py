"""A DAG of all that a shop knows of its customers, built out of a config."""
