"""
Two warehouses of the process tests, and what has to be in Iterable by their rows: plain Python.

Nothing of the product is imported: this is the oracle. What Iterable holds is read from the
sandbox over HTTP, what state holds by SQL of the harness.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import random

POISON = "POISON"
"""A city whose row Iterable is told to refuse, and a person whose events it is."""


@dataclass
class Problems:
    """What is not as it has to be, each as keys or words; empty when all is well."""

    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    rejections: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__dataclass_fields__)


@dataclass
class Users:
    """
    Profiles that flap between few values, leave and return.

    Args:
        versioned: each row carries ``v``, the day of its last change; without it values go back
            to what they were.
    """

    object: ClassVar[str] = "users"
    path: ClassVar[str] = "/api/users/bulkUpdate"
    table: ClassVar[str] = "users"
    key: ClassVar[str] = "user_id"

    rng: random.Random
    size: int
    versioned: bool = False
    poison: float = 0.01
    day: int = 0
    rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)

    @property
    def ddl(self) -> str:
        """The columns of the table, which are those of the model."""
        return "user_id text, city text, points bigint" + (", v bigint" * self.versioned)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of a profile, in the order of the columns after the key."""
        return ("city", "points", "v") if self.versioned else ("city", "points")

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return {"object": self.object, "key": [self.key], "on_remove": "clear"}

    @property
    def refusals(self) -> dict[str, Any]:
        """The rule of the sandbox that refuses rows."""
        return {"field": "dataFields.city", "equals": POISON, "reason": "invalidData"}

    reason: ClassVar[str] = "invalid_data"

    def next_day(self, share: float = 0.3) -> set[str]:
        """Change a share of the rows; give the keys whose row is another one now."""
        self.day += 1
        before = dict(self.rows)
        for n in range(self.size):
            key, dice = f"u{n:05d}", self.rng.random()
            if not before or dice < share:
                self.rows[key] = self._row(key)
            elif dice < share * 1.15:
                self.rows.pop(key, None)
        self.ever |= self.rows.keys()
        everybody = self.rows.keys() | before.keys()
        return {key for key in everybody if self.rows.get(key) != before.get(key)}

    def _row(self, key: str) -> tuple[Any, ...]:
        choice = self.rng.choice
        city = POISON if self.rng.random() < self.poison else choice(["A", "B", None])
        row = (key, city, choice([1, 2, None]))
        return (*row, self.day) if self.versioned else row

    def refused(self) -> set[str]:
        """Give the keys whose row Iterable refuses."""
        return {key for key, row in self.rows.items() if row[1] == POISON}

    def to_send(self, changed: set[str], known: dict[str, Any]) -> int:
        """
        Count the rows that Iterable has to apply once.

        Args:
            known: what Iterable held before they changed.
        """
        people = {user["userId"] for user in known["users"]}
        return len(changed & (self.rows.keys() | people) - self.refused())

    def versions(self, dump: dict[str, Any]) -> dict[str, int]:
        """Give the day of each profile in Iterable: 0 where it was cleared."""
        return {user["userId"]: user["dataFields"].get("v", 0) for user in dump["users"]}

    def check(self, dump: dict[str, Any]) -> Problems:
        """Compare what Iterable holds with the rows."""
        problems = Problems()
        people = {user["userId"]: user["dataFields"] for user in dump["users"]}
        for key, row in self.rows.items():
            if row[1] == POISON:
                continue
            if key not in people:
                problems.lost.append(key)
                continue
            said = dict(zip(self.names, row[1:], strict=True))
            held = {name: people[key].get(name) for name in self.names}
            if said != held:
                problems.wrong.append(f"{key} is {held}, not {said}")
        for key in people.keys() - self.rows.keys():
            left = set(self.names) & people[key].keys()
            if left or key not in self.ever:
                problems.wrong.append(f"{key} has left and has still {sorted(left)}")
        problems.duplicates += [
            key for key, n in Counter(user["userId"] for user in dump["users"]).items() if n > 1
        ]
        return problems

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the keys whose snapshot, not in doubt, says what Iterable does not hold."""
        people = {user["userId"]: user["dataFields"] for user in dump["users"]}
        return [
            f"{key}: acknowledged {row}, held {people.get(key)}"
            for key, row in snapshot.items()
            if row["_status"] == "live"
            and row["_dirty"] is None
            and any(people.get(key, {}).get(name) != row[name] for name in self.names)
        ]


@dataclass
class Events:
    """Events that are added, with a time of these days; never changed."""

    object: ClassVar[str] = "events"
    path: ClassVar[str] = "/api/events/trackBulk"
    table: ClassVar[str] = "events"
    key: ClassVar[str] = "event_id"
    ddl: ClassVar[str] = "event_id text, user_id text, city text, created_at timestamptz"

    rng: random.Random
    size: int
    poison: float = 0.01
    day: int = 0
    rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return {
            "object": self.object,
            "key": [self.key],
            "event_name": "bought",
            "fields": {"event_id": {"name": "eventId"}},
        }

    @property
    def refusals(self) -> dict[str, Any]:
        """The rule of the sandbox that refuses rows."""
        return {"keys": [POISON], "reason": "forgotten"}

    reason: ClassVar[str] = "forgotten"

    def next_day(self, share: float = 0.3) -> set[str]:
        """Add events; give their keys."""
        self.day += 1
        added = set()
        for n in range(self.size if not self.rows else int(self.size * share)):
            key = f"e{self.day:03d}-{n:05d}"
            at = datetime.now(UTC).replace(microsecond=0) - timedelta(
                seconds=self.rng.randint(60, 80_000)
            )
            who = f"u{self.rng.randrange(self.size // 4 + 1):05d}"
            who = POISON if self.rng.random() < self.poison else who
            self.rows[key] = (key, who, self.rng.choice(["A", "B"]), at.isoformat())
            added.add(key)
        return added

    def refused(self) -> set[str]:
        """Give the keys whose row Iterable refuses."""
        return {key for key, row in self.rows.items() if row[1] == POISON}

    def to_send(self, changed: set[str], known: dict[str, Any]) -> int:
        """Count the events that Iterable has to take once."""
        return len(changed - self.refused())

    def versions(self, dump: dict[str, Any]) -> dict[str, int]:
        """Give the events that Iterable holds: they have no versions, and never leave."""
        return {event["id"]: 1 for event in dump["events"]}

    def check(self, dump: dict[str, Any]) -> Problems:
        """Compare what Iterable holds with the rows: each of them once, as it is."""
        problems = Problems()
        held: dict[str, list[dict[str, Any]]] = {}
        for event in dump["events"]:
            held.setdefault(event["dataFields"]["eventId"], []).append(event)
        for key, (_, who, city, at) in self.rows.items():
            found = held.pop(key, [])
            if who == POISON:
                problems.wrong += [f"{key} is there, though refused"] * len(found)
            elif not found:
                problems.lost.append(key)
            elif len(found) > 1:
                problems.duplicates.append(key)
            else:
                (event,) = found
                moment = datetime.fromisoformat(event["createdAt"].replace(" +", "+"))
                is_right = moment == datetime.fromisoformat(at)
                if (event["userId"], event["dataFields"]["city"], is_right) != (who, city, True):
                    problems.wrong.append(key)
        problems.wrong += [f"{key} is not in the warehouse" for key in held]
        ids = Counter(event["id"] for event in dump["events"])
        problems.duplicates += [name for name, n in ids.items() if n > 1]
        return problems

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the keys that count as sent, without doubt, and which Iterable does not hold."""
        held = {event["dataFields"]["eventId"] for event in dump["events"]}
        return [
            key
            for key, row in snapshot.items()
            if row["_dirty"] is None and row["_status"] == "live" and key not in held
        ]
