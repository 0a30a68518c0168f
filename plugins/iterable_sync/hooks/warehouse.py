"""From Airflow connections to the warehouse a sync reads and the database its state lives in."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iterable_sync.booleans import strict_bool
from iterable_sync.errors import ConfigError
from iterable_sync.hooks.connections import connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Connection

    from iterable_sync.state import (
        DbApiSource,
        DuckDBSource,
        DuckDBState,
        PostgresRate,
        PostgresSource,
        PostgresState,
    )

# Airflow's connection type -> the name of its SQL in sqlglot, where the two differ.
DIALECTS = {"gcpbigquery": "bigquery", "google_cloud_platform": "bigquery", "mssql": "tsql"}

# Settings of a Postgres connection that are Airflow's own; libpq would refuse them.
# Source: PostgresHook.ignored_extra_options, read in apache-airflow-providers-postgres 7.1.1.
_AIRFLOWS_OWN = frozenset(
    {
        "aws_conn_id",
        "azure_conn_id",
        "cluster-identifier",
        "cursor",
        "iam",
        "redshift",
        "redshift-serverless",
        "sqlalchemy_query",
        "sqlalchemy_scheme",
        "workgroup-name",
    }
)
_SHORT_LIVED_LOGINS = ("iam", "azure_conn_id")


def open_source(conn_id: str) -> DuckDBSource | PostgresSource | DbApiSource:
    """
    Give the warehouse behind a connection; opens nothing yet.

    ``postgres`` and ``duckdb`` are read directly; any other connection through its SQL hook.

    Raises:
        ConfigError: the connection is missing, incomplete or no SQL database.
    """
    found = connection(conn_id)
    if found.conn_type == "duckdb":
        from iterable_sync.state import DuckDBSource

        return DuckDBSource(str(duckdb_path(found)), **_duckdb_options(found))
    if found.conn_type == "postgres" and not _logs_in_by_token(found) and not _is_redshift(found):
        from iterable_sync.state import PostgresSource

        return PostgresSource(conninfo(found))
    from iterable_sync.state import DbApiSource

    return DbApiSource(_sql_hook(found).get_conn, dialect=_dialect(found))


def open_state(conn_id: str) -> DuckDBState | PostgresState:
    """
    Give the state database behind a connection; opens nothing yet.

    A DuckDB connection may set ``memory_limit`` and ``temp_directory`` in its extra.

    Raises:
        ConfigError: the connection is missing, incomplete or of another type.
    """
    from iterable_sync.state import DuckDBState, PostgresState

    found = connection(conn_id)
    if found.conn_type == "duckdb":
        return DuckDBState(str(duckdb_path(found)), **_duckdb_options(found))
    if found.conn_type == "postgres" and not _is_redshift(found):
        if _logs_in_by_token(found):
            raise ConfigError(
                f"connection {conn_id!r} logs in by a short-lived token; state needs a login that "
                "lasts as long as a run: a password, or a certificate"
            )
        return PostgresState(conninfo(found))
    raise ConfigError(
        f"connection {conn_id!r} is of type {found.conn_type!r}; state is kept in postgres or "
        "duckdb. Name such a connection as state_conn_id"
    )


@contextmanager
def open_rate(conn_id: str | None) -> Iterator[PostgresRate | None]:
    """
    Give the rate that is shared through a Postgres connection; None without one.

    Raises:
        ConfigError: there is no such connection, or it is none to Postgres.
    """
    if conn_id is None:
        yield None
        return
    from iterable_sync.state import PostgresRate

    found = connection(conn_id)
    if found.conn_type != "postgres" or _is_redshift(found):
        raise ConfigError(
            f"connection {conn_id!r} is of type {found.conn_type!r}; a rate is shared through "
            "postgres"
        )
    with PostgresRate(conninfo(found)) as rate:
        yield rate


def state_conn_id(warehouse_conn_id: str, given: str | None) -> str:
    """
    Decide where state is kept: as given, else in the warehouse itself when that is Postgres.

    Raises:
        ConfigError: the state would have to live where it cannot.
    """
    warehouse = connection(warehouse_conn_id)
    if not given:
        if warehouse.conn_type == "postgres" and not _is_redshift(warehouse):
            return warehouse_conn_id
        why = (
            "a DuckDB file is open to one process at a time, and one transaction writes one file"
            if warehouse.conn_type == "duckdb"
            else f"state is kept in postgres or duckdb, and it is {warehouse.conn_type!r}"
        )
        raise ConfigError(
            f"state_conn_id is needed beside the warehouse {warehouse_conn_id!r}: {why}. Name a "
            "connection of type postgres, or of type duckdb with a file of its own as host"
        )
    state = connection(given)
    if (
        "duckdb" == state.conn_type == warehouse.conn_type
        and duckdb_path(state).resolve() == duckdb_path(warehouse).resolve()
    ):
        raise ConfigError(
            f"the state {given!r} and the warehouse {warehouse_conn_id!r} are one DuckDB file; "
            "give the state a file of its own"
        )
    return given


def duckdb_path(found: Connection) -> Path:
    """
    Give the file of a DuckDB connection: ``path`` in its extra, else its host, else its schema.

    A URI such as ``duckdb:////data/shop.duckdb`` arrives as a schema.

    Raises:
        ConfigError: none of them is an absolute path.
    """
    places = (found.extra_dejson.get("path"), found.host, found.schema)
    given = [place for place in places if place]
    where = f"connection {found.conn_id!r}"
    if len(given) != 1:
        raise ConfigError(
            f"{where} names {len(given)} places for its DuckDB file; give its absolute path as host"
        )
    path = Path(given[0]).expanduser()
    if not path.is_absolute():
        raise ConfigError(
            f"{where}: {given[0]!r} is no absolute path; tasks run in folders of their own"
        )
    return path


def _duckdb_options(found: Connection) -> dict[str, str]:
    extra = found.extra_dejson
    return {name: extra[name] for name in ("memory_limit", "temp_directory") if extra.get(name)}


def conninfo(found: Connection) -> str:
    """
    Give libpq's connection string, by the rules of Airflow's own Postgres hook.

    Raises:
        ConfigError: its extra has a setting that libpq does not know.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import make_conninfo

    settings = {
        "host": found.host,
        "user": found.login,
        "password": found.password,
        "dbname": found.schema,
        "port": found.port,
    }
    extra = {name: value for name, value in found.extra_dejson.items() if name not in _AIRFLOWS_OWN}
    settings |= {name: value for name, value in extra.items() if not isinstance(value, dict)}
    try:
        return make_conninfo("", **{name: value for name, value in settings.items() if value})
    except ProgrammingError:
        # What it says may quote a value.
        raise ConfigError(
            f"connection {found.conn_id!r}: its extra has a setting that Postgres does not know; "
            f"it has {', '.join(sorted(extra))}"
        ) from None


def _sql_hook(found: Connection) -> Any:
    from airflow.providers.common.compat.sdk import AirflowException
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    where = f"connection {found.conn_id!r} of type {found.conn_type!r}"
    try:
        hook = found.get_hook()  # type: ignore[no-untyped-call]
    except (AirflowException, ImportError) as error:
        raise ConfigError(
            f"{where} has no hook here; is its provider installed? ({type(error).__name__})"
        ) from None
    if not isinstance(hook, DbApiHook):
        raise ConfigError(f"{where} is no SQL database")
    return hook


def _dialect(found: Connection) -> str:
    if _is_redshift(found):
        return "redshift"
    return DIALECTS.get(found.conn_type or "", found.conn_type or "")


def _is_redshift(found: Connection) -> bool:
    return found.conn_type == "postgres" and any(
        strict_bool(found.extra_dejson.get(name) or False, f"{found.conn_id}: {name}")
        for name in ("redshift", "redshift-serverless")
    )


def _logs_in_by_token(found: Connection) -> bool:
    return any(found.extra_dejson.get(name) for name in _SHORT_LIVED_LOGINS)
