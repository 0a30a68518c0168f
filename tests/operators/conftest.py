"""Airflow's home is set before any module here imports Airflow."""

from __future__ import annotations

import pytest

import airflow_env  # noqa: F401
from operators.told import Told


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    """Forget what the runs of the test before were told."""
    Told.specs.clear()
