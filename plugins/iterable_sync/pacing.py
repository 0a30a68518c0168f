"""
Spaces requests evenly, and slows down when Iterable says 429.

Additive increase, multiplicative decrease: half the rate at a 429, then 5 % of the configured rate
per second back up. Evenly, because Iterable counts per second and a burst of a full bucket on top
of the steady flow is what a strict limit refuses.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DECREASE = 0.5
_INCREASE_PER_S = 0.05
_LOWEST_SHARE = 1 / 64
# Requests in flight are refused together; one overload halves the rate once.
_ONE_OVERLOAD_S = 1.0
_LOOK_UP_S = 0.25


def rest(seconds: float, should_stop: Callable[[], bool], sleep: Callable[[float], None]) -> bool:
    """
    Sleep in slices, so that a stop is noticed within a quarter of a second.

    Returns:
        False if it was stopped.
    """
    while seconds > 0:
        if should_stop():
            return False
        part = min(seconds, _LOOK_UP_S)
        sleep(part)
        seconds -= part
    return not should_stop()


class Pacer:
    """
    Lets requests through at a rate; shared by the threads of a lane.

    Args:
        requests_per_s: the configured rate, never exceeded; ``inf`` turns pacing off (a pause
            that Iterable asks for is kept all the same).
    """

    def __init__(
        self,
        requests_per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not requests_per_s > 0:
            raise ValueError("a rate is positive")
        self._configured = requests_per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rate_after_cut = requests_per_s
        self._cut_at = -math.inf
        self._next_at = -math.inf
        self._paused_until = -math.inf

    @property
    def requests_per_s(self) -> float:
        """The rate of this moment."""
        with self._lock:
            return self._rate(self._clock())

    def acquire(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """
        Wait for the next free moment and take it.

        Returns:
            False if *should_stop* became true meanwhile; then none was taken.
        """
        has_waited = False
        while not should_stop():
            with self._lock:
                now = self._clock()
                free_at = max(self._next_at, self._paused_until)
                if now >= free_at:
                    interval = 1 / self._rate(now)
                    # That a thread wakes late must not slow the others down; time that nobody
                    # waited for is gone, or a burst would follow.
                    taken_at = max(free_at, now - interval) if has_waited else now
                    self._next_at = taken_at + interval
                    return True
            has_waited = True
            rest(free_at - now, should_stop, self._sleep)
        return False

    def on_429(self, retry_after_s: float | None = None) -> None:
        """Halve the rate, and send nothing before *retry_after_s* are over."""
        with self._lock:
            now = self._clock()
            if retry_after_s is not None:
                self._paused_until = max(self._paused_until, now + retry_after_s)
            if now - self._cut_at >= _ONE_OVERLOAD_S:
                lowest = self._configured * _LOWEST_SHARE
                self._rate_after_cut = max(self._rate(now) * _DECREASE, lowest)
                self._cut_at = now

    def _rate(self, now: float) -> float:
        if math.isinf(self._cut_at) or math.isinf(self._configured):
            return self._configured
        regained = _INCREASE_PER_S * self._configured * (now - self._cut_at)
        return min(self._configured, self._rate_after_cut + regained)
