"""
Connections to PostgreSQL by backends that are there already, in place of one forked for each.

A backend and its first query take 5 ms of CPU, and a run has several; to let one forget all that a
session did takes 0.05 ms. A connection is like a new one: to close it rolls back, and ends its
locks, its settings, its role and its temporary tables.

Not so what a server settles when a session begins (``ALTER ROLE ... SET``), and that a session
which has ended is gone from ``pg_stat_activity``.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import psycopg
from psycopg.pq import ExecStatus, PGconn, TransactionStatus

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_MOST_IDLE = 12
_LOCK = threading.Lock()
_PID = os.getpid()
# What was asked for, and who has nothing to do; the latest at the end.
_IDLE: list[tuple[str, PGconn]] = []


class Connection(psycopg.Connection[Any]):
    """A connection whose backend serves the next one that asks for the same."""

    asked = ""

    @classmethod
    def _connect_gen(cls, conninfo: str = "", **more: Any) -> Generator[Any, Any, Connection]:
        pgconn = _idle(conninfo)
        if pgconn is None:
            connection: Connection = yield from super()._connect_gen(conninfo, **more)
        else:
            connection = cls(pgconn)
        connection.asked = conninfo
        return connection

    def close(self) -> None:
        """Let the backend forget the session, or end it where that is not possible."""
        if self.closed or os.getpid() != _PID or not _forget(self.pgconn):
            super().close()
            return
        pgconn, self.pgconn = self.pgconn, _closed()
        self._closed = True
        with _LOCK:
            _IDLE.append((self.asked, pgconn))
            least = _IDLE.pop(0)[1] if len(_IDLE) > _MOST_IDLE else None
        if least is not None:
            least.finish()


@contextmanager
def warm() -> Iterator[None]:
    """Connect by backends that are there, within the block."""
    try:
        with patch.object(psycopg, "connect", Connection.connect):
            yield
    finally:
        while _IDLE:
            _IDLE.pop()[1].finish()


def _idle(conninfo: str) -> PGconn | None:
    while os.getpid() == _PID:
        with _LOCK:
            number = next((n for n, (asked, _) in enumerate(_IDLE) if asked == conninfo), None)
            if number is None:
                return None
            pgconn = _IDLE.pop(number)[1]
        # One that is asked has by then obeyed whoever told it to end.
        if pgconn.exec_(b"").status == ExecStatus.EMPTY_QUERY:
            return pgconn
        pgconn.finish()
    return None


def _forget(pgconn: PGconn) -> bool:
    """Say whether a session is now as it was when it began."""
    if pgconn.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
        pgconn.exec_(b"ROLLBACK")
    if pgconn.transaction_status != TransactionStatus.IDLE:
        return False
    return pgconn.exec_(b"DISCARD ALL").status == ExecStatus.COMMAND_OK


def _closed() -> PGconn:
    pgconn = PGconn.connect_start(b"host=/nowhere")
    pgconn.finish()
    return pgconn
