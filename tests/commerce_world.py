"""Orders and carts in the small world of the harness: tables with lines, and what Iterable has."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from iterable_sync.rows import ProjectType
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness import World
    from iterable_sync.rows import RunReport
    from iterable_sync.spec import SyncSpec

ORDERS = {
    "order_id": "text",
    "user_id": "text",
    "email": "text",
    "ordered_at": "timestamptz",
    "total": "numeric(12, 2)",
    "campaign_id": "bigint",
    "template_id": "bigint",
    "coupon": "text",
}
LINES = {
    "order_id": "text",
    "line_no": "integer",
    "product_id": "text",
    "name": "text",
    "price": "numeric(12, 2)",
    "quantity": "integer",
    "color": "text",
}
CARTS = {"user_id": "text", "email": "text"}
CART_LINES = {"user_id": "text"} | {name: LINES[name] for name in list(LINES)[1:]}
_ITEM = (
    "l.product_id AS items__product_id, l.name AS items__name, l.price AS items__price, "
    "l.quantity AS items__quantity, l.color AS items__color"
)


def with_people(world: World, kind: ProjectType = ProjectType.USER_ID) -> World:
    """Turn a world into one without orders and carts, in a project of a type."""
    world.with_project(kind)
    put_orders(world)
    put_carts(world)
    return world


def order(
    number: int,
    who: str = "u1",
    *,
    day: int = 1,
    total: float | None = 20.0,
    coupon: str | None = None,
    campaign_id: int | None = None,
    template_id: int | None = None,
) -> tuple[Any, ...]:
    """Give a row of an order of a day in March."""
    at = f"2026-03-{day:02} 10:00:00+00:00"
    ids = (campaign_id, template_id)
    return (f"A-{number}", who, f"{who}@example.com", at, total, *ids, coupon)


def line(of: str, number: int, *, quantity: int = 1, color: str | None = None) -> tuple[Any, ...]:
    """Give a row of a line; the price of a product is its number and a half."""
    return (of, number, f"P{number}", f"Product {number}", number + 0.5, quantity, color)


def put_orders(
    world: World, orders: Sequence[tuple[Any, ...]] = (), lines: Sequence[tuple[Any, ...]] = ()
) -> None:
    """Replace the orders of the warehouse."""
    world.put(*orders, columns=ORDERS, table="orders")
    world.put(*lines, columns=LINES, table="order_items")


def put_carts(world: World, carts: Mapping[str, Sequence[tuple[Any, ...]]] | None = None) -> None:
    """Replace the carts of the warehouse: person -> lines."""
    rows = [(who, f"{who}@example.com") for who in carts or {}]
    lines = [one for of in (carts or {}).values() for one in of]
    world.put(*rows, columns=CARTS, table="carts")
    world.put(*lines, columns=CART_LINES, table="cart_items")


def orders_spec(world: World, **changes: Any) -> SyncSpec:
    """Give a sync of all orders, with their lines."""
    values = {
        "sync": "orders",
        "object": "orders",
        "sql": "SELECT o.order_id, o.user_id, o.email, o.ordered_at AS created_at, o.total, "
        f"o.campaign_id, o.template_id, o.coupon, {_ITEM} FROM {world.prefix}orders o "
        f"LEFT JOIN {world.prefix}order_items l ON l.order_id = o.order_id",
        "key": "order_id",
        "first_sync": "all",
    }
    return world.spec(**values | changes)


def carts_spec(world: World, **changes: Any) -> SyncSpec:
    """Give a sync of all carts, with their lines."""
    values = {
        "sync": "carts",
        "object": "carts",
        "sql": f"SELECT c.user_id, c.email, {_ITEM} FROM {world.prefix}carts c "
        f"LEFT JOIN {world.prefix}cart_items l ON l.user_id = c.user_id",
        "key": "user_id",
        "guards": {"min_rows": 0},
    }
    return world.spec(**values | changes)


def sync_orders(world: World, *, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync of all orders."""
    return world.sync(orders_spec(world, **changes), client=client)


def sync_carts(world: World, *, client: Any = None, **changes: Any) -> RunReport:
    """Run the sync of all carts."""
    return world.sync(carts_spec(world, **changes), client=client)


def expected_items(lines: Sequence[tuple[Any, ...]], of: str) -> list[dict[str, Any]]:
    """Give the items that Iterable shall have of an order or a cart."""
    found = []
    for whose, _, product, name, price, quantity, color in sorted(lines, key=lambda one: one[2]):
        item = {"id": product, "name": name, "price": float(price), "quantity": quantity}
        if whose == of:
            found.append(item | ({"dataFields": {"color": color}} if color else {}))
    return found


def expected_purchases(
    orders: Sequence[tuple[Any, ...]],
    lines: Sequence[tuple[Any, ...]],
    kind: ProjectType = ProjectType.USER_ID,
) -> list[dict[str, Any]]:
    """Give what Iterable shall have of orders, by their ids."""
    found = []
    for number, who, email, at, total, campaign, template, coupon in sorted(orders):
        fields = {"order_id": number} | ({"coupon": coupon} if coupon else {})
        found.append(
            {
                "key": email if kind is ProjectType.EMAIL else who,
                "id": number,
                "items": expected_items(lines, number),
                "total": float(total),
                "createdAt": int(datetime.fromisoformat(at).timestamp()),
                "campaignId": campaign,
                "templateId": template,
                "dataFields": fields,
            }
        )
    return found


def purchases(world: World) -> list[dict[str, Any]]:
    """Give all purchases that Iterable has, by their ids."""
    rows = [
        {
            "key": row["key"],
            "id": row["id"],
            "items": row["shoppingCartItems"],
            "total": row["total"],
            "createdAt": int(datetime.fromisoformat(row["createdAt"]).timestamp()),
            "campaignId": row.get("campaignId"),
            "templateId": row.get("templateId"),
            "dataFields": row.get("dataFields", {}),
        }
        for row in whole(world.server.app_state)["purchases"]
    ]
    return sorted(rows, key=lambda row: str(row["id"]))


def carts(world: World) -> dict[str, list[dict[str, Any]]]:
    """Give the carts that Iterable has, the empty ones as well: key of the person -> items."""
    return {
        key: fields["shoppingCartItems"]
        for key, fields in world.users().items()
        if "shoppingCartItems" in fields
    }
