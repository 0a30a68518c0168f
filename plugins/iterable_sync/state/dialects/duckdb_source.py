"""DuckDB files that models are read from."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError, ModelError, RetryLater
from iterable_sync.state.dialects.base import Cast, Source, SourceColumn
from iterable_sync.state.dialects.duckdb_file import connect
from iterable_sync.state.dialects.duckdb_types import duckdb_cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from iterable_sync.errors import IterableSyncError

_READ_ROWS = 20_000


def model_error(error: Exception) -> IterableSyncError | None:
    """Give what an error of DuckDB, while a model runs, means for the run."""
    import duckdb

    if not isinstance(error, duckdb.Error):
        return None
    # Not its message: it may quote a value of a row.
    kind = type(error).__name__
    if isinstance(error, duckdb.OutOfMemoryException):
        return ConfigError(
            f"the model SQL needs more memory than DuckDB may take ({kind}); raise memory_limit in "
            "the extra of the connection"
        )
    if isinstance(error, duckdb.IOException):
        return RetryLater(f"DuckDB cannot read or spill now: {kind}")
    return ModelError(f"DuckDB cannot run the model SQL: {kind}")


class DuckDBSource(Source):
    """
    A DuckDB file that models are read from, always read-only.

    Args:
        memory_limit: of the engine, e.g. ``1GB``.

        temp_directory: where it spills; below the system's temporary files by default.
    """

    dialect = "duckdb"
    max_identifier_bytes = 1_000

    def __init__(
        self, path: str, *, memory_limit: str = "1GB", temp_directory: str | None = None
    ) -> None:
        self.path = path
        self._config = {
            "memory_limit": memory_limit,
            "temp_directory": temp_directory
            or str(Path(tempfile.gettempdir()) / f"iterable_sync_{os.getpid()}"),
        }

    def columns(self, sql: str) -> list[SourceColumn]:
        """Describe the result of the model."""
        connection = connect(self.path, read_only=True, config=self._config)
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
        named = ", ".join(
            f"{expression} AS {self.quote(name)}"
            for expression, name in zip(select, schema.names, strict=True)
        )
        connection = connect(self.path, read_only=True, config=self._config)
        try:
            yield self._batches(connection, f"SELECT {named} FROM (\n{sql}\n) AS q", schema)
        finally:
            connection.close()

    def _batches(
        self, connection: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        try:
            for batch in connection.sql(sql).to_arrow_reader(_READ_ROWS):
                yield batch.cast(schema)
        except Exception as error:
            if (known := model_error(error)) is not None:
                raise known from None
            raise


def describe(connection: duckdb.DuckDBPyConnection, sql: str) -> list[SourceColumn]:
    """
    Describe the result of a query without running it.

    Raises:
        ModelError: DuckDB does not take the query; its message, which quotes SQL but no rows.
    """
    import duckdb

    try:
        # Not of a derived table: there the second of two columns of one name is renamed silently.
        result = connection.execute(f"DESCRIBE {sql}").fetchall()
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"DuckDB does not take the model SQL: {first}") from None
    return [SourceColumn(row[0], row[1]) for row in result]
