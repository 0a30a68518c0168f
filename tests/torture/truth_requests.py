"""
Warehouses of requests about people, for the process tests, and what they have to come to.

Plain Python, as :mod:`torture.truth`: rows that are added and stay as they are. Nobody is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from iterable_sync.identity import hash_of
from torture.truth import Problems

if TYPE_CHECKING:
    import random


@dataclass
class Requests:
    """
    Requests about people whom Iterable knows; subclasses say which, and what they come to.

    Args:
        size: how many people there are.
    """

    object: ClassVar[str]
    path: ClassVar[str]
    table: ClassVar[str] = "requests"
    key: ClassVar[str] = "request_id"
    ddl: ClassVar[str]
    project_type: ClassVar[str] = "email"
    reason: ClassVar[str] = "forgotten"

    rng: random.Random
    size: int
    poison: float = 0.0
    rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return {"object": self.object, "key": [self.key], "first_sync": "all"}

    @property
    def refusals(self) -> dict[str, Any]:
        """The rule of the sandbox that refuses rows, of which there is none."""
        return {"keys": [], "reason": "forgotten"}

    @property
    def people(self) -> list[dict[str, Any]]:
        """Whom Iterable knows at first."""
        return [
            {"email": self.address(n, 0), "userId": f"u{n:05d}", "dataFields": {"n": n}}
            for n in range(self.size)
        ]

    @staticmethod
    def address(number: int, version: int) -> str:
        """Give an address that somebody has had."""
        return f"p{number:05d}.{version}@example.com"

    def refused(self) -> set[str]:
        """Give the keys whose row Iterable refuses."""
        return set()

    def to_send(self, changed: set[str], known: dict[str, Any]) -> int:
        """Count the rows that Iterable has to apply once."""
        return len(changed)

    def _next_key(self) -> tuple[str, str]:
        """Give the key of the next row, and its time: each is a second later."""
        number = len(self.rows)
        return f"r{number:06d}", (self.begun + timedelta(seconds=number - 80_000)).isoformat()


@dataclass
class EmailChanges(Requests):
    """People who change their address, often twice, and back again."""

    object: ClassVar[str] = "email_changes"
    path: ClassVar[str] = "/api/users/updateEmail"
    ddl: ClassVar[str] = (
        "request_id text, old_email text, new_email text, changed_at timestamptz, user_id text"
    )

    at: dict[int, int] = field(default_factory=dict)

    def next_day(self, share: float = 0.3) -> set[str]:
        """Let some people change their address; give the keys of the rows."""
        added = set()
        for number in range(self.size):
            for _ in range(self.rng.choice([1, 1, 2]) if self.rng.random() < share else 0):
                key, moment = self._next_key()
                old = self.at.get(number, 0)
                self.at[number] = self.rng.choice([v for v in range(4) if v != old])
                ends = (self.address(number, old), self.address(number, self.at[number]))
                self.rows[key] = (key, *ends, moment, f"u{number:05d}")
                added.add(key)
        return added

    def versions(self, dump: dict[str, Any]) -> dict[str, int]:
        """Give nothing: addresses come and go, and have no versions."""
        return {}

    def check(self, dump: dict[str, Any]) -> Problems:
        """Compare where Iterable has people with where they moved; nobody is there twice."""
        problems = Problems()
        held = {user["userId"]: user["email"] for user in dump["users"]}
        for number in range(self.size):
            who, wanted = f"u{number:05d}", self.address(number, self.at.get(number, 0))
            if who not in held:
                problems.lost.append(who)
            elif held[who] != wanted:
                problems.wrong.append(f"{who} is at {held[who]}, not at {wanted}")
        if len(dump["users"]) != self.size:
            problems.duplicates.append(f"{len(dump['users'])} profiles of {self.size} people")
        return problems

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give people all of whose rows count as done, and who are not where they moved."""
        held = {user["userId"]: user["email"] for user in dump["users"]}
        latest = {row[4]: (key, row[2]) for key, row in self.rows.items()}
        return [
            who
            for who, (key, address) in latest.items()
            if key in snapshot
            and snapshot[key]["_dirty"] is None
            and snapshot[key]["_status"] == "live"
            and held.get(who) != address
        ]


@dataclass
class Merges(Requests):
    """Profiles of even numbers that are merged into the odd one after them."""

    object: ClassVar[str] = "merge"
    path: ClassVar[str] = "/api/users/merge"
    ddl: ClassVar[str] = (
        "request_id text, source_email text, destination_email text, requested_at timestamptz"
    )

    merged: set[int] = field(default_factory=set)

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return super().spec | {"allow_merge": True}

    def next_day(self, share: float = 0.3) -> set[str]:
        """Let some profiles be merged; give the keys of the rows."""
        added = set()
        for number in range(0, self.size - 1, 2):
            if number not in self.merged and self.rng.random() < share:
                key, moment = self._next_key()
                ends = (self.address(number, 0), self.address(number + 1, 0))
                self.rows[key] = (key, *ends, moment)
                self.merged.add(number)
                added.add(key)
        return added

    def versions(self, dump: dict[str, Any]) -> dict[str, int]:
        """Give who is there: nobody who is gone may come back."""
        return {}

    def check(self, dump: dict[str, Any]) -> Problems:
        """Compare who is in Iterable with who was merged into somebody."""
        problems = Problems()
        held = Counter(user["email"] for user in dump["users"])
        wanted = Counter(self.address(n, 0) for n in range(self.size) if n not in self.merged)
        problems.lost += sorted((wanted - held).elements())
        problems.wrong += [f"{who} is there still" for who in sorted((held - wanted).elements())]
        return problems

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the requests that count as done and whose source is there."""
        held = {user["email"] for user in dump["users"]}
        return [
            key
            for key, row in snapshot.items()
            if row["_dirty"] is None
            and row["_status"] == "live"
            and key in self.rows
            and self.rows[key][1] in held
        ]


@dataclass
class Deletions(Requests):
    """People who are deleted or forgotten, of whom some may come back later."""

    object: ClassVar[str] = "deletions"
    path: ClassVar[str] = "/api/users/*"
    ddl: ClassVar[str] = "request_id text, email text, action text, requested_at timestamptz"

    last: dict[int, str] = field(default_factory=dict)

    def next_day(self, share: float = 0.3) -> set[str]:
        """Let some people ask for something; give the keys of the rows."""
        added = set()
        for number in range(self.size):
            asked = self.last.get(number)
            if asked in {"delete", "unforget"} or self.rng.random() >= share:
                continue
            action = "unforget" if asked == "forget" else self.rng.choice(["delete", "forget"])
            key, moment = self._next_key()
            self.rows[key] = (key, self.address(number, 0), action, moment)
            self.last[number] = action
            added.add(key)
        return added

    def versions(self, dump: dict[str, Any]) -> dict[str, int]:
        """Give nothing: nobody comes back by a request."""
        return {}

    def check(self, dump: dict[str, Any]) -> Problems:
        """Compare who is in Iterable, and who is forgotten there, with what was asked for."""
        problems = Problems()
        held = {user["email"] for user in dump["users"]}
        wanted = {self.address(n, 0) for n in range(self.size) if n not in self.last}
        problems.lost += sorted(wanted - held)
        problems.wrong += [f"{who} is there still" for who in sorted(held - wanted)]
        forgotten = set(dump["forgotten"]["hashedEmails"])
        asked = {hash_of(self.address(n, 0)) for n in self.last if self.last[n] == "forget"}
        problems.wrong += [f"{one} is not forgotten" for one in sorted(asked - forgotten)]
        problems.wrong += [f"{one} is forgotten" for one in sorted(forgotten - asked)]
        return problems

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the requests that count as done, and whose person is there."""
        held = {user["email"] for user in dump["users"]}
        return [
            key
            for key, row in snapshot.items()
            if row["_dirty"] is None and key in self.rows and self.rows[key][1] in held
        ]
