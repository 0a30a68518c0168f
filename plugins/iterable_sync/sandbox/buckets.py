"""The published limits, and the token buckets that keep them."""

from __future__ import annotations

from collections import deque
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_DAY_S = 86_400.0


class Limit(NamedTuple):
    """
    So many requests in so many seconds, also the most at once.

    Args:
        daily: the most within any 24 hours, besides.
    """

    requests: float
    seconds: float = 1.0
    daily: int | None = None


# Source: Swagger, documented, all per project. That unused requests are kept for one period only
# is assumed.
LIMITS: Mapping[str, Limit] = {
    "users/update": Limit(500),
    "users/bulkUpdate": Limit(5),
    "users/getFields": Limit(3),
    "users/get": Limit(100),
    "users/delete": Limit(100),
    "users/merge": Limit(50),
    "users/forget": Limit(3, daily=1000),
    "users/unforget": Limit(3, daily=1000),
    "users/forgotten": Limit(3),
    "lists/get": Limit(100),
    "lists/getUsers": Limit(5, 60),
    "lists/previewUsers": Limit(5, 60),
    "lists/size": Limit(5, 60),
    "channels/get": Limit(100),
    "events/track": Limit(2000),
    "events/trackBulk": Limit(10),
    "events/get": Limit(100),
    "catalogs/get": Limit(100),
    "catalogs/items/get": Limit(100),
    "catalogs/items/bulk": Limit(100),
    "catalogs/items/put": Limit(1000),
    "messageTypes/get": Limit(100),
    "campaigns/get": Limit(100),
}


class Level(NamedTuple):
    """
    What is left of one limit.

    Args:
        left: requests that would pass at once.

        used: whether any request has asked for it.

        today: requests of the last 24 hours; ``None`` without a daily limit.
    """

    name: str
    limit: Limit
    left: float
    used: bool
    today: int | None


class Buckets:
    """One bucket of tokens per limit, on a given clock."""

    def __init__(self, overrides: Mapping[str, float], clock: Callable[[], float]) -> None:
        self._limits = {**LIMITS, **{name: Limit(rate) for name, rate in overrides.items()}}
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}
        self._last_day: dict[str, deque[float]] = {}

    def take(self, name: str) -> float:
        """Take one token of *name*: return 0, or the seconds until there will be one."""
        limit = self._limits.get(name)
        if limit is None:
            return 0.0
        now = self._clock()
        per_s = limit.requests / limit.seconds
        capacity = max(1.0, limit.requests)
        level, then = self._levels.get(name, (capacity, now))
        level = min(capacity, level + (now - then) * per_s)
        today = self._today(name, now)
        full = limit.daily is not None and len(today) >= limit.daily
        taken = level >= 1.0 and not full
        self._levels[name] = (level - 1.0 if taken else level, now)
        if taken:
            if limit.daily is not None:
                today.append(now)
            return 0.0
        return max((1.0 - level) / per_s, today[0] + _DAY_S - now if full else 0.0)

    def levels(self) -> list[Level]:
        """Return how every limit stands now."""
        now = self._clock()
        levels = []
        for name, limit in self._limits.items():
            capacity = max(1.0, limit.requests)
            level, then = self._levels.get(name, (capacity, now))
            left = min(capacity, level + (now - then) * limit.requests / limit.seconds)
            today = None if limit.daily is None else len(self._today(name, now))
            levels.append(Level(name, limit, left, name in self._levels, today))
        return levels

    def as_json(self) -> dict[str, dict[str, float]]:
        """Return each limit in use: its rate and the tokens left when it was last asked."""
        return {
            name: {
                "requests": self._limits[name].requests,
                "seconds": self._limits[name].seconds,
                "left": round(level, 3),
            }
            | self._daily(name)
            for name, (level, _) in self._levels.items()
        }

    def _today(self, name: str, now: float) -> deque[float]:
        """Return the times of the requests that a daily limit still counts."""
        times = self._last_day.setdefault(name, deque())
        while times and times[0] <= now - _DAY_S:
            times.popleft()
        return times

    def _daily(self, name: str) -> dict[str, float]:
        daily = self._limits[name].daily
        if daily is None:
            return {}
        return {"daily": daily, "left_today": daily - len(self._today(name, self._clock()))}


def retry_after(setting: str | None, wait_s: float) -> str | None:
    """Return the ``Retry-After`` header for a wait, as `Settings.retry_after` wants it."""
    return str(max(1, ceil(wait_s))) if setting == "auto" else setting
