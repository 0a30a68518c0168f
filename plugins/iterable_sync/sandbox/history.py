"""What was asked and answered, in order, for tests and for the page."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One request and its answer.

    Args:
        time: monotonic clock of the sandbox, seconds, when the request was handled.

        wall_time: Unix time of the same moment, seconds.

        status: of the answer, also of one that a fault kept back; 0 if there was none.

        digest: 64 bits over the request body, hex.

        applied: whether the request reached its handler, was not refused there, and took effect.

        faults: the kinds of faults that changed something; empty if the answer is the truth.

        cut: whether a fault ended the connection.

        keys: keys of the profiles it changed, in order; empty under ``--discard``.

        counts: numbers of the sandbox's own answer, also where another one was given.

        dropped: identifiers of rows that a fault accepted and did not apply; as *keys*.

        refused: identifiers of rows that a fault reported as failed; as *keys*.
    """

    seq: int
    time: float
    wall_time: float
    seconds: float
    method: str
    path: str
    status: int
    bytes: int
    digest: str
    rows: int
    applied: bool
    faults: Sequence[str]
    cut: bool
    keys: Sequence[str]
    counts: Mapping[str, int]
    dropped: Sequence[str]
    refused: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


class History:
    """
    The requests under ``/api`` since the start or the last reset.

    It only grows, and forgets the oldest above a limit; numbers are never given twice.
    """

    def __init__(self, limit: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._last_seq = 0

    def __len__(self) -> int:
        """Count all requests, those forgotten included."""
        return self._last_seq

    @property
    def forgotten(self) -> int:
        """How many of the oldest requests are no longer held."""
        return self._last_seq - len(self._entries)

    def keep(self, limit: int) -> None:
        """Hold up to *limit* entries from now on."""
        if limit != self._entries.maxlen:
            self._entries = deque(self._entries, maxlen=limit)

    def add(self, **values: Any) -> Entry:
        """Add the next entry, numbered from 1."""
        self._last_seq += 1
        entry = Entry(seq=self._last_seq, **values)
        self._entries.append(entry)
        return entry

    def page(self, after: int, limit: int, **wanted: Any) -> list[Entry]:
        """
        Return up to *limit* entries that follow number *after*.

        Args:
            after: number of the last entry that is known.

            limit: most entries.

            wanted: ``path``, a pattern with ``*``; ``status`` and ``applied``, exactly; ``fault``,
                a kind that is among those of the entry. None is for all.
        """
        fitting = (entry for entry in self._following(after) if _fits(entry, **wanted))
        return list(islice(fitting, limit))

    def last(self, count: int) -> list[Entry]:
        """Return the newest entries, newest first."""
        return list(islice(reversed(self._entries), count))

    def _following(self, after: int) -> Iterator[Entry]:
        return islice(self._entries, max(0, after - self.forgotten), None)


def _fits(
    entry: Entry,
    *,
    path: str | None = None,
    status: int | None = None,
    applied: bool | None = None,
    fault: str | None = None,
) -> bool:
    return (
        (path is None or fnmatchcase(entry.path, path))
        and (status is None or entry.status == status)
        and (applied is None or entry.applied is applied)
        and (fault is None or fault in entry.faults)
    )
