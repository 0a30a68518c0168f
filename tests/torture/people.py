"""
The users shape of the simulation: a warehouse that flaps, and what plain Python says about it.

Nothing of the product is imported here: what has to be in Iterable, in the rejections and in the
snapshot is worked out from the warehouse's rows and from what the fake Iterable was told to refuse.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torture.iterable_dict import POISON

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from torture.iterable_dict import IterableDict
    from torture.oracle import Found

COLUMNS = {
    "user_id": "text",
    "email": "text",
    "city": "text",
    "points": "bigint",
    "nick": "text",
}
KEPT = "nick"
_KEYS = 8


@dataclass
class People:
    """
    The warehouse of a world of users.

    Args:
        by_email: the project addresses people by e-mail, not by userId.

        on_remove, on_identity_change: of the sync.
    """

    rng: random.Random
    by_email: bool
    on_remove: str
    on_identity_change: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    generation: int = 0
    history: list[dict[str, dict[str, Any]]] = field(default_factory=lambda: [{}])
    keyless: int = 0
    gone: set[str] = field(default_factory=set)

    object = "users"
    key = "user_id"
    columns = COLUMNS

    # -- the warehouse --------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """Give what the sync declares beside its name, its SQL and its pace."""
        return {
            "fields": {KEPT: {"null": "keep"}},
            "on_remove": self.on_remove,
            "on_identity_change": self.on_identity_change,
        }

    def everybody(self) -> list[str]:
        """Give people whom Iterable may come to refuse."""
        return [f"u{n}@example.com" if self.by_email else f"u{n}" for n in range(_KEYS)]

    def next_day(self, _: datetime) -> None:
        """Change the warehouse: keys come, leave and return, values flap."""
        for n in range(_KEYS):
            key, dice = f"u{n}", self.rng.random()
            if dice < 0.15:
                self.rows.pop(key, None)
            elif dice < 0.7 or key not in self.rows:
                self.rows[key] = self._row(n)
        self.keyless = int(self.rng.random() < 0.1)
        self.keep()

    def put(self, n: int, city: str | None, points: int | None, email: str | None = None) -> None:
        """Write a row, by its number."""
        row = {"user_id": f"u{n}", "email": email or f"u{n}@example.com"}
        self.rows[f"u{n}"] = row | {"city": city, "points": points, "nick": None}
        self.keep()

    def leave(self, n: int) -> None:
        """Take a row away, by its number."""
        self.rows.pop(f"u{n}", None)
        self.keep()

    def keep(self) -> None:
        """Count the states of the warehouse, and remember them."""
        self.generation += 1
        self.history.append({key: dict(row) for key, row in self.rows.items()})

    def _row(self, n: int) -> dict[str, Any]:
        choice = self.rng.choice
        email: str | None = f"u{n}@example.com"
        dice = self.rng.random()
        if dice < 0.06:
            email = choice(["nobody", "u0@example.com", None, " "])
        elif dice < 0.16:
            email = choice([f"U{n}@Example.com", f" u{n}@example.com"])
        elif dice < 0.22 or (not self.by_email and dice < 0.4):
            email = f"new{n}@example.com"
        elif dice < 0.25:
            email = f"U{choice([0, 1])}@example.com"
        return {
            "user_id": f"u{n}",
            "email": email,
            "city": POISON if self.rng.random() < 0.04 else choice(["A", "B", None]),
            "points": choice([1, 2, None]),
            "nick": choice(["x", "y", None]),
        }

    def table(self) -> list[tuple[Any, ...]]:
        """Give the rows of the table, in the order of :data:`COLUMNS`."""
        nobody = dict.fromkeys(COLUMNS)
        rows = [*self.rows.values(), *[nobody] * self.keyless]
        return [tuple(row[name] for name in COLUMNS) for row in rows]

    def miscounted(self, counts: dict[str, int], found: Found) -> list[str]:
        """Give the counts of a run that are not what the warehouse and the state's tables say."""
        filed = {key for key, name, _ in found.rejections if not name and key in self.rows}
        refused = len(filed - found.held) + self.keyless
        rejected = counts["rejected"] + counts["still_rejected"]
        held = counts["held"] + counts["removed_held"]
        is_right = {
            "queried": counts["queried"] == len(self.rows) + self.keyless,
            "held": held == len(found.held),
            # A row that was rejected once and is pending now is in both.
            "rejected": rejected == refused or counts["pending"] > 0,
        }
        return [f"{name} is miscounted" for name, right in is_right.items() if not right]

    # -- what has to be -------------------------------------------------------------------------

    def who(self, row: dict[str, Any]) -> str | None:
        """Name the person of a row as Iterable does; None where it names nobody."""
        if not self.by_email:
            return str(row["user_id"])
        email = (row["email"] or "").strip().lower()
        return email or None

    def refused_unasked(self) -> dict[str, str]:
        """Give the rows that nobody can deliver: key -> reason."""
        people = Counter(self.who(row) for row in self.rows.values())
        refused = {}
        for key, row in self.rows.items():
            who = self.who(row)
            if who is None:
                refused[key] = "missing_identifier"
            elif people[who] > 1:
                refused[key] = "duplicate_identity"
            elif self.by_email and "@" not in who:
                refused[key] = "invalid_email"
            elif row["city"] == POISON:
                refused[key] = "refused"
        return refused

    def fields_of(self, row: dict[str, Any]) -> dict[str, Any]:
        """Give what a profile has to hold for a row; fields of any value are left out."""
        fields = {"city": row["city"], "points": row["points"]}
        if row[KEPT] is not None:
            fields[KEPT] = row[KEPT]
        email = (row["email"] or "").strip()
        if self.by_email:
            fields["userId"] = row["user_id"]
        elif "@" in email:
            fields["email"] = email
        return fields

    def lost(self, server: IterableDict, found: Found) -> list[str]:
        """Give the people that Iterable should have and has not."""
        return [
            f"{key} is missing"
            for key, row in self._owed(found).items()
            if (self.who(row) or "") not in server.people
        ]

    def wrong(self, server: IterableDict, found: Found) -> list[str]:
        """Give the fields that Iterable should hold otherwise, those of leavers included."""
        problems = []
        of_field = {(key, name) for key, name, _ in found.rejections if name}
        for key, row in self._owed(found).items():
            profile = server.people.get(self.who(row) or "", {})
            problems += [
                f"{key}.{name} is {profile.get(name)!r}, not {value!r}"
                for name, value in self.fields_of(row).items()
                if profile.get(name) != value and (key, name) not in of_field
            ]
        if self.on_remove == "clear":
            for who in self._left(found):
                left = {"city", "points", "nick"} & set(server.people.get(who, {}))
                if left:
                    problems.append(f"{who} has left and still has {sorted(left)}")
        return problems

    def _owed(self, found: Found) -> dict[str, dict[str, Any]]:
        return {key: row for key, row in self.rows.items() if key not in found.excused}

    def _left(self, found: Found) -> set[str]:
        """Give the people who had one key, which has left, and whose key was nobody else's."""
        people: dict[str, set[str]] = {}
        keys = Counter(who for _, who in self._ever())
        for key, who in self._ever():
            people.setdefault(key, set()).add(who)
        return {
            who
            for key, whos in people.items()
            if key not in self.rows and key not in found.excused and len(whos) == 1
            for who in whos
            if keys[who] == 1
        }

    def _ever(self) -> set[tuple[str, str]]:
        """Give the (key, person) that the warehouse ever had."""
        pairs = {(key, self.who(row)) for day in self.history for key, row in day.items()}
        return {(key, who) for key, who in pairs if who is not None}

    def filed_wrong(self, server: IterableDict, found: Found) -> list[str]:
        """Give rejections that nobody asked for, or with another reason, and those that lack."""
        problems = []
        unasked = self.refused_unasked()
        for key, name, reason in sorted(found.rejections):
            if key in found.held:
                # What was refused were other values; those of today wait for a person.
                continue
            if name:
                # Of a row that is rejected as a whole the field is not looked at again.
                if key not in found.excused and not self._field_was_refused(
                    server, key, name, reason
                ):
                    problems.append(f"{key}.{name} is filed as {reason}")
            elif (
                unasked.get(key) != reason
                and not self._was_told(server, key, reason)
                and not self._has_all_but_email(server, found, key, reason)
            ):
                problems.append(f"{key} is filed as {reason}, not {unasked.get(key)}")
        problems += [
            f"{key} is not filed as {reason}"
            for key, reason in unasked.items()
            if key not in found.excused
        ]
        return problems

    def _was_told(self, server: IterableDict, key: str, reason: str) -> bool:
        """Say whether Iterable refused the row, with these values, for this reason."""
        now = self.rows.get(key)
        for generation, day in enumerate(self.history):
            row = day.get(key)
            if row is None:
                continue
            who = self.who(row)
            kept = server.people.get(who or "", {}).get(KEPT)
            if now is not None and not _says_the_same(row, now, kept):
                continue
            whens = {g for w, r, g in server.told if w == who and r == reason}
            if generation in whens or (now is None and whens):
                return True
        return False

    def _has_all_but_email(self, server: IterableDict, found: Found, key: str, reason: str) -> bool:
        """Say whether a row is refused since its bad e-mail is all that it has to say."""
        row = self.rows.get(key)
        return (
            row is not None
            and (key, "email", reason) in found.rejections
            and self._field_was_refused(server, key, "email", reason)
            and all(
                server.people.get(str(row["user_id"]), {}).get(name) == value
                for name, value in self.fields_of(row).items()
            )
        )

    def _field_was_refused(self, server: IterableDict, key: str, name: str, reason: str) -> bool:
        row = self.rows.get(key)
        if row is None:
            return False
        if reason == "field_not_created":
            return (self.who(row), name) in server.dropped
        is_bad_email = not self.by_email and "@" not in (row["email"] or "").strip()
        return (name, reason) == ("email", "invalid_email") and is_bad_email

    def snapshot_ahead(self, server: IterableDict, found: Found) -> list[str]:
        """Give the fields, not in doubt, whose snapshot is not what Iterable applied last."""
        problems = []
        for key, kept in found.snapshot.items():
            who = kept["_identity"].split(":", 1)[1]
            profile = server.people.get(who)
            doubted = found.in_doubt.get(key, set())
            if profile is None:
                if doubted != {"*"}:
                    problems.append(f"{key} is acknowledged, and Iterable has nobody")
                continue
            for name in ("city", "points", "nick") if "*" not in doubted else ():
                if name in doubted or (name == KEPT and kept[name] is None):
                    continue
                if profile.get(name) != kept[name]:
                    problems.append(
                        f"{key}.{name} is acknowledged as {kept[name]!r}, applied is "
                        f"{profile.get(name)!r}"
                    )
        return problems


def _says_the_same(row: dict[str, Any], now: dict[str, Any], kept: Any) -> bool:
    """Say whether two rows send the same; a NULL that is kept says what Iterable has."""
    return all(
        value == now[name]
        or (name == KEPT and (now[name] is None or (value, now[name]) == (None, kept)))
        for name, value in row.items()
    )
