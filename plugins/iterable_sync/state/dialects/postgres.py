"""PostgreSQL: state in a schema of its own, and Postgres databases as sources."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ModelError, RetryLater
from iterable_sync.rows import Column, StateType, WireType
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import psycopg
    import pyarrow as pa

_NUMERIC = re.compile(r"numeric(?:\((\d+),(-?\d+)\))?")
_MAX_IDENTIFIER_BYTES = 63

_LONG = Cast(StateType.BIGINT, WireType.LONG, "CAST({0} AS bigint)")
_TEXT = Cast(StateType.TEXT, WireType.STRING, 'CAST({0} AS text) COLLATE "C"')
_JSON = Cast(StateType.TEXT, WireType.JSON, 'CAST({0} AS text) COLLATE "C"')
_NESTED = Cast(StateType.TEXT, WireType.JSON, 'CAST(to_json({0}) AS text) COLLATE "C"')
# numeric can be NaN, Infinity or longer than any decimal(38): as text it keeps every digit, and
# trimmed it is one text per number.
_DECIMAL = 'CAST(trim_scale({0}) AS text) COLLATE "C"'
_CASTS = {
    "smallint": _LONG,
    "integer": _LONG,
    "bigint": Cast(StateType.BIGINT, WireType.LONG),
    "oid": _LONG,
    "real": Cast(StateType.DOUBLE, WireType.DOUBLE, "CAST({0} AS double precision)"),
    "double precision": Cast(StateType.DOUBLE, WireType.DOUBLE),
    "money": Cast(
        StateType.TEXT,
        WireType.DOUBLE,
        'CAST(trim_scale(CAST({0} AS numeric)) AS text) COLLATE "C"',
    ),
    "boolean": Cast(StateType.BOOLEAN, WireType.BOOLEAN),
    "date": Cast(StateType.TEXT, WireType.DATE, 'CAST({0} AS text) COLLATE "C"'),
    "timestamp with time zone": Cast(
        StateType.TEXT,
        WireType.DATETIME,
        "(CAST({0} AT TIME ZONE 'UTC' AS text) || '+00:00') COLLATE \"C\"",
    ),
    "timestamp without time zone": Cast(
        StateType.TEXT,
        WireType.DATETIME,
        "(CAST({0} AT TIME ZONE {1} AT TIME ZONE 'UTC' AS text) || '+00:00') COLLATE \"C\"",
        naive=True,
    ),
    "json": _JSON,
    "jsonb": _JSON,
    "record": _NESTED,
}


def postgres_cast(type_name: str) -> Cast:
    """Give the way of a Postgres type (as ``format_type`` names it) into the stage."""
    if type_name.endswith("[]"):
        return _NESTED
    if found := _CASTS.get(re.sub(r"\((\d+)\)", "", type_name)):
        return found
    if numeric := _NUMERIC.fullmatch(type_name):
        is_integer = numeric[2] is not None and int(numeric[2]) <= 0
        return Cast(StateType.TEXT, WireType.LONG if is_integer else WireType.DOUBLE, _DECIMAL)
    return _TEXT


class PostgresDialect(Dialect):
    """PostgreSQL's SQL."""

    name = "postgres"
    max_identifier_bytes = _MAX_IDENTIFIER_BYTES

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
        """Run a query and give it as a table of *schema*; COPY and Arrow's parser, in C."""
        import pyarrow as pa

        return pa.Table.from_batches(_copy_out(self.connection, sql, schema), schema)

    def load(self, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Append batches to a table, streamed through COPY."""
        import pyarrow as pa
        import pyarrow.csv as pa_csv

        options = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")
        names = ", ".join(f'"{n.replace(chr(34), chr(34) * 2)}"' for n in schema.names)
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)".encode()) as copy,
        ):
            for batch in batches:
                sink = pa.BufferOutputStream()
                pa_csv.write_csv(pa.Table.from_batches([batch], schema), sink, options)
                copy.write(memoryview(sink.getvalue()))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back on an error."""
        with self.connection.transaction():
            yield


class _Chunks:
    """The chunks of a COPY as the readable file that Arrow's CSV reader wants."""

    closed = False

    def __init__(self, chunks: Iterable[memoryview | bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < size or size < 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(bytes(chunk))
            have += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:] if size >= 0 else b""
        return data[:size] if size >= 0 else data

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def _copy_out(
    connection: psycopg.Connection[Any], sql: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY (\n{sql}\n) TO STDOUT (FORMAT csv)".encode()) as copy,
    ):
        chunks = iter(copy)
        first = next(chunks, None)
        if first is None:
            return
        file = _Chunks(_chain(first, chunks))
        reader = pa_csv.open_csv(
            pa.PythonFile(file, mode="r"),
            read_options=pa_csv.ReadOptions(column_names=schema.names, block_size=1 << 22),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=schema,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        )
        yield from reader


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def connect(conninfo: str, *, read_only: bool = False) -> psycopg.Connection[Any]:
    """
    Connect in autocommit, without server-side prepared statements.

    Raises:
        RetryLater: the server cannot be reached; the message holds no connection string.
    """
    import psycopg

    try:
        connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise RetryLater(f"cannot connect to Postgres: {type(error).__name__}") from None
    # Canonical text of dates needs ISO; the time zone stays the user's, models may rely on it.
    connection.execute("SET datestyle = 'ISO, YMD'; SET extra_float_digits = 1")
    connection.read_only = read_only
    return connection


def database_id(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Identify a database, whatever connection string led to it."""
    row = connection.execute(
        "SELECT system_identifier::text, current_database() FROM pg_control_system()"
    ).fetchone()
    return tuple(row or ())


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
        """Run the model once, in one read-only transaction, streamed by COPY."""
        connection = connect(self.conninfo, read_only=True)
        try:
            with connection.transaction():
                yield _copy_out(
                    connection, f"SELECT {', '.join(select)} FROM (\n{sql}\n) AS q", schema
                )
        finally:
            connection.close()


def describe(connection: psycopg.Connection[Any], sql: str) -> list[SourceColumn]:
    """
    Describe the result of a query without running it.

    Raises:
        ModelError: Postgres does not take the query; SQLSTATE and message, which quotes SQL but
            no rows.
    """
    import psycopg

    wrapped = f"SELECT * FROM (\n{sql}\n) AS q LIMIT 0"
    try:
        with connection.cursor() as cursor:
            cursor.execute(wrapped.encode())
            described = cursor.description or []
            if not described:
                return []
            types = ", ".join(f"format_type({d.type_code}, {_typmod(d)})" for d in described)
            named = cursor.execute(f"SELECT {types}".encode()).fetchone() or ()
    except psycopg.Error as error:
        raise ModelError(
            f"Postgres does not take the model SQL: {error.sqlstate} "
            f"{error.diag.message_primary or type(error).__name__}"
        ) from None
    return [SourceColumn(d.name, t) for d, t in zip(described, named, strict=True)]


def _typmod(column: psycopg.Column) -> str:
    # Only numeric needs its modifier here: scale 0 makes it an integer.
    if column.type_code == 1700 and column.precision is not None:
        return str(((column.precision << 16) | ((column.scale or 0) & 0x7FF)) + 4)
    return "NULL"


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

    def same_database(self, source: Source) -> bool:
        """Compare the servers' own identity, not the connection strings."""
        if not isinstance(source, PostgresSource):
            return False
        if source.conninfo == self.conninfo:
            return True
        return self._identify(self.conninfo) == self._identify(source.conninfo) is not None

    def _identify(self, conninfo: str) -> tuple[str, ...] | None:
        import psycopg

        connection = connect(conninfo)
        try:
            return database_id(connection)
        except psycopg.Error:
            return None  # hosted servers may not show it; a copy is then the safe way
        finally:
            connection.close()

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
            before=(f"ANALYZE {stage}",),
            from_clause=f"{stage} s FULL JOIN {snapshot} t ON {diff.on}",
            where=(
                f"s.{first} IS NULL OR t.{first} IS NULL OR {differs} "
                f"OR {diff.stage_suspect} OR {diff.snapshot_suspect}"
            ),
            after=(),
        )
