"""
What Iterable should hold after the syncs of a shop: plain dicts, by what the documents say.

A sync is told by its name and the rows of the warehouse at that moment, and this says what becomes
of the people. It shares no line with the product.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = dict[str, Any]
Tables = dict[str, list[Row]]
# Of a membership: whose, and in what.
Key = tuple[str, str]

LOOK_BACK = timedelta(days=2)
# Column -> field; of those with a dot Iterable makes an object.
FIELDS = {
    "city": "city",
    "points": "points",
    "nick": "nick",
    "balance": "balance",
    "is_vip": "isVip",
    "born_on": "bornOn",
    "signed_up_at": "signedUpAt",
    "zip": "address.zip",
    "street": "address.street",
}
KEPT = "nick"
TRAITS = {"order_count": "orderCount", "spent": "spent", "favourite": "favourite"}
SNAKE = {
    "VIP": "vip",
    "Lapsed": "lapsed",
    "Order Completed Last 30days": "order_completed_last_30days",
    "Trial": "trial",
    "Gold": "gold",
}
LEFT = {"messageType": "unsubscribedMessageTypeIds", "messageChannel": "unsubscribedChannelIds"}


@dataclass
class Person:
    """A profile, and all that hangs on it."""

    fields: dict[str, Any] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    told: dict[tuple[str, str, int, str], str] = field(default_factory=dict)
    events: dict[str, Row] = field(default_factory=dict)
    purchases: dict[str, Row] = field(default_factory=dict)
    cart: list[Row] | None = None
    left: set[tuple[str, int]] = field(default_factory=set)
    has_subscriptions: bool = False

    def put_in(self, name: str, is_in: bool) -> None:
        """Put the person into a list, or take the person out."""
        self.has_subscriptions |= is_in
        (self.lists.add if is_in else self.lists.discard)(name)

    def take(self, other: Person) -> None:
        """Take what hangs on another profile, which is no more; what is here already stays."""
        mine = {name: value for name, value in self.fields.items() if value is not None}
        self.fields = other.fields | mine
        self.lists |= other.lists
        self.told |= other.told
        self.events |= other.events
        self.purchases = other.purchases | self.purchases
        self.cart = other.cart if self.cart is None else self.cart
        if not self.has_subscriptions:
            self.left, self.has_subscriptions = other.left, other.has_subscriptions

    def shown(self) -> Row:
        """Give it as :mod:`year.held` reads one."""
        return {
            "fields": {name: value for name, value in self.fields.items() if value is not None},
            "lists": sorted(self.lists),
            "told": sorted(
                (moment, f"Audience {direction}", audience)
                for (_, audience, _, direction), moment in self.told.items()
            ),
            "events": dict(sorted(self.events.items())),
            "purchases": dict(sorted(self.purchases.items())),
            "cart": self.cart or [],
            "left": sorted(self.left),
        }


@dataclass
class Seen:
    """How far a sync of events has looked: those before are left alone, but those that wait."""

    sent: set[str] = field(default_factory=set)
    newest: datetime | None = None
    oldest_waiting: datetime | None = None

    @property
    def start(self) -> datetime:
        """Events before it are not looked at."""
        if self.newest is None:
            return datetime.min.replace(tzinfo=UTC)
        start = self.newest - LOOK_BACK
        return start if self.oldest_waiting is None else min(start, self.oldest_waiting)


@dataclass
class Expected:
    """
    A project, and what each sync has told it.

    Args:
        by_email: people are addressed by their e-mail, trimmed and in lower case; else by userId.

    Attributes:
        people: by what addresses them.

        told: sync -> key -> of whom it was told.

        doubted: people whose profile has become another one: what is about them waits for the sync
            of users.

        maybe: events of people who were away, or forgotten, while the sync of events has looked: it
            may look back so far once more, for the sake of others, and need not.

        items: of the catalog.
    """

    list_name: str = ""
    by_email: bool = True
    people: dict[str, Person] = field(default_factory=dict)
    told: dict[str, dict[Any, str]] = field(default_factory=lambda: defaultdict(dict))
    seen: dict[str, Seen] = field(default_factory=lambda: defaultdict(Seen))
    episodes: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))
    items: dict[str, Row] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    doubted: set[str] = field(default_factory=set)
    maybe: dict[str, Row] = field(default_factory=dict)

    def run(self, sync: str, tables: Tables, at: datetime) -> None:
        """Let a sync tell all that it has to, of the warehouse as it is at a moment."""
        step: Callable[[Tables, datetime], None] = getattr(self, f"_{sync}")
        step(tables, at)

    def shown(self) -> Row:
        """Give it as :mod:`year.held` reads it."""
        return {
            "people": {email: self.people[email].shown() for email in sorted(self.people)},
            "items": dict(sorted(self.items.items())),
        }

    # -- people ---------------------------------------------------------------------------------

    def _users(self, tables: Tables, at: datetime) -> None:
        self.doubted.clear()
        told, there = self.told["users"], set()
        rows = self._addressed(tables["users"])
        for who, row in rows:
            key, email = row["user_id"], _folded(row["email"])
            there.add(who)
            is_address = bool(email) and not email.endswith("@")
            if self.by_email and not is_address:
                # Refused, as no address is like it; whatever is about its owner waits.
                continue
            if told.get(key, who) != who:
                raise AssertionError(f"{key} was {told[key]} and nobody has told of {who}")
            told[key] = who
            person = self.people.setdefault(who, Person())
            person.fields["userId"] = key
            if is_address:
                person.fields["email"] = email
            for column, name in FIELDS.items():
                if row[column] is not None or column != KEPT:
                    person.fields[name] = _shown(column, row[column])
        keys = {row["user_id"] for _, row in rows}
        for key in [key for key in told if key not in keys]:
            who = told.pop(key)
            if who not in there:
                self._clear(who, FIELDS.values())

    def _traits(self, tables: Tables, at: datetime) -> None:
        for email, row in self._ready(tables["traits"]):
            for column, name in TRAITS.items():
                self.people[email].fields[name] = row[column]
            self.told["traits"][row["user_id"]] = email

    def _clear(self, email: str, names: Any) -> None:
        # Of somebody whom Iterable does not have any more nothing is left.
        for name in names:
            if email in self.people:
                self.people[email].fields.pop(name, None)

    def _addressed(self, rows: Sequence[Row]) -> list[tuple[str, Row]]:
        """Give the rows that say whose they are, and not of people who were forgotten."""
        found = [(_folded(row["email"]) if self.by_email else row["user_id"], row) for row in rows]
        return [(who, row) for who, row in found if who and who not in self.forgotten]

    def _ready(self, rows: Sequence[Row]) -> list[tuple[str, Row]]:
        """Give the rows that wait for nobody; by e-mail they do for who is not told of yet."""
        known = set(self.told["users"].values())
        found = self._addressed(rows)
        if not self.by_email:
            for who, row in found:
                # Iterable makes whom it does not know.
                self.people.setdefault(who, Person({"userId": row["user_id"]}))
            return found
        return [(who, row) for who, row in found if who in known - self.doubted]

    # -- who somebody is ------------------------------------------------------------------------

    def _email_changes(self, tables: Tables, at: datetime) -> None:
        begun: dict[str, str] = {}
        for row in self._new("email_changes", tables["email_changes"], "change_id", "changed_at"):
            old, new = _folded(row["old_email"]), _folded(row["new_email"])
            if not self.by_email:
                # The e-mail is a field like others, and whoever runs first writes it.
                if (person := self.people.get(row["user_id"])) is not None:
                    person.fields["email"] = new
            elif old not in self.forgotten and new not in self.forgotten:
                self._rename(old, new)
                if begun.setdefault(row["user_id"], old) == new:
                    # Back where they were: nothing is sent, and what was found is not by us.
                    self.doubted.add(new)

    def _merges(self, tables: Tables, at: datetime) -> None:
        for row in self._new("merges", tables["merges"], "merge_id", "merged_at"):
            source, target = self._sides(row)
            if source not in self.people or {source, target} & self.forgotten:
                continue
            self.doubted.add(target)
            if target not in self.people:
                self._rename(source, target)
                continue
            self.people[target].take(self.people.pop(source))
            self._untell(source)

    def _sides(self, row: Row) -> tuple[str, str]:
        if self.by_email:
            return _folded(row["source_email"]), _folded(row["destination_email"])
        return row["source_user_id"], row["destination_user_id"]

    def _deletions(self, tables: Tables, at: datetime) -> None:
        for row in self._new("deletions", tables["requests"], "request_id", "requested_at"):
            who = _folded(row["email"]) if self.by_email else row["user_id"]
            if row["action"] == "unforget":
                self.forgotten.discard(who)
                continue
            if row["action"] == "forget":
                self.forgotten.add(who)
            self.people.pop(who, None)
            self._untell(who)

    def _new(self, sync: str, rows: Sequence[Row], key: str, time: str) -> list[Row]:
        """Give the requests that were not made yet, in the order of their times."""
        done = self.seen[sync].sent
        new = [row for row in rows if row[key] not in done]
        done |= {row[key] for row in new}
        return sorted(new, key=lambda row: (datetime.fromisoformat(row[time]), row[key]))

    def _rename(self, old: str, new: str) -> None:
        if old == new:
            return
        if old in self.people and new not in self.people:
            self.people[new] = self.people.pop(old)
            self.people[new].fields["email"] = new
        else:
            self.doubted.add(new)
        if old in self.doubted:
            self.doubted.add(new)
        for told in self.told.values():
            for key in [key for key, who in told.items() if who == old]:
                told[key] = new

    def _untell(self, who: str) -> None:
        for told in self.told.values():
            for key in [key for key, whose in told.items() if whose == who]:
                del told[key]

    # -- memberships ----------------------------------------------------------------------------

    def _audiences(self, tables: Tables, at: datetime) -> None:
        for who, (_, audience), row in self._memberships("audiences", tables):
            self.people[who].fields[SNAKE[audience]] = row is not None

    def _lists(self, tables: Tables, at: datetime) -> None:
        for who, (_, audience), row in self._memberships("lists", tables):
            self.people[who].put_in(audience, row is not None)

    def _stages(self, tables: Tables, at: datetime) -> None:
        for who, key, row in self._memberships("stages", tables):
            told = self.people[who].told
            self.episodes[key] += row is not None
            if row is None:
                told[*key, self.episodes[key], "Exited"] = _time(at)
        for who, row in self._ready(tables["stages"]):
            # Of who left and is back before the sync has seen it, the entry is another one.
            key = (row["user_id"], row["audience"])
            moment = datetime.fromisoformat(row["entered_at"])
            self.people[who].told[*key, self.episodes[key], "Entered"] = _time(moment)

    def _memberships(self, sync: str, tables: Tables) -> list[tuple[str, Key, Row | None]]:
        """Give who has come into which audience, with the row, and who has left one, without."""
        told, found = self.told[sync], list[tuple[str, Key, Row | None]]()
        for who, row in self._ready(tables[sync]):
            key = (row["user_id"], row["audience"])
            if key not in told:
                found.append((who, key, row))
                told[key] = who
        there = {(row["user_id"], row["audience"]) for row in tables[sync]}
        for key in [key for key in told if key not in there]:
            who = told.pop(key)
            # Of somebody whom Iterable does not have any more nothing is left to say.
            if who in self.people:
                found.append((who, key, None))
        return found

    def _consents(self, tables: Tables, at: datetime) -> None:
        for email, row in self._ready(tables["consents"]):
            group, number = row["subscription_group"], row["group_id"]
            person = self.people[email]
            self.told["consents"][row["user_id"], group, number] = email
            if group == "emailList":
                person.put_in(self.list_name, row["subscribed"])
                continue
            person.has_subscriptions = True
            change = person.left.discard if row["subscribed"] else person.left.add
            change((LEFT[group], number))

    # -- a catalog ------------------------------------------------------------------------------

    def _products(self, tables: Tables, at: datetime) -> None:
        self.items = {
            _item_id(row["product_id"]): {
                "name": row["name"],
                "price": float(row["price"]),
                **{
                    field: row[column]
                    for column, field in (
                        ("in_stock", "inStock"),
                        ("stock", "stock"),
                        ("category", "category"),
                    )
                    if row[column] is not None
                },
            }
            for row in tables["products"]
        }

    # -- commerce -------------------------------------------------------------------------------

    def _orders(self, tables: Tables, at: datetime) -> None:
        lines = defaultdict(list)
        for line in sorted(tables["order_lines"], key=lambda line: line["line_no"]):
            item = _item(line) | {"dataFields": {"line_no": line["line_no"]}}
            lines[line["order_id"]].append(item)
        for email, row in self._ready(tables["orders"]):
            number = row["order_id"]
            data = {name: row[name] for name in ("order_id", "coupon") if row[name] is not None}
            said = {
                "total": float(row["total"]),
                "createdAt": _time(datetime.fromisoformat(row["ordered_at"])),
                "items": lines[number],
                "data": data | {"isRefunded": row["is_refunded"]},
            }
            person = self.people[email]
            self.told["orders"][number] = email
            if person.purchases.get(number) != said:
                person.purchases[number] = said
                # Iterable empties the cart of whom it tells of a purchase.
                person.cart = []

    def _carts(self, tables: Tables, at: datetime) -> None:
        told, lines = self.told["carts"], defaultdict(list)
        for line in sorted(tables["cart_lines"], key=lambda line: line["product_id"]):
            lines[line["user_id"]].append(_item(line))
        for email, row in self._ready(tables["carts"]):
            self.people[email].cart = lines[row["user_id"]]
            told[row["user_id"]] = email
        there = {row["user_id"] for row in tables["carts"]}
        for key in [key for key in told if key not in there]:
            email = told.pop(key)
            if email in self.people:
                self.people[email].cart = []

    # -- events ---------------------------------------------------------------------------------

    def _events(self, tables: Tables, at: datetime) -> None:
        def said(row: Row) -> Row:
            return {"name": row["event_name"]} | _with_value(row, "channel", "score")

        self._happened("events", tables["events"], "event_id", "happened_at", said)

    def _page_views(self, tables: Tables, at: datetime) -> None:
        def said(row: Row) -> Row:
            return {"name": "Page View", "url": row["url"], "path": urlsplit(row["url"]).path}

        self._happened("page_views", tables["page_views"], "view_id", "viewed_at", said)

    def _happened(
        self, sync: str, rows: Sequence[Row], key: str, time: str, said: Callable[[Row], Row]
    ) -> None:
        seen = self.seen[sync]
        ready = {row[key]: email for email, row in self._ready(rows)}
        addressed = {row[key] for _, row in self._addressed(rows)}
        start, waiting = seen.start, []
        newest = seen.newest
        for row in rows:
            moment = datetime.fromisoformat(row[time])
            name = f"{sync} {row[key]}"
            event = {"createdAt": _time(moment)} | said(row)
            if name in seen.sent or moment < start:
                if name not in seen.sent and row[key] in ready:
                    self.maybe[name] = event
                continue
            newest = moment if newest is None else max(newest, moment)
            if row[key] in ready:
                seen.sent.add(name)
                self.people[ready[row[key]]].events[name] = event
            elif row[key] in addressed:
                waiting.append(moment)
        seen.newest, seen.oldest_waiting = newest, min(waiting, default=None)


def _folded(email: str | None) -> str:
    return (email or "").strip().lower()


def _item_id(key: str) -> str:
    """Give the id of an item whose key may have other characters than letters, digits, hyphens."""
    if all(letter.isalnum() or letter == "-" for letter in key):
        return key
    return "x--" + "".join(each if each.isalnum() else f"-{ord(each):02x}" for each in key)


def _with_value(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names if row[name] is not None}


def _item(line: Row) -> Row:
    return {
        "id": line["product_id"],
        "name": line["name"],
        "price": float(line["price"]),
        "quantity": line["quantity"],
    }


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} +00:00"


def _shown(column: str, value: Any) -> Any:
    if value is None:
        return None
    if column == "balance":
        return float(value)
    if column == "born_on":
        return f"{value} 00:00:00 +00:00"
    return _time(datetime.fromisoformat(value)) if column == "signed_up_at" else value


def differences(expected: Mapping[str, Any], held: Mapping[str, Any]) -> list[str]:
    """Give what is not as it should be: one line for each thing, with its place."""
    return list(_differ("", expected, held))


def without_maybe(held: Row, maybe: Mapping[str, Row]) -> Row:
    """Leave out of what is held the events that may be there, where they are right."""
    for person in held["people"].values():
        kept = {n: said for n, said in person["events"].items() if maybe.get(n) != said}
        person["events"] = kept
    return held


def _differ(place: str, one: Any, other: Any) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        names = [*one, *(name for name in other if name not in one)]
        nothing = object()
        found = []
        for name in names:
            inner = f"{place}/{name}"
            left, right = one.get(name, nothing), other.get(name, nothing)
            if left is nothing:
                found.append(f"{inner} is there, {_short(right)}, and should not be")
            elif right is nothing:
                found.append(f"{inner} is missing, {_short(left)}")
            else:
                found += _differ(inner, left, right)
        return found
    return [] if one == other else [f"{place} is {_short(other)}, not {_short(one)}"]


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:300]
