"""DuckDB in memory leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.state import DuckDBSource
from iterable_sync.state.dialects.duckdb_memory import in_memory

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_sessions_are_one_connection_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of them makes the next one has, and after the block it is nowhere."""
    monkeypatch.chdir(tmp_path)
    with in_memory() as engine:
        with engine.session() as session:
            session.execute(f"CREATE TEMP TABLE {engine.temporary}found AS SELECT 1 AS n")
            session.execute(f"CREATE TABLE {engine.table('kept')} (n bigint)")
        with engine.session() as session:
            assert [(1,)] == session.rows(f"SELECT n FROM {engine.temporary}found")
            assert (["n"], ["kept"]) == (
                engine.columns_of(session, "kept"),
                engine.tables_of(session, ""),
            )
    with in_memory() as engine, engine.session() as session:
        assert [] == engine.tables_of(session, "")
    assert [] == list(tmp_path.iterdir())


def test_a_warehouse_reads_for_itself(tmp_path: Path) -> None:
    """Its limits of memory, and the folder where it spills, are those of its own connection."""
    with in_memory() as engine:
        assert not engine.same_database(DuckDBSource(str(tmp_path / "shop.duckdb")))
