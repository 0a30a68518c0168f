"""The models of orders and carts, over the demo shop and over events, against plain Python."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import carts, purchases, with_people
from iterable_sync.rows import ProjectType, RunEnd
from state.ways import query

if TYPE_CHECKING:
    from harness import World

MODELS = Path(__file__).parents[2] / "sql" / "models"
CLICKS = {
    "user_id": "text",
    "email": "text",
    "event_name": "text",
    "product_id": "text",
    "name": "text",
    "price": "numeric(12, 2)",
    "quantity": "integer",
    "happened_at": "timestamptz",
}


def model(world: World, name: str, *tables: str) -> str:
    """Give a model whose tables are those of the world."""
    sql = (MODELS / f"{name}.sql").read_text(encoding="utf-8")
    for table in tables:
        for word in ("FROM", "JOIN"):
            sql = sql.replace(f"{word} {table} ", f"{word} {world.prefix}{table} ")
            sql = sql.replace(f"{word} {table}\n", f"{word} {world.prefix}{table}\n")
    return sql


def shop(world: World) -> None:
    """Make the tables of a small shop."""
    world.put(
        ("S-1", "u1", None, "2026-01-01 08:00:00+00", 14.45, None, "X", False),
        ("S-2", "u2", None, "2026-01-02 08:00:00+00", 0, 7, None, True),
        columns={
            "order_id": "text",
            "user_id": "text",
            "email": "text",
            "ordered_at": "timestamptz",
            "total": "numeric(12, 2)",
            "campaign_id": "bigint",
            "coupon": "text",
            "is_refunded": "boolean",
        },
        table="orders",
    )
    world.put(
        ("S-1", 2, "10606", "Kite", "toys", 1.95, 1),
        ("S-1", 1, "00501", "Trowel", "garden", 12.5, 1),
        columns={
            "order_id": "text",
            "line_no": "integer",
            "product_id": "text",
            "name": "text",
            "category": "text",
            "price": "numeric(12, 2)",
            "quantity": "integer",
        },
        table="order_items",
    )


def test_model_of_orders_brings_purchases(world: World) -> None:
    with_people(world)
    shop(world)

    report = world.sync(
        sync="orders",
        object="orders",
        sql=model(world, "orders", "orders", "order_items"),
        key="order_id",
        first_sync="all",
        line_key="items__lineNo",
    )

    assert RunEnd.CLEAN == report.end
    first, second = purchases(world)
    assert ["00501", "10606"] == [item["id"] for item in first["items"]]
    assert [["garden"], ["toys"]] == [item["categories"] for item in first["items"]]
    assert {"order_id": "S-1", "coupon": "X", "isRefunded": False} == first["dataFields"]
    assert ([], 0.0, 7, True) == (
        second["items"],
        second["total"],
        second["campaignId"],
        second["dataFields"]["isRefunded"],
    )


def folded(clicks: list[tuple[Any, ...]]) -> dict[str, list[tuple[str, str, float, int]]]:
    """Say, click by click, what is in each cart in the end."""
    found: dict[str, dict[str, tuple[str, float, int]]] = defaultdict(dict)
    for who, _, event, product, name, price, quantity, _ in sorted(clicks, key=lambda c: c[-1]):
        cart = found[who]
        if event in {"Order Completed", "Cart Cleared"}:
            cart.clear()
        elif event == "Product Added":
            before = cart[product][2] if product in cart else 0
            cart[product] = (name, price, before + (quantity or 1))
        elif event == "Product Removed" and product in cart:
            left = cart[product][2] - quantity if quantity else 0
            cart[product] = (*cart[product][:2], left)
            if left <= 0:
                del cart[product]
    return {who: sorted((p, *cart[p]) for p in cart) for who, cart in found.items()}


def click(
    minute: int,
    who: str,
    event: str,
    product: str | None = None,
    quantity: int | None = 1,
    price: float = 2.5,
) -> tuple[Any, ...]:
    name = product and f"{product} at {price}"
    at = f"2026-03-01 10:{minute:02}:00+00"
    return (who, f"{who}@example.com", event, product, name, price, quantity, at)


def test_events_fold_into_the_cart(world: World) -> None:
    """What was added less what was removed, since the last order; also when all is gone again."""
    with_people(world)
    clicks = [
        click(1, "u1", "Product Added", "old"),
        click(2, "u1", "Order Completed"),
        click(3, "u1", "Product Added", "tea", 2),
        click(4, "u1", "Product Added", "tea", None, 3.0),
        click(5, "u1", "Product Added", "pot"),
        click(6, "u1", "Product Removed", "pot"),
        click(7, "u1", "Product Added", "mug", 5),
        click(8, "u1", "Product Removed", "mug", 2),
        click(1, "u2", "Product Added", "tea", 4),
        click(2, "u2", "Product Removed", "tea", None),
        click(3, "u2", "Product Viewed", "tea"),
        click(1, "u3", "Product Added", "tea", 4),
        click(2, "u3", "Product Removed", "tea", None),
        click(3, "u3", "Product Added", "tea", 1, 9.0),
        click(1, "u4", "Product Added", "tea", 4),
        click(2, "u4", "Cart Cleared"),
    ]
    world.put(*reversed(clicks), columns=CLICKS, table="product_events")

    report = world.sync(
        sync="carts",
        object="carts",
        sql=model(world, "carts_from_events", "product_events"),
        key="user_id",
    )

    assert RunEnd.CLEAN == report.end
    expected = {who: [] for who in ("u2", "u4")} | folded(clicks)
    assert [] == expected["u2"] == expected["u4"]
    assert expected == {
        who: [(i["id"], i["name"], i["price"], i["quantity"]) for i in items]
        for who, items in carts(world).items()
    }


@pytest.mark.parametrize("kind", [ProjectType.EMAIL])
def test_model_of_carts_brings_carts(world: World, kind: ProjectType) -> None:
    with_people(world, kind)
    world.put(("u1", "a@b.co"), columns={"user_id": "text", "email": "text"}, table="carts")
    columns = {"user_id": "text", "product_id": "text", "name": "text"}
    more = {"price": "numeric(12, 2)", "quantity": "integer", "url": "text"}
    world.put(
        ("u1", "7", "Tea", 2.5, 3, "/t"),
        ("u9", "8", "Pot", 1, 1, None),
        columns=columns | more,
        table="cart_items",
    )
    sql = model(world, "carts", "carts", "cart_items")
    assert [(1,)] == query(world, f"SELECT count(*) FROM ({sql}) AS q")

    world.sync(sync="carts", object="carts", sql=sql, key="user_id")

    item = {"id": "7", "name": "Tea", "price": 2.5, "quantity": 3, "url": "/t"}
    assert {"a@b.co": [item]} == carts(world)
