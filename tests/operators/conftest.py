"""Airflow's home is set before any module here imports Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import airflow_env  # noqa: F401
from airflow_dags import connection_variables
from operators.told import Told

if TYPE_CHECKING:
    from harness import World


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    """Forget what the runs of the test before were told."""
    Told.specs.clear()


@pytest.fixture
def connected(duckdb_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a world whose state and Iterable are connections of Airflow."""
    world = duckdb_world
    connections = {
        "state": {"conn_type": "duckdb", "host": world.state.path},  # type: ignore[attr-defined]
        "iterable_default": {
            "conn_type": "iterable",
            "host": world.server.url,
            "password": world.server.api_key,
            "extra": {
                "data_center": "us",
                "project_type": "email",
                "project_id": "1",
                "sandbox": True,
            },
        },
    }
    for name, value in connection_variables(connections).items():
        monkeypatch.setenv(name, value)
    return world
