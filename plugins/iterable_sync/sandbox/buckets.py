"""The published limits, and the token buckets that keep them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Limit(NamedTuple):
    """So many requests in so many seconds, also the most at once."""

    requests: float
    seconds: float = 1.0


# Source: Swagger, documented, all per project. That unused requests are kept for one period only
# is assumed.
LIMITS: Mapping[str, Limit] = {
    "users/update": Limit(500),
    "users/bulkUpdate": Limit(5),
    "users/getFields": Limit(3),
    "users/get": Limit(100),
    "lists/get": Limit(100),
    "channels/get": Limit(100),
}


class Buckets:
    """One bucket of tokens per limit, on a given clock."""

    def __init__(self, overrides: Mapping[str, float], clock: Callable[[], float]) -> None:
        self._limits = {**LIMITS, **{name: Limit(rate) for name, rate in overrides.items()}}
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

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
        taken = level >= 1.0
        self._levels[name] = (level - 1.0 if taken else level, now)
        return 0.0 if taken else (1.0 - level) / per_s

    def as_json(self) -> dict[str, dict[str, float]]:
        """Return each limit in use: its rate and the tokens left when it was last asked."""
        return {
            name: {
                "requests": self._limits[name].requests,
                "seconds": self._limits[name].seconds,
                "left": round(level, 3),
            }
            for name, (level, _) in self._levels.items()
        }


def retry_after(setting: str | None, wait_s: float) -> str | None:
    """Return the ``Retry-After`` header for a wait, as `Settings.retry_after` wants it."""
    return str(max(1, ceil(wait_s))) if setting == "auto" else setting
