"""Worlds of the tests of state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iterable_sync.state import DuckDBState, PostgresState
from state.ways import WAYS, worlds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import World
    from iterable_sync.sandbox.server import SandboxServer


@pytest.fixture(params=WAYS)
def way(
    request: pytest.FixtureRequest,
    iterable_server: SandboxServer,
    warehouse_db: str,
    tmp_path: Path,
) -> Iterator[World]:
    """Give a world whose warehouse and state are engines of either kind."""
    yield from worlds(request.param, iterable_server, warehouse_db, tmp_path)


@pytest.fixture(params=["duckdb>postgres", "postgres>duckdb"])
def copied_way(
    request: pytest.FixtureRequest,
    iterable_server: SandboxServer,
    warehouse_db: str,
    tmp_path: Path,
) -> Iterator[World]:
    """Give a world whose rows are copied from one engine into the other."""
    yield from worlds(request.param, iterable_server, warehouse_db, tmp_path)


@pytest.fixture
def duckdb_state(tmp_path: Path) -> DuckDBState:
    return DuckDBState(str(tmp_path / "state.duckdb"))


@pytest.fixture
def postgres_state(postgres_db: str) -> Iterator[PostgresState]:
    state = PostgresState(postgres_db)
    yield state
    state.close()
