"""Events that a text message follows: who gets them, and who does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.model_world import day, events, fill, requests, run, shop, told

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

PHONE = "+12125550101"
USERS = [
    {"user_id": "u1", "phone": PHONE, "sms_opt_in": True, "first_name": "Ana"},
    {"user_id": "u2", "phone": PHONE, "sms_opt_in": False},
    {"user_id": "u3", "phone": PHONE, "sms_opt_in": None},
    {"user_id": "u4", "phone": None, "sms_opt_in": True},
    {"user_id": "u5", "phone": "12", "sms_opt_in": True},
]
# u6 is nobody in the table of users.
ALL = range(1, 7)


def sync(world: World, model: str, key: Any, as_of: datetime) -> RunReport:
    """Run the sync of a model with consent as a condition."""
    return run(world, model, object="events", key=key, as_of=as_of, sms_consent=True)


@pytest.mark.capability("E18", "E28")
def test_a_cart_that_was_left_is_told_by_text_to_who_agreed(world: World) -> None:
    """Once, with the phone number; a second text never follows, and the others are counted."""
    key = ("cart_id", "cart_updated_at")
    shop(
        world,
        users=USERS,
        carts=[
            {
                "cart_id": f"c{n}",
                "user_id": f"u{n}",
                "updated_at": day(2, "10:00"),
                "return_url": f"https://shop.example.com/cart/c{n}",
            }
            for n in ALL
        ],
        cart_items=[
            {"user_id": f"u{n}", "product_id": "00501", "name": "Trowel", "price": 5, "quantity": 1}
            for n in ALL
        ],
    )

    report = sync(world, "abandoned_carts_sms", key, day(2, "11:00"))

    assert (6, 1, 5) == (report.queried, report.accepted, report.blocked)
    assert [
        {
            "who": "u1",
            "name": "Return Cart SMS",
            "at": day(2, "11:00"),
            "fields": {
                "cart_id": "c1",
                "cart_updated_at": "2026-03-02 10:00:00 +00:00",
                "return_url": "https://shop.example.com/cart/c1",
                "first_name": "Ana",
                "phone_number": PHONE,
                "sms_opt_in": True,
                "total": 5.0,
                "items": [
                    {
                        "id": "00501",
                        "name": "Trowel",
                        "price": 5.0,
                        "quantity": 1,
                        "url": None,
                        "imageUrl": None,
                    }
                ],
            },
        }
    ] == events(world)
    for as_of in (day(9), day(2, "11:00")):
        sync(world, "abandoned_carts_sms", key, as_of)
        assert [] == requests(world)


@pytest.mark.capability("E19", "E28")
def test_a_shipment_is_told_by_text_to_who_agreed(world: World) -> None:
    """When it went off, and not when it was delivered; the others are counted."""
    parcels = [
        {
            "shipment_id": f"s{n}",
            "order_id": f"o{n}",
            "user_id": f"u{n}",
            "carrier": "Parcel Post",
            "tracking_numbers": [f"TN-{n}"],
            "shipped_at": day(2, "10:00"),
            "is_subscription": True,
            "is_rebill": False,
        }
        for n in ALL
    ]
    shop(world, users=USERS, shipments=parcels)

    report = sync(world, "shipments_sms", "shipment_id", day(3))

    assert (6, 1, 5) == (report.queried, report.accepted, report.blocked)
    assert [
        {
            "who": "u1",
            "name": "Order Shipped SMS",
            "at": day(2, "10:00"),
            "fields": {
                "shipment_id": "s1",
                "order_id": "o1",
                "carrier": "Parcel Post",
                "tracking_numbers": ["TN-1"],
                "is_subscription": True,
                "is_rebill": False,
                "phone_number": PHONE,
                "sms_opt_in": True,
            },
        }
    ] == events(world)
    fill(world, shipments=[one | {"delivered_at": day(4)} for one in parcels])
    sync(world, "shipments_sms", "shipment_id", day(5))
    assert [("u1", "Order Shipped SMS", day(2, "10:00"))] == told(world)
