"""The six audiences: who is in which, who comes and who leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import Superseded
from models.model_world import day, fill, profiles, requests, run, shop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

FIELDS = {
    "order_completed_last_30days",
    "vip",
    "at_churn_risk",
    "cart_abandoners",
    "sms_opted_in",
    "never_ordered",
}
CART = {"cart_id": "c1", "user_id": "u1", "updated_at": day(2, "10:00")}
LINE = {"user_id": "u1", "product_id": "00501", "name": "Trowel", "price": 12.5, "quantity": 1}


def order(who: str, at: datetime, **more: Any) -> dict[str, Any]:
    """Give an order."""
    number = f"{who}-{at:%d%H}"
    return {"order_id": number, "user_id": who, "ordered_at": at, "total": 5} | more


def sync(world: World, as_of: datetime, **spec: Any) -> RunReport:
    """Run the sync of the memberships, as fields."""
    key = ("user_id", "audience")
    return run(world, "audience_memberships", object="audiences", key=key, as_of=as_of, **spec)


def held(world: World) -> dict[str, dict[str, bool]]:
    """Give the fields of audiences that Iterable has of people."""
    return {
        who: {name: value for name, value in of.items() if name in FIELDS}
        for who, of in profiles(world).items()
    }


def members(*names: str) -> Mapping[str, bool]:
    """Give the fields of who is in these audiences."""
    return dict.fromkeys(names, True)


@pytest.mark.capability("E26", "E32")
def test_each_audience_has_those_who_belong_in_it(world: World) -> None:
    """Of eight people each is where the rows say, and consent is never read off a phone number."""
    shop(
        world,
        users=[
            {"user_id": "new", "phone": "+15550100", "sms_opt_in": True},
            {"user_id": "silent", "phone": "+15550101", "sms_opt_in": False},
            {"user_id": "unasked", "phone": "+15550102"},
            {"user_id": "phoneless", "sms_opt_in": True},
            {"user_id": "loyal", "is_vip": True},
            {"user_id": "slow", "is_vip": False},
            {"user_id": "lost"},
            {"user_id": "refunded"},
        ],
        orders=[
            order("new", day(31)),
            order("loyal", day(1)),
            order("loyal", day(31)),
            order("slow", day(1)),
            order("lost", day(1)),
            order("lost", day(2)),
            order("refunded", day(31), is_refunded=True),
        ],
    )

    sync(world, day(31, "00:00:01"))

    assert {
        "new": members("order_completed_last_30days", "sms_opted_in"),
        "silent": members("never_ordered"),
        "unasked": members("never_ordered"),
        "phoneless": members("never_ordered"),
        "loyal": members("order_completed_last_30days", "vip"),
        "lost": members("order_completed_last_30days", "at_churn_risk"),
        "refunded": members("never_ordered"),
    } == held(world)


def test_thirty_days_are_counted_from_the_moment_of_the_run(world: World) -> None:
    """The last second of the thirty days is in, and the next is out."""
    shop(world, users=[{"user_id": "u1"}], orders=[order("u1", day(1, "12:00"))])

    sync(world, day(31, "11:59:59"))
    assert {"u1": members("order_completed_last_30days")} == held(world)

    sync(world, day(31, "12:00"))
    assert {"u1": {"order_completed_last_30days": False}} == held(world)


@pytest.mark.capability("E32")
def test_two_usual_intervals_without_an_order_are_a_risk_until_the_next(world: World) -> None:
    """Who has ordered on day 1 and on day 5 is at risk from day 13 on."""
    shop(world, users=[{"user_id": "u1"}], orders=[order("u1", day(1)), order("u1", day(5))])

    sync(world, day(12, "23:59:59"))
    assert {"u1": members("order_completed_last_30days")} == held(world)

    sync(world, day(13))
    assert {"u1": members("order_completed_last_30days", "at_churn_risk")} == held(world)

    fill(world, orders=[order("u1", day(1)), order("u1", day(5)), order("u1", day(14))])
    sync(world, day(15))
    assert {"u1": {"order_completed_last_30days": True, "at_churn_risk": False}} == held(world)


@pytest.mark.capability("E6", "E10")
def test_who_abandons_a_cart_joins_and_who_orders_leaves(world: World) -> None:
    """The delay is that of the event `Cart Abandoned`, and an order ends it."""
    shop(world, users=[{"user_id": "u1"}], carts=[CART], cart_items=[LINE])

    sync(world, day(3, "09:59"))
    assert {"u1": members("never_ordered")} == held(world)

    sync(world, day(3, "10:00"))
    assert {"u1": members("never_ordered", "cart_abandoners")} == held(world)

    fill(world, orders=[order("u1", day(3, "20:00"), cart_id="c1")])
    sync(world, day(4))
    assert {
        "u1": {
            "never_ordered": False,
            "cart_abandoners": False,
            "order_completed_last_30days": True,
        }
    } == held(world)


def test_a_person_with_two_abandoned_carts_is_in_the_audience_once(world: World) -> None:
    """A key that comes twice would end the run."""
    shop(
        world,
        users=[{"user_id": "u1"}],
        carts=[CART, CART | {"cart_id": "c2"}],
        cart_items=[LINE],
    )

    report = sync(world, day(9))

    assert 2 == report.accepted
    assert {"u1": members("never_ordered", "cart_abandoners")} == held(world)


def test_the_delay_of_the_audience_is_a_setting(world: World) -> None:
    """As that of the event is."""
    shop(world, users=[{"user_id": "u1"}], carts=[CART], cart_items=[LINE])

    sync(world, day(2, "12:00"), params={"abandon_after_s": 7_200})

    assert {"u1": members("never_ordered", "cart_abandoners")} == held(world)


def test_a_run_sends_only_who_came_and_who_left(world: World) -> None:
    """The same again sends nothing, an older day neither, and one change sends just that."""
    people = [{"user_id": "u1", "is_vip": True}, {"user_id": "u2"}]
    shop(world, users=people)

    sync(world, day(5))
    for as_of in (day(5), day(6)):
        sync(world, as_of)
        assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(2))
    assert [] == requests(world)

    fill(world, users=[people[0], people[1] | {"is_vip": True}])
    sync(world, day(7))
    assert [[("u2", {"vip": True})]] == [
        [(user["userId"], user["dataFields"]) for user in body["users"]] for body in requests(world)
    ]
