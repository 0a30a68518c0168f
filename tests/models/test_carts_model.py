"""Carts: what is in them, with links and images of the size that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import carts
from iterable_sync.errors import Superseded
from models.model_world import day, fill, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

CARTS = [{"cart_id": "c1", "user_id": "u1"}, {"cart_id": "c2", "user_id": "u2"}]


def line(who: str, **more: Any) -> dict[str, Any]:
    """Give a line of somebody's cart."""
    return {
        "user_id": who,
        "product_id": "00503",
        "name": "Kite",
        "price": 24.9,
        "quantity": 2,
        "url": "https://shop.example.com/00503",
        "image": "https://images.example.com/toys/2.jpg",
    } | more


def item(size: int, **more: Any) -> dict[str, Any]:
    """Give what Iterable shall have of a line."""
    return {
        "id": "00503",
        "name": "Kite",
        "price": 24.9,
        "quantity": 2,
        "url": "https://shop.example.com/00503",
        "imageUrl": f"https://images.example.com/toys/2.jpg?w={size}",
    } | more


def sync(world: World, as_of: datetime, **params: Any) -> RunReport:
    """Run the sync of the carts, without its guards of removals."""
    guards = {"min_rows": 0, "max_removed": 1.0, "removed_floor": 100}
    return run(
        world, "carts", object="carts", key="user_id", as_of=as_of, params=params, guards=guards
    )


@pytest.mark.capability("E4", "E13", "E17")
def test_a_cart_has_its_products_with_link_and_image(world: World) -> None:
    """A product without an image has none, and a cart without products is an empty one."""
    bare = {"product_id": "00501", "name": "Trowel", "url": None, "image": None}
    shop(world, carts=CARTS, cart_items=[line("u1"), line("u1", **bare)])

    sync(world, day(2), image_size=120)

    trowel = {"id": "00501", "name": "Trowel", "price": 24.9, "quantity": 2}
    assert {"u1": [trowel, item(120)], "u2": []} == carts(world)


def test_a_run_sends_only_carts_that_changed(world: World) -> None:
    """One that is gone is emptied, and one that was clicked without a change is left alone."""
    shop(world, carts=CARTS, cart_items=[line("u1"), line("u2")])
    sync(world, day(2))

    fill(world, carts=[CARTS[0] | {"updated_at": day(2), "version": 9}, CARTS[1]])
    sync(world, day(3))
    assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(2, "12:00"))
    assert [] == requests(world)

    fill(world, carts=CARTS[:1], cart_items=[line("u1", quantity=3)])
    sync(world, day(4))
    assert {"u1": [item(600, quantity=3)], "u2": []} == carts(world)
    assert 2 == len(requests(world))
