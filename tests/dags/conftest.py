"""Airflow's home is set before any module here imports Airflow."""

from __future__ import annotations

import logging

import airflow_env  # noqa: F401


def pytest_unconfigure() -> None:
    """Keep the end of the output to pytest's summary: Airflow logs to a stream closed by then."""
    logging.raiseExceptions = False
