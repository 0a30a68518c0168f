"""A world on PostgreSQL whose sync has the rights of ``sql/grants/postgres.sql`` and no others."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness import World
from iterable_sync.sqlfiles import sql_root
from iterable_sync.state import PostgresSource, PostgresState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iterable_sync.sandbox.server import SandboxServer


@contextmanager
def granted_world(server: SandboxServer, conninfo: str, name: str) -> Iterator[World]:
    """
    Run the script with names of its own, and let the sync be its role.

    The warehouse is written by the loader. The public may do nothing in the database.

    Args:
        conninfo: of an owner of the database.
    """
    import psycopg

    database = urlsplit(conninfo).path.strip("/")
    role, loader = f"{name}_role", f"{name}_loader"
    names = {"iterable_sync": role, "warehouse": database, "analytics": name, "loader": loader}
    script = re.sub(
        rf"\b({'|'.join(names)})\b",
        lambda found: names[found[1]],
        (sql_root() / "grants" / "postgres.sql").read_text(),
    )
    as_role = conninfo.replace("postgres:@", f"{role}:@")
    server.reset(project_type="email")
    with (
        psycopg.connect(conninfo, autocommit=True) as owner,
        psycopg.connect(conninfo, autocommit=True) as loading,
    ):
        owner.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC".encode())
        owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        owner.execute(f"CREATE ROLE {loader}; CREATE SCHEMA {name} AUTHORIZATION {loader}".encode())
        owner.execute(script.encode())
        loading.execute(f"SET ROLE {loader}".encode())
        state = PostgresState(as_role, schema=role)
        try:
            yield World(
                "postgres",
                PostgresSource(as_role),
                state,
                server,
                lambda sql: loading.execute(sql.encode()),
                prefix=f"{name}.",
            )
        finally:
            state.close()
            for gone in (role, loader):
                owner.execute(f"DROP OWNED BY {gone} CASCADE; DROP ROLE {gone}".encode())
