"""Custom events and purchases: what is kept of them, and by whom and which id they are found."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from heapq import nlargest
from sys import intern
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .profiles import Profile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_FIELDS = b"{}"


class EventType(StrEnum):
    """
    What an event is.

    Source:
        ``customEvent`` as a read gives it: recorded 2017; ``purchase``: article 26732012099348.
    """

    CUSTOM = "customEvent"
    PURCHASE = "purchase"


class Tracked(NamedTuple):
    """
    One event as it was sent, well-formed.

    Args:
        name: of a custom event; empty for a purchase.

        created_at: Unix time in seconds; ``None`` for the time of receipt.

        fields: of a custom event its ``dataFields``; of a purchase what it has beside them too.
    """

    id: str | None
    name: str
    created_at: int | None
    fields: dict[str, Any]
    campaign_id: int | None
    template_id: int | None
    type: EventType = EventType.CUSTOM


class Event:
    """
    One event of one person.

    The fields are kept as JSON text: a third of the memory that they cost as Python objects, and
    they are seldom read.
    """

    __slots__ = (
        "campaign_id", "created_at", "fields", "id", "name", "person", "sequence", "template_id",
        "type", "updated_at",
    )  # fmt: skip

    def __init__(self, sequence: int, tracked: Tracked, person: int, now_s: int) -> None:
        self.sequence = sequence
        self.id = tracked.id
        self.type = tracked.type
        self.write(tracked, person, now_s)

    def write(self, tracked: Tracked, person: int, now_s: int) -> None:
        """Replace everything but the id."""
        self.person = person
        self.name = intern(tracked.name)
        self.created_at = now_s if tracked.created_at is None else tracked.created_at
        self.updated_at = now_s
        self.fields = _compact(tracked.fields) if tracked.fields else _NO_FIELDS
        self.campaign_id = tracked.campaign_id
        self.template_id = tracked.template_id

    def as_json(self, person: Profile) -> dict[str, Any]:
        """
        Return the event as a read gives it.

        Source:
            A custom event: recorded 2017; ``eventUpdatedAt`` and ``itblInternal`` from the types
            of a production client. A purchase has its parts at the top, as other events that are
            no custom ones (recorded 2017) and as article 26732012099348 names them. What is in
            ``itblInternal``, and ``userId`` at the top, are assumed.
        """
        updated_at = shown_date(self.updated_at)
        shown: dict[str, Any] = {
            "createdAt": shown_date(self.created_at),
            "eventType": self.type,
            "eventUpdatedAt": updated_at,
            "itblInternal": {"documentUpdatedAt": updated_at},
        }
        if person.email is not None:
            shown["email"] = person.email
        if person.user_id is not None:
            shown["userId"] = person.user_id
        if self.campaign_id is not None:
            shown["campaignId"] = self.campaign_id
        if self.template_id is not None:
            shown["templateId"] = self.template_id
        fields: dict[str, Any] = orjson.loads(self.fields)
        if self.type is EventType.PURCHASE:
            return shown | fields
        return {**shown, "eventName": self.name, "dataFields": fields}


class Events:
    """
    All events of a project, by the number of the person (`Profile.number`) whom they belong to.

    An id names one custom event of the project, whatever its name and whoever its person; those
    of purchases are apart.

    Source:
        An event with a known id is updated: Swagger ``TrackRequest`` and ``TrackPurchaseRequest``,
        documented; one id for all custom events: article 206430615, documented. That the whole
        event is replaced, its person included, is assumed.
    """

    def __init__(self) -> None:
        self._by_person: dict[int, list[Event]] = {}
        self._by_id: dict[EventType, dict[str, Event]] = {kind: {} for kind in EventType}
        self._digests: dict[EventType, dict[str, int]] = {kind: {} for kind in EventType}
        self._waiting: deque[tuple[float, Tracked, int, int]] = deque()
        self._kept = 0
        self._made = 0

    def __len__(self) -> int:
        return self._kept

    def new_id(self) -> str:
        """
        Return an id for an event that came without one.

        Source:
            Article 206430615, documented: 30 hexadecimal digits in its example.
        """
        self._made += 1
        return blake2b(str(self._made).encode(), digest_size=15).hexdigest()

    def accept(self, due: float, tracked: Tracked, person: int, now_s: int) -> None:
        """Keep an event back until *due*, a time of the clock; `advance` puts it then."""
        self._waiting.append((due, tracked, person, now_s))

    def advance(self, now: float) -> None:
        """Put the events that are due."""
        while self._waiting and self._waiting[0][0] <= now:
            _, tracked, person, now_s = self._waiting.popleft()
            self.put(tracked, person, now_s)

    def put(self, tracked: Tracked, person: int, now_s: int) -> None:
        """Add an event, or replace the one with its id."""
        by_id = self._by_id[tracked.type]
        known = None if tracked.id is None else by_id.get(tracked.id)
        if known is None:
            self._made += 1
            self._kept += 1
            event = Event(self._made, tracked, person, now_s)
            self._by_person.setdefault(person, []).append(event)
            if tracked.id is not None:
                by_id[tracked.id] = event
            return
        if known.person != person:
            self._take_from_person(known)
            self._by_person.setdefault(person, []).append(known)
        known.write(tracked, person, now_s)

    def note(self, tracked: Tracked, digest: int) -> None:
        """Count an event and, if it has an id, keep a digest of it in place of the event."""
        if tracked.id is not None:
            digests = self._digests[tracked.type]
            self._kept -= tracked.id in digests
            digests[tracked.id] = digest
        self._kept += 1

    def newest(self, person: int, limit: int) -> list[Event]:
        """Return up to *limit* events of a person, newest first; at one time the last one sent."""
        events = self._by_person.get(person, ())
        return nlargest(limit, events, key=lambda event: (event.created_at, event.sequence))

    def count_of(self, person: int) -> int:
        """Return how many events a person has."""
        return len(self._by_person.get(person, ()))

    def drop_person(self, number: int) -> None:
        """Forget the events of a person."""
        for event in self._by_person.pop(number, ()):
            self._kept -= 1
            if event.id is not None:
                del self._by_id[event.type][event.id]
        self._waiting = deque(each for each in self._waiting if each[2] != number)

    def move_person(self, source: int, destination: int) -> None:
        """Give the events of one person to another."""
        events = self._by_person.pop(source, [])
        for event in events:
            event.person = destination
        if events:
            self._by_person.setdefault(destination, []).extend(events)
        self._waiting = deque(
            (due, tracked, destination if person == source else person, now_s)
            for due, tracked, person, now_s in self._waiting
        )

    def as_rows(self, people: Iterable[tuple[str, Profile]]) -> Iterator[dict[str, Any]]:
        """Give all events of these people, each with the person's key and its own id."""
        for key, person in people:
            for event in list(self._by_person.get(person.number, ())):
                yield {"key": key, "id": event.id, **event.as_json(person)}

    def digests(self, kind: EventType = EventType.CUSTOM) -> Iterator[tuple[str, str]]:
        """Give the digests of `note` by event id."""
        for event_id, value in list(self._digests[kind].items()):
            yield event_id, f"{value:016x}"

    def _take_from_person(self, event: Event) -> None:
        others = self._by_person[event.person]
        others.remove(event)
        if not others:
            del self._by_person[event.person]


def _compact(fields: dict[str, Any]) -> bytes:
    # Copied: what orjson returns holds on to the 4 kB that it was written into (measured, 3.13).
    return bytes(memoryview(orjson.dumps(fields)))


def shown_date(seconds: int) -> str:
    """Return Unix time as Iterable shows a date."""
    moment = _EPOCH + timedelta(seconds=seconds)
    # Not strftime: it writes the year 12 as `12`.
    return f"{moment.replace(tzinfo=None).isoformat(' ')} +00:00"
