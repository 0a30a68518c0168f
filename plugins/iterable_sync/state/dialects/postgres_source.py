"""Postgres databases as sources of models."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ModelError, RetryLater
from iterable_sync.rows import WireType
from iterable_sync.state.dialects.base import Cast, Source, SourceColumn
from iterable_sync.state.dialects.postgres_connection import connect, in_words, model_error
from iterable_sync.state.dialects.postgres_copy import copy_out
from iterable_sync.state.dialects.postgres_types import (
    COMPOSITE,
    MAX_IDENTIFIER_BYTES,
    postgres_cast,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    import pyarrow as pa

_NUMERIC_OID = 1700


class PostgresSource(Source):
    """A Postgres database that models are read from, in read-only transactions."""

    dialect = "postgres"
    max_identifier_bytes = MAX_IDENTIFIER_BYTES

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    def columns(self, sql: str) -> list[SourceColumn]:
        """Describe the result of the model without running it."""
        connection = connect(self.conninfo, read_only=True)
        try:
            return describe(connection, sql)
        finally:
            connection.close()

    def cast(self, type_name: str) -> Cast:
        """Give the way of a Postgres type into the stage."""
        return postgres_cast(type_name)

    @contextmanager
    def read(
        self, sql: str, select: Sequence[str], schema: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Run the model once, in one read-only transaction, streamed by COPY."""
        connection = connect(self.conninfo, read_only=True)
        try:
            yield self._batches(
                connection, f"SELECT {', '.join(select)} FROM (\n{sql}\n) AS q", schema
            )
        finally:
            connection.close()

    def greatest(self, column: SourceColumn, condition: str) -> str:
        """Give the greatest value, in its own type: Postgres has no order for some types."""
        cast, name = self.cast(column.type), f"q.{self.quote(column.name)}"
        if cast.wire is WireType.BOOLEAN:
            return f"bool_or(CASE WHEN {condition} THEN {name} END)"
        if column.type in ("json", "jsonb"):
            text = f"max(CASE WHEN {condition} THEN CAST({name} AS text) END)"
            return f"CAST({text} AS {column.type})"
        if cast.wire is WireType.STRING:
            return f"max(CASE WHEN {condition} THEN {cast.sql.format(name)} END)"
        greatest = super().greatest(column, condition)
        # An aggregate forgets how many digits there are, by which an integer is known.
        return f"CAST({greatest} AS {column.type})" if "(" in column.type else greatest

    def _batches(
        self, connection: psycopg.Connection[Any], sql: str, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        try:
            # It ends with the connection, which may be closed before this has come to its end.
            connection.execute(b"BEGIN")
            # COPY takes its snapshot before it waits for its tables: one that is emptied and
            # filled anew meanwhile would read as empty. With its lock held it reads as full.
            connection.execute(f"SELECT * FROM (\n{sql}\n) AS q LIMIT 0".encode())
            yield from copy_out(connection, sql, schema)
        except Exception as error:
            if (known := model_error(error)) is not None:
                raise known from None
            raise


def describe(connection: psycopg.Connection[Any], sql: str) -> list[SourceColumn]:
    """
    Describe the result of a query without running it.

    Raises:
        ModelError: Postgres does not take the query; the planner calls functions, so that even
            here a message may quote a row.

        RetryLater: the connection was lost.
    """
    import psycopg

    wrapped = f"SELECT * FROM (\n{sql}\n) AS q LIMIT 0"
    try:
        with connection.cursor() as cursor:
            cursor.execute(wrapped.encode())
            described = cursor.description or []
            if not described:
                return []
            types = ", ".join(_type_of(d) for d in described)
            named = cursor.execute(f"SELECT {types}".encode()).fetchone() or ()
    except psycopg.Error as error:
        known = model_error(error)
        if isinstance(known, RetryLater):
            raise known from None
        raise ModelError(
            f"Postgres does not take the model SQL: {error.sqlstate} {in_words(error)}"
        ) from None
    return [SourceColumn(d.name, t) for d, t in zip(described, named, strict=True)]


def _type_of(column: psycopg.Column) -> str:
    """Give the SQL expression of the name of a column's type."""
    code = column.type_code
    # Only numeric needs its modifier here: scale 0 makes it an integer.
    modifier = "NULL"
    if code == _NUMERIC_OID and column.precision is not None:
        modifier = str(((column.precision << 16) | ((column.scale or 0) & 0x7FF)) + 4)
    return (
        f"CASE (SELECT typtype FROM pg_type WHERE oid = {code}) WHEN 'c' THEN '{COMPOSITE}' "
        f"ELSE format_type({code}, {modifier}) END"
    )
