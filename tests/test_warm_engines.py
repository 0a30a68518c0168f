"""What a test leaves in a database that is kept running is as little as in one of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import _duckdb
import duckdb
import psycopg
import pytest

import warm_postgres
from warm_duckdb import Engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOCK = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


@pytest.fixture
def engines() -> Iterator[Engines]:
    """Give engines beside those of the session, over DuckDB's own ``connect``."""
    made = Engines(_duckdb.connect)
    yield made
    made.close()


@pytest.fixture(params=["own", "warm"])
def open_file(request: pytest.FixtureRequest, engines: Engines) -> Callable[..., Any]:
    """Give the two ways to open a file, which have to be the same."""
    ways: dict[str, Callable[..., Any]] = {"own": _duckdb.connect, "warm": engines.connect}
    return ways[request.param]


def _is_free(file: Path) -> bool:
    """Say whether another process could open a file."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LOCK, str(file)], capture_output=True, check=False
    )
    return done.returncode == 0


def _seen(connection: Any) -> tuple[Any, ...]:
    """Give what a connection finds: its database, others beside it, tables and functions."""
    databases = "SELECT database_name FROM duckdb_databases() WHERE path IS NOT NULL"
    tables = "SELECT table_name FROM duckdb_tables() ORDER BY 1"
    functions = "SELECT function_name FROM duckdb_functions() WHERE NOT internal"
    asked = ("SELECT current_database(), current_schema()", databases, tables, functions)
    return tuple(connection.execute(sql).fetchall() for sql in asked)


def test_file_has_what_was_committed_and_no_more(
    open_file: Callable[..., Any], tmp_path: Path
) -> None:
    """What a connection had open when it was closed is rolled back, what was its alone is gone."""
    file = tmp_path / "kept.duckdb"
    with open_file(str(file)) as first:
        first.execute("CREATE TABLE t AS SELECT 1 AS n; CREATE TEMP TABLE mine AS SELECT 1")
        first.execute("CREATE TEMP MACRO twice(n) AS 2 * n; CREATE SCHEMA s; USE s")
        first.execute("BEGIN; INSERT INTO main.t VALUES (2)")

    with open_file(str(file)) as second:
        seen, rows = _seen(second), second.execute("SELECT n FROM t").fetchall()

    assert ([("kept", "main")], [("kept",)], [("t",)], []) == seen
    assert [(1,)] == rows


def test_nothing_of_one_file_is_seen_from_the_next(
    open_file: Callable[..., Any], tmp_path: Path
) -> None:
    """Also not the file that somebody attached and did not detach."""
    with open_file(str(tmp_path / "first.duckdb")) as first:
        first.execute(
            f"ATTACH '{tmp_path / 'other.duckdb'}'; CREATE TABLE other.left_there (n int)"
        )
        first.execute("CREATE TABLE t (n int); CREATE TEMP TABLE mine (n int)")

    with open_file(str(tmp_path / "second.duckdb")) as second:
        seen = _seen(second)

    assert ([("second", "main")], [("second",)], [], []) == seen


def test_file_is_held_until_its_last_connection_is_closed(
    open_file: Callable[..., Any], tmp_path: Path
) -> None:
    """And then whole, without a log beside it; a cursor is closed with its connection."""
    file = tmp_path / "held.duckdb"
    first, second = open_file(str(file)), open_file(str(file))
    cursor = first.cursor()
    cursor.execute("CREATE TABLE t (n int)")
    while_two = _is_free(file)
    first.close()
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        cursor.execute("SELECT 1")
    seen = second.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    while_one = _is_free(file)
    second.close()

    assert (False, False, True) == (while_two, while_one, _is_free(file))
    assert [("t",)] == seen
    assert [file] == list(tmp_path.iterdir())


def test_second_connection_has_to_ask_for_the_same(
    open_file: Callable[..., Any], tmp_path: Path
) -> None:
    """As DuckDB has it within a process."""
    file = str(tmp_path / "asked.duckdb")
    with open_file(file, config={"memory_limit": "1GB"}) as first:
        first.execute("CREATE TABLE t (n int)")
        with open_file(file, config={"memory_limit": "1GB"}) as second:
            tables = _seen(second)[2]
        with pytest.raises(duckdb.ConnectionException, match="different configuration"):
            open_file(file, config={"memory_limit": "2GB"})
        with pytest.raises(duckdb.ConnectionException, match="different configuration"):
            open_file(file, read_only=True, config={"memory_limit": "1GB"})

    assert [("t",)] == tables


def test_file_that_is_read_cannot_be_written(open_file: Callable[..., Any], tmp_path: Path) -> None:
    """Nor made where there is none."""
    file = str(tmp_path / "read.duckdb")
    open_file(file).close()

    with open_file(file, read_only=True) as read:
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            read.execute("CREATE TABLE t (n int)")
        with pytest.raises(duckdb.IOException):
            open_file(str(tmp_path / "absent.duckdb"), read_only=True)


def test_engine_is_used_again_and_keeps_its_settings(engines: Engines, tmp_path: Path) -> None:
    """Nobody can change them, for the file that comes next would have them too."""
    with engines.connect(str(tmp_path / "a.duckdb")) as first:
        engine = first._engine
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            first.execute("SET memory_limit = '10MB'")
    with engines.connect(str(tmp_path / "b.duckdb")) as second:
        again = second._engine
    with engines.connect(str(tmp_path / "c.duckdb"), config={"memory_limit": "1GB"}) as third:
        other = third._engine
        limit = third.execute("SELECT current_setting('memory_limit')").fetchall()

    assert (True, False) == (again is engine, other is engine)
    assert [("953.6 MiB",)] == limit


@pytest.fixture(params=[psycopg.Connection, warm_postgres.Connection], ids=["own", "warm"])
def session(request: pytest.FixtureRequest, postgres_db: str) -> Callable[[], Any]:
    """Give the two ways to connect, which have to be the same."""
    return lambda: request.param.connect(postgres_db, prepare_threshold=1)


def test_session_begins_with_what_was_committed_and_no_more(session: Callable[[], Any]) -> None:
    """Its locks, its settings, its role and its temporary tables end with it."""
    with session() as first:
        first.execute("CREATE TABLE t AS SELECT 1 AS n; CREATE SCHEMA s")
        first.commit()
        first.execute("CREATE TEMP TABLE mine (n int); SET search_path = s; SET work_mem = '9MB'")
        first.execute("SELECT pg_advisory_lock(7); LISTEN news")
        for _ in range(3):
            first.execute("SELECT count(*) FROM public.t WHERE n = %s", (1,))
        first.commit()
        first.execute("INSERT INTO public.t VALUES (2); SET ROLE pg_monitor")
        first.close()
    with session() as second, session() as third:
        rows = second.execute("SELECT n FROM t").fetchall()
        asked = "SELECT current_user, current_schema(), current_setting('work_mem')"
        settings = second.execute(asked).fetchone()
        temporary = second.execute("SELECT to_regclass('pg_temp.mine')").fetchone()
        kept = second.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
        channels = second.execute("SELECT * FROM pg_listening_channels()").fetchall()
        locks = [
            one.execute("SELECT pg_try_advisory_xact_lock(7)").fetchone() for one in (third, second)
        ]

    assert [(1,)] == rows
    assert ("postgres", "public", "4MB") == settings
    assert ([(True,), (False,)], (None,), (0,), []) == (locks, temporary, kept, channels)


def test_backend_serves_the_next_session_unless_it_has_ended(postgres_db: str) -> None:
    """One that was told to end in between is not given to anybody."""

    def backend() -> int:
        with warm_postgres.Connection.connect(postgres_db) as connection:
            ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        return int(pid)

    first, again = backend(), backend()
    with psycopg.Connection.connect(postgres_db) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))

    assert first == again
    assert first != backend()
