"""Operators: one per sync object, all on one base; only they speak Airflow's exceptions."""
