"""
The events shape of the simulation: events that come late, and what plain Python says about them.

Iterable knows an event by its id alone, which the oracle does not work out: the number of the event
is in its data, and one number has to have one id.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from torture.iterable_dict import POISON

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from torture.iterable_dict import IterableDict
    from torture.oracle import Found

_PEOPLE = 4


@dataclass
class Happenings:
    """The warehouse of a world of events."""

    rng: random.Random
    by_email: bool
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    generation: int = 0

    object = "events"
    key = "event_id"
    columns: ClassVar = {
        "event_id": "text",
        "email": "text",
        "user_id": "text",
        "event_name": "text",
        "created_at": "timestamptz",
        "number": "bigint",
        "city": "text",
    }

    def options(self) -> dict[str, Any]:
        """Give what the sync declares beside its name, its SQL and its pace."""
        return {}

    def everybody(self) -> list[str]:
        """Give people whom Iterable may come to refuse."""
        return [f"u{n}@example.com" if self.by_email else f"u{n}" for n in range(_PEOPLE)]

    def next_day(self, now: datetime) -> None:
        """Let things happen, some of them seen late, and old ones leave the warehouse."""
        self.generation += 1
        for key in list(self.rows):
            if self.rng.random() < 0.05:
                self.gone.add(key)
        for _ in range(self.rng.randint(0, 4)):
            number = len(self.rows)
            self.rows[f"e{number}"] = self._row(number, now)

    def _row(self, number: int, now: datetime) -> dict[str, Any]:
        choice = self.rng.choice
        n = self.rng.randrange(_PEOPLE)
        late = timedelta(hours=choice([0, 0, 1, 20]), microseconds=choice([0, 500_000]))
        row = {
            "event_id": f"e{number}",
            "email": choice([f"u{n}@example.com", f"u{n}@example.com", f" U{n}@Example.com"]),
            "user_id": f"u{n}",
            "event_name": choice(["seen", "bought"]),
            "created_at": now - late,
            "number": number,
            "city": choice(["A", None]),
        }
        if self.rng.random() < 0.15:
            # One at a time: of several the product may name any.
            name = choice(["email", "event_name", "created_at", "city"])
            row[name] = POISON if name == "city" else None
        return row

    def table(self) -> list[tuple[Any, ...]]:
        """Give the rows of the table, in the order of the columns."""
        return [
            tuple(row[name] for name in self.columns)
            for key, row in self.rows.items()
            if key not in self.gone
        ]

    def miscounted(self, counts: dict[str, int], found: Found) -> list[str]:
        """Give nothing: the window decides which rows are read."""
        return []

    def who(self, row: dict[str, Any]) -> str | None:
        """Name the person of a row as Iterable does; None where it names nobody."""
        if not self.by_email:
            return str(row["user_id"])
        return (row["email"] or "").strip().lower() or None

    def refused_unasked(self) -> dict[str, str]:
        """Give the rows that nobody can deliver: key -> reason."""
        refused = {}
        for key, row in self.rows.items():
            if self.who(row) is None:
                refused[key] = "missing_identifier"
            elif row["created_at"] is None:
                refused[key] = "missing_created_at"
            elif row["event_name"] is None:
                refused[key] = "missing_event_name"
            elif row["city"] == POISON:
                refused[key] = "refused"
        return refused

    def lost(self, server: IterableDict, found: Found) -> list[str]:
        """Give the events that Iterable should have and has not."""
        there = {event["dataFields"].get("number") for event in server.events.values()}
        return [f"{key} is missing" for key, row in self._owed(found) if row["number"] not in there]

    def wrong(self, server: IterableDict, found: Found) -> list[str]:
        """Give events that Iterable has otherwise than they happened."""
        of_number = {e["dataFields"].get("number"): e for e in server.events.values()}
        problems = []
        for key, row in self._owed(found):
            event = of_number.get(row["number"])
            if event is not None and self._told(row) != self._heard(event, server):
                problems.append(f"{key} is {self._heard(event, server)}")
        return problems

    def duplicates(self, server: IterableDict) -> int:
        """Count the events that Iterable has under more than one id."""
        numbers = Counter(event["dataFields"].get("number") for event in server.events.values())
        return sum(count - 1 for count in numbers.values())

    def filed_wrong(self, server: IterableDict, found: Found) -> list[str]:
        """Give rejections that nobody asked for, or with another reason."""
        unasked = self.refused_unasked()
        problems = []
        for key, name, reason in sorted(found.rejections):
            told = {r for who, r, _ in server.told if who == self.who(self.rows[key])}
            if name or reason not in {unasked.get(key), *told}:
                problems.append(f"{key}.{name} is filed as {reason}")
        return problems

    def snapshot_ahead(self, server: IterableDict, found: Found) -> list[str]:
        """Give the events that are acknowledged and not there."""
        there = {event["dataFields"].get("number") for event in server.events.values()}
        return [
            f"{key} is acknowledged, and Iterable has it not"
            for key in found.snapshot
            if key not in found.in_doubt and self.rows[key]["number"] not in there
        ]

    def _owed(self, found: Found) -> list[tuple[str, dict[str, Any]]]:
        # What left the warehouse before it was sent cannot be sent.
        excused = found.excused | self.gone | self.refused_unasked().keys()
        return [(key, row) for key, row in self.rows.items() if key not in excused]

    def _told(self, row: dict[str, Any]) -> tuple[Any, ...]:
        second = int(row["created_at"].timestamp() // 1)
        return self.who(row), row["event_name"], second, row["city"]

    @staticmethod
    def _heard(event: dict[str, Any], server: IterableDict) -> tuple[Any, ...]:
        city = event["dataFields"].get("city")
        return server.who(event), event["eventName"], event["createdAt"], city
