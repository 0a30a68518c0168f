"""Everything that the sandbox remembers."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from random import Random
from threading import RLock
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Protocol

from .buckets import Buckets
from .catalogs import Catalogs
from .event_typing import EventFields
from .events import Events
from .faults.plans import Plan
from .forgotten import Forgotten
from .history import History
from .kinds import DATE_FORMAT, Kind
from .lagging import Lagging
from .memberships import Lists
from .messaging import Messaging
from .projects import people_of
from .registry import USER_FIELDS, FieldRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .people import People
    from .settings import Settings

# Switches that decide how identities are stored, and so cannot turn under stored people.
_FIXED_BY_PEOPLE = ("project_type", "discard")
# What is no part of the project. All else is in a snapshot, a store that is added later as well.
_OUTSIDE = frozenset(
    {
        "lock", "clock", "_wall_clock", "_first_settings", "_first_faults",
        "history", "faults", "buckets", "snapshots", "random",
    }
)  # fmt: skip


class StoreByPerson(Protocol):
    """A store that keeps something about people, by `Profile.number`."""

    def drop_person(self, number: int) -> None:
        """Forget what hangs on a person who was deleted."""

    def move_person(self, source: int, destination: int) -> None:
        """Hang what hangs on *source* on *destination*."""


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
        faults: Any = (),
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        self.lock = RLock()
        self.clock = clock
        self._wall_clock = wall_clock
        self.lagging: Lagging | None = None
        self._first_settings = settings
        self._first_faults = faults or []
        self.snapshots: dict[str, bytes] = {}
        self.reset()

    def reset(self) -> None:
        """
        Forget everything but the snapshots: stores, history, changed settings, changed faults.

        The faults of the start begin anew.
        """
        with self.lock:
            self.settings = self._first_settings
            self.people = people_of(self.settings)
            self.user_fields = FieldRegistry(USER_FIELDS, category="user")
            self.forgotten = Forgotten()
            self._follow_delay()
            self.lists = Lists()
            self.messaging = Messaging()
            self.catalogs = Catalogs()
            self.events = Events()
            self.event_fields = EventFields()
            self.history = History(self.settings.history_limit)
            self.random = Random(self.settings.seed)  # noqa: S311 -- latency that repeats itself
            self.fail(self._first_faults)
            self.buckets = Buckets(self.settings.limits, self.clock)

    def change(self, changes: Mapping[str, Any]) -> None:
        """
        Change settings, given as plain JSON values.

        Raises:
            ValueError: an unknown name or value, or a project type changed under stored people;
                nothing is changed then.
        """
        with self.lock:
            settings = self.settings.changed(changes)
            moved = [
                name
                for name in _FIXED_BY_PEOPLE
                if getattr(settings, name) != getattr(self.settings, name)
            ]
            if moved and len(self.people):
                raise ValueError(f"{' and '.join(moved)} cannot change while there are users")
            if moved:
                self.people = people_of(settings)
                self.events = Events()
            if settings.limits != self.settings.limits:
                self.buckets = Buckets(settings.limits, self.clock)
            if settings.seed != self.settings.seed:
                self.random = Random(settings.seed)  # noqa: S311 -- as in `reset`
            self.history.keep(settings.history_limit)
            self.settings = self.people.settings = settings
            self._follow_delay()

    def fail(self, plan: Any) -> None:
        """
        Replace the fault plan by one given as JSON; an empty array is none.

        Raises:
            ValueError: it is no plan; nothing is changed then.
        """
        with self.lock:
            self.faults = Plan.from_json(plan, seed=self.settings.seed)

    def saved(self) -> bytes:
        """Return the project as bytes: all stores and the settings, which fit each other."""
        with self.lock:
            stores = {name: store for name, store in vars(self).items() if name not in _OUTSIDE}
            return pickle.dumps(stores, pickle.HIGHEST_PROTOCOL)

    def restore(self, saved: bytes) -> None:
        """Go back to a project from `saved`; history, faults and used limits go on."""
        with self.lock:
            limits = self.settings.limits
            vars(self).update(pickle.loads(saved))  # noqa: S301 -- bytes of our own `saved`
            self.history.keep(self.settings.history_limit)
            if self.settings.limits != limits:
                self.buckets = Buckets(self.settings.limits, self.clock)

    def accepted(self) -> None:
        """Let what was written until now show in reads, after the delay if there is one."""
        if self.lagging is not None:
            self.lagging.note(self.clock() + self.settings.visibility_delay_s)

    def shown_people(self) -> People | Lagging:
        """Return the people as reads show them."""
        return self.people if self.lagging is None else self._caught_up(self.lagging)

    def shown_fields(self) -> dict[str, Kind]:
        """Return the types of the user fields as reads show them."""
        lagging = self.lagging
        return self.user_fields.kinds if lagging is None else self._caught_up(lagging).kinds()

    def forget_person(self, number: int) -> None:
        """Tell the stores that the person with this number was deleted."""
        for store in self._stores_by_person():
            store.drop_person(number)

    def move_person(self, source: int, destination: int) -> None:
        """Tell the stores that the person *source* was merged into *destination*."""
        for store in self._stores_by_person():
            store.move_person(source, destination)

    def latency_s(self) -> float:
        """Return how long the next answer is held back."""
        low, high = self.settings.latency_ms
        return self.random.uniform(low, high) / 1000 if high else 0.0

    def wall_time(self) -> float:
        """Return the Unix time in seconds."""
        return self._wall_clock()

    def now(self) -> str:
        """Return the time in the form in which Iterable shows dates."""
        return datetime.fromtimestamp(self._wall_clock(), UTC).strftime(DATE_FORMAT)

    def _stores_by_person(self) -> tuple[StoreByPerson, ...]:
        """Return the stores that keep something about people, by `Profile.number`."""
        return (self.lists, self.events)

    def _follow_delay(self) -> None:
        lags = self.settings.visibility_delay_s > 0 and not self.settings.discard
        if not lags:
            self.lagging = self.people.changed = None
        elif self.people.changed is None:
            self.lagging = Lagging(self.people, self.user_fields)

    def _caught_up(self, lagging: Lagging) -> Lagging:
        self.accepted()
        lagging.advance(self.clock())
        return lagging

    def now_ms(self) -> int:
        """Return the time as Unix time in milliseconds."""
        return int(self._wall_clock() * 1000)
