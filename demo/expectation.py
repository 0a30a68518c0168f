"""
What Iterable should hold, from the warehouse's tables by plain SQL and plain Python.

On purpose it shares no line with the product, and not the models either: it is the other side of
the demo's comparison.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

Row = dict[str, Any]
Profile = dict[str, Any]
Record = dict[str, Any]
Items = list[dict[str, Any]]
# Who, and the field of the audience.
Membership = tuple[str, str]

# Iterable's field -> column; what is a field of the object `address` comes with it.
_FIELDS = {
    "userId": "user_id",
    "email": "lower(trim(email))",
    "firstName": "first_name",
    "lastName": "last_name",
    "phoneNumber": "phone",
    "locale": "locale",
    "timeZone": "time_zone",
    "country": "country",
    "city": "city",
    "address": "CAST(address AS VARCHAR)",
    "birthDate": "birth_date",
    "signedUpAt": "timezone('UTC', signed_up_at)",
    "lastOrderAt": "timezone('UTC', last_order_at)",
    "orderCount": "order_count",
    "lifetimeValue": "lifetime_value",
    "averageOrderValue": "average_order_value",
    "loyaltyPoints": "loyalty_points",
    "isVip": "is_vip",
    "plan": "plan",
    "score": "score",
    "emailOptIn": "email_opt_in",
    "smsOptIn": "sms_opt_in",
    "favouriteCategories": "favourite_categories",
}
_PURCHASE = {
    "id": "order_id",
    "userId": "user_id",
    "createdAt": "timezone('UTC', ordered_at)",
    "total": "total",
    "campaignId": "campaign_id",
    "coupon": "coupon",
    "isRefunded": "is_refunded",
}
_LINE = {
    "of": "order_id",
    "lineNo": "line_no",
    "id": "product_id",
    "name": "name",
    "price": "price",
    "quantity": "quantity",
    "category": "category",
}
_IN_CART = {
    "of": "user_id",
    "id": "product_id",
    "name": "name",
    "price": "price",
    "quantity": "quantity",
    "url": "url",
}
_VIEW = {
    "view_id": "view_id",
    "userId": "user_id",
    "createdAt": "timezone('UTC', viewed_at)",
    "campaignId": "campaign_id",
    "url": "url",
    "title": "title",
    "referrer": "referrer",
    "secondsOnPage": "seconds_on_page",
    "utm": "CAST(utm AS VARCHAR)",
}

# No value of the warehouse is equal to it.
_UNKNOWN = object()
PAGE_VIEW = "Page View"

# Field of the audience -> whether a row of users is in it, on the day of the latest order.
AUDIENCES: dict[str, Callable[[Row, datetime], bool]] = {
    "order_completed_last_30days": lambda row, latest: (
        row["lastOrderAt"] is not None and row["lastOrderAt"] > latest - timedelta(days=30)
    ),
    "vip": lambda row, _latest: bool(row["isVip"]),
    "lapsed_high_spenders": lambda row, latest: (
        row["lastOrderAt"] is not None
        and row["lastOrderAt"] <= latest - timedelta(days=90)
        and row["lifetimeValue"] >= 500
    ),
}


@dataclass(frozen=True)
class Expected:
    """
    What Iterable should hold at the end of a day.

    Args:
        rows: of the warehouse on that day, by the name of the sync that has them to send; of
            users those without a userId included.

        profiles: by userId.

        memberships: true for members, false for those who were members on an earlier day.

        purchases: by the id of the order.

        carts: by userId; an empty one is an empty list.

        events: by the id of the view, those of earlier days included.
    """

    rows: Mapping[str, int]
    profiles: Mapping[str, Profile]
    memberships: Mapping[Membership, bool]
    purchases: Mapping[str, Record]
    carts: Mapping[str, Items]
    events: Mapping[str, Record]

    def changes_since(self, before: Expected) -> dict[str, Profile]:
        """
        Give the fields that differ by userId, None where a field is gone; all of a new user.

        Of a new user that includes None for what has no value: Iterable may have one.
        """
        found = {}
        for user_id, now in self.profiles.items():
            old = before.profiles.get(user_id, dict.fromkeys(_FIELDS, _UNKNOWN))
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
        buyers = [
            said["userId"]
            for number, said in self.purchases.items()
            if said != before.purchases.get(number)
        ]
        carts = {who for who, items in self.carts.items() if items != before.carts.get(who)}
        carts |= before.carts.keys() - self.carts.keys()
        return {
            "audiences": sorted(
                {
                    who
                    for (who, field), is_in in self.memberships.items()
                    if is_in != before.memberships.get((who, field))
                }
            ),
            "orders": sorted(buyers),
            "carts": sorted(carts | (self.carts.keys() & set(buyers))),
            "events": sorted(
                said["userId"] for view, said in self.events.items() if view not in before.events
            ),
        }


def read(warehouse: Path, before: Expected | None = None) -> Expected:
    """
    Read a day of the warehouse.

    Args:
        before: the day before, of which Iterable keeps what the warehouse no longer has.
    """
    with duckdb.connect(str(warehouse), read_only=True) as connection:

        def rows(table: str, columns: Mapping[str, str], order: str = "1") -> list[Row]:
            selected = ", ".join(columns.values())
            found = connection.execute(f"SELECT {selected} FROM {table} ORDER BY {order}")
            return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

        users = rows("users", _FIELDS)
        orders = rows("orders", _PURCHASE)
        lines = rows("order_items", _LINE, "order_id, line_no")
        carts = rows("carts", {"userId": "user_id"})
        in_carts = rows("cart_items", _IN_CART, "user_id, product_id")
        views = rows("page_views", _VIEW)
    members = _members(users)
    left = dict.fromkeys(before.memberships, False) if before else {}
    bought, chosen = _by_owner(lines), _by_owner(in_carts)
    return Expected(
        rows={
            "users": len(users),
            "audiences": len(members),
            "orders": len(orders),
            "carts": len(carts),
            "events": len(views),
        },
        profiles={row["userId"]: _profile(row) for row in users if row["userId"] is not None},
        memberships=left | dict.fromkeys(members, True),
        purchases={row["id"]: _purchase(row, bought.get(row["id"], [])) for row in orders},
        carts={row["userId"]: chosen.get(row["userId"], []) for row in carts},
        events=(dict(before.events) if before else {})
        | {row["view_id"]: _page_view(row) for row in views},
    )


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


def _members(users: Sequence[Row]) -> list[Membership]:
    latest = max(row["lastOrderAt"] for row in users if row["lastOrderAt"] is not None)
    return [
        (row["userId"], field)
        for row in users
        for field, is_in in AUDIENCES.items()
        if row["userId"] is not None and is_in(row, latest)
    ]


def _by_owner(lines: Iterable[Row]) -> dict[str, Items]:
    found: dict[str, Items] = {}
    for row in lines:
        said = _shown(row)
        items = found.setdefault(said.pop("of"), [])
        if "category" in said:
            said["categories"] = [said.pop("category")]
        if "lineNo" in said:
            said["dataFields"] = {"lineNo": said.pop("lineNo")}
        items.append(said)
    return found


def _purchase(row: Row, items: Items) -> Record:
    said = _shown(row)
    data = {"order_id": said.pop("id")}
    data |= {name: said.pop(name) for name in ("coupon", "isRefunded") if name in said}
    return {**said, "shoppingCartItems": items, "dataFields": data}


def _page_view(row: Row) -> Record:
    utm = None if row["utm"] is None else json.loads(row["utm"])
    said = _shown(row | {"utm": utm, "path": urlsplit(row["url"]).path})
    top = ("userId", "createdAt", "campaignId")
    return {
        "eventName": PAGE_VIEW,
        **{name: said.pop(name) for name in top if name in said},
        "dataFields": said,
    }


def _profile(row: Row) -> Profile:
    values = dict(row)
    if values["address"] is not None:
        values["address"] = _without_nulls(json.loads(values["address"]))
    return _shown(values)


def _shown(row: Row) -> Record:
    return _without_nulls({name: _as_iterable_shows(value) for name, value in row.items()})


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _as_iterable_shows(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} +00:00"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d} 00:00:00 +00:00"
    return float(value) if isinstance(value, Decimal) else value
