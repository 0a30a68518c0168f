"""From Airflow connections to what the core works with."""
