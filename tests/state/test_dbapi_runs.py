"""Whole runs with a DB-API driver as the source: SQLite, psycopg, psycopg2 and DuckDB."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
import psycopg
import psycopg2
import pytest

from harness import World, people
from iterable_sync.errors import DuplicateKeys
from iterable_sync.preview import preview
from iterable_sync.rows import ProjectType
from iterable_sync.state import DbApiSource, DuckDBState
from state.drivers import KEY, Driver

if TYPE_CHECKING:
    from pathlib import Path

    from iterable_sync.sandbox.server import SandboxServer


def sqlite_world(server: SandboxServer, folder: Path) -> World:
    path = str(folder / "warehouse.sqlite")

    def execute(sql: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql)

    server.reset(project_type="email")
    source = DbApiSource(lambda: sqlite3.connect(path), dialect="sqlite")
    return World("sqlite", source, DuckDBState(str(folder / "s.duckdb")), server, execute)


@pytest.fixture(params=["sqlite", "psycopg", "psycopg2", "duckdb"])
def driven(request: pytest.FixtureRequest, iterable_server: SandboxServer, tmp_path: Path) -> World:
    """Give a world whose warehouse is read by a DB-API driver."""
    if request.param == "sqlite":
        return sqlite_world(iterable_server, tmp_path)
    engine = "duckdb" if request.param == "duckdb" else "postgres"
    world: World = request.getfixturevalue(f"{engine}_world")
    world.source = driven_source(request.param, world, tmp_path)
    return world


def driven_source(driver: str, world: World, folder: Path) -> DbApiSource:
    connect = {
        "psycopg": lambda: psycopg.connect(world.state.conninfo),
        "psycopg2": lambda: psycopg2.connect(world.state.conninfo),
        "duckdb": lambda: duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True),
    }[driver]
    return DbApiSource(connect, dialect="duckdb" if driver == "duckdb" else "postgres")


def test_a_driver_gives_the_same_changes_as_any_other_source(driven: World):
    driven.put(*people(1, 2, 3))
    first = driven.sync()

    driven.put(*people(1), ("u2", "u2@example.com", None, 2**40), *people(4))
    second = driven.sync()

    assert (3, 0) == (first.accepted, first.unchanged)
    assert (1, 1, 1, 1) == (second.unchanged, second.changed, second.added, second.removed)
    assert {"city": None, "points": 2**40} == driven.sent_fields["u2@example.com"]


@pytest.mark.failure("D15")
@pytest.mark.parametrize("percent", ["LIKE 'B%'", "LIKE '%s' OR city LIKE 'B%'"])
def test_a_driver_gets_the_sql_as_it_is(driven: World, percent: str):
    driven.put(*people(1))
    sql = f"""-- ? ; %s
        WITH x AS (SELECT * FROM {driven.prefix}users WHERE city {percent})
        SELECT user_id, email, '{{"a":1}} ? :x %(y)s' AS literal, points % 2 AS odd FROM x; -- ."""

    driven.sync(sql=sql)

    assert {"u1@example.com": {"literal": '{"a":1} ? :x %(y)s', "odd": 1}} == driven.sent_fields


def test_duplicate_keys_of_a_driver_are_shown_by_sql_of_its_dialect(driven: World):
    driven.put(*people(1, 2), *people(1))

    with pytest.raises(DuplicateKeys) as stopped:
        driven.sync()

    with closing(driven.source._connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(str(stopped.value).partition("This shows them:\n")[2])
        assert [("u1", 2)] == cursor.fetchall()


def test_the_newest_row_is_found_by_numbers_of_a_driver(driven: World):
    driven.put(("u1", "a@b.cc", "x", 9), ("u2", "a@b.cc", "y", 10), ("u3", "a@b.cc", "z", None))

    driven.sync(newest_by="points")

    assert "y" == driven.users()["a@b.cc"]["city"]


TYPED = {
    "n": ("bigint", 9007199254740993, 9007199254740992),
    "x": ("double precision", 0.1, 0.30000000000000004),
    "nan": ("double precision", "NaN", "Infinity"),
    "d": ("numeric(38,10)", "1.5", "1.5000000001"),
    "whole": ("numeric(38,0)", "1", "2"),
    "b": ("boolean", True, False),
    "t": ("text", "", "a'\n\"👩"),
    "day": ("date", "2024-02-29", "0001-01-01"),
    "at": ("timestamp", "2024-02-29 13:37:19.5", "2024-02-29 13:37:19.500001"),
    "tz": ("timestamptz", "2024-02-29 13:37:19+02", "1969-12-31 23:59:59.999999+00"),
    "u": ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", None),
}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "duckdb"])
def test_a_driver_and_the_native_source_send_the_same(
    driver: str, request: pytest.FixtureRequest, tmp_path: Path
):
    """The same keys, operations, fields and JSON, for the types that a driver can tell."""
    world: World = request.getfixturevalue(
        "duckdb_world" if driver == "duckdb" else "postgres_world"
    )
    typed = dict(TYPED)
    if driver == "duckdb":
        # It hands out times with a zone only where pytz is installed.
        del typed["tz"]
    columns = {"user_id": "text", "email": "text", **{n: of[0] for n, of in typed.items()}}
    before, after = ([of[version] for of in typed.values()] for version in (1, 2))
    versions = []
    for version in (before, after):
        # Of row i the value of column i changes; the last row goes, and another comes.
        rows = [[*before[:i], version[i], *before[i + 1 :]] for i in range(len(before))]
        first = 0 if version is before else 1
        versions.append(
            [(f"u{i + first}", f"u{i + first}@b.cc", *row) for i, row in enumerate(rows)]
        )
    sent = []
    for source in (world.source, driven_source(driver, world, tmp_path)):
        world.server.reset()
        world.source = source
        state = DuckDBState(str(tmp_path / f"state{len(sent)}.duckdb"))
        reports = []
        for rows in versions:
            world.put(*rows, columns=columns)
            report = world.sync(state=state, timezone="UTC")
            reports.append((report.counts() | {"bytes_sent": 0}, report.fields_changed, world.sent))
        sent.append(reports)

    assert sent[0] == sent[1]


@pytest.mark.failure("D5")
def test_half_a_surrogate_pair_costs_its_row(iterable_server: SandboxServer, tmp_path: Path):
    world = sqlite_world(iterable_server, tmp_path)
    rows = [("u1", "u1@b.cc", "\ud83d"), ("u2", "u2@b.cc", "fine"), ("u\ud83d", "u3@b.cc", "x")]
    world.source = DbApiSource(Driver((*KEY, "city"), rows), dialect="snowflake")

    report = world.sync(sql="SELECT user_id, email, city FROM t")

    assert {"not_text": 2} == report.rejected_by_reason
    assert {"u2@b.cc"} == world.users().keys()
    assert {("u1", "", "not_text")} == world.rejections()


def test_a_column_of_nulls_that_later_has_values_needs_no_new_sync(
    iterable_server: SandboxServer, tmp_path: Path
):
    """Declared, its type is the same before and after."""
    world = sqlite_world(iterable_server, tmp_path)
    declared = {"fields": {"points": {"type": "long"}}}
    world.put(("u1", "u1@b.cc", "x", None))
    world.sync(**declared)

    world.put(("u1", "u1@b.cc", "x", 7))
    world.sync(**declared)

    assert {"u1@b.cc": {"points": 7}} == world.sent_fields


@pytest.mark.parametrize(
    ("dialect", "of", "words"),
    [
        ("sqlite", "users", "LIMIT 2"),
        ("tsql", "users", "ORDER BY q.[user_id])"),
        ("sqlite", "audiences", 'ORDER BY q."user_id")'),
    ],
)
def test_a_preview_asks_a_driver_for_so_many_rows(
    iterable_server: SandboxServer, tmp_path: Path, dialect: str, of: str, words: str
):
    """Or people with all of their rows, in words that the database of the driver has."""
    world = sqlite_world(iterable_server, tmp_path)
    columns = {"user_id": "text", "email": "text", "audience": "text"}
    rows = [(f"u{n}", f"u{n}@example.com", name) for n in range(3) for name in ("VIP", "New")]
    world.put(*(rows if of == "audiences" else rows[::2]), columns=columns)
    key = ("user_id", "audience") if of == "audiences" else "user_id"
    asked: list[str] = []

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(tmp_path / "warehouse.sqlite")
        connection.set_trace_callback(asked.append)
        return connection

    found = preview(
        world.spec(object=of, key=key),
        source=DbApiSource(connect, dialect=dialect),
        project_type=ProjectType.EMAIL,
        rows=2,
    )

    assert (4 if of == "audiences" else 2) == sum(one.rows for one in found.requests)
    assert words in asked[-1]
