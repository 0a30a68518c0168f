"""Everything that the sandbox remembers."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import RLock
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from .buckets import Buckets
from .canned import Canned
from .history import History
from .kinds import DATE_FORMAT
from .projects import people_of
from .registry import USER_FIELDS, FieldRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .settings import Settings

# Switches that decide how identities are stored, and so cannot turn under stored people.
_FIXED_BY_PEOPLE = ("project_type", "discard")


class State:
    """
    One Iterable project in memory.

    Hold *lock* while using it: requests are handled in the thread of the server, tests look in
    from theirs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self.lock = RLock()
        self.clock = clock
        self._wall_clock = wall_clock
        self._first_settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything, the history and all changed settings included."""
        with self.lock:
            self.settings = self._first_settings
            self.people = people_of(self.settings)
            self.user_fields = FieldRegistry(USER_FIELDS, category="user")
            self.lists: list[dict[str, Any]] = []
            self.history = History()
            self.canned: list[Canned] = []
            self.buckets = Buckets(self.settings.limits, self.clock)

    def change(self, changes: Mapping[str, Any]) -> None:
        """
        Change settings, given as plain JSON values; ``fail_next`` replaces the canned answers.

        Raises:
            ValueError: an unknown name or value, or a project type changed under stored people;
                nothing is changed then.
        """
        with self.lock:
            rest = dict(changes)
            canned = rest.pop("fail_next", None)
            answers = None if canned is None else [Canned.from_json(value) for value in canned]
            settings = self.settings.changed(rest)
            moved = [
                name
                for name in _FIXED_BY_PEOPLE
                if getattr(settings, name) != getattr(self.settings, name)
            ]
            if moved and len(self.people):
                raise ValueError(f"{' and '.join(moved)} cannot change while there are users")
            if moved:
                self.people = people_of(settings)
            if settings.limits != self.settings.limits:
                self.buckets = Buckets(settings.limits, self.clock)
            if answers is not None:
                self.canned = answers
            self.settings = self.people.settings = settings

    def now(self) -> str:
        """Return the time in the form in which Iterable shows dates."""
        return datetime.fromtimestamp(self._wall_clock(), UTC).strftime(DATE_FORMAT)
