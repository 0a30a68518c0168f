"""
Keeps a run from hammering an Iterable that is down: a circuit breaker and a retry budget.

Both count failures of the server (5xx, no connection, no answer) and never 429 or refused rows.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from iterable_sync.errors import RetryLater
from iterable_sync.pacing import rest
from iterable_sync.retrying import NEXT_RUN_S

if TYPE_CHECKING:
    from collections.abc import Callable

PROBE_EVERY_S = 30.0
_FAILURES_TO_OPEN = 5
_PATIENCE_S = 120.0

_BUDGET_SHARE = 0.1
_BUDGET_PER_S = 0.2
_BUDGET_MOST = 20.0


class CircuitBreaker:
    """
    Closed until five server failures in a row; then one probe per 30 s until one succeeds.

    Threads wait in :meth:`enter`; after two minutes without a success the run ends as pending.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at = 0.0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether only probes are let through."""
        return self._failures >= _FAILURES_TO_OPEN

    def enter(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """
        Wait until a request may go out.

        Returns:
            False if *should_stop* became true meanwhile.

        Raises:
            RetryLater: Iterable did not come back in time.
        """
        while not should_stop():
            with self._lock:
                if not self.is_open:
                    return True
                now = self._clock()
                if now - self._opened_at >= _PATIENCE_S:
                    raise RetryLater(
                        f"Iterable has not answered for {now - self._opened_at:.0f} s "
                        f"({self._failures} failures in a row); what is left stays pending",
                        NEXT_RUN_S,
                    )
                if now >= self._probe_at:
                    self._probe_at = now + PROBE_EVERY_S
                    return True
                wait_s = self._probe_at - now
            rest(wait_s, should_stop, self._sleep)
        return False

    def succeeded(self) -> None:
        """Note an answer that is no server failure: it closes the circuit."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """Note a server failure."""
        with self._lock:
            self._failures += 1
            if self._failures == _FAILURES_TO_OPEN:
                self._opened_at = self._clock()
                self._probe_at = self._opened_at + PROBE_EVERY_S


class RetryBudget:
    """
    Lets retries be at most a tenth of the requests, plus one per five seconds.

    The second part keeps a small run, or one with 10 % of faults, from ending early.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = _BUDGET_MOST
        self._counted_at = clock()

    def earn(self) -> None:
        """Note a first attempt."""
        with self._lock:
            self._tokens = min(_BUDGET_MOST, self._tokens + _BUDGET_SHARE)

    def spend(self) -> bool:
        """Take the right to one retry; False if there is none."""
        with self._lock:
            now = self._clock()
            gained = _BUDGET_PER_S * (now - self._counted_at)
            self._counted_at = now
            self._tokens = min(_BUDGET_MOST, self._tokens + gained)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
