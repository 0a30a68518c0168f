"""The state for simulated worlds: the product's SQL on DuckDB in memory, with a clock of ours."""

from __future__ import annotations

import atexit
import re
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import duckdb

from crashes import Crash, CrashingState, _CrashingSession
from iterable_sync.state import DuckDBSource, DuckDBState
from iterable_sync.state.dialects.duckdb import DuckDBSession
from iterable_sync.state.dialects.duckdb_source import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from iterable_sync.state import Source
    from iterable_sync.state.dialects.base import Session, SourceColumn

CATALOG = "world"
_START = datetime(2026, 3, 1, tzinfo=UTC)
_NOW = re.compile(r"\bnow\(\)")
_PLACES = re.compile(r"'[^']*'|\?|\bnow\(\)")


class MemoryState(DuckDBState):
    """
    State and warehouse in one database in memory, which lasts until :meth:`close`.

    A session is a connection of its own, as on a file, so temporary tables end with it.

    Args:
        clock: seconds; ``now()`` of the product's SQL is this clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(f"{CATALOG}.duckdb")
        self._clock = clock
        _shared().execute(f"ATTACH ':memory:' AS {CATALOG}")

    def close(self) -> None:
        """Forget everything."""
        _shared().execute(f"DETACH {CATALOG}")

    @property
    def now(self) -> datetime:
        """The moment on the database's clock."""
        return _START + timedelta(seconds=self._clock())

    @contextmanager
    def session(self) -> Iterator[_Session]:
        connection = _shared().cursor()
        try:
            yield _Session(connection, self)
        finally:
            connection.close()

    def visits_follow(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check_source(self, source: Source) -> None:
        pass

    def same_database(self, source: Source) -> bool:
        return True

    def query_here(self, session: Session, source: Source) -> AbstractContextManager[None]:
        return nullcontext()


class MemorySource(DuckDBSource):
    """The warehouse of :class:`MemoryState`."""

    def columns(self, sql: str) -> list[SourceColumn]:
        return describe(_shared(), sql)


class MortalState(CrashingState):
    """
    A state engine of one process, which dies at a statement, at a commit, or when it is told to.

    Args:
        at: number of the statement, from 1; the moments before and after a commit count as well.

        last_words: called once, at the moment of death.
    """

    def __init__(self, engine: MemoryState, at: float, last_words: Callable[[], None]) -> None:
        super().__init__(engine, at)  # type: ignore[arg-type]
        self._last_words = last_words

    def die(self) -> None:
        """Let nothing reach the database any more."""
        if not self.is_dead:
            self._left = 0
            self._last_words()

    def count(self) -> None:
        if self.is_dead:
            raise Crash
        if self._left == 1:
            self.die()
            raise Crash
        self._left -= 1

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._engine.session() as session:
            yield _MortalSession(session, self.count)  # type: ignore[misc]


class _MortalSession(_CrashingSession):
    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
        self._count()


class _Session(DuckDBSession):
    def __init__(self, connection: duckdb.DuckDBPyConnection, state: MemoryState) -> None:
        super().__init__(connection)
        self._now = state.now.isoformat(sep=" ")

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        return super().execute(*self._parsed(sql, params))

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return super().rows(*self._parsed(sql, params))

    def _parsed(self, sql: str, params: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        """Give a statement with the clock as a parameter; parsing is a fifth of what one costs."""
        if sql.startswith("ALTER"):
            # What is made a part of the table is no parameter.
            return _NOW.sub(f"TIMESTAMPTZ '{self._now}'", sql), params
        if (known := _PARSED.get(sql)) is None:
            if len(_PARSED) > _MOST_PARSED:
                _PARSED.clear()
            text = _PLACES.sub(_numbered(len(params)), sql)
            (statement,) = self.connection.extract_statements(text)
            known = _PARSED[sql] = (statement, bool(_NOW.search(sql)))
        statement, is_dated = known
        return statement, [*params, self._now] if is_dated else params

    def dicts(self, sql: str) -> list[dict[str, Any]]:
        """Run a query and give its rows with the names of their columns."""
        found = self.connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


_MOST_PARSED = 10_000
_PARSED: dict[str, tuple[duckdb.Statement, bool]] = {}


def _numbered(params: int) -> Callable[[re.Match[str]], str]:
    """Give what stands for a parameter, for ``now()`` and for a text of a statement."""
    numbers = count(1)
    now = f"CAST(${params + 1} AS timestamptz)"
    return lambda found: {"?": lambda: f"${next(numbers)}", "now()": lambda: now}.get(
        found[0], lambda: found[0]
    )()


_CONNECTIONS: list[duckdb.DuckDBPyConnection] = []


def _shared() -> duckdb.DuckDBPyConnection:
    # Opening costs 11 ms, attaching a database to what is open 0.3 ms.
    if not _CONNECTIONS:
        connection = duckdb.connect(":memory:", config={"threads": "1"})
        connection.execute("SET TimeZone = 'UTC'")
        # Of tables with ten rows any plan will do, and to look for a good one costs a quarter.
        ((names,),) = connection.execute(
            "SELECT string_agg(name, ',') FROM duckdb_optimizers()"
        ).fetchall()
        connection.execute(f"SET GLOBAL disabled_optimizers = '{names}'")
        _CONNECTIONS.append(connection)
        atexit.register(_forget)
    return _CONNECTIONS[0]


def _forget() -> None:
    _PARSED.clear()
    _CONNECTIONS.pop().close()
