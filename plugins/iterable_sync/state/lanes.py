"""
The lane of a project: waited for, held while requests go out, and given up to who waits.

Who waits says so beside the lease, anew at each look; a long push asks now and then, gives the lane
up between two visits, and queues up again. So a first sync of hours does not keep the others out.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from iterable_sync.errors import LaneBusy, RetryLater
from iterable_sync.state.transactions import patiently, transact

if TYPE_CHECKING:
    from collections.abc import Callable

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.leases import Lease

AT_LEAST_S = 60.0
"""For so long a lane is kept whoever waits: a hand-over lets all threads run dry."""

_POLL_S = 2.0
_WANTED_S = 10.0


class Lane:
    """
    A run's way into a lane and out of it.

    Args:
        scope: of the lease, e.g. ``lane:12345.us/profiles``.

        wait_s: how long to wait for it, at most.

        clock, sleep: monotonic seconds.
    """

    def __init__(
        self,
        engine: StateEngine,
        lease: Lease,
        scope: str,
        *,
        wait_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._lease = lease
        self._scope = scope
        self._wait_s = wait_s
        self._clock = clock
        self._sleep = sleep
        self._entered_at = 0.0

    def enter(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """
        Take the lane, waiting for at most ``wait_s``.

        Raises:
            LaneBusy: another sync still holds it; everything that is left is pending.

            RetryLater: the run was told to stop while it waited.
        """
        until = self._clock() + self._wait_s
        while True:
            is_last = self._clock() >= until
            holder = transact(self._engine, partial(self._try, is_last=is_last), sleep=self._sleep)
            if holder is None:
                self._entered_at = self._clock()
                return
            if is_last:
                raise LaneBusy(
                    f"lane {self._scope} is held by {holder}; waited {self._wait_s:.0f} s",
                    delay_s=max(60.0, self._wait_s),
                )
            if should_stop():
                raise RetryLater(f"told to stop while waiting for lane {self._scope}")
            self._sleep(_POLL_S)

    def is_wanted(self) -> bool:
        """Say whether it is time to let another sync go first."""
        if self._clock() - self._entered_at < AT_LEAST_S:
            return False
        return patiently(self._engine, self._look, self._sleep)[1]

    def give_way(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """
        Let who waits have the lane, and enter again after them; nothing may be on its way.

        Raises:
            LaneBusy, RetryLater: as :meth:`enter`.
        """
        now = free = transact(self._engine, self._leave, self._sleep)
        # Taken by another, or nobody wants it any more: who announced may have died.
        while now == free and now[1] and not should_stop():
            self._sleep(_POLL_S)
            now = patiently(self._engine, self._look, self._sleep)
        self.enter(should_stop)

    def _leave(self, session: Session) -> tuple[int, bool]:
        self._lease.give_back(session, self._scope)
        return self._look(session)

    def _try(self, session: Session, *, is_last: bool) -> str | None:
        """Take the lane; where that fails, say that it is wanted, and give its holder."""
        if self._lease.acquire(session, self._scope) is not None:
            return None
        holder = self._lease.holder_of(session, self._scope)
        if is_last:
            return holder
        session.execute(
            f"UPDATE {self._engine.table('leases')} "
            f"SET wanted_until = now() + {_WANTED_S} * INTERVAL '1 second' WHERE scope = ?",
            (self._scope,),
        )
        return holder

    def _look(self, session: Session) -> tuple[int, bool]:
        """Give the lane's token, and whether somebody waits for it."""
        token, is_wanted = session.rows(
            "SELECT token, COALESCE(wanted_until > now(), FALSE) "
            f"FROM {self._engine.table('leases')} WHERE scope = ?",
            (self._scope,),
        )[0]
        return int(token), bool(is_wanted)
