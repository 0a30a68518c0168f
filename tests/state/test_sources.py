"""Reading models: the SQL goes through untouched, names are quoted, and errors are ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import duckdb_world, people
from iterable_sync.errors import ConfigError, ModelError, RetryLater, StateBusy
from iterable_sync.state import DuckDBSource, DuckDBState, PostgresSource, PostgresState
from iterable_sync.state.dialects import duckdb_file, postgres
from iterable_sync.state.dialects.duckdb_file import catalog_name

if TYPE_CHECKING:
    from harness import World
    from iterable_sync.sandbox.server import SandboxServer

CANARY = "canary.7f3a@example.com"

# What drivers, templates and string formats are known to take for something of theirs.
HARD_SQL = r"""
-- a comment with a ? and a ; and a %s in it
WITH said AS (
    SELECT user_id, email, '{"a":1}' AS literal, city LIKE 'B%' AS in_b, points % 2 AS odd,
        ':x %(y)s {0} $1 ? \' AS signs /* a ' and a ; in a comment */
    FROM PREFIXusers
)
SELECT *, ';' AS semicolon, 'it''s' AS "it's" FROM said; -- the end;
"""
HARD_VALUES = {
    "literal": '{"a":1}',
    "in_b": True,
    "odd": 1,
    "signs": ":x %(y)s {0} $1 ? \\",
    "semicolon": ";",
    "it's": "it's",
}


@pytest.mark.failure("D15")
def test_model_sql_goes_through_untouched(way: World):
    way.put(*people(1))

    way.sync(sql=HARD_SQL.replace("PREFIX", way.prefix))

    assert {"u1@example.com": HARD_VALUES} == way.sent_fields


@pytest.mark.failure("D15")
def test_operators_of_jsonb_are_no_parameters(postgres_world: World, duckdb_state: DuckDBState):
    operators = """SELECT user_id, email, '{"a":1}'::jsonb ? 'a' AS has,
        '{"a":1}'::jsonb ?| array['b'] AS any, '{"a":1}'::jsonb @? '$.a' AS path FROM PREFIXusers"""
    world = postgres_world
    world.put(*people(1))
    for state in (world.state, duckdb_state):
        world.server.reset()
        world.sync(sql=operators.replace("PREFIX", world.prefix), state=state)

        assert {"u1@example.com": {"has": True, "any": False, "path": True}} == world.sent_fields


# --- values on their way ---


@pytest.mark.failure("D5")
def test_texts_arrive_to_the_byte(way: World):
    texts = [
        "",
        "a,b",
        '"',
        '""',
        "a\nb",
        "a\r\nb",
        "\\.",
        "a\n\\.\nb",
        "\\N",
        "NULL",
        "é👩",
        "x" * 10**6,
    ]
    columns = {"user_id": "text", "email": "text", "said": "text"}
    way.put(*[(f"u{i}", f"u{i}@b.cc", t) for i, t in enumerate(texts)], columns=columns)

    way.sync()

    assert {f"u{i}": (t,) for i, t in enumerate(texts) if len(t) < 10**5} == {
        key: value for key, value in way.acknowledged("said").items() if key != "u11"
    }
    assert {("u11", "said", "too_long")} == way.rejections()


def test_a_row_longer_than_a_block_of_the_copy_is_read(postgres_world: World):
    rows = read_text(postgres_world.source, "SELECT repeat('x', 9000000) AS a UNION ALL SELECT 'y'")

    assert [9_000_000, 1] == [len(row or "") for row in rows]


@pytest.mark.parametrize("engine", ["duckdb_world", "postgres_world"])
def test_null_and_empty_text_differ_in_a_model_of_one_column(
    engine: str, request: pytest.FixtureRequest
):
    source = request.getfixturevalue(engine).source
    values = "(VALUES (1, NULL), (2, ''), (3, NULL), (4, '\\.'), (5, ' ')) AS v (i, a)"

    rows = read_text(source, f"SELECT a FROM {values} ORDER BY i")

    assert [None, "", None, "\\.", " "] == rows


def read_text(source: PostgresSource | DuckDBSource, sql: str) -> list[str | None]:
    import pyarrow as pa

    with source.read(sql, ['q."a"'], pa.schema([pa.field("a", pa.string())])) as batches:
        return [value for batch in batches for value in batch.column(0).to_pylist()]


def test_an_empty_model_is_read(way: World):
    way.put()

    assert 0 == way.sync(guards={"min_rows": 0}).queried


# --- what fails, and how it says so ---


def test_a_value_that_the_sql_cannot_take_ends_the_run_and_is_not_quoted(way: World):
    way.put((CANARY, CANARY, "x", 1), *people(1))
    sql = f"SELECT user_id, email, CAST(user_id AS integer) AS n FROM {way.prefix}users"

    with pytest.raises(ModelError, match="cannot run the model SQL") as failed:
        way.sync(sql=sql)

    assert CANARY not in str(failed.value)
    assert failed.value.__suppress_context__
    assert {} == way.users()


@pytest.mark.parametrize("sql", ["SELECT nonsense", "SELECT user_id FROM nowhere", "SELECT (("])
def test_sql_that_the_engine_does_not_take_is_an_error_of_the_model(way: World, sql: str):
    with pytest.raises(ModelError):
        way.sync(sql=sql)


def test_a_lost_connection_is_no_error_of_the_model(postgres_world: World):
    import pyarrow as pa

    sql = (
        "SELECT 'u1' AS user_id, 'a@b.cc' AS email, "
        "pg_terminate_backend(pg_backend_pid())::text AS x"
    )
    with (
        pytest.raises(RetryLater, match="57P01"),
        postgres_world.source.read(sql, ["q.user_id"], pa.schema([])) as batches,
    ):
        list(batches)


# --- one database, or two ---


@pytest.mark.parametrize(
    ("theirs", "is_same"),
    [
        pytest.param("", True, id="the same"),
        pytest.param("&application_name=x", True, id="spelled differently"),
        pytest.param("&options=-csearch_path%3Dpg_catalog", False, id="another search_path"),
        pytest.param("&options=-ctimezone%3DAsia/Tokyo", False, id="another time zone"),
        pytest.param("&user=somebody_else", False, id="another role"),
        pytest.param("&dbname=postgres", False, id="another database"),
    ],
)
def test_postgres_stages_in_place_only_what_it_would_read_alike(
    postgres_db: str, theirs: str, is_same: bool
):
    import psycopg

    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS somebody_else; CREATE ROLE somebody_else LOGIN")

    assert is_same is PostgresState(postgres_db).same_database(PostgresSource(postgres_db + theirs))


def test_a_role_that_may_only_read_is_enough_for_a_source(
    postgres_world: World, duckdb_state: DuckDBState, warehouse_db: str
):
    world = postgres_world
    world.put(*people(1, 2))
    world.execute("DROP ROLE IF EXISTS only_reads; CREATE ROLE only_reads LOGIN")
    # Other tests take the right to connect from everybody, as the scripts of sql/grants do.
    database = warehouse_db.partition("?")[0].rpartition("/")[2]
    world.execute(f'GRANT CONNECT ON DATABASE "{database}" TO only_reads')
    world.execute(f"GRANT USAGE ON SCHEMA {world.prefix[:-1]} TO only_reads")
    world.execute(f"GRANT SELECT ON {world.prefix}users TO only_reads")
    world.source = PostgresSource(warehouse_db.replace("postgres:@", "only_reads:@"))
    try:
        for state in (world.state, duckdb_state):
            world.server.reset()

            assert 2 == world.sync(state=state).accepted
    finally:
        world.execute("DROP OWNED BY only_reads; DROP ROLE only_reads")


def test_a_source_cannot_write_even_where_its_role_may(postgres_world: World):
    world = postgres_world
    world.execute(f"CREATE SEQUENCE {world.prefix}s")
    sql = f"SELECT nextval('{world.prefix}s')::text AS a"

    with pytest.raises(ModelError, match="25006"):
        read_text(world.source, sql)


@pytest.mark.parametrize(
    "name",
    ["a.b.duckdb", "temp.duckdb", "main.db", "System", "memory.db", ".hidden.db", "Über x.db"],
)
def test_a_file_of_any_name_can_keep_state_and_be_a_warehouse(
    name: str, tmp_path: Path, iterable_server: SandboxServer
):
    """And the name by which SQL knows its database is the one that DuckDB gives it."""
    import duckdb

    (tmp_path / "warehouse").mkdir()
    world = duckdb_world(iterable_server, tmp_path)
    file = tmp_path / "warehouse" / name
    with duckdb.connect(str(file)) as connection:
        own = connection.execute("SELECT current_database()").fetchall()[0][0]
        connection.execute("CREATE TABLE users AS SELECT 'u1' AS user_id, 'a@b.cc' AS email")
    assert own == catalog_name(str(file))

    world.source = DuckDBSource(str(file))

    # A state whose database has the same name, and one whose name is another.
    for state in (DuckDBState(str(tmp_path / name)), world.state):
        world.server.reset()
        report = world.sync(sql=f'SELECT * FROM "{own}".main.users', state=state)

        assert 1 == report.accepted


def test_state_in_the_file_of_the_warehouse_is_refused(duckdb_world: World):
    duckdb_world.put(*people(1))
    same = DuckDBState(f"{Path(duckdb_world.source.path).parent}/./warehouse.duckdb")

    with pytest.raises(ConfigError, match=r"the same DuckDB file.*a file of its own"):
        duckdb_world.sync(state=same)


HOLD = (
    "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); "
    "sys.stdin.read()"
)


@pytest.mark.parametrize("file", ["warehouse.duckdb", "state.duckdb"])
def test_a_file_that_another_process_holds_is_waited_for_and_then_busy(
    file: str, duckdb_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    duckdb_world.put(*people(1))
    duckdb_world.sync()
    monkeypatch.setattr(duckdb_file, "OPEN_FOR_S", 0.3)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(StateBusy, match=rf"{file} is held by another process.*{holder.pid}"):
            duckdb_world.sync()

        holder.stdin.close()
    monkeypatch.setattr(duckdb_file, "OPEN_FOR_S", 10)
    assert 1 == duckdb_world.sync().unchanged


def test_a_warehouse_file_that_is_not_there_is_no_lock(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot open the DuckDB file"):
        DuckDBSource(str(tmp_path / "clockwork.duckdb")).columns("SELECT 1 AS a")


def test_texts_of_types_do_not_depend_on_what_a_role_prefers(postgres_db: str):
    options = (
        "&options=-cdatestyle%3DGerman%20-cintervalstyle%3Diso_8601%20-cbytea_output%3Descape"
        "%20-cextra_float_digits%3D-5"
    )
    connection = postgres.connect(postgres_db + options)
    try:
        row = connection.execute(
            "SELECT date '2024-02-01'::text, interval '1 day'::text, '\\x00'::bytea::text, "
            "0.1::float8::text"
        ).fetchone()
    finally:
        connection.close()

    assert ("2024-02-01", "1 day", "\\x00", "0.1") == row
