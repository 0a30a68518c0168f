"""DuckDB: state in a file of its own, and DuckDB files as sources."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from iterable_sync.errors import ConfigError, StateBusy
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
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_OPEN_FOR_S = 60.0
_READ_ROWS = 20_000

_LONG = Cast(StateType.BIGINT, WireType.LONG, "CAST({0} AS BIGINT)")
_DOUBLE = Cast(StateType.DOUBLE, WireType.DOUBLE, "CAST({0} AS DOUBLE)")
_TEXT = Cast(StateType.TEXT, WireType.STRING, "CAST({0} AS VARCHAR)")
_JSON = Cast(StateType.TEXT, WireType.JSON, "CAST(to_json({0}) AS VARCHAR)")
# 39 digits fit no decimal(38): the wider integers travel as text and stay numbers for Iterable.
_WIDE = Cast(StateType.TEXT, WireType.LONG, "CAST({0} AS VARCHAR)")
_NAIVE = Cast(
    StateType.TEXT,
    WireType.DATETIME,
    "CAST(timezone('UTC', timezone({1}, CAST({0} AS TIMESTAMP))) AS VARCHAR) || '+00:00'",
    naive=True,
)
_CASTS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"), _LONG),
    "BIGINT": Cast(StateType.BIGINT, WireType.LONG),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM", "VARINT"), _WIDE),
    "FLOAT": _DOUBLE,
    "DOUBLE": Cast(StateType.DOUBLE, WireType.DOUBLE),
    "BOOLEAN": Cast(StateType.BOOLEAN, WireType.BOOLEAN),
    "VARCHAR": Cast(StateType.TEXT, WireType.STRING),
    "DATE": Cast(StateType.TEXT, WireType.DATE, "CAST({0} AS VARCHAR)"),
    "TIMESTAMP WITH TIME ZONE": Cast(
        StateType.TEXT,
        WireType.DATETIME,
        "CAST(timezone('UTC', {0}) AS VARCHAR) || '+00:00'",
    ),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"), _NAIVE),
    "JSON": Cast(StateType.TEXT, WireType.JSON, "CAST({0} AS VARCHAR)"),
}


def duckdb_cast(type_name: str) -> Cast:
    """Give the way of a DuckDB type into the stage."""
    if found := _CASTS.get(type_name):
        return found
    if decimal := _DECIMAL.fullmatch(type_name):
        scale = int(decimal[2])
        wire = WireType.DOUBLE if scale else WireType.LONG
        return Cast(StateType.DECIMAL, wire, f"CAST({{0}} AS DECIMAL(38,{scale}))", scale)
    nested = type_name.endswith("]") or type_name.startswith(("STRUCT", "MAP", "UNION"))
    return _JSON if nested else _TEXT


class DuckDBDialect(Dialect):
    """DuckDB's SQL."""

    name = "duckdb"
    max_identifier_bytes = 1_000

    def type_name(self, column: Column) -> str:
        """Give the type of a column in state tables."""
        if column.state is StateType.DECIMAL:
            return f"DECIMAL(38,{column.scale})"
        return {"bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR"}[
            column.state.value
        ]

    def cast(self, type_name: str) -> Cast:
        """Give the way of a DuckDB type into the stage."""
        return duckdb_cast(type_name)

    def key_text(self, columns: Sequence[str]) -> str:
        """Give the key as one text: itself, or a JSON array of its parts."""
        texts = [f"CAST({c} AS VARCHAR)" for c in columns]
        return texts[0] if len(texts) == 1 else f"CAST(to_json([{', '.join(texts)}]) AS VARCHAR)"


class DuckDBSession:
    """A DuckDB connection as a :class:`Session`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement; give the number of rows it wrote."""
        result = self.connection.execute(sql, params or None)
        if result.description is None or [d[0] for d in result.description] != ["Count"]:
            return -1
        row = result.fetchone()
        return int(row[0]) if row else -1

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query and give all its rows."""
        return self.connection.execute(sql, params or None).fetchall()

    def arrow(self, sql: str, schema: pa.Schema) -> pa.Table:
        """Run a query and give it as a table of *schema*."""
        return self.connection.sql(sql).to_arrow_table().cast(schema)

    def load(self, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Append batches to a table, streamed."""
        import pyarrow as pa

        incoming = pa.RecordBatchReader.from_batches(schema, batches)
        self.connection.register("_incoming", incoming)
        try:
            self.connection.execute(f"INSERT INTO {table} SELECT * FROM _incoming")
        finally:
            self.connection.unregister("_incoming")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back on an error."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")


def connect(
    path: str, *, read_only: bool = False, config: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """
    Open a DuckDB file, waiting up to a minute for another process that has it open.

    Raises:
        StateBusy: it is still held; the message names the holder as DuckDB does.
    """
    import duckdb

    until = time.monotonic() + _OPEN_FOR_S
    pause = 0.05
    while True:
        try:
            return duckdb.connect(path, read_only=read_only, config=dict(config or {}))
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise ConfigError(f"cannot open the DuckDB file {path}: {_first(error)}") from None
            if time.monotonic() > until:
                raise StateBusy(
                    f"DuckDB file {path} is held by another process: {_first(error)}"
                ) from None
        time.sleep(pause)
        pause = min(pause * 1.6, 1.0)


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]


class DuckDBSource(Source):
    """A DuckDB file that models are read from, always read-only."""

    dialect = "duckdb"
    max_identifier_bytes = 1_000

    def __init__(self, path: str) -> None:
        self.path = path

    def columns(self, sql: str) -> list[SourceColumn]:
        """Describe the result of the model."""
        connection = connect(self.path, read_only=True)
        try:
            return describe(connection, sql)
        finally:
            connection.close()

    def cast(self, type_name: str) -> Cast:
        """Give the way of a DuckDB type into the stage."""
        return duckdb_cast(type_name)

    @contextmanager
    def read(
        self, sql: str, select: Sequence[str], schema: pa.Schema
    ) -> Iterator[Iterator[pa.RecordBatch]]:
        """Run the model once, read-only, streamed."""
        connection = connect(self.path, read_only=True)
        try:
            named = [
                f"{expression} AS {self.quote(name)}"
                for expression, name in zip(select, schema.names, strict=True)
            ]
            relation = connection.sql(f"SELECT {', '.join(named)} FROM (\n{sql}\n) AS q")
            reader = relation.to_arrow_reader(_READ_ROWS)
            yield (batch.cast(schema) for batch in reader)
        finally:
            connection.close()


def describe(connection: duckdb.DuckDBPyConnection, sql: str) -> list[SourceColumn]:
    """Describe the result of a query without running it."""
    # Not of a derived table: there the second of two columns of one name is renamed silently.
    result = connection.execute(f"DESCRIBE {sql}").fetchall()
    return [SourceColumn(row[0], row[1]) for row in result]


class DuckDBState(StateEngine):
    """
    State in a DuckDB file of its own, open only during short visits.

    One process at a time, readers included: for demo, tests and single hosts.

    Args:
        path: the file; made if absent.

        memory_limit: of the engine, e.g. ``1GB``.

        temp_directory: where it spills; beside the file by default.
    """

    commit_window_s = 2.0
    temporary = "temp.main."
    holds_nul = True
    row_lock = ""  # one process at a time: nobody else writes while this one has the file open

    def __init__(
        self, path: str, *, memory_limit: str = "1GB", temp_directory: str | None = None
    ) -> None:
        self.path = path
        self.dialect = DuckDBDialect()
        self._config = {
            "memory_limit": memory_limit,
            "temp_directory": temp_directory or f"{path}.tmp",
            # Order is what `_seq` is for; keeping it costs memory.
            "preserve_insertion_order": "false",
        }

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open the file for a visit."""
        connection = connect(self.path, config=self._config)
        try:
            yield DuckDBSession(connection)
        finally:
            connection.close()

    def table(self, name: str) -> str:
        """Give the quoted, qualified name of a permanent state table."""
        return f"{self.dialect.quote(Path(self.path).stem)}.main.{self.dialect.quote(name)}"

    def prepare(self, session: Session) -> None:
        """Nothing: the file is the schema."""

    def columns_of(self, session: Session, table: str) -> list[str]:
        """Give the column names of a state table, or none."""
        return [
            row[0]
            for row in session.rows(
                "SELECT column_name FROM duckdb_columns() "
                "WHERE database_name = ? AND table_name = ? ORDER BY column_index",
                (Path(self.path).stem, table),
            )
        ]

    def same_database(self, source: Source) -> bool:
        """
        Say yes to any DuckDB file: it is attached beside the state's.

        Raises:
            ConfigError: it is the state's own file; a transaction cannot write two files, so state
                is kept apart.
        """
        if not isinstance(source, DuckDBSource):
            return False
        if Path(source.path).resolve() == Path(self.path).resolve():
            raise ConfigError(
                f"warehouse and state are the same DuckDB file, {self.path}; "
                "give state a file of its own"
            )
        return True

    @contextmanager
    def query_here(self, session: Session, source: Source) -> Iterator[None]:
        """Attach the source read-only and make its tables the default ones."""
        own = self.dialect.quote(Path(self.path).stem)
        alias = self.dialect.quote(f"source_{time.monotonic_ns()}")
        self._attach(session, cast("DuckDBSource", source).path, alias)
        try:
            session.execute(f"USE {alias}")
            yield
        finally:
            session.execute(f"USE {own}")
            session.execute(f"DETACH {alias}")

    def _attach(self, session: Session, path: str, alias: str) -> None:
        import duckdb

        until = time.monotonic() + _OPEN_FOR_S
        while True:
            try:
                session.execute(f"ATTACH {self.dialect.literal(path)} AS {alias} (READ_ONLY)")
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise ConfigError(
                        f"cannot open the DuckDB warehouse {path}: {_first(error)}"
                    ) from None
                if time.monotonic() > until:
                    raise StateBusy(
                        f"DuckDB warehouse {path} is held by another process: {_first(error)}"
                    ) from None
            else:
                return
            time.sleep(0.2)

    def after_plan(self, session: Session, plan: str) -> None:
        """Nothing: row groups know their smallest and greatest ``_seq``."""

    def candidates(self, stage: str, snapshot: str, diff: DiffSql) -> Candidates:
        """
        Join narrow first, by key and a hash computed live; then fetch the rows by position.

        The hash narrows the join to a few bytes a row, so it fits a small memory limit; over the
        canonical types of the stage DuckDB's ``hash`` equals IS DISTINCT FROM.
        """
        keys = ", ".join(diff.keys)
        digest = f"hash({', '.join(diff.compared)})" if diff.compared else "0"

        def side(table: str, alias: str, suspect: str) -> str:
            return (
                f"(SELECT rowid AS r, {keys}, {digest} AS h, ({suspect}) AS suspect "
                f"FROM {table} {alias}) {alias}"
            )

        return Candidates(
            before=(
                "CREATE OR REPLACE TEMP TABLE _candidates AS SELECT s.r AS sr, t.r AS tr "
                f"FROM {side(stage, 's', diff.stage_suspect)} "
                f"FULL JOIN {side(snapshot, 't', diff.snapshot_suspect)} ON {diff.on} "
                "WHERE s.h IS DISTINCT FROM t.h OR s.r IS NULL OR t.r IS NULL "
                "OR s.suspect OR t.suspect",
            ),
            from_clause=(
                f"_candidates c LEFT JOIN {stage} s ON s.rowid = c.sr "
                f"LEFT JOIN {snapshot} t ON t.rowid = c.tr"
            ),
            where="TRUE",
            after=("DROP TABLE _candidates",),
        )
