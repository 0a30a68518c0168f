"""PostgreSQL: state in a schema of its own."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from iterable_sync.errors import ConfigError, RetryLater, StateLost
from iterable_sync.rows import Column, StateType
from iterable_sync.state.dialects.base import (
    Candidates,
    Cast,
    Dialect,
    DiffSql,
    Session,
    Source,
    StateEngine,
)
from iterable_sync.state.dialects.postgres_connection import (
    connect,
    identify,
    in_words,
    model_error,
    state_lost,
)
from iterable_sync.state.dialects.postgres_copy import copy_in, copy_out
from iterable_sync.state.dialects.postgres_source import PostgresSource
from iterable_sync.state.dialects.postgres_types import MAX_IDENTIFIER_BYTES, postgres_cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    import pyarrow as pa

    from iterable_sync.errors import IterableSyncError

WORK_MEM_KB = 64 * 1024
"""At least so much memory a planning session has for a sort, and twice that for a hash table."""


class PostgresDialect(Dialect):
    """PostgreSQL's SQL."""

    name = "postgres"
    max_identifier_bytes = MAX_IDENTIFIER_BYTES
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

    def sha256(self, text: str) -> str:
        """Give the SHA-256 of a text in hexadecimal."""
        return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"


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


class PostgresState(StateEngine):
    """
    State in a schema of a Postgres database.

    Args:
        conninfo: libpq connection string or URI.

        schema: made if absent.
    """

    # A commit waits for the disk: without a limit of requests, one for each answer costs a seventh
    # of the run.
    commit_window_s = 0.1
    temporary = "pg_temp."
    of_model = "_of_model"
    holds_nul = False
    row_lock = " FOR SHARE"
    row_claim = " FOR UPDATE SKIP LOCKED"
    # A worker that freezes within a transaction has locked its lease: without a limit nobody could
    # take over as long as it stays frozen, which a paused machine does for hours.
    idle_in_transaction_s = 60.0

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
            try:
                connection = connect(
                    self.conninfo, idle_in_transaction_s=self.idle_in_transaction_s
                )
            except RetryLater as error:
                raise StateLost(f"{error}, where state is kept") from None
        try:
            yield PostgresSession(connection)
        except BaseException as error:
            connection.close()
            if (lost := state_lost(error)) is None:
                raise
            # What ended this one, a restart or a proxy, has most likely ended the idle ones too.
            self.close()
            raise lost from None
        with self._lock:
            self._idle.append(connection)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a connection of its own, on which the server refuses to write."""
        import psycopg

        try:
            with closing(connect(self.conninfo, read_only=True)) as connection:
                yield PostgresSession(connection)
        except psycopg.errors.UndefinedTable:
            # A plan lives as long as its run.
            raise StateLost("a run dropped its plan while the state was read") from None
        except psycopg.Error as error:
            raise state_lost(error) or ConfigError(
                f"the state in schema {self.schema!r} of Postgres cannot be read: "
                f"{error.sqlstate or ''} {in_words(error)}"
            ) from None

    def transaction_number(self, session: Session) -> int | None:
        """Give the number by which the transaction at hand is known later."""
        return int(session.rows("SELECT txid_current()")[0][0])

    def has_committed(self, session: Session, number: int) -> bool | None:
        """Say whether a transaction happened; None while it goes on."""
        status = session.rows("SELECT txid_status(?)", (number,))[0][0]
        return None if status == "in progress" else status == "committed"

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

    def tables_of(self, session: Session, prefix: str) -> list[str]:
        """Give the names of the schema's tables that begin so."""
        return [
            row[0]
            for row in session.rows(
                "SELECT tablename FROM pg_tables "
                "WHERE schemaname = ? AND starts_with(tablename::text, ?) ORDER BY 1",
                (self.schema, prefix),
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
        mine = identify(self.conninfo)
        return mine is not None and mine == identify(source.conninfo)

    def model_error(self, error: Exception) -> IterableSyncError | None:
        """Give what an error of psycopg, while a model runs, means for the run."""
        return model_error(error)

    @contextmanager
    def query_here(self, session: Session, source: Source) -> Iterator[None]:
        """Nothing to do: the model's tables are in this database."""
        yield

    @contextmanager
    def planning(self, session: Session) -> Iterator[None]:
        """
        Let hash tables be as large as a table of a million wide rows needs them.

        With the default of 4 MB Postgres writes and reads both tables once more. A role that has
        more keeps it. Where other processes help, this one is busy enough with what they give.
        """
        own = session.rows("SELECT setting::bigint FROM pg_settings WHERE name = 'work_mem'")[0][0]
        session.execute(f"SET work_mem = {max(int(own), WORK_MEM_KB)}")
        session.execute("SET parallel_leader_participation = off")
        yield
        # After an error the connection is not used again.
        session.execute("RESET work_mem")
        session.execute("RESET parallel_leader_participation")

    def after_plan(self, session: Session, plan: str) -> None:
        """Index the plan by ``_seq`` and tell the planner its size."""
        session.execute(f"CREATE INDEX ON {plan} (_seq)")
        session.execute(f"ANALYZE {plan}")

    def compared(self, session: Session, sql: str, diff: DiffSql) -> str:
        """
        Compare by values in the statement that stages.

        Then no wide row is read twice, and where both tables are permanent the work is shared with
        other processes of the server. The stage has the values of a row that differs, as one value
        of a type of its own; of all others it has what counting them takes, for what those
        processes hand over costs as much as the comparison. No hash: ``hash_record_extended``
        takes values of some types for equal that are not.
        """
        session.execute(f"DROP TYPE IF EXISTS {self._wide}")
        types = "".join(f", {name} {ddl}" for name, ddl in diff.wide)
        session.execute(f"CREATE TYPE {self._wide} AS (_differs boolean{types})")
        wide = [name for name, _ in diff.wide]
        names = "".join(
            f"COALESCE(s.{c}, t.{c}) AS {c}, " if c in diff.keys else f"s.{c}, "
            for c in diff.staged
            if c not in wide
        )
        mine = ", ".join(f"s.{c}" for c in diff.compared)
        theirs = ", ".join(f"t.{c}" for c in diff.compared)
        differs = f"ROW({mine}) IS DISTINCT FROM ROW({theirs})" if diff.compared else "FALSE"
        values = ", ".join(["TRUE", *(f"s.{c}" for c in wide)])
        return (
            f"SELECT {names}s._of_model IS NOT NULL AS _of_model, "
            f"CASE WHEN t.{diff.keys[0]} IS NULL OR {differs} OR {diff.snapshot_suspect} "
            f"THEN CAST(ROW({values}) AS {self._wide}) END AS _wide "
            f"FROM (SELECT *, TRUE AS _of_model FROM ({sql}) AS r) AS s "
            f"FULL JOIN {diff.snapshot} t ON {diff.on} "
            "WHERE s._of_model OR t._status <> 'gone'"
        )

    @property
    def _wide(self) -> str:
        return f"{self.temporary}_wide"

    def candidates(self, stage: str, diff: DiffSql) -> Candidates:
        """
        Give what :meth:`compared` found: a small table, read from the stage once.

        A row that is looked at although it does not differ has the values of the snapshot.
        """
        keys, found = ", ".join(diff.keys), f"{self.temporary}_candidates"
        wide = {name for name, _ in diff.wide}
        differs = "s._wide IS DISTINCT FROM NULL"
        new, old = (
            ", ".join(f"{of if c in wide else 's'}.{c} AS {c}" for c in (*diff.staged, "_of_model"))
            for of in ("(s._wide)", "t")
        )
        return Candidates(
            before=(
                f"DROP TABLE IF EXISTS {found}",
                f"CREATE TEMP TABLE {found} AS SELECT {new} FROM {stage} s "
                f"WHERE NOT s._of_model OR {differs} UNION ALL "
                f"SELECT {old} FROM {stage} s JOIN {diff.snapshot} t ON {diff.on} "
                f"WHERE s._of_model AND NOT {differs} AND ({diff.stage_suspect})",
                # The planner needs the numbers of rows and of keys; all columns cost three times
                # as much.
                f"ANALYZE {found} ({keys}, _of_model)",
            ),
            added=None,
            parts=(
                (
                    f"(SELECT * FROM {found} WHERE _of_model) s "
                    f"LEFT JOIN {diff.snapshot} t ON {diff.on}",
                    "TRUE",
                ),
                (
                    f"(SELECT {keys} FROM {found} WHERE NOT _of_model) AS l "
                    f"JOIN {diff.snapshot} t USING ({keys}) "
                    f"LEFT JOIN (SELECT * FROM {found} WHERE FALSE) s ON FALSE",
                    "TRUE",
                ),
            ),
            after=(f"DROP TABLE {found}",),
        )
