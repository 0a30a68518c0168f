"""Orders: what a purchase in Iterable says of the order, its lines and what has led to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import purchases
from iterable_sync.errors import Superseded
from models.model_world import day, fill, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

PEARL_STREET = {"street": "Pearl Street 1", "city": "New York", "country": "US"}
DEANSGATE = {"street": "Deansgate 2", "city": "Manchester", "country": "GB"}
KITE = {
    "order_id": "A1",
    "line_no": 1,
    "product_id": "00503",
    "name": "Kite",
    "category": "toys",
    "price": 24.9,
    "quantity": 2,
    "url": "https://shop.example.com/00503",
    "image": "https://images.example.com/toys/2.jpg",
}


def order(number: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Give an order, of u1 unless told."""
    return {"order_id": number, "user_id": "u1", "ordered_at": at, "total": 5} | more


def sync(world: World, as_of: datetime, *, params: Any = None, **spec: Any) -> RunReport:
    """Run the sync of the orders."""
    declared = {"object": "orders", "key": "order_id", "line_key": "items__lineNo"}
    return run(world, "orders", as_of=as_of, params=params, **declared | spec)


def fields(world: World) -> dict[str, dict[str, Any]]:
    """Give the data fields of each purchase."""
    return {row["id"]: row["dataFields"] for row in purchases(world)}


@pytest.mark.capability("B10", "E4", "E12", "E13", "E14", "E15", "E33", "E34", "C9")
def test_a_purchase_has_all_that_the_shop_knows_of_the_order(world: World) -> None:
    """Totals and times, lines with links and images, addresses, the link and the message."""
    shop(
        world,
        orders=[
            order(
                "A1",
                day(2, "10:30"),
                email="ana@example.com",
                cart_id="c1",
                total=49.8,
                refunded_amount=3.2,
                is_refunded=False,
                profit=19.92,
                currency="EUR",
                coupon="WELCOME",
                subscription_id="sub-1",
                is_rebill=False,
                utm={
                    "source": "newsletter",
                    "medium": "email",
                    "campaign": "spring",
                    "term": "kites",
                    "content": "hero",
                    "id": "utm-1",
                },
                campaign_id=7001,
                template_id=8001,
                message_id="message-1",
                billing_address=PEARL_STREET,
                shipping_address=DEANSGATE,
            )
        ],
        order_items=[
            KITE | {"line_no": 2},
            KITE | {"product_id": "00501", "name": "Trowel", "image": None, "url": None},
        ],
    )

    sync(world, day(3), params={"image_size": 240})

    assert [
        {
            "key": "u1",
            "id": "A1",
            "items": [
                {
                    "id": "00501",
                    "name": "Trowel",
                    "categories": ["toys"],
                    "price": 24.9,
                    "quantity": 2,
                    "dataFields": {"lineNo": 1},
                },
                {
                    "id": "00503",
                    "name": "Kite",
                    "categories": ["toys"],
                    "price": 24.9,
                    "quantity": 2,
                    "url": "https://shop.example.com/00503",
                    "imageUrl": "https://images.example.com/toys/2.jpg?w=240",
                    "dataFields": {"lineNo": 2},
                },
            ],
            "total": 49.8,
            "createdAt": int(day(2, "10:30").timestamp()),
            "campaignId": 7001,
            "templateId": 8001,
            "dataFields": {
                "order_id": "A1",
                "messageId": "message-1",
                "coupon": "WELCOME",
                "isRefunded": False,
                "refundedAmount": 3.2,
                "profit": 19.92,
                "currency": "EUR",
                "repeat": False,
                "cartId": "c1",
                "subscriptionId": "sub-1",
                "isRebill": False,
                "utm_source": "newsletter",
                "utm_medium": "email",
                "utm_campaign": "spring",
                "utm_term": "kites",
                "utm_content": "hero",
                "utm_id": "utm-1",
                "billing_address": PEARL_STREET,
                "shipping_address": DEANSGATE,
            },
        }
    ] == purchases(world)


@pytest.mark.capability("E12")
def test_every_order_but_the_first_of_a_person_is_a_repeat(world: World) -> None:
    """Told apart by userId, or by e-mail without one; orders of before the sync began count."""
    shop(
        world,
        orders=[
            order("A1", day(1)),
            order("A2", day(2)),
            order("A3", day(2)),
            order("B1", day(2), user_id=None, email="Eve@example.com"),
            order("B2", day(3), user_id=None, email="eve@example.com"),
            order("C1", day(3), user_id="u3"),
        ],
    )

    sync(world, day(4), since=day(2))

    assert {"A2": True, "A3": True, "B1": False, "B2": True, "C1": False} == {
        number: said["repeat"] for number, said in fields(world).items()
    }


@pytest.mark.capability("E31")
def test_a_rebill_order_is_told_from_the_first_one(world: World) -> None:
    """Both name the subscription."""
    of = {"subscription_id": "sub-1"}
    shop(
        world,
        orders=[
            order("R0", day(1), is_rebill=False, **of),
            order("R1", day(8), is_rebill=True, **of),
        ],
    )

    sync(world, day(9))

    assert {"R0": ("sub-1", False), "R1": ("sub-1", True)} == {
        number: (said["subscriptionId"], said["isRebill"]) for number, said in fields(world).items()
    }


def test_a_run_sends_only_new_orders_and_those_that_changed(world: World) -> None:
    """A refund is a change of one order; another of the person makes none of the old ones new."""
    old = [order("A1", day(1)), order("A2", day(2), is_refunded=False, refunded_amount=0)]
    shop(world, orders=old, order_items=[KITE])

    sync(world, day(3))
    assert ["A1", "A2"] == sent(world)
    sync(world, day(4))
    assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(2))
    assert [] == requests(world)

    refunded = old[1] | {"total": 0, "refunded_amount": 5, "is_refunded": True}
    fill(world, orders=[old[0], refunded, order("A3", day(4))])
    sync(world, day(5))
    assert ["A2", "A3"] == sent(world)
    assert (0.0, 5.0, True) == (
        next(row["total"] for row in purchases(world) if row["id"] == "A2"),
        fields(world)["A2"]["refundedAmount"],
        fields(world)["A2"]["isRefunded"],
    )


def test_another_size_of_images_is_another_order(world: World) -> None:
    """The size is in the lines: orders that are sent again say so in the plan of a dry run."""
    shop(world, orders=[order("A1", day(1))], order_items=[KITE])
    sync(world, day(3))

    report = sync(world, day(4), params={"image_size": 60}, dry_run=True)

    assert 1 == report.changed


def sent(world: World) -> list[str]:
    """Give the orders that the latest run has sent."""
    return sorted(body["id"] for body in requests(world))
