"""Airflow's home is set before any module here imports Airflow."""

from __future__ import annotations

import airflow_env  # noqa: F401
