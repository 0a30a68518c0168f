"""A stage of canaries. Airflow's home is set before any module here imports Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import airflow_env  # noqa: F401
from iterable_sync.sandbox.server import SandboxServer
from security import canaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from security.stage import Stage


@pytest.fixture(scope="session")
def canary_server() -> Iterator[SandboxServer]:
    """Start a sandbox whose key is a canary."""
    with SandboxServer(rate_limits=False, api_key=canaries.API_KEY) as server:
        yield server


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    canary_server: SandboxServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Stage]:
    """Give a stage of the engine that the test names, by ``indirect``; of DuckDB otherwise."""
    from security.stage import stage_of

    engine = getattr(request, "param", "duckdb")
    postgres = request.getfixturevalue("warehouse_db") if engine == "postgres" else ""
    with stage_of(engine, canary_server, postgres, tmp_path, monkeypatch, capfd) as made:
        yield made
