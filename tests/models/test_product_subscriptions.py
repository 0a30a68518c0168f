"""The subscription of a person, as an object of the profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import Superseded
from models.model_world import day, fill, profiles, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

WEEKLY = {
    "subscription_id": "sub-1",
    "user_id": "u1",
    "plan": "weekly",
    "status": "active",
    "interval_days": 7,
    "price": 12,
    "started_at": day(1),
    "renewed_at": day(8),
    "next_renewal_at": day(15),
}
MONTHLY = {
    "subscription_id": "sub-2",
    "user_id": "u1",
    "plan": "monthly",
    "status": "active",
    "interval_days": 28,
    "price": 39.5,
    "started_at": day(9),
}


def sync(world: World, as_of: datetime) -> RunReport:
    """Run the sync of the subscriptions."""
    return run(world, "product_subscriptions", object="traits", key="user_id", as_of=as_of)


def held(world: World) -> dict[str, Any]:
    """Give the subscription that Iterable has of each person."""
    return {who: of["subscription"] for who, of in profiles(world).items()}


@pytest.mark.capability("E31", "E32")
def test_a_person_has_the_subscription_that_was_started_last(world: World) -> None:
    """Whatever became of the one before; who has another one has that."""
    others = {"user_id": "u2", "status": "paused", "next_renewal_at": None}
    shop(world, product_subscriptions=[MONTHLY, WEEKLY, WEEKLY | others])

    sync(world, day(10))

    assert {
        "u1": {
            "id": "sub-2",
            "status": "active",
            "plan": "monthly",
            "interval_days": 28,
            "price": 39.5,
            "started_at": "2026-03-09 00:00:00 +00:00",
        },
        "u2": {
            "id": "sub-1",
            "status": "paused",
            "plan": "weekly",
            "interval_days": 7,
            "price": 12.0,
            "started_at": "2026-03-01 00:00:00 +00:00",
            "renewed_at": "2026-03-08 00:00:00 +00:00",
        },
    } == held(world)


@pytest.mark.capability("E31", "E32")
def test_a_cancellation_is_sent_alone_and_merged_into_the_object(world: World) -> None:
    """What did not change stays in Iterable and is not sent; the next renewal goes."""
    shop(world, product_subscriptions=[WEEKLY])
    sync(world, day(9))
    sync(world, day(10))
    assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(8))
    assert [] == requests(world)

    cancelled = {"status": "cancelled", "cancelled_at": day(11), "next_renewal_at": None}
    fill(world, product_subscriptions=[WEEKLY | cancelled])
    sync(world, day(12))

    ((sent,),) = [body["users"] for body in requests(world)]
    assert {
        "subscription": {
            "status": "cancelled",
            "cancelled_at": "2026-03-11 00:00:00 +00:00",
            "next_renewal_at": None,
        }
    } == sent["dataFields"]
    assert {
        "id": "sub-1",
        "status": "cancelled",
        "plan": "weekly",
        "interval_days": 7,
        "price": 12.0,
        "started_at": "2026-03-01 00:00:00 +00:00",
        "renewed_at": "2026-03-08 00:00:00 +00:00",
        "cancelled_at": "2026-03-11 00:00:00 +00:00",
    } == {name: value for name, value in held(world)["u1"].items() if value is not None}
