"""The role of ``sql/grants/postgres.sql`` is enough for a sync, and for nothing more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from harness import World, people
from iterable_sync import sqlfiles
from iterable_sync.state import DuckDBState, PostgresSource, PostgresState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from iterable_sync.sandbox.server import SandboxServer

ROLE = "iterable_sync"
LOADER = "grants_loader"


@pytest.fixture
def granted(postgres_db: str) -> Iterator[str]:
    """Run the script in a database where the public may do nothing; give the role's connection."""
    script = (sqlfiles.sql_root() / "grants" / "postgres.sql").read_text()
    database = urlsplit(postgres_db).path.strip("/")
    script = re.sub(r"\bwarehouse\b", database, re.sub(r"\bloader\b", LOADER, script))
    with psycopg.connect(postgres_db, autocommit=True) as owner:
        owner.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        owner.execute(f"CREATE ROLE {LOADER}; CREATE SCHEMA analytics AUTHORIZATION {LOADER}")
        owner.execute(script.encode())
        try:
            yield postgres_db.replace("postgres:@", f"{ROLE}:@")
        finally:
            owner.execute(f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")
            owner.execute(f"DROP OWNED BY {LOADER}; DROP ROLE {LOADER}")


@pytest.fixture
def load(postgres_db: str) -> Callable[[str], None]:
    """Run SQL as the role that loads the warehouse."""

    def run(sql: str) -> None:
        with psycopg.connect(postgres_db, autocommit=True) as connection:
            connection.execute(f"SET ROLE {LOADER}; {sql}".encode())

    return run


@pytest.fixture(params=["in place", "copied from another connection", "into DuckDB"])
def granted_world(
    request: pytest.FixtureRequest,
    granted: str,
    load: Callable[[str], None],
    iterable_server: SandboxServer,
    tmp_path: Path,
) -> Iterator[World]:
    state = PostgresState(granted)
    source = PostgresSource(granted)
    if request.param == "copied from another connection":
        source = PostgresSource(f"{granted}&options=-csearch_path%3Danalytics")
    iterable_server.reset(project_type="email")
    yield World(
        "postgres",
        source,
        DuckDBState(str(tmp_path / "state.duckdb")) if request.param == "into DuckDB" else state,
        iterable_server,
        load,
        prefix="analytics.",
    )
    state.close()


@pytest.mark.failure("S13")
def test_a_sync_needs_no_more_than_the_script_grants(granted_world: World):
    """First run, changes, removals, rejections, a new column and a dry run."""
    world = granted_world
    world.put(*people(1, 2, 3), ("u4", "no e-mail", "Bern", 1))
    first = world.sync()

    world.put(*people(1), *people(2, city="Rom"))
    second = world.sync()
    third = world.sync(sql=world.sql("user_id", "email", "city", "points", "points + 1 AS more"))
    dry = world.sync(dry_run=True)

    assert (3, {"invalid_email": 1}) == (first.accepted, first.rejected_by_reason)
    assert (1, 1, 1) == (second.unchanged, second.changed, second.removed)
    assert ["more"] == third.new_fields
    assert 2 == dry.queried


@pytest.mark.failure("S13")
@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM analytics.users",
        "UPDATE analytics.users SET city = 2",
        "TRUNCATE analytics.users",
        "CREATE TABLE analytics.mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE SCHEMA mine",
        "SELECT * FROM public.secret",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO '/dev/null'",
    ],
)
def test_the_role_may_do_nothing_else(
    sql: str, granted: str, postgres_db: str, load: Callable[[str], None]
):
    load("CREATE TABLE analytics.users AS SELECT 1 AS city")
    with psycopg.connect(postgres_db, autocommit=True) as owner:
        owner.execute("CREATE TABLE public.secret AS SELECT 1 AS a")

    with (
        psycopg.connect(granted, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(sql.encode())
