"""What reads show while writes are accepted but not applied."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .kinds import Kind
    from .people import People
    from .profiles import Profile
    from .registry import FieldRegistry


class Lagging:
    """
    The people and fields of a project as they were some seconds ago.

    Args:
        people: the store in which everything accepted is at once; it notes its changes for us.

        fields: likewise, the registry of their fields.

    Source:
        Documented: leave 60 seconds before a call that depends on an update. Recorded 2021: it
        was seen after up to 12 seconds.
    """

    def __init__(self, people: People, fields: FieldRegistry) -> None:
        self._people = people
        self._fields = fields
        self._noted_fields = len(fields.kinds)
        self._shown: dict[int, Profile] = {}
        self._by_email: dict[str, dict[int, Profile]] = {}
        self._by_user_id: dict[str, dict[int, Profile]] = {}
        self._waiting: deque[tuple[float, int, Profile | None]] = deque()
        self._hidden_fields: dict[str, float] = {}
        people.changed = []
        for _, person in people.profiles():
            self._show(person.number, person.copy())

    def note(self, due: float) -> None:
        """Show from *due* on, a time of the clock, what changed since the last note."""
        kinds = self._fields.kinds
        if len(kinds) > self._noted_fields:
            self._hidden_fields |= dict.fromkeys(islice(kinds, self._noted_fields, None), due)
            self._noted_fields = len(kinds)
        changed = self._people.changed or []
        for person, lives in changed:
            self._waiting.append((due, person.number, person.copy() if lives else None))
        changed.clear()

    def advance(self, now: float) -> None:
        """Apply what is due."""
        while self._waiting and self._waiting[0][0] <= now:
            _, number, person = self._waiting.popleft()
            self._show(number, person)
        for path in [path for path, due in self._hidden_fields.items() if due <= now]:
            del self._hidden_fields[path]

    def kinds(self) -> dict[str, Kind]:
        """Return the types of the fields that reads show."""
        kinds = self._fields.kinds.items()
        return {path: kind for path, kind in kinds if path not in self._hidden_fields}

    def by_email(self, email: str) -> Profile | None:
        """Find the oldest person with this address."""
        return _oldest(self._by_email.get(email))

    def by_user_id(self, user_id: str) -> Profile | None:
        """Find the oldest person with this userId."""
        return _oldest(self._by_user_id.get(user_id))

    def by_number(self, number: int) -> Profile | None:
        """Find the person with this number."""
        return self._shown.get(number)

    def profiles(self) -> Iterator[tuple[str, Profile]]:
        """Give all people by their keys."""
        return iter([(self._people.key_of(person), person) for person in self._shown.values()])

    def __len__(self) -> int:
        return len(self._shown)

    def _show(self, number: int, person: Profile | None) -> None:
        old = self._shown.pop(number, None)
        if old is not None:
            _leave(self._by_email, old.email, number)
            _leave(self._by_user_id, old.user_id, number)
        if person is not None:
            self._shown[number] = person
            if person.email is not None:
                self._by_email.setdefault(person.email, {})[number] = person
            if person.user_id is not None:
                self._by_user_id.setdefault(person.user_id, {})[number] = person


def _oldest(sharing: dict[int, Profile] | None) -> Profile | None:
    return sharing[min(sharing)] if sharing else None


def _leave(index: dict[str, dict[int, Profile]], identifier: str | None, number: int) -> None:
    sharing = index.get(identifier or "")
    if sharing is not None:
        sharing.pop(number, None)
        if not sharing:
            del index[identifier or ""]
