"""Requests for reviews of what was delivered and is not reviewed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.model_world import day, events, fill, requests, run, shop, told

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

DAY_S = 86_400
DELIVERED_AT = day(3, "12:00")
REQUEST = ("u1", "Review Request", day(10, "12:00"))


def order(number: int = 1, **more: Any) -> dict[str, Any]:
    """Give an order of the first customer."""
    return {"order_id": f"o{number}", "user_id": "u1", "is_refunded": False} | more


def line(product: str, number: int = 1, of: str = "o1") -> dict[str, Any]:
    """Give a line of an order."""
    return {
        "order_id": of,
        "line_no": number,
        "product_id": product,
        "name": f"Product {product}",
        "url": f"https://shop.example.com/{product}",
        "image": f"https://images.example.com/{product}.jpg",
    }


def parcel(delivered_at: datetime | None = DELIVERED_AT, of: str = "o1") -> dict[str, Any]:
    """Give a shipment of an order."""
    return {"shipment_id": f"s-{of}-{delivered_at}", "order_id": of, "delivered_at": delivered_at}


def review(product: str, who: str = "u1") -> dict[str, Any]:
    """Give a review of a product."""
    return {"user_id": who, "product_id": product, "reviewed_at": day(4)}


def sync(world: World, as_of: datetime, params: Any = None) -> RunReport:
    """Run the sync of requests for reviews."""
    return run(
        world, "review_requests", object="events", key="order_id", as_of=as_of, params=params
    )


def asked(world: World) -> list[list[str]]:
    """Give the products that each request has asked for."""
    return [[item["id"] for item in row["fields"]["items"]] for row in events(world)]


@pytest.mark.capability("E21", "E4")
def test_a_review_is_asked_for_of_what_is_not_reviewed(world: World) -> None:
    """Each product once, with a link to its review; what was reviewed already is left out."""
    shop(
        world,
        orders=[order()],
        order_items=[line("b", 1), line("a", 2), line("c", 3), line("b", 4)],
        shipments=[parcel()],
        reviews=[review("c"), review("b", "u2")],
    )

    sync(world, day(11), {"image_size": 60})

    assert [
        {
            "who": "u1",
            "name": "Review Request",
            "at": day(10, "12:00"),
            "fields": {
                "order_id": "o1",
                "items": [
                    {
                        "id": product,
                        "name": f"Product {product}",
                        "url": f"https://shop.example.com/{product}",
                        "review_url": f"https://shop.example.com/{product}/review?order=o1",
                        "imageUrl": f"https://images.example.com/{product}.jpg?w=60",
                    }
                    for product in ("b", "a")
                ],
            },
        }
    ] == events(world)


@pytest.mark.capability("E21")
def test_an_order_is_asked_about_once(world: World) -> None:
    """When the delay is over, and not again: with fewer products, another delay, or long after."""
    shop(world, orders=[order()], order_items=[line("a"), line("b", 2)], shipments=[parcel()])
    sync(world, day(10, "11:59"))
    assert [] == told(world)
    sync(world, day(10, "12:00"))
    assert [REQUEST] == told(world)
    fill(world, reviews=[review("a")])

    for as_of, days in ((day(10, "12:00"), 7), (day(5), 1), (day(20), 14), (day(30), 1)):
        sync(world, as_of, {"review_after_s": days * DAY_S})
        assert [] == requests(world)

    assert [["a", "b"]] == asked(world)


@pytest.mark.capability("E21")
def test_what_need_not_be_asked_for_is_not(world: World) -> None:
    """All reviewed, refunded, still on its way, or never shipped."""
    shop(
        world,
        orders=[order(n) for n in (1, 2, 4, 5)] + [order(3, is_refunded=True)],
        order_items=[line("a"), *(line("b", of=f"o{n}") for n in (2, 3, 4, 5))],
        shipments=[
            parcel(of="o1"),
            parcel(of="o2"),
            parcel(of="o3"),
            parcel(of="o4"),
            parcel(None, of="o4"),
        ],
        reviews=[review("a")],
    )

    report = sync(world, day(30))

    assert (1, ["o2"]) == (
        report.queried,
        [row["fields"]["order_id"] for row in events(world)],
    )


def test_the_delay_begins_with_the_last_parcel(world: World) -> None:
    """The order is asked about as a whole, so long after all of it is there."""
    shop(world, orders=[order()], order_items=[line("a")], shipments=[parcel(), parcel(None)])
    sync(world, day(12))
    assert [] == told(world)
    fill(world, shipments=[parcel(), parcel(day(11))])

    sync(world, day(18), {"review_after_s": 3 * DAY_S})

    assert [("u1", "Review Request", day(14))] == told(world)
