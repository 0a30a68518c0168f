"""
What Iterable should hold, from the warehouse's table by plain SQL and plain Python.

On purpose it shares no line with the product, and not the model either: it is the other side of the
demo's comparison.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Profile = dict[str, Any]

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


class Expected:
    """
    One day of the warehouse.

    Args:
        profiles: by userId.

        rows: of the table, those without a userId included.
    """

    def __init__(self, profiles: Mapping[str, Profile], rows: int) -> None:
        self.profiles = dict(profiles)
        self.rows = rows

    def changes_since(self, before: Expected) -> dict[str, Profile]:
        """Give the fields that differ by userId, None where a field is gone; all of a new user."""
        found = {}
        for user_id, now in self.profiles.items():
            old = before.profiles.get(user_id, {})
            names = [*now, *(name for name in old if name not in now)]
            if changed := {n: now.get(n) for n in names if now.get(n) != old.get(n)}:
                found[user_id] = changed
        return found


def read(warehouse: Path) -> Expected:
    """Read the table ``users``."""
    columns = ", ".join(_FIELDS.values())
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(f"SELECT {columns} FROM users").fetchall()
    profiles = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    return Expected(
        {p["userId"]: _profile(p) for p in profiles if p["userId"] is not None}, len(rows)
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


def _profile(row: Mapping[str, Any]) -> Profile:
    values = dict(row)
    if values["address"] is not None:
        values["address"] = _without_nulls(json.loads(values["address"]))
    return _without_nulls({name: _as_iterable_shows(value) for name, value in values.items()})


def _without_nulls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _as_iterable_shows(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} +00:00"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d} 00:00:00 +00:00"
    return float(value) if isinstance(value, Decimal) else value
