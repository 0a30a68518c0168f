"""What was asked and answered, in order, for tests and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One request and its answer.

    Args:
        time: monotonic clock of the sandbox, seconds, when the request was handled.

        digest: 64 bits over the request body, hex.

        applied: whether the request reached its handler and was not refused there.

        canned: whether the answer was a canned one, not the sandbox's own.

        keys: keys of the profiles it changed, in order; empty under ``--discard``.

        counts: numbers of the sandbox's own answer, also where a canned one was given.
    """

    seq: int
    time: float
    seconds: float
    method: str
    path: str
    status: int
    bytes: int
    digest: str
    rows: int
    applied: bool
    canned: bool
    keys: Sequence[str]
    counts: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


class History:
    """The requests under ``/api`` since the start or the last reset; it only grows."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, **values: Any) -> None:
        """Add the next entry, numbered from 1."""
        self._entries.append(Entry(seq=len(self._entries) + 1, **values))

    def page(self, after: int, limit: int) -> list[Entry]:
        """Return up to *limit* entries that follow number *after*."""
        start = max(0, after)
        return self._entries[start : start + limit]

    def last(self, count: int) -> list[Entry]:
        """Return the newest entries, newest first."""
        return self._entries[: -count - 1 : -1]
