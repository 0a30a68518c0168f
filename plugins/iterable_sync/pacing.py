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
from typing import TYPE_CHECKING, Protocol

from iterable_sync.errors import RetryLater
from iterable_sync.retrying import LONGEST_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

DECREASE = 0.5
INCREASE_PER_S = 0.05
LOWEST_SHARE = 1 / 64
# Requests in flight are refused together; one overload halves the rate once.
ONE_OVERLOAD_S = 1.0
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


class SharedRate(Protocol):
    """A rate that processes share, e.g. :class:`iterable_sync.state.PostgresRate`."""

    def take(self, bucket: str, requests_per_s: float, *, has_waited: bool) -> float:
        """Take the next moment of a bucket and give 0, or give the seconds until there is one."""
        ...

    def on_429(self, bucket: str, requests_per_s: float, retry_after_s: float | None) -> None:
        """Slow everybody down."""
        ...


class Pacer:
    """
    Lets requests through at a rate; shared by the threads of a lane.

    Args:
        requests_per_s: the configured rate, never exceeded; ``inf`` turns pacing off (a pause
            that Iterable asks for is kept all the same).

        shared: the rate of all processes together; each is paced by itself as well.

        bucket: what the shared rate is of, e.g. an endpoint of a project.
    """

    def __init__(
        self,
        requests_per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        shared: SharedRate | None = None,
        bucket: str = "",
    ) -> None:
        if not requests_per_s > 0:
            raise ValueError("a rate is positive")
        self._configured = requests_per_s
        self._clock = clock
        self._sleep = sleep
        self._shared = None if math.isinf(requests_per_s) else shared
        self._bucket = bucket
        self._lock = threading.Lock()
        self._rate_after_cut = requests_per_s
        self._cut_at = -math.inf
        self._next_at = -math.inf
        self._paused_until = -math.inf
        self._beside: dict[str, Pacer] = {}

    def beside(self, requests_per_s: float, bucket: str) -> Pacer:
        """
        Give the pacer of another endpoint, one for each *bucket*, not faster than this one.

        Where this one is turned off, that one is as well.
        """
        with self._lock:
            if bucket not in self._beside:
                is_off = math.isinf(self._configured)
                self._beside[bucket] = Pacer(
                    math.inf if is_off else min(requests_per_s, self._configured),
                    clock=self._clock,
                    sleep=self._sleep,
                    shared=self._shared,
                    bucket=bucket,
                )
            return self._beside[bucket]

    @property
    def requests_per_s(self) -> float:
        """The rate of this moment."""
        with self._lock:
            return self._rate(self._clock())

    def acquire(self, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """
        Wait for the next free moment and take it.

        Returns:
            False if *should_stop* became true meanwhile; then nothing may be sent.

        Raises:
            RetryLater, ConfigError: the shared rate is not to be had.
        """
        return self._acquire_own(should_stop) and self._acquire_shared(should_stop)

    def _acquire_own(self, should_stop: Callable[[], bool]) -> bool:
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

    def _acquire_shared(self, should_stop: Callable[[], bool]) -> bool:
        if self._shared is None:
            return True
        has_waited = False
        while not should_stop():
            wait_s = self._shared.take(self._bucket, self._configured, has_waited=has_waited)
            if wait_s <= 0:
                return True
            if wait_s > LONGEST_WAIT_S:
                raise RetryLater(f"another run was told to wait: {wait_s:.0f} s", wait_s)
            has_waited = True
            rest(wait_s, should_stop, self._sleep)
        return False

    def on_429(self, retry_after_s: float | None = None) -> None:
        """
        Halve the rate, and send nothing before *retry_after_s* are over.

        Raises:
            RetryLater, ConfigError: the shared rate is not to be had.
        """
        if self._shared is not None:
            self._shared.on_429(self._bucket, self._configured, retry_after_s)
        with self._lock:
            now = self._clock()
            if retry_after_s is not None:
                self._paused_until = max(self._paused_until, now + retry_after_s)
            if now - self._cut_at >= ONE_OVERLOAD_S:
                lowest = self._configured * LOWEST_SHARE
                self._rate_after_cut = max(self._rate(now) * DECREASE, lowest)
                self._cut_at = now

    def _rate(self, now: float) -> float:
        if math.isinf(self._cut_at) or math.isinf(self._configured):
            return self._configured
        regained = INCREASE_PER_S * self._configured * (now - self._cut_at)
        return min(self._configured, self._rate_after_cut + regained)
