"""
Requests that a quota counts, written down before each of them starts.

The table ``quota`` has how many there were in each minute, on the clock of the database. A minute
counts until its last second is out of the window, and a request that was written down and never
sent counts as well: so there are never more than the quota within any window, whoever dies when.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from iterable_sync.quotas import QUOTAS
from iterable_sync.state.transactions import transact

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterable_sync.quotas import Quota
    from iterable_sync.state.dialects.base import Session, StateEngine

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Full:
    """A quota is used up; after *wait_s* seconds, at the moment *until*, there is room again."""

    wait_s: float
    until: datetime


class Quotas:
    """
    The quotas of a project as one run meets them; safe to share between its threads.

    Args:
        project: e.g. ``12345.us``.

        clock, sleep: monotonic seconds.
    """

    def __init__(
        self,
        engine: StateEngine,
        project: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._project = project
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._full: dict[str, tuple[float, Full]] = {}

    def is_full(self, name: str) -> bool:
        """Say whether a quota was found to be used up, and still is."""
        found = self._full.get(name)
        return found is not None and self._clock() < found[0]

    def admit(self, name: str) -> bool:
        """
        Write down that a request that a quota counts is about to start; False where it must not.

        Raises:
            StateLost: it is not known whether it was written down; it must not start.
        """
        with self._lock:
            if self.is_full(name):
                return False
            wait_s = transact(
                self._engine,
                lambda session: admit(self._engine, session, self._project, name, QUOTAS[name]),
                self._sleep,
            )
            if wait_s:
                self.fill(name, wait_s)
            return not wait_s

    def fill(self, name: str, wait_s: float) -> None:
        """Note that a quota is used up: others may have taken of it."""
        until = datetime.now(UTC) + timedelta(seconds=wait_s)
        self._full[name] = (self._clock() + wait_s, Full(wait_s, until))

    @property
    def full(self) -> Full | None:
        """What was used up in this run, the one that lasts longest."""
        found = (full for _, full in self._full.values())
        return max(found, key=lambda full: full.wait_s, default=None)


def admit(engine: StateEngine, session: Session, project: str, name: str, quota: Quota) -> float:
    """
    Write a request down, if there is room for one; in a transaction of the caller.

    Returns:
        0, or the seconds until there is room.
    """
    table = engine.table("quota")
    now = float(session.rows("SELECT extract(epoch FROM now())")[0][0])
    minute = int(now // _MINUTE_S)
    # Written first: of two at a time the second waits here, and counts the first.
    session.execute(
        f"INSERT INTO {table} AS q (project, name, minute, requests) VALUES (?, ?, ?, 1) "
        "ON CONFLICT (project, name, minute) DO UPDATE SET requests = q.requests + 1",
        (project, name, minute),
    )
    oldest = int((now - quota.window_s) // _MINUTE_S)
    counted = session.rows(
        f"SELECT minute, requests FROM {table} WHERE project = ? AND name = ? AND minute >= ? "
        "ORDER BY minute",
        (project, name, oldest),
    )
    beyond = sum(requests for _, requests in counted) - quota.requests
    if beyond <= 0:
        session.execute(
            f"DELETE FROM {table} WHERE project = ? AND name = ? AND minute < ?",
            (project, name, oldest),
        )
        return 0.0
    session.execute(
        f"UPDATE {table} SET requests = requests - 1 WHERE project = ? AND name = ? AND minute = ?",
        (project, name, minute),
    )
    for past, requests in counted:
        beyond -= requests
        if beyond <= 0:
            return float((past + 1) * _MINUTE_S + quota.window_s - now)
    return float(quota.window_s)
