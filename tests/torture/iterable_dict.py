"""
Iterable as a dict: what two of its bulk endpoints do to profiles and events, and what they answer.

Written for the simulation alone. It shares no line with the product and none with the sandbox, so
that the three cannot be wrong in the same way.

Source: POST /api/users/bulkUpdate and POST /api/events/trackBulk, Swagger, documented: a null
deletes a field; who failed is named in arrays of a 200; an event of a known ``id`` is replaced.
That a malformed row refuses the whole request is recorded (2022).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

POISON = "poison"
"""A value whose row makes Iterable refuse the whole request."""

REASONS = {
    "forgotten": "forgotten",
    "conflict": "conflict",
    "invalidData": "invalid_data",
    "notFound": "not_found",
}
"""Array of failures, without its ending -> the reason by which the product has to file it."""

_KINDS = {str: "string", bool: "boolean", int: "long", float: "double"}


@dataclass
class IterableDict:
    """
    One project.

    Args:
        by_email: people are addressed by e-mail; otherwise by userId.

        refuses: who (lower-cased e-mail, or userId) -> the array that names them.
    """

    by_email: bool
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    told: set[tuple[str, str, int]] = field(default_factory=set)
    dropped: set[tuple[str, str]] = field(default_factory=set)
    newest: dict[str, int] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    regressed: int = 0
    unsound: list[str] = field(default_factory=list)
    names_in: str = "lower"
    paths: str = "right"

    def who(self, row: dict[str, Any]) -> str:
        """Name whom a row of a request is about."""
        return str(row["email"]).lower() if "email" in row else str(row["userId"])

    def what(self, row: dict[str, Any]) -> str:
        """Name what a row of a request writes: a person, or an event."""
        return str(row.get("id") or self.who(row))

    def has(self, row: dict[str, Any]) -> bool:
        """Say whether a row of users would change nothing."""
        profile = self.people.get(self.who(row))
        return profile is not None and all(
            profile.get(name) == value for name, value in row["dataFields"].items()
        )

    def take(self, path: str, document: dict[str, Any], generation: int) -> tuple[int, Any]:
        """
        Do what a request asks for; give status and body.

        Args:
            generation: of the warehouse whose rows these are.
        """
        is_users = path == "/api/users/bulkUpdate"
        rows: list[dict[str, Any]] = document["users" if is_users else "events"]
        if (refused := self._malformed(rows, "users" if is_users else "events")) is not None:
            for row in rows if len(rows) == 1 else ():
                self.told.add((self.who(row), "refused", generation))
            return refused
        failed: dict[str, list[str]] = {}
        known = set(self.fields)
        lost: set[str] = set()
        for row in rows:
            who = self.who(row)
            if (array := self.refuses.get(who)) is not None:
                self.told.add((who, REASONS[array], generation))
                ending = "Emails" if "email" in row else "UserIds"
                failed.setdefault(array + ending, []).append(self._named(row))
            elif is_users:
                lost |= self._update(who, row, generation, create=document["createNewFields"])
            else:
                self._track(row)
        failures = sum(map(len, failed.values()))
        answer = {
            "successCount": len(rows) - failures,
            "failCount": failures,
            "failedUpdates": failed,
            "createdFields": sorted(set(self.fields) - known),
            "filteredOutFields": sorted(lost),
        }
        return 200, answer

    def _malformed(self, rows: Sequence[dict[str, Any]], array: str) -> tuple[int, Any] | None:
        people = Counter(self.who(row) for row in rows)
        if array == "users" and len(people) < len(rows):
            self.unsound.append("one person is twice in a request")
        bad = [place for place, row in enumerate(rows) if POISON in row["dataFields"].values()]
        if not bad:
            return None
        shift = {"right": 0, "wrong": 1}.get(self.paths)
        named = {} if shift is None else {f"obj.{array}[{bad[0] + shift}].dataFields": "no"}
        return 400, {"code": "BadParams", "params": named}

    def _named(self, row: dict[str, Any]) -> str:
        # Documented are lower-cased e-mails; a userId is exact.
        if "email" not in row:
            return str(row["userId"])
        name: str = getattr(str(row["email"]), self.names_in)()
        return name

    def _update(self, who: str, row: dict[str, Any], generation: int, *, create: bool) -> set[str]:
        profile = self.people.setdefault(who, {})
        lost = set()
        for name, value in row["dataFields"].items():
            if value is None:
                profile.pop(name, None)
            elif name in self.fields or create:
                self.fields.setdefault(name, _KINDS[type(value)])
                profile[name] = value
            else:
                lost.add(name)
                self.dropped.add((who, name))
        if "email" in row and "userId" in row:
            profile["userId"] = row["userId"]
        # The same bytes once more, of an attempt that was given up on, take nothing further back.
        if generation < self.newest.get(who, 0) and generation != self.applied.get(who):
            self.regressed += 1
        self.applied[who] = generation
        self.newest[who] = max(generation, self.newest.get(who, 0))
        return lost

    def _track(self, row: dict[str, Any]) -> None:
        if "id" not in row or "createdAt" not in row:
            self.unsound.append("an event has no id or no time")
            return
        self.events[row["id"]] = row
