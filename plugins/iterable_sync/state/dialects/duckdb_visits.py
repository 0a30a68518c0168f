"""Short visits to a DuckDB file, which is open to one process at a time."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

from iterable_sync.state.dialects.duckdb_file import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

LINGER_S = 0.5
"""How long a file stays open after a visit, for the next one."""

HELD_S = 1.5
"""Once it was open this long, a file is closed at the end of a visit: others wait for it."""


class Visits:
    """
    Visits to one file, from any thread.

    A visit opens the file and closes it. That costs 20 ms of CPU, more than most visits do; so
    within :meth:`follow_each_other` the file stays open for a moment, and a visit that comes soon
    finds it open. It is never open for longer than ``LINGER_S`` without a visit, and never across
    a fork.

    Args:
        config: of every connection; DuckDB refuses a second one with another.
    """

    def __init__(self, path: str, config: Mapping[str, str]) -> None:
        self._path = path
        self._config = config
        self._lock = threading.Lock()
        self._blocks = 0
        self._idle: duckdb.DuckDBPyConnection | None = None
        self._opened_at = 0.0
        self._closer: threading.Timer | None = None
        _ALL.add(self)

    @contextmanager
    def visit(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection; after an error it is closed, so nothing of it is seen again."""
        connection = self._take()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    @contextmanager
    def follow_each_other(self) -> Iterator[None]:
        """Within this block, keep the file open from a visit to one that follows soon."""
        with self._lock:
            self._blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
            self.let_go()

    def let_go(self) -> None:
        """Close the file, unless a visit is going on."""
        with self._lock:
            self._close_idle()

    def _take(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if (connection := self._idle) is not None:
                self._idle = None
                self._stop_closer()
                return connection
        opened = connect(self._path, config=self._config)
        with self._lock:
            self._opened_at = time.monotonic()
        return opened

    def _give_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            is_old = time.monotonic() - self._opened_at > HELD_S
            if self._blocks and self._idle is None and not is_old:
                self._idle = connection
                self._closer = threading.Timer(LINGER_S, self._expire, (connection,))
                self._closer.daemon = True
                self._closer.start()
                return
        connection.close()

    def _expire(self, connection: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if self._idle is connection:
                self._close_idle()

    def _close_idle(self) -> None:
        self._stop_closer()
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def _stop_closer(self) -> None:
        if self._closer is not None:
            self._closer.cancel()
            self._closer = None


_ALL: WeakSet[Visits] = WeakSet()


def _let_all_go() -> None:
    for visits in list(_ALL):
        visits.let_go()


# A child would share the open file, and could open it in spite of this process's lock.
os.register_at_fork(before=_let_all_go)
