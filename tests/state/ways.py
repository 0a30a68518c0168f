"""The four ways from a warehouse into state: each engine as a source, each as the state."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from harness import duckdb_world, postgres_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import World
    from iterable_sync.sandbox.server import SandboxServer

WAYS = ("duckdb>duckdb", "duckdb>postgres", "postgres>postgres", "postgres>duckdb")


def worlds(way: str, server: SandboxServer, warehouse_db: str, folder: Path) -> Iterator[World]:
    """Give the world of a way; what is in Postgres goes again."""
    warehouse, _, kind = way.partition(">")
    with postgres_world(server, warehouse_db, f"t{uuid4().hex[:12]}") as in_postgres:
        in_duckdb = duckdb_world(server, folder)
        world = in_postgres if warehouse == "postgres" else in_duckdb
        world.state = (in_postgres if kind == "postgres" else in_duckdb).state
        yield world


def query(world: World, sql: str) -> list[tuple[object, ...]]:
    """Run a query in the warehouse, as a person would."""
    if world.engine == "duckdb":
        import duckdb

        with duckdb.connect(world.source.path, read_only=True) as connection:  # type: ignore[attr-defined]
            return connection.execute(sql).fetchall()
    import psycopg

    with psycopg.connect(world.source.conninfo) as connection:  # type: ignore[attr-defined]
        return connection.execute(sql.encode()).fetchall()
