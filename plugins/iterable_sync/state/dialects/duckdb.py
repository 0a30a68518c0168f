"""DuckDB: state in a file of its own."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from iterable_sync.errors import ConfigError, StateBusy
from iterable_sync.state.dialects.base import (
    Candidates,
    DiffSql,
    Session,
    Source,
    StateEngine,
)
from iterable_sync.state.dialects.duckdb_dialect import DuckDBDialect
from iterable_sync.state.dialects.duckdb_file import (
    catalog_name,
    connect,
    no_room,
    when_free,
)
from iterable_sync.state.dialects.duckdb_source import DuckDBSource, model_error
from iterable_sync.state.dialects.duckdb_visits import Visits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    import duckdb
    import pyarrow as pa

    from iterable_sync.errors import IterableSyncError

# Ten million rows do not pass under 128 MB, and do under 256 MB.
_RENAMED_ROW_BYTES = 32
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


class DuckDBSession:
    """A DuckDB connection as a :class:`Session`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._is_in_transaction = False

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
        """
        Append batches to a table, one after the other.

        Read from here and not by DuckDB as one stream: that calls the source from threads of its
        own, which drivers refuse (SQLite) or do not expect.
        """
        import pyarrow as pa

        for batch in batches:
            self.connection.register("_incoming", pa.Table.from_batches([batch], schema))
            try:
                self.connection.execute(f"INSERT INTO {table} SELECT * FROM _incoming")
            finally:
                self.connection.unregister("_incoming")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, roll back on an error."""
        import duckdb

        self.connection.execute("BEGIN")
        self._is_in_transaction = True
        try:
            yield
        except BaseException:
            # Where even that fails the connection is done with, and what it did with it.
            with suppress(duckdb.Error):
                self.connection.execute("ROLLBACK")
            raise
        finally:
            self._is_in_transaction = False
        self.connection.execute("COMMIT")

    def columns(self, database: str, table: str) -> dict[str, str]:
        """
        Give name -> type of the columns of a table; none where there is no such table.

        To list what there is costs ten times as much as to ask for one table, and that fails where
        the table is missing, which a transaction would not survive.
        """
        import duckdb

        if self._is_in_transaction and not self.rows(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND table_name = ?",
            (database, table),
        ):
            return {}
        quoted = ".".join(
            '"' + name.replace('"', '""').replace("'", "''") + '"'
            for name in (database, "main", table)
        )
        try:
            return dict(self.rows(f"SELECT name, type FROM pragma_table_info('{quoted}')"))
        except duckdb.CatalogException:
            return {}


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
    row_claim = ""

    def __init__(
        self, path: str, *, memory_limit: str = "1GB", temp_directory: str | None = None
    ) -> None:
        self.path = path
        self.dialect = DuckDBDialect()
        self._memory_limit = memory_limit
        self._catalog = catalog_name(path)
        self._visits = Visits(
            path,
            {
                "memory_limit": memory_limit,
                "temp_directory": temp_directory or f"{path}.tmp",
                # Order is what `_seq` is for; keeping it costs memory.
                "preserve_insertion_order": "false",
            },
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open the file for a visit."""
        try:
            with self._visits.visit() as connection:
                yield DuckDBSession(connection)
        except Exception as error:
            if (full := no_room(self.path, error)) is not None:
                raise full from None
            raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open the file read-only, once nobody else has it open."""
        import duckdb

        try:
            opened = connect(self.path, read_only=True)
        except duckdb.ConnectionException:
            raise StateBusy(
                f"the DuckDB file {self.path} is held by a run of this very process"
            ) from None
        with closing(opened) as connection:
            yield DuckDBSession(connection)

    @contextmanager
    def without_trace(self) -> Iterator[StateEngine]:
        """Give this file, or one that is gone afterwards where there is none yet."""
        if Path(self.path).exists():
            yield self
            return
        with tempfile.TemporaryDirectory() as folder:
            # Of the same name, for it is the name of the database in SQL.
            path = str(Path(folder) / Path(self.path).name)
            yield DuckDBState(path, memory_limit=self._memory_limit)

    def visits_follow(self) -> AbstractContextManager[None]:
        """Keep the file open from a visit to one that follows within half a second."""
        return self._visits.follow_each_other()

    def table(self, name: str) -> str:
        """Give the quoted, qualified name of a permanent state table."""
        return f"{self.dialect.quote(self._catalog)}.main.{self.dialect.quote(name)}"

    def prepare(self, session: Session) -> None:
        """Nothing: the file is the schema."""

    def columns_of(self, session: Session, table: str) -> list[str]:
        """Give the column names of a state table, or none."""
        return list(self._columns(session, table))

    def tables_of(self, session: Session, prefix: str) -> list[str]:
        """Give the names of the tables of the file that begin so."""
        return [
            row[0]
            for row in session.rows(
                "SELECT table_name FROM duckdb_tables() "
                "WHERE database_name = ? AND starts_with(table_name, ?) ORDER BY 1",
                (self._catalog, prefix),
            )
        ]

    def can_rename(self, session: Session, plan: str, snapshot: str) -> bool:
        """
        Say yes where columns of one name have one type, and memory holds the columns that are new.

        There is no index to be made anew. What ALTER TABLE adds stays in memory until the commit.
        """
        if self._rows_of(session, plan) * _RENAMED_ROW_BYTES > self._memory_bytes(session):
            return False
        kept = self._columns(session, snapshot)
        planned = self._columns(session, plan)
        return all(kept[name] == kind for name, kind in planned.items() if name in kept)

    def _rows_of(self, session: Session, table: str) -> int:
        return int(session.rows(f"SELECT count(*) FROM {self.table(table)}")[0][0])

    def _memory_bytes(self, session: Session) -> float:
        """Give the limit, which DuckDB says as ``976.5 MiB``."""
        said = session.rows("SELECT current_setting('memory_limit')")[0][0]
        number, unit = str(said).split()
        return float(number) * 1024.0 ** _UNITS.index(unit)

    def _columns(self, session: Session, table: str) -> dict[str, str]:
        return cast("DuckDBSession", session).columns(self._catalog, table)

    def check_source(self, source: Source) -> None:
        """Refuse the state's own file: a transaction cannot write two, so state is kept apart."""
        if isinstance(source, DuckDBSource) and (
            Path(source.path).resolve() == Path(self.path).resolve()
        ):
            raise ConfigError(
                f"warehouse and state are the same DuckDB file, {self.path}; "
                "give state a file of its own"
            )

    def same_database(self, source: Source) -> bool:
        """
        Say yes to a DuckDB file: it is attached beside the state's, by its own name.

        No where that name is the state's: SQL that names its database would read the wrong one.
        """
        if not isinstance(source, DuckDBSource):
            return False
        return catalog_name(source.path).lower() != self._catalog.lower()

    def model_error(self, error: Exception) -> IterableSyncError | None:
        """Give what an error of DuckDB, while a model runs, means for the run."""
        return model_error(error)

    @contextmanager
    def query_here(self, session: Session, source: Source) -> Iterator[None]:
        """Attach the source read-only and make its tables the default ones."""
        own = self.dialect.quote(self._catalog)
        path = cast("DuckDBSource", source).path
        attached = self.dialect.quote(catalog_name(path))
        attach = f"ATTACH {self.dialect.literal(path)} AS {attached} (READ_ONLY)"
        when_free(path, lambda: session.execute(attach))
        try:
            session.execute(f"USE {attached}")
            yield
        finally:
            session.execute(f"USE {own}")
            session.execute(f"DETACH {attached}")

    def after_plan(self, session: Session, plan: str) -> None:
        """Nothing: row groups know their smallest and greatest ``_seq``."""

    def compared(self, session: Session, sql: str, diff: DiffSql) -> str:
        """Hash rows while they are at hand."""
        return f"SELECT *, {_digest(diff)} AS _hash FROM ({sql}) AS r"

    def candidates(self, stage: str, diff: DiffSql) -> Candidates:
        """
        Join by key and a hash computed live; of the stage only these go into the hash table.

        The snapshot, which lies compressed in a file, is read once: its rows pass by, and those
        that differ are kept whole. Over the canonical types of the stage DuckDB's ``hash`` equals
        IS DISTINCT FROM.
        """
        keys, snapshot = ", ".join(diff.keys), diff.snapshot
        return Candidates(
            before=(
                "CREATE OR REPLACE TEMP TABLE _candidates AS "
                f"SELECT t.* EXCLUDE (_hash, _suspect), s._row FROM (SELECT *, {_digest(diff)} "
                f"AS _hash, ({diff.snapshot_suspect}) AS _suspect, TRUE AS _known "
                f"FROM {snapshot} t) t FULL JOIN (SELECT rowid AS _row, {keys}, _hash, "
                f"({diff.stage_suspect}) AS _suspect FROM {stage} s) s ON {diff.on} "
                "WHERE s._hash IS DISTINCT FROM t._hash OR t._known IS NULL OR s._row IS NULL "
                "OR s._suspect OR t._suspect",
            ),
            added=(
                f"(SELECT * FROM {stage} WHERE rowid IN "
                "(SELECT _row FROM _candidates WHERE _known IS NULL)) s"
            ),
            parts=(
                (
                    "(SELECT * FROM _candidates WHERE _known AND _row IS NOT NULL) t "
                    f"JOIN {stage} s ON s.rowid = t._row",
                    "TRUE",
                ),
                (
                    "(SELECT * FROM _candidates WHERE _row IS NULL) t "
                    f"LEFT JOIN (SELECT * FROM {stage} WHERE FALSE) s ON FALSE",
                    "TRUE",
                ),
            ),
            after=("DROP TABLE _candidates",),
        )


def _digest(diff: DiffSql) -> str:
    return f"hash({', '.join(diff.compared)})" if diff.compared else "0"
