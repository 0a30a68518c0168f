"""A warehouse of the tables that the models read; and Airflow's home, before it is imported."""

from __future__ import annotations

import airflow_env  # noqa: F401
from models.conftest import postgres_world

__all__ = ["postgres_world"]
