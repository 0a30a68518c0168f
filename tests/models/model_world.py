"""
Models in the small world of the harness: a warehouse of hand-written rows, and what Iterable has.

A test names of a row what it is about; all other columns are NULL::

    fill(world, carts=[{"cart_id": "c1", "user_id": "u1", "updated_at": day(1, "10:00")}])
    run(world, "abandoned_carts", object="events", key=..., as_of=day(2))
    assert [...] == events(world)
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from iterable_sync.models import render
from iterable_sync.rows import ProjectType
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness import World
    from iterable_sync.rows import RunReport

_MONEY = "numeric(12, 2)"

TABLES: dict[str, dict[str, str]] = {
    "users": {
        "user_id": "text",
        "email": "text",
        "first_name": "text",
        "last_name": "text",
        "phone": "text",
        "locale": "text",
        "time_zone": "text",
        "country": "text",
        "city": "text",
        "address": "json",
        "birth_date": "date",
        "signed_up_at": "timestamptz",
        "last_order_at": "timestamptz",
        "order_count": "integer",
        "lifetime_value": _MONEY,
        "average_order_value": _MONEY,
        "loyalty_points": "bigint",
        "is_vip": "boolean",
        "plan": "text",
        "score": "double precision",
        "email_opt_in": "boolean",
        "sms_opt_in": "boolean",
        "favourite_categories": "text[]",
        "updated_at": "timestamptz",
    },
    "orders": {
        "order_id": "text",
        "user_id": "text",
        "email": "text",
        "cart_id": "text",
        "ordered_at": "timestamptz",
        "total": _MONEY,
        "refunded_amount": _MONEY,
        "is_refunded": "boolean",
        "profit": _MONEY,
        "currency": "text",
        "coupon": "text",
        "subscription_id": "text",
        "is_rebill": "boolean",
        "utm": "json",
        "campaign_id": "bigint",
        "template_id": "bigint",
        "message_id": "text",
        "billing_address": "json",
        "shipping_address": "json",
    },
    "order_items": {
        "order_id": "text",
        "line_no": "integer",
        "user_id": "text",
        "ordered_at": "timestamptz",
        "product_id": "text",
        "name": "text",
        "category": "text",
        "price": _MONEY,
        "quantity": "integer",
        "url": "text",
        "image": "text",
    },
    "carts": {
        "cart_id": "text",
        "user_id": "text",
        "email": "text",
        "version": "bigint",
        "updated_at": "timestamptz",
        "return_url": "text",
    },
    "cart_items": {
        "user_id": "text",
        "product_id": "text",
        "name": "text",
        "price": _MONEY,
        "quantity": "integer",
        "url": "text",
        "image": "text",
    },
    "shipments": {
        "shipment_id": "text",
        "order_id": "text",
        "user_id": "text",
        "email": "text",
        "carrier": "text",
        "tracking_numbers": "text[]",
        "shipped_at": "timestamptz",
        "delivered_at": "timestamptz",
        "is_subscription": "boolean",
        "is_rebill": "boolean",
    },
    "shipment_items": {
        "shipment_id": "text",
        "line_no": "integer",
        "product_id": "text",
        "name": "text",
        "quantity": "integer",
    },
    "reviews": {"user_id": "text", "product_id": "text", "reviewed_at": "timestamptz"},
    "product_subscriptions": {
        "subscription_id": "text",
        "user_id": "text",
        "email": "text",
        "plan": "text",
        "status": "text",
        "interval_days": "integer",
        "price": _MONEY,
        "started_at": "timestamptz",
        "renewed_at": "timestamptz",
        "next_renewal_at": "timestamptz",
        "cancelled_at": "timestamptz",
    },
    "product_subscription_renewals": {
        "subscription_id": "text",
        "order_id": "text",
        "renewed_at": "timestamptz",
    },
    "voucher_assignments": {
        "user_id": "text",
        "email": "text",
        "campaign": "text",
        "alias": "text",
        "code": "text",
        "kind": "text",
        "marketing_text": "text",
        "assigned_at": "timestamptz",
        "valid_until": "timestamptz",
    },
    "page_views": {
        "view_id": "text",
        "user_id": "text",
        "email": "text",
        "viewed_at": "timestamptz",
        "campaign_id": "bigint",
        "url": "text",
        "title": "text",
        "referrer": "text",
        "seconds_on_page": "integer",
        "utm": "json",
        "product_id": "text",
    },
    "products": {
        "product_id": "text",
        "name": "text",
        "category": "text",
        "price": _MONEY,
        "sale_price": _MONEY,
        "is_in_stock": "boolean",
        "width_cm": "integer",
        "height_cm": "integer",
        "image": "text",
        "listed_at": "timestamptz",
    },
}
"""The tables of a shop, as ``sql/demo/`` makes them: table -> column -> type of either engine."""

Row = dict[str, Any]


def day(number: int, clock: str = "00:00") -> datetime:
    """Give a time in UTC of a day of March 2026, e.g. ``day(2, "10:30")``; midnight by default."""
    return datetime.fromisoformat(f"2026-03-{number:02}T{clock}+00:00")


def fill(world: World, **tables: Iterable[Mapping[str, Any]]) -> World:
    """
    Replace the rows of these tables; those that are not named stay as they are, at first empty.

    Args:
        tables: rows by table, column -> value. A time is a datetime with zone, a JSON value what
            ``json`` writes, a list of texts a list.

    Raises:
        KeyError: a table or column is not one of ``TABLES``.
    """
    statements = [
        f"CREATE TABLE IF NOT EXISTS {world.prefix}{name} "
        f"({', '.join(f'{column} {kind}' for column, kind in columns.items())})"
        for name, columns in TABLES.items()
    ]
    for name, rows in tables.items():
        statements.append(f"DELETE FROM {world.prefix}{name}")
        for row in rows:
            values = ", ".join(_literal(value, TABLES[name][c]) for c, value in row.items())
            statements.append(
                f"INSERT INTO {world.prefix}{name} ({', '.join(row)}) VALUES ({values})"
            )
    world.execute("; ".join(statements))
    return world


def shop(
    world: World,
    kind: ProjectType = ProjectType.HYBRID,
    **tables: Iterable[Mapping[str, Any]],
) -> World:
    """Turn a world into one of these tables, with an empty project of a type."""
    world.with_project(kind)
    return fill(world, **tables)


def run(
    world: World,
    model: str,
    *,
    as_of: datetime | None = None,
    params: Mapping[str, Any] | None = None,
    **spec: Any,
) -> RunReport:
    """
    Run the sync of a model, named like it, and check that every row is accounted for.

    Args:
        model: ``sql/models/<model>.sql``.

        as_of: the moment that the run stands for, of the model as of the sync; by default the end
            of the month.

        params: what the model is rendered with.

        spec: the rest of :class:`SyncSpec`, ``object`` and ``key`` at least.
    """
    moment = as_of or day(31)
    values = {
        "sync": f"shop.{model}",
        "sql": render(f"models/{model}.sql", as_of=moment, **(params or {})),
        "as_of": moment,
        "first_sync": "all",
        "guards": {"min_rows": 0},
    }
    return world.sync(world.spec(**values | spec))


def requests(world: World) -> list[dict[str, Any]]:
    """Give the bodies that the latest run has sent."""
    assert world.client is not None
    return world.client.bodies


def events(world: World) -> list[Row]:
    """
    Give the events that Iterable has, by time, person and name.

    Returns:
        Of each ``who`` (userId, or else e-mail), ``name``, ``at``, ``fields`` and, where it has
        them, ``campaign_id`` and ``template_id``.
    """
    with world.server.app_state.lock:
        rows = whole(world.server.app_state)["events"]
    found = [
        {
            "who": row.get("userId") or row["email"],
            "name": row["eventName"],
            "at": datetime.fromisoformat(row["createdAt"]).astimezone(UTC),
            "fields": row["dataFields"],
        }
        | {
            ours: row[theirs]
            for ours, theirs in (("campaign_id", "campaignId"), ("template_id", "templateId"))
            if row.get(theirs) is not None
        }
        for row in rows
    ]
    return sorted(found, key=lambda row: (row["at"], row["who"], row["name"]))


def told(world: World) -> list[tuple[str, str, datetime]]:
    """Give who had which event when, of all events that Iterable has."""
    return [(row["who"], row["name"], row["at"]) for row in events(world)]


def profiles(world: World) -> dict[str, Row]:
    """Give the fields that Iterable holds of people, identifiers left out."""
    return {
        key: {n: v for n, v in held.items() if n not in {"email", "userId"}}
        for key, held in world.users().items()
    }


def _literal(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    if kind == "json":
        value = json.dumps(value)
    if isinstance(value, list):
        return f"CAST(ARRAY[{', '.join(_literal(one, 'text') for one in value)}] AS {kind})"
    if isinstance(value, datetime | date):
        value = value.isoformat()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)
