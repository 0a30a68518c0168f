"""Airflow's home is set before any module here imports Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import airflow_env  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dags.shops import Shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Give a warehouse, state and a sandbox, and the connections to them."""
    from dags.shops import open_shop

    yield from open_shop(tmp_path, monkeypatch)
