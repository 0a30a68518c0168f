"""PostgreSQL: state in a schema of its own, and Postgres databases as sources."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ModelError, RetryLater
from iterable_sync.rows import Column, StateType
from iterable_sync.state.dialects.base import (
    Candidates,
    Cast,
    Dialect,
    DiffSql,
    Session,
    Source,
    SourceColumn,
    StateEngine,
)
from iterable_sync.state.dialects.postgres_copy import copy_in, copy_out
from iterable_sync.state.dialects.postgres_types import COMPOSITE, postgres_cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    import pyarrow as pa

    from iterable_sync.errors import IterableSyncError

_MAX_IDENTIFIER_BYTES = 63
_NUMERIC_OID = 1700

# SQLSTATE classes of what another time may not be there: a lost connection, conflicts, exhausted
# resources, locks, timeouts and shutdowns.
_PASSING = ("08", "40", "53", "55", "57", "58")


class PostgresDialect(Dialect):
    """PostgreSQL's SQL."""

    name = "postgres"
    max_identifier_bytes = _MAX_IDENTIFIER_BYTES
    own_columns = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
    # An entry of a B-tree has at most 2,704 bytes.
    max_key_bytes = 2_000

    def ddl_type(self, column: Column) -> str:
        """Give the type of a column; texts are compared by bytes."""
        return self.type_name(column) + (' COLLATE "C"' if column.state is StateType.TEXT else "")

    def type_name(self, column: Column) -> str:
        """Give the type of a column in state tables."""
        if column.state is StateType.DECIMAL:
            return f"numeric(38,{column.scale})"
        return {
            "bigint": "bigint",
            "double": "double precision",
            "boolean": "boolean",
            "text": "text",
        }[column.state.value]

    def cast(self, type_name: str) -> Cast:
        """Give the way of a Postgres type into the stage."""
        return postgres_cast(type_name)

    def key_text(self, columns: Sequence[str]) -> str:
        """Give the key as one text: itself, or a JSON array of its parts."""
        texts = [f"CAST({c} AS text)" for c in columns]
        return (
            texts[0] if len(texts) == 1 else f"CAST(json_build_array({', '.join(texts)}) AS text)"
        )


class PostgresSession:
    """A psycopg connection in autocommit as a :class:`Session`."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def _run(self, sql: str, params: Sequence[Any]) -> psycopg.Cursor[Any]:
        if not params:
            return self.connection.execute(sql.encode())
        # SQL with parameters is ours: it holds neither a literal `?` nor a literal `%`.
        return self.connection.execute(sql.replace("?", "%s").encode(), params)

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; give the number of rows it wrote."""
        return self._run(sql, params).rowcount

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and give all its rows."""
        return self._run(sql, params).fetchall()

    def arrow(self, sql: str, schema: pa.Schema) -> pa.Table:
        """Run a query and give it as a table of *schema*."""
        import pyarrow as pa

        return pa.Table.from_batches(copy_out(self.connection, sql, schema), schema)

    def load(self, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Append batches of *schema* to a table, streamed through COPY."""
        copy_in(self.connection, table, schema, batches)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back on an error."""
        with self.connection.transaction():
            yield


def connect(conninfo: str, *, read_only: bool = False) -> psycopg.Connection[Any]:
    """
    Connect in autocommit, without server-side prepared statements.

    Raises:
        RetryLater: the server cannot be reached; the message holds no connection string.
    """
    import psycopg

    try:
        connection = psycopg.connect(
            conninfo, autocommit=True, prepare_threshold=None, client_encoding="UTF8"
        )
    except psycopg.OperationalError as error:
        raise RetryLater(f"cannot connect to Postgres: {type(error).__name__}") from None
    # Types become text in one way, whatever a role or database prefers; the time zone stays
    # theirs, models may rely on it.
    connection.execute(
        "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; "
        "SET extra_float_digits = 1"
    )
    if read_only:
        # Holds for single statements too, which psycopg's own read_only does not.
        connection.execute("SET default_transaction_read_only = on")
    return connection


def model_error(error: Exception) -> IterableSyncError | None:
    """Give what an error of psycopg, while a model runs, means for the run."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate
    if state is None or state.startswith(_PASSING):
        return RetryLater(f"Postgres ended the model SQL: {state or type(error).__name__}")
    return ModelError(f"Postgres cannot run the model SQL: {state} {_words(error)}")


def _words(error: psycopg.Error) -> str:
    """Give what may be shown: only messages about syntax and rights (class 42) quote no row."""
    is_about_sql = (error.sqlstate or "").startswith("42")
    return (is_about_sql and error.diag.message_primary) or type(error).__name__


def _identify(conninfo: str) -> tuple[str, ...] | None:
    """Identify a database as one role sees it, whatever connection string led to it."""
    import psycopg

    connection = connect(conninfo)
    try:
        # Another role may not read the model's tables, another search_path finds others, another
        # zone gives other texts: then a copy, read as the warehouse connection says, is right.
        return connection.execute(
            "SELECT system_identifier::text, current_database(), current_user::text, "
            "current_setting('search_path'), current_setting('TimeZone') FROM pg_control_system()"
        ).fetchone()
    except psycopg.Error:
        return None  # hosted servers may not show it; a copy is then the safe way
    finally:
        connection.close()


class PostgresSource(Source):
    """A Postgres database that models are read from, in read-only transactions."""

    dialect = "postgres"
    max_identifier_bytes = _MAX_IDENTIFIER_BYTES

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
        """Run the model once, in one read-only statement, streamed by COPY."""
        connection = connect(self.conninfo, read_only=True)
        try:
            yield self._batches(
                connection, f"SELECT {', '.join(select)} FROM (\n{sql}\n) AS q", schema
            )
        finally:
            connection.close()

    def _batches(
        self, connection: psycopg.Connection[Any], sql: str, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        try:
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
            f"Postgres does not take the model SQL: {error.sqlstate} {_words(error)}"
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


class PostgresState(StateEngine):
    """
    State in a schema of a Postgres database.

    Args:
        conninfo: libpq connection string or URI.

        schema: made if absent.
    """

    commit_window_s = 0.0
    temporary = "pg_temp."
    holds_nul = False
    row_lock = " FOR SHARE"

    def __init__(self, conninfo: str, *, schema: str = "iterable_sync") -> None:
        self.conninfo = conninfo
        self.schema = schema
        self.dialect = PostgresDialect()
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a connection; an idle one is used again and is never left in a transaction."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None or connection.closed:
            connection = connect(self.conninfo)
        try:
            yield PostgresSession(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def table(self, name: str) -> str:
        """Give the quoted, qualified name of a permanent state table."""
        return f"{self.dialect.quote(self.schema)}.{self.dialect.quote(name)}"

    def prepare(self, session: Session) -> None:
        """Create the schema where it is missing."""
        exists = session.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", (self.schema,))
        if not exists:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {self.dialect.quote(self.schema)}")

    def columns_of(self, session: Session, table: str) -> list[str]:
        """Give the column names of a state table, or none."""
        return [
            row[0]
            for row in session.rows(
                "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? "
                "AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
                (self.schema, table),
            )
        ]

    def check_source(self, source: Source) -> None:
        """Nothing to refuse: state has a schema of its own."""

    def same_database(self, source: Source) -> bool:
        """Compare what the servers say about themselves, not the connection strings."""
        if not isinstance(source, PostgresSource):
            return False
        if source.conninfo == self.conninfo:
            return True
        mine = _identify(self.conninfo)
        return mine is not None and mine == _identify(source.conninfo)

    def model_error(self, error: Exception) -> IterableSyncError | None:
        """Give what an error of psycopg, while a model runs, means for the run."""
        return model_error(error)

    @contextmanager
    def query_here(self, session: Session, source: Source) -> Iterator[None]:
        """Nothing to do: the model's tables are in this database."""
        yield

    def after_plan(self, session: Session, plan: str) -> None:
        """Index the plan by ``_seq`` and tell the planner its size."""
        session.execute(f"CREATE INDEX ON {plan} (_seq)")
        session.execute(f"ANALYZE {plan}")

    def candidates(self, stage: str, snapshot: str, diff: DiffSql) -> Candidates:
        """
        One pass by values.

        Row comparison with IS DISTINCT FROM; no hash: ``hash_record_extended`` takes values of
        some types for equal that are not.
        """
        mine = ", ".join(f"s.{c}" for c in diff.compared)
        theirs = ", ".join(f"t.{c}" for c in diff.compared)
        differs = f"ROW({mine}) IS DISTINCT FROM ROW({theirs})" if diff.compared else "FALSE"
        first = diff.keys[0]
        return Candidates(
            # The planner needs the numbers of rows and of keys; all columns cost three times as
            # much.
            before=(f"ANALYZE {stage} ({', '.join(diff.keys)})",),
            added=None,
            parts=(
                (
                    f"{stage} s FULL JOIN {snapshot} t ON {diff.on}",
                    f"s.{first} IS NULL OR t.{first} IS NULL OR {differs} "
                    f"OR {diff.stage_suspect} OR {diff.snapshot_suspect}",
                ),
            ),
            after=(),
        )
