"""Subscriptions that start, are renewed or cancelled, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.model_world import day, events, fill, requests, run, shop, told

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport


def subscription(**more: Any) -> dict[str, Any]:
    """Give a subscription that was made on the first."""
    return {
        "subscription_id": "p1",
        "user_id": "u1",
        "plan": "coffee",
        "status": "active",
        "interval_days": 7,
        "price": 9,
        "started_at": day(1, "09:00"),
        "next_renewal_at": day(15),
    } | more


def order(number: int, *, is_rebill: bool | None) -> dict[str, Any]:
    """Give an order of the subscription."""
    return {
        "order_id": f"o{number}",
        "subscription_id": "p1",
        "is_rebill": is_rebill,
        "total": 10 + number,
    }


def renewal(number: int, at: datetime) -> dict[str, Any]:
    """Give a renewal by an order."""
    return {"subscription_id": "p1", "order_id": f"o{number}", "renewed_at": at}


def sync(world: World, as_of: datetime | None = None) -> RunReport:
    """Run the sync of the events of subscriptions."""
    key = ("subscription_id", "event_name", "created_at")
    return run(world, "product_subscription_events", object="events", key=key, as_of=as_of)


@pytest.mark.capability("E31")
def test_a_subscription_tells_its_life(world: World) -> None:
    """Started with its first order, renewed by each rebill, cancelled with no renewal to come."""
    shop(
        world,
        product_subscriptions=[subscription()],
        product_subscription_renewals=[renewal(2, day(8)), renewal(1, day(1, "09:00"))],
        orders=[order(1, is_rebill=False), order(2, is_rebill=True)],
    )
    about = {"subscription_id": "p1", "plan": "coffee", "interval_days": 7, "price": 9.0}
    to_come = {"next_renewal_at": "2026-03-15 00:00:00 +00:00"}
    sync(world, day(9))

    assert [
        {
            "who": "u1",
            "name": "Subscription Started",
            "at": day(1, "09:00"),
            "fields": about | to_come | {"order_id": "o1", "order_total": 11.0, "is_rebill": False},
        },
        {
            "who": "u1",
            "name": "Subscription Renewed",
            "at": day(8),
            "fields": about | to_come | {"order_id": "o2", "order_total": 12.0, "is_rebill": True},
        },
    ] == events(world)

    fill(world, product_subscriptions=[subscription(status="cancelled", cancelled_at=day(10))])
    sync(world, day(11))

    assert [
        {"who": "u1", "name": "Subscription Cancelled", "at": day(10), "fields": about}
    ] == events(world)[2:]


@pytest.mark.capability("E31")
def test_a_rebill_is_told_from_a_first_order(world: World) -> None:
    """By the order: a renewal by a first order is none; where nobody knows, it is one."""
    shop(
        world,
        product_subscriptions=[subscription()],
        product_subscription_renewals=[renewal(n, day(n + 1, "10:00")) for n in (0, 1, 2, 3, 4)],
        orders=[
            order(0, is_rebill=True),
            order(1, is_rebill=False),
            order(2, is_rebill=True),
            order(3, is_rebill=None),
        ],
    )

    report = sync(world)

    assert 5 == report.queried
    assert [
        ("Subscription Started", "o1"),
        ("Subscription Renewed", "o0"),
        ("Subscription Renewed", "o2"),
        ("Subscription Renewed", "o3"),
        ("Subscription Renewed", "o4"),
    ] == [(row["name"], row["fields"]["order_id"]) for row in events(world)]


@pytest.mark.capability("E31")
def test_each_event_of_a_subscription_comes_once(world: World) -> None:
    """A renewal more is one event more; another price is none; a second cancellation is one."""
    shop(world, product_subscriptions=[subscription(cancelled_at=day(5))])
    sync(world, day(6))
    before = told(world)
    fill(
        world,
        product_subscriptions=[subscription(cancelled_at=day(20), price=12, plan="tea")],
        product_subscription_renewals=[renewal(2, day(8))],
    )
    sync(world, day(21))

    for as_of in (day(21), day(3)):
        sync(world, as_of)
        assert [] == requests(world)

    assert [
        *before,
        ("u1", "Subscription Renewed", day(8)),
        ("u1", "Subscription Cancelled", day(20)),
    ] == told(world)
