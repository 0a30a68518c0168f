"""Traits that are worked out of orders: what customers are worth, and when they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from iterable_sync.errors import Superseded
from models.model_world import day, fill, profiles, requests, run, shop

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

WORTH = ("lifetime_value", "currency", "order_count", "average_order_value", "last_order_at")
DAY_S = 86_400


def order(number: int, at: datetime, total: float = 10, **more: Any) -> dict[str, Any]:
    """Give an order, of u1 unless told."""
    made = {"order_id": f"o{number}", "user_id": "u1", "ordered_at": at, "total": total}
    return made | {"currency": "EUR"} | more


def people(*numbers: int) -> list[dict[str, str]]:
    """Give users."""
    return [{"user_id": f"u{n}", "email": f"u{n}@example.com"} for n in numbers]


def sync(world: World, as_of: datetime, **params: Any) -> RunReport:
    """Run the sync of the traits."""
    return run(world, "computed_traits", object="traits", key="user_id", as_of=as_of, params=params)


def held(world: World, *names: str) -> dict[str, list[Any]]:
    """Give these traits of everybody whom Iterable knows, None where one is missing."""
    return {who: [of.get(name) for name in names] for who, of in profiles(world).items()}


def sent(world: World) -> dict[str, dict[str, Any]]:
    """Give what the latest run has sent of whom."""
    return {
        user["userId"]: user["dataFields"] for body in requests(world) for user in body["users"]
    }


@pytest.mark.capability("E23", "E24", "E25")
def test_worth_is_net_of_refunds_and_the_average_is_a_double(world: World) -> None:
    """An order that was refunded in full is none, and one that was in part counts for the rest."""
    shop(
        world,
        users=people(1, 2, 3),
        orders=[
            order(1, day(1), 20),
            order(2, day(5), 4, refunded_amount=10, is_refunded=False),
            order(3, day(9), 0, refunded_amount=99, is_refunded=True),
            order(4, day(9), 0, refunded_amount=5, is_refunded=True, user_id="u2"),
        ],
    )

    sync(world, day(6))

    assert {
        "u1": [24.0, "EUR", 2, 12.0, "2026-03-05 00:00:00 +00:00"],
        "u2": [0.0, None, 0, None, None],
        "u3": [0.0, None, 0, None, None],
    } == held(world, *WORTH)
    kinds = [type(value) for value in held(world, *WORTH)["u1"]]
    assert [float, str, int, float, str] == kinds


@pytest.mark.capability("E23")
def test_another_currency_is_counted_and_not_summed(world: World) -> None:
    """The worth is in the currency of the latest order, and so is the average."""
    shop(
        world,
        users=people(1),
        orders=[order(1, day(1), 50, currency="USD"), order(2, day(2), 7), order(3, day(3), 8)],
    )

    sync(world, day(4))

    assert {"u1": [15.0, "EUR", 3, 7.5, "2026-03-03 00:00:00 +00:00"]} == held(world, *WORTH)


@pytest.mark.capability("E25")
def test_the_average_is_exact_and_half_a_cent_goes_up(world: World) -> None:
    """Whatever the engine makes of a division: 134.95 of two orders is 67.475 each."""
    shop(
        world,
        users=people(1, 2, 3),
        orders=[
            order(1, day(1), 100),
            order(2, day(1), 34.95),
            order(3, day(1), 0.05, user_id="u2"),
            order(4, day(1), 0.05, user_id="u2"),
            order(5, day(1), 0.05, user_id="u2"),
            order(6, day(1), 0, user_id="u3"),
        ],
    )

    sync(world, day(2))

    assert {"u1": [134.95, 67.48], "u2": [0.15, 0.05], "u3": [0.0, 0.0]} == held(
        world, "lifetime_value", "average_order_value"
    )


@pytest.mark.capability("E20", "E32")
def test_risk_rises_with_each_usual_interval_without_an_order(world: World) -> None:
    """Who has ordered on day 1 and on day 5 is expected on day 9."""
    shop(world, users=people(1), orders=[order(1, day(1)), order(2, day(5))])

    for as_of, risk in (
        (day(4), 0.0),
        (day(8, "23:59:59"), 0.0),
        (day(9), 0.25),
        (day(13), 0.5),
        (day(20, "23:59:59"), 0.75),
        (day(21), 1.0),
        (day(31), 1.0),
    ):
        sync(world, as_of)
        assert {"u1": [risk, "2026-03-09 00:00:00 +00:00"]} == held(
            world, "churn_risk", "expected_reorder_at"
        ), as_of


@pytest.mark.capability("E20")
def test_who_ordered_once_has_the_interval_of_the_settings(world: World) -> None:
    """The orders of one hour are a day apart, and who never ordered is expected at no time."""
    shop(
        world,
        users=people(1, 2, 3),
        orders=[
            order(1, day(1)),
            order(2, day(1), user_id="u2"),
            order(3, day(1, "01:00"), user_id="u2"),
        ],
    )

    sync(world, day(3), usual_interval_s=10 * DAY_S)

    assert {
        "u1": ["2026-03-11 00:00:00 +00:00", 0.0],
        "u2": ["2026-03-02 01:00:00 +00:00", 0.25],
        "u3": [None, None],
    } == held(world, "expected_reorder_at", "churn_risk")


@pytest.mark.capability("E32")
def test_next_renewal_is_the_first_of_those_that_are_active(world: World) -> None:
    """What was cancelled or rests is not renewed."""
    shop(
        world,
        users=people(1, 2),
        product_subscriptions=[
            {"user_id": "u1", "status": "active", "next_renewal_at": day(20)},
            {"user_id": "u1", "status": "active", "next_renewal_at": day(12)},
            {"user_id": "u1", "status": "cancelled", "next_renewal_at": day(3)},
            {"user_id": "u2", "status": "paused", "next_renewal_at": day(3)},
        ],
    )

    sync(world, day(2))

    assert {"u1": ["2026-03-12 00:00:00 +00:00"], "u2": [None]} == held(world, "next_renewal_at")


def test_a_run_sends_only_what_an_order_or_a_whole_interval_has_changed(world: World) -> None:
    """The same again sends nothing, nor does an older day, and a later day whom it concerns."""
    shop(
        world,
        users=people(1, 2, 3),
        orders=[
            order(1, day(1)),
            order(2, day(5)),
            order(3, day(5), user_id="u2"),
            order(4, day(6), user_id="u2"),
        ],
    )

    sync(world, day(6, "12:00"))
    assert {"u1", "u2", "u3"} == sent(world).keys()
    for as_of in (day(6, "12:00"), day(6, "23:59:59")):
        sync(world, as_of)
        assert [] == requests(world)
    with pytest.raises(Superseded):
        sync(world, day(5))
    assert [] == requests(world)

    sync(world, day(7))
    assert {"u2": {"churn_risk": 0.25}} == sent(world)

    fill(
        world,
        orders=[
            order(1, day(1)),
            order(2, day(5)),
            order(3, day(5), user_id="u2"),
            order(4, day(6), user_id="u2"),
            order(5, day(7), 3.5, user_id="u3"),
        ],
    )
    sync(world, day(7, "01:00"))
    assert {
        "u3": {
            "lifetime_value": 3.5,
            "currency": "EUR",
            "order_count": 1,
            "average_order_value": 3.5,
            "last_order_at": "2026-03-07 00:00:00 +00:00",
            "churn_risk": 0.0,
            "expected_reorder_at": "2026-05-06 00:00:00 +00:00",
        }
    } == sent(world)


def test_who_is_no_user_any_more_has_no_traits(world: World) -> None:
    """The orders of somebody who was deleted make no new profile, nor does a row without userId."""
    shop(
        world,
        users=[*people(1), {"email": "x@example.com"}],
        orders=[order(1, day(1)), order(2, day(1), user_id="gone")],
    )

    report = sync(world, day(2))

    assert (1, {"u1"}) == (report.queried, sent(world).keys())
