"""Shipments that went off or were delivered, and what was in them, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.model_world import day, events, fill, requests, run, shop, told

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport


def shipment(number: int = 1, **more: Any) -> dict[str, Any]:
    """Give a shipment of somebody's order that went off."""
    return {
        "shipment_id": f"s{number}",
        "order_id": "o1",
        "user_id": f"u{number}",
        "carrier": "Parcel Post",
        "tracking_numbers": ["TN-1"],
        "shipped_at": day(2, "10:00"),
        "is_subscription": False,
        "is_rebill": False,
    } | more


def sync(world: World, as_of: datetime | None = None, params: Any = None) -> RunReport:
    """Run the sync of the events of shipments."""
    key = ("shipment_id", "event_name")
    return run(world, "shipments", object="events", key=key, as_of=as_of, params=params)


@pytest.mark.capability("E19", "E4")
def test_a_shipment_becomes_an_event_with_what_is_in_it(world: World) -> None:
    """Tracking numbers, what was ordered, and whether it is of a subscription."""
    shop(
        world,
        shipments=[
            shipment(tracking_numbers=["TN-1", "TN-2"], is_subscription=True, is_rebill=True),
            shipment(2, shipped_at=None, tracking_numbers=None),
        ],
        shipment_items=[
            {
                "shipment_id": "s1",
                "line_no": 2,
                "product_id": "00501",
                "name": "Trowel",
                "quantity": 3,
            },
            {
                "shipment_id": "s1",
                "line_no": 1,
                "product_id": "gift",
                "name": "Gift",
                "quantity": 1,
            },
        ],
        order_items=[
            {
                "order_id": "o1",
                "product_id": "00501",
                "price": 12.5,
                "url": "https://shop.example.com/00501",
                "image": "https://images.example.com/1.jpg",
            },
            {"order_id": "o1", "product_id": "00502", "price": 39},
            {"order_id": "o2", "product_id": "gift", "price": 99},
        ],
    )

    report = sync(world, params={"image_size": 80})

    assert 1 == report.queried
    assert [
        {
            "who": "u1",
            "name": "Order Shipped",
            "at": day(2, "10:00"),
            "fields": {
                "shipment_id": "s1",
                "order_id": "o1",
                "carrier": "Parcel Post",
                "tracking_numbers": ["TN-1", "TN-2"],
                "is_subscription": True,
                "is_rebill": True,
                "items": [
                    {
                        "id": "gift",
                        "name": "Gift",
                        "price": None,
                        "quantity": 1,
                        "url": None,
                        "imageUrl": None,
                    },
                    {
                        "id": "00501",
                        "name": "Trowel",
                        "price": 12.5,
                        "quantity": 3,
                        "url": "https://shop.example.com/00501",
                        "imageUrl": "https://images.example.com/1.jpg?w=80",
                    },
                ],
            },
        }
    ] == events(world)


@pytest.mark.capability("E19", "E20")
def test_a_delivery_is_an_event_of_its_own_and_each_comes_once(world: World) -> None:
    """Delivered later, sent later; what is sent is not sent again, whatever changes beside it."""
    shop(world, shipments=[shipment(), shipment(2, tracking_numbers=[])])
    sync(world, day(3))
    shipped = [(who, "Order Shipped", day(2, "10:00")) for who in ("u1", "u2")]
    assert shipped == told(world)
    fill(
        world,
        shipments=[
            shipment(delivered_at=day(4, "12:00"), tracking_numbers=["TN-1", "TN-9"]),
            shipment(2),
        ],
    )

    report = sync(world, day(5))

    assert (1, [*shipped, ("u1", "Order Delivered", day(4, "12:00"))]) == (
        report.accepted,
        told(world),
    )
    assert [["TN-1"], None, ["TN-1", "TN-9"]] == [
        row["fields"].get("tracking_numbers") or None for row in events(world)
    ]
    for as_of in (day(5), day(2)):
        sync(world, as_of)
        assert [] == requests(world)


def test_an_order_in_two_parcels_has_two_events(world: World) -> None:
    """Each with its own tracking number and contents."""
    shop(
        world,
        shipments=[
            shipment(user_id="u1", tracking_numbers=["A"]),
            shipment(2, user_id="u1", tracking_numbers=["B"], shipped_at=day(3)),
        ],
        shipment_items=[
            {"shipment_id": "s1", "line_no": 1, "product_id": "a"},
            {"shipment_id": "s2", "line_no": 1, "product_id": "b"},
        ],
        order_items=[
            {"order_id": "o1", "line_no": line, "product_id": "a", "price": 1} for line in (1, 2)
        ],
    )

    sync(world)

    assert [(["A"], ["a"]), (["B"], ["b"])] == [
        (row["fields"]["tracking_numbers"], [item["id"] for item in row["fields"]["items"]])
        for row in events(world)
    ]
