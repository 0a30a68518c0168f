"""
Iterable once more, as small as it can be: one list of people, searched from end to end.

A model to hold the sandbox against. It has no index and no store that could disagree with another,
and shares no code with it. Only well-formed requests about a few people are its business.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

CART = "shoppingCartItems"
Fields = dict[str, Any]


class Refused(Exception):
    """The request as a whole is refused with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Failed(Exception):
    """One row is refused, and named in this array."""

    def __init__(self, array: str, name: str) -> None:
        super().__init__(array, name)
        self.array = array
        self.name = name


@dataclass(eq=False)
class Person:
    """One profile and what hangs on it."""

    email: str | None
    user_id: str | None
    fields: Fields = field(default_factory=dict)
    lists: set[int] = field(default_factory=set)


@dataclass
class Model:
    """A project of one of the three types: ``email``, ``userId``, ``hybrid``."""

    kind: str
    people: list[Person] = field(default_factory=list)
    kinds: dict[str, type] = field(default_factory=dict)
    lists: set[int] = field(default_factory=set)
    # Who did what: events with an id by their id, the others one by one.
    events: dict[tuple[str, str], Person] = field(default_factory=dict)
    nameless: list[Person] = field(default_factory=list)
    forgotten: list[tuple[str | None, str | None]] = field(default_factory=list)

    def with_email(self, email: str | None) -> Person | None:
        """Return who has this address."""
        return next((one for one in self.people if email and one.email == email), None)

    def with_user_id(self, user_id: str | None) -> list[Person]:
        """Return who has this userId; in an email-based project that may be several."""
        return [one for one in self.people if user_id and one.user_id == user_id]

    def find(self, email: str | None, user_id: str | None) -> Person | None:
        """Return whom the two identifiers mean."""
        if self.kind == "email" and email:
            return self.with_email(email)
        named = next(iter(self.with_user_id(user_id)), None)
        if named or self.kind != "hybrid":
            return named
        holder = self.with_email(email)
        return holder if holder and not (user_id and holder.user_id) else None

    def is_forgotten(self, email: str | None, user_id: str | None) -> bool:
        """Say whether one of the two may not come back."""
        return any(_names(pair, email, user_id) for pair in self.forgotten)

    def bulk_update(self, rows: list[Fields]) -> tuple[int, Counter[tuple[str, str]]]:
        """Update people; return how many rows were applied, and where the others are named."""
        failed: Counter[tuple[str, str]] = Counter()
        ready = []
        kinds = dict(self.kinds)
        for row in rows:
            try:
                self._refuse_forgotten(row)
            except Failed as failure:
                failed[failure.array, failure.name] += 1
                continue
            ready.append(row)
            for name, value in row.get("dataFields", {}).items():
                if name == "email" or value is None:
                    continue
                if kinds.setdefault(name, type(value)) is not type(value):
                    raise Refused(400)
        self.kinds = kinds
        for row in ready:
            try:
                self.write(row)
            except Failed as failure:
                failed[failure.array, failure.name] += 1
        return len(rows) - failed.total(), failed

    def write(self, row: Fields) -> Person:
        """Create or update one person."""
        email, user_id = row.get("email"), row.get("userId")
        self._refuse_forgotten(row)
        person = self.find(email, user_id)
        fields = dict(row.get("dataFields", {}))
        new_email = fields.pop("email", email)
        if self.kind == "userId" and not user_id:
            raise Failed("notFoundEmails", email or "")
        if self.kind == "email" and not email and not person:
            raise Failed("notFoundUserIds", user_id or "")
        if self.kind == "hybrid":
            for address in (email, new_email):
                if self.with_email(address) not in (None, person):
                    raise Failed("conflictEmails", address or "")
        if person is None:
            person = Person(email, user_id)
            self.people.append(person)
        if self.kind != "email":
            person.email = new_email or person.email
        person.user_id = user_id or person.user_id
        for name, value in fields.items():
            if value is None:
                person.fields.pop(name, None)
            else:
                person.fields[name] = value
        return person

    def _refuse_forgotten(self, row: Fields) -> None:
        emails = [row.get("email"), row.get("dataFields", {}).get("email")]
        for email in emails:
            if self.is_forgotten(email, None):
                raise Failed("forgottenEmails", email or "")
        if self.is_forgotten(None, row.get("userId")):
            raise Failed("forgottenUserIds", row.get("userId") or "")

    def update_email(self, current: str, new: str) -> None:
        """Give somebody a new address."""
        if self.kind != "email":
            raise Refused(400)
        if self.is_forgotten(current, None) or self.is_forgotten(new, None):
            raise Refused(409)
        person = self.with_email(current)
        if person is None or self.with_email(new):
            raise Refused(400)
        person.email = new

    def merge(self, source: Fields, destination: Fields) -> None:
        """Make one person of two; *source* and *destination* hold one identifier each."""
        sides = [(one.get("email"), one.get("userId")) for one in (source, destination)]
        if self.kind == "userId" and any(email for email, _ in sides):
            raise Refused(400)
        if any(self.is_forgotten(*side) for side in sides):
            raise Refused(409)
        old, new = (self.find(*side) for side in sides)
        if old is None or old is new:
            raise Refused(400)
        if new is None:
            old.email = sides[1][0] or old.email
            old.user_id = sides[1][1] or old.user_id
            return
        new.fields = {**old.fields, **new.fields}
        new.lists |= old.lists
        new.email, new.user_id = new.email or old.email, new.user_id or old.user_id
        self.events = {key: new if who is old else who for key, who in self.events.items()}
        self.nameless = [new if who is old else who for who in self.nameless]
        self.people.remove(old)

    def delete(self, people: list[Person]) -> None:
        """Delete people and what hangs on them."""
        for person in people:
            self.people.remove(person)
            self.events = {key: who for key, who in self.events.items() if who is not person}
            self.nameless = [who for who in self.nameless if who is not person]

    def forget(self, email: str | None, user_id: str | None) -> None:
        """Delete somebody, and refuse the identifiers from now on."""
        if (self.kind == "email" and user_id) or (self.kind == "userId" and email):
            raise Refused(400)
        if self.is_forgotten(email, user_id):
            return
        person = self.find(email, user_id)
        if person is None:
            raise Refused(400)
        by_email = None if self.kind == "userId" else person.email
        by_user_id = None if self.kind == "email" else person.user_id
        self.forgotten.append((by_email, by_user_id))
        self.delete([person])

    def unforget(self, email: str | None, user_id: str | None) -> None:
        """Accept somebody again."""
        if (self.kind == "email" and user_id) or (self.kind == "userId" and email):
            raise Refused(400)
        if not self.is_forgotten(email, user_id):
            raise Refused(400)
        self.forgotten = [pair for pair in self.forgotten if not _names(pair, email, user_id)]

    def subscribe(self, number: int, row: Fields) -> None:
        """Put somebody into a list; strangers are created."""
        self.write(row).lists.add(number)

    def unsubscribe(self, number: int, row: Fields) -> None:
        """Take somebody out of a list."""
        person = self.find(row.get("email"), row.get("userId"))
        if person is None:
            by_user_id = row.get("userId") and not row.get("email")
            raise Failed(
                "notFoundUserIds" if by_user_id else "notFoundEmails",
                row.get("userId" if by_user_id else "email") or "",
            )
        person.lists.discard(number)

    def track(self, row: Fields) -> None:
        """Note an event."""
        email, user_id = row.get("email"), row.get("userId")
        self._refuse_forgotten(row)
        if self.kind == "userId" and not user_id:
            raise Failed("notFoundEmails", email or "")
        person = self.find(email, user_id)
        if self.kind == "hybrid":  # An event changes nobody, so it is in conflict with nobody.
            person = person or self.with_email(email)
        if person is None and self.kind == "email":
            by_user_id = user_id and not email
            array = "notFoundUserIds" if by_user_id else "notFoundEmails"
            raise Failed(array, (user_id if by_user_id else email) or "")
        self._note("customEvent", row.get("id"), person or self.write(row))

    def update_cart(self, user: Fields, items: list[Fields]) -> None:
        """Replace a cart; the change is an event."""
        person = self.write(user)
        person.fields[CART] = items
        self._note("customEvent", None, person)

    def purchase(self, user: Fields, purchase_id: str | None) -> None:
        """Note a purchase, and empty the cart."""
        person = self.write(user)
        person.fields[CART] = []
        self._note("purchase", purchase_id, person)

    def _note(self, kind: str, event_id: str | None, person: Person) -> None:
        if event_id is None:
            self.nameless.append(person)
        else:
            self.events[kind, event_id] = person

    def event_count(self, person: Person) -> int:
        """Return how many events and purchases a person has."""
        return [*self.events.values(), *self.nameless].count(person)


def _names(pair: tuple[str | None, str | None], email: str | None, user_id: str | None) -> bool:
    return (email is not None and email == pair[0]) or (user_id is not None and user_id == pair[1])
