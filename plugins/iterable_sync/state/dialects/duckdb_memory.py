"""DuckDB in memory: for what is worked out like a run, and leaves nothing behind."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.state.dialects.duckdb import DuckDBSession, DuckDBState

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from iterable_sync.state.dialects.base import Session, Source


class DuckDBMemory(DuckDBState):
    """
    An engine without a file, see :func:`in_memory`.

    Its sessions are one connection: the temporary tables of one are there in the next.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(":memory:")
        self._catalog = "memory"
        self._connection = connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give the connection."""
        yield DuckDBSession(self._connection)

    def same_database(self, source: Source) -> bool:
        """Say no: what is copied is read by the warehouse, however little of it there is."""
        return False


@contextmanager
def in_memory() -> Iterator[DuckDBMemory]:
    """
    Give an engine that is gone after the block.

    Raises:
        ConfigError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise ConfigError(
            "this needs DuckDB: pip install 'airflow-provider-iterable[duckdb]'"
        ) from None
    # Without a folder it spills nothing into.
    with duckdb.connect(":memory:", config={"temp_directory": ""}) as connection:
        yield DuckDBMemory(connection)
