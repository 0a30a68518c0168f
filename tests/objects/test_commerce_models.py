"""The model of carts out of events, against plain Python."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import carts, with_people
from iterable_sync.rows import RunEnd

if TYPE_CHECKING:
    from harness import World

MODEL = Path(__file__).parents[2] / "sql" / "models" / "carts_from_events.sql"
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


@pytest.mark.capability("A40")
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

    table = "product_events"
    sql = MODEL.read_text(encoding="utf-8").replace(f"FROM {table}", f"FROM {world.prefix}{table}")

    report = world.sync(sync="carts", object="carts", sql=sql, key="user_id")

    assert RunEnd.CLEAN == report.end
    expected = {who: [] for who in ("u2", "u4")} | folded(clicks)
    assert [] == expected["u2"] == expected["u4"]
    assert expected == {
        who: [(i["id"], i["name"], i["price"], i["quantity"]) for i in items]
        for who, items in carts(world).items()
    }
