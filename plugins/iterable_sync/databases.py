"""From a URI to the warehouse that models are read from, or to the database that state lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError

if TYPE_CHECKING:
    from iterable_sync.state import Source, StateEngine

_DUCKDB = "duckdb:///"
_POSTGRES = ("postgresql://", "postgres://")


def source_of(uri: str) -> Source:
    """
    Give the warehouse of a URI; opens nothing yet.

    Args:
        uri: ``duckdb:///shop.duckdb``, with a fourth slash for an absolute path, or
            ``postgresql://user@host/shop``, as libpq has it.

    Raises:
        ConfigError: it is neither, or its driver is not installed; the message has none of it.
    """
    from iterable_sync.state import DuckDBSource, PostgresSource

    if uri.startswith(_POSTGRES):
        return PostgresSource(_conninfo(uri))
    return DuckDBSource(_file(uri))


def state_of(uri: str, *, schema: str | None = None) -> StateEngine:
    """
    Give the state database of a URI, as :func:`source_of` does.

    Args:
        schema: of Postgres; None is the usual one.

    Raises:
        ConfigError: as :func:`source_of`, or a DuckDB file is to have a schema.
    """
    from iterable_sync.state import DuckDBState, PostgresState

    if not uri.startswith(_POSTGRES):
        if schema is not None:
            raise ConfigError("a DuckDB file has no schema of the state; leave it out")
        return DuckDBState(_file(uri))
    conninfo = _conninfo(uri)
    return PostgresState(conninfo) if schema is None else PostgresState(conninfo, schema=schema)


def _conninfo(uri: str) -> str:
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise ConfigError(
            "Postgres needs a driver: pip install 'airflow-provider-iterable[postgres]'"
        ) from None
    try:
        conninfo_to_dict(uri)
    except ProgrammingError:
        # What it says may quote a value.
        raise ConfigError("the postgresql:// URI is not as libpq has it") from None
    return uri


def _file(uri: str) -> str:
    path = uri.removeprefix(_DUCKDB)
    if path in ("", uri):
        # Not what was given: a password may be in it.
        raise ConfigError(
            "a database is named as duckdb:///FILE (duckdb:////FILE for an absolute path) or "
            "postgresql://USER@HOST/DATABASE"
        )
    return path
