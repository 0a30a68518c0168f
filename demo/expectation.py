"""
What Iterable should hold, from the warehouse's tables by plain SQL and plain Python.

On purpose it shares no line with the product, and not the models either: it is the other side of
the demo's comparison.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import expected_events
import expected_people
import expected_sales
import warehouse
from expected_people import LISTS, OF_PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from expected_people import Profile
    from warehouse import Tables

# What one sync says, by name. The name of what is said of a person is the userId; that of a
# membership is the userId, and the field or list.
Name = str | tuple[str, str]
Things = dict[Any, Any]

USERS = "users"
MEMBERSHIPS = "audiences"
PURCHASES = "orders"
CARTS = "carts"
VOUCHERS = "vouchers"
EVENTS = tuple(dict.fromkeys(sync for sync, _ in expected_events.KINDS.values()))
# In the order in which the DAG runs them.
SYNCS = (USERS, *OF_PROFILES, MEMBERSHIPS, *LISTS, PURCHASES, CARTS, *EVENTS)

# No value of the warehouse is equal to it.
_UNKNOWN = object()


@dataclass(frozen=True)
class Expected:
    """
    What Iterable should hold at the end of a day.

    Args:
        tables: the warehouse's, of that day.

        profiles: what users.sql says of people, by userId.

        here: what the warehouse has to say on that day, by sync and by name.

        held: the same, and what stays of earlier days: who was in an audience and is not, what is
            known of people who are gone, the cart of whom has none any more (empty), events.
    """

    tables: Tables
    profiles: Mapping[str, Profile]
    here: Mapping[str, Things]
    held: Mapping[str, Things]

    @property
    def rows(self) -> dict[str, int]:
        """How many rows there are to send, by sync; of users those without a userId included."""
        return {sync: len(of) for sync, of in self.here.items()} | {
            USERS: len(self.tables["users"])
        }

    def changes_since(self, before: Expected) -> dict[str, Profile]:
        """
        Give the fields of users that differ by userId, None where one is gone; all of a new user.

        Of a new user that includes None for what has no value: Iterable may have one.
        """
        found = {}
        for user_id, now in self.profiles.items():
            old = before.profiles.get(user_id, dict.fromkeys(expected_people.FIELDS, _UNKNOWN))
            names = [*now, *(name for name in old if name not in now)]
            if changed := {n: now.get(n) for n in names if now.get(n) != old.get(n)}:
                found[user_id] = changed
        return found

    def people_since(self, before: Expected) -> dict[str, list[str]]:
        """
        Give who has to be in the requests of a day, by sync, once for each row that is sent.

        All memberships of a person are one row. The cart of a person who has bought something is
        sent although nothing in it has changed, for the purchase has emptied it.
        """
        people = {
            sync: [
                _who(name, thing)
                for name, thing in of.items()
                if thing != before.held[sync].get(name, _UNKNOWN)
            ]
            for sync, of in self.held.items()
        }
        people[MEMBERSHIPS] = list(set(people[MEMBERSHIPS]))
        for sync in LISTS:
            came_or_left = self.here[sync].keys() ^ before.here[sync].keys()
            people[sync] = [_who(name, None) for name in came_or_left]
        here, were = self.here[CARTS], before.here[CARTS]
        changed = {who for who in here if here[who] != were.get(who)} | (were.keys() - here.keys())
        people[CARTS] = list(changed | (here.keys() & set(people[PURCHASES])))
        return {sync: sorted(of) for sync, of in people.items()}


def read(file: Path, now: datetime, before: Expected | None = None) -> Expected:
    """
    Read a day of the warehouse.

    Args:
        now: its end, naive and in UTC.

        before: the day before, of which Iterable keeps what the warehouse no longer has.
    """
    tables = warehouse.read(file)
    memberships = expected_people.memberships(tables, now)
    here: dict[str, Things] = {
        **expected_people.of_profiles(tables, now),
        MEMBERSHIPS: memberships,
        **expected_people.members(memberships),
        PURCHASES: expected_sales.purchases(tables),
        CARTS: expected_sales.carts(tables),
        **expected_events.events(tables, now),
    }
    held = dict(here)
    if before is not None:
        for sync in (*OF_PROFILES, PURCHASES):
            held[sync] = before.held[sync] | here[sync]
        # Nobody shall be sent a code that is not theirs any more.
        held[VOUCHERS] = {who: {VOUCHERS: {}} for who in before.held[VOUCHERS]} | here[VOUCHERS]
        held[MEMBERSHIPS] = dict.fromkeys(before.held[MEMBERSHIPS], False) | here[MEMBERSHIPS]
        held[CARTS] = {who: [] for who in before.held[CARTS]} | here[CARTS]
        for sync in EVENTS:
            # It stays as it was when it was sent.
            held[sync] = here[sync] | before.held[sync]
    return Expected(tables, expected_people.profiles(tables), here, held)


def bytes_to_send(profiles: Mapping[str, Profile], only: Iterable[str]) -> int:
    """Give how large the JSON of these users' fields is, with the little that stands around it."""
    return sum(
        len(
            json.dumps(
                {
                    "userId": user_id,
                    "dataFields": {n: v for n, v in profiles[user_id].items() if n != "userId"},
                    "mergeNestedObjects": True,
                },
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode()
        )
        for user_id in only
    )


def _who(name: Name, thing: Any) -> str:
    """Give whom something is about: its name says it, or it does itself."""
    if isinstance(name, tuple):
        return name[0]
    return str(thing["userId"]) if isinstance(thing, dict) and "userId" in thing else name
