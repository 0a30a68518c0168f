"""
Warehouses of the other objects for the process tests, and what has to be in Iterable by their rows.

Plain Python, as :mod:`torture.truth`: rows that come, go and flap, of people of whom some are
refused whatever is sent about them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from torture.truth import Problems, Users
from torture.truth_requests import Deletions, EmailChanges, Merges

LIST = "Torture"
FIELD = "vip"
# A message type of the sandbox that people opt in to.
JOINED = 103
AT = "2026-01-02 03:04:05+00:00"


@dataclass
class Traits(Users):
    """Fields of people, which come and go with their row."""

    object: ClassVar[str] = "traits"


@dataclass
class OfPeople(Users, ABC):
    """
    Rows of people of whom each thirteenth is refused, if anybody is.

    Subclasses say what Iterable holds of a person; :meth:`wanted` what it has to hold.
    """

    reason: ClassVar[str] = "forgotten"
    ddl: ClassVar[str] = "user_id text"  # type: ignore[misc]
    names: ClassVar[tuple[str, ...]] = ()  # type: ignore[misc]
    changes: ClassVar[bool] = False

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return {"object": self.object, "key": [self.key]}

    @property
    def refusals(self) -> dict[str, Any]:
        """The rule of the sandbox that refuses rows."""
        return {"keys": [f"u{n:05d}" for n in self._refused()], "reason": "forgotten"}

    def _refused(self) -> range:
        return range(5, self.size, 13) if self.poison else range(0)

    def _row(self, key: str) -> tuple[Any, ...]:
        return (key,)

    def next_day(self, share: float = 0.3) -> set[str]:
        """Change a share of the people: who is there says something else, or leaves."""
        before = dict(self.rows)
        for n in range(self.size):
            key, dice = f"u{n:05d}", self.rng.random()
            if not before or (dice < share and (key not in before or self.changes)):
                self.rows[key] = self._row(key)
            elif dice < share * (1.15 if self.changes else 1):
                self.rows.pop(key, None)
        self.ever |= self.rows.keys()
        return {key for key in self.ever if self.rows.get(key) != before.get(key)}

    def _people_refused(self) -> set[str]:
        return self.rows.keys() & set(self.refusals["keys"])

    def refused(self) -> set[str]:
        """Give the keys, as the state writes them, whose row Iterable refuses."""
        return self._people_refused()

    @abstractmethod
    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give what Iterable holds, by key; who left in the right way is not in it."""

    def wanted(self, row: tuple[Any, ...]) -> Any:
        """Give what Iterable has to hold of a row."""
        return True

    def check(self, dump: dict[str, Any]) -> Problems:
        """Compare what Iterable holds with the rows."""
        problems, held = Problems(), self.held(dump)
        for key in self.rows.keys() - self._people_refused():
            if key not in held:
                problems.lost.append(key)
            elif held[key] != self.wanted(self.rows[key]):
                problems.wrong.append(f"{key} is {held[key]}")
        problems.wrong += [f"{key} has left" for key in held.keys() - self.rows.keys()]
        happened = (*dump["events"], *dump["purchases"])
        ids = Counter(one["id"] for one in happened if one.get("id"))
        problems.duplicates += [name for name, n in ids.items() if n > 1]
        return problems

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the keys whose row counts as sent, without doubt, and which Iterable lacks."""
        held = self.held(dump)
        return [
            key
            for key, row in snapshot.items()
            if row["_status"] == "live" and row["_dirty"] is None and key not in held
        ]


@dataclass
class Lists(OfPeople):
    """Members of one list."""

    object: ClassVar[str] = "lists"
    path: ClassVar[str] = "/api/lists/subscribe"

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return super().spec | {"list_name": LIST}

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give who is in the list, of which there is one."""
        (members,) = (one["members"] for one in dump["lists"] if one["name"] == LIST)
        return dict.fromkeys(members, True)


@dataclass
class Audiences(OfPeople):
    """Members of one audience, as a field."""

    object: ClassVar[str] = "audiences"
    ddl: ClassVar[str] = "user_id text, audience text"

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return {"object": self.object, "key": [self.key, "audience"]}

    def _row(self, key: str) -> tuple[Any, ...]:
        return (key, FIELD)

    def refused(self) -> set[str]:
        """Give the keys, as the state writes them, whose row Iterable refuses."""
        return {json.dumps([key, FIELD]) for key in self._people_refused()}

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give of whom the field is true."""
        people = {user["userId"]: user["dataFields"] for user in dump["users"]}
        return {key: True for key, fields in people.items() if fields.get(FIELD)}


@dataclass
class AudienceEvents(Audiences):
    """The same, as entries and exits; the latest event of a person counts."""

    object: ClassVar[str] = "audience_events"
    path: ClassVar[str] = "/api/events/trackBulk"

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give who entered last and did not exit."""
        latest = {event["key"]: event["eventName"] for event in dump["events"]}
        return {key: True for key, name in latest.items() if name == "Audience Entered"}


@dataclass
class Carts(OfPeople):
    """Carts with one item each, which change and are emptied."""

    object: ClassVar[str] = "carts"
    path: ClassVar[str] = "/api/commerce/updateCart"
    changes: ClassVar[bool] = True
    ddl: ClassVar[str] = "user_id text, items text"

    def _row(self, key: str) -> tuple[Any, ...]:
        item = {"id": "P1", "name": "Cup", "price": 2.5, "quantity": self.rng.choice([1, 2, 3])}
        return (key, json.dumps([item]))

    def wanted(self, row: tuple[Any, ...]) -> Any:
        """Give the items of a cart."""
        return json.loads(row[1])

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give the carts that are not empty; each request is an event of Iterable's own."""
        people = {user["userId"]: user["dataFields"] for user in dump["users"]}
        return {
            key: fields["shoppingCartItems"]
            for key, fields in people.items()
            if fields.get("shoppingCartItems")
        }


@dataclass
class Orders(OfPeople):
    """Orders, one of each person, whose total changes; those that leave stay in Iterable."""

    object: ClassVar[str] = "orders"
    path: ClassVar[str] = "/api/commerce/trackPurchase"
    changes: ClassVar[bool] = True
    ddl: ClassVar[str] = "user_id text, total bigint, created_at timestamptz, items text"

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return super().spec | {"first_sync": "all"}

    def _row(self, key: str) -> tuple[Any, ...]:
        return (key, self.rng.choice([1, 2, 3]), AT, "[]")

    def wanted(self, row: tuple[Any, ...]) -> Any:
        """Give the total of an order."""
        return float(row[1])

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give the totals of the purchases of orders that are in the warehouse, or never were."""
        left = self.ever - self.rows.keys()
        return {one["id"]: one["total"] for one in dump["purchases"] if one["id"] not in left}

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the orders that count as sent, without doubt, and which Iterable lacks."""
        present = {key: row for key, row in snapshot.items() if key in self.rows}
        return super().ahead(dump, present)


@dataclass
class Catalog(OfPeople):
    """Items of one catalog, whose price changes, and which are deleted when they leave."""

    object: ClassVar[str] = "catalog"
    path: ClassVar[str] = f"/api/catalogs/{LIST}/items"
    changes: ClassVar[bool] = True
    ddl: ClassVar[str] = "user_id text, price bigint"

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        named = {"catalog": LIST, "create_catalog": True}
        return super().spec | named | {"on_remove": "delete"}

    def _row(self, key: str) -> tuple[Any, ...]:
        return (key, self.rng.choice([1, 2, 3]))

    def wanted(self, row: tuple[Any, ...]) -> Any:
        """Give the price of an item."""
        return row[1]

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give the prices of the items, by id."""
        (catalog,) = (one for one in dump["catalogs"] if one["name"] == LIST)
        return {name: fields["price"] for name, fields in catalog["items"].items()}


@dataclass
class Subscriptions(OfPeople):
    """What people say to one message type, which they change; who leaves is unsubscribed."""

    object: ClassVar[str] = "subscriptions"
    path: ClassVar[str] = f"/api/subscriptions/messageType/{JOINED}"
    reason: ClassVar[str] = "conflict"
    changes: ClassVar[bool] = True
    settings: ClassVar[dict[str, Any]] = {"subscriptions_enabled": True}
    ddl: ClassVar[str] = (
        "user_id text, subscription_group text, group_id bigint, subscribed boolean"
    )

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        key = [self.key, "subscription_group", "group_id"]
        return {"object": self.object, "key": key, "on_remove": "unsubscribe"}

    @property
    def people(self) -> list[dict[str, Any]]:
        """Whom Iterable knows at first: a no makes nobody."""
        return [{"userId": f"u{n:05d}"} for n in range(self.size)]

    @property
    def refusals(self) -> dict[str, Any]:
        """The rule of the sandbox that refuses rows; nobody is forgotten, who could only leave."""
        return super().refusals | {"reason": self.reason}

    def _row(self, key: str) -> tuple[Any, ...]:
        return (key, "messageType", JOINED, self.rng.random() < 0.6)

    def refused(self) -> set[str]:
        """Give the keys, as the state writes them, whose row Iterable refuses."""
        return {json.dumps([key, "messageType", str(JOINED)]) for key in self._people_refused()}

    def wanted(self, row: tuple[Any, ...]) -> Any:
        """Give what was said last."""
        return row[3]

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give who is subscribed, and of those in the warehouse who is not."""
        joined = {
            user["userId"]: JOINED in (user["dataFields"].get("subscribedMessageTypeIds") or ())
            for user in dump["users"]
        }
        return {key: said for key, said in joined.items() if said or key in self.rows}


@dataclass
class SubscriptionArrays(OfPeople):
    """Whole arrays of what people have left, which change; who leaves the warehouse keeps them."""

    object: ClassVar[str] = "subscription_arrays"
    path: ClassVar[str] = "/api/users/bulkUpdateSubscriptions"
    # The answer has no array for the forgotten.
    reason: ClassVar[str] = "invalid_user_id"
    changes: ClassVar[bool] = True
    ddl: ClassVar[str] = "user_id text, unsubscribed_message_type_ids text"

    @property
    def spec(self) -> dict[str, Any]:
        """What the sync declares for this shape."""
        return super().spec | {"allow_overwrite": True}

    def _row(self, key: str) -> tuple[Any, ...]:
        return (key, json.dumps(self.rng.choice([[101], [102], [101, 102]])))

    def wanted(self, row: tuple[Any, ...]) -> Any:
        """Give the array of a person."""
        return json.loads(row[1])

    def held(self, dump: dict[str, Any]) -> dict[str, Any]:
        """Give the arrays of those in the warehouse, or who never were."""
        left = self.ever - self.rows.keys()
        return {
            user["userId"]: array
            for user in dump["users"]
            if user["userId"] not in left
            and (array := user["dataFields"].get("unsubscribedMessageTypeIds"))
        }

    def ahead(self, dump: dict[str, Any], snapshot: dict[str, dict[str, Any]]) -> list[str]:
        """Give the arrays that count as sent, without doubt, and which Iterable lacks."""
        present = {key: row for key, row in snapshot.items() if key in self.rows}
        return super().ahead(dump, present)


SHAPES = {
    shape.object: shape
    for shape in (
        Traits,
        Lists,
        Audiences,
        AudienceEvents,
        Carts,
        Orders,
        Catalog,
        Subscriptions,
        SubscriptionArrays,
        EmailChanges,
        Merges,
        Deletions,
    )
}
"""Each object but users and events, whose worlds are in :mod:`torture.truth`."""
