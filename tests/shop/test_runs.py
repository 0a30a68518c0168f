"""The streams of a shop without Airflow: hand-written rows on both engines, day by day."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import carts as carts_held
from commerce_world import purchases
from iterable_sync.errors import ConfigError
from iterable_sync.models import render
from iterable_sync.sandbox.memberships import ListKind
from iterable_sync.shop.plan import planned
from iterable_sync.shop.streams import STREAMS
from iterable_sync.spec import SyncSpec
from list_world import create
from models.model_world import day, fill, profiles, requests, shop, told
from shop_config import shop as config

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
ABANDONERS = {"Cart abandoners": "audience = 'Cart Abandoners'"}
ITEM = {"product_id": "00501", "name": "Trowel", "price": 12.5, "quantity": 2}
ORDERED = day(4, "09:00")


def person(number: int, **more: Any) -> dict[str, Any]:
    return {
        "user_id": f"u{number}",
        "email": f"u{number}@example.com",
        "phone": f"(212) 555-010{number}",
        "sms_opt_in": number == 1,
        "is_vip": number == 1,
    } | more


def who(number: int) -> dict[str, str]:
    return {"user_id": f"u{number}", "email": f"u{number}@example.com"}


def a_shop(world: World) -> World:
    """Give two people who have left a cart on day 2, and one of each other thing of that day."""
    return shop(
        world,
        users=[person(1), person(2)],
        carts=[who(n) | {"cart_id": f"c{n}", "updated_at": day(2, "10:00")} for n in (1, 2)],
        cart_items=[{"user_id": f"u{n}", **ITEM} for n in (1, 2)],
        orders=[who(1) | {"order_id": "o1", "ordered_at": day(1, "09:00"), "total": 25}],
        order_items=[{"order_id": "o1", "line_no": 1, "user_id": "u1", **ITEM}],
        shipments=[who(1) | {"shipment_id": "s1", "order_id": "o1", "shipped_at": day(2, "08:00")}],
        shipment_items=[{"shipment_id": "s1", "line_no": 1, "product_id": "00501"}],
        page_views=[who(2) | {"view_id": "v1", "viewed_at": day(2, "09:00"), "url": "https://x/"}],
        product_subscriptions=[
            who(2) | {"subscription_id": "p1", "status": "active", "started_at": day(2, "07:00")}
        ],
        voucher_assignments=[who(1) | {"alias": "welcome_codes", "code": "A1"}],
    )


def buy(world: World) -> None:
    """Let the first of the two order the cart that was left."""
    fill(
        world,
        carts=[who(2) | {"cart_id": "c2", "updated_at": day(2, "10:00")}],
        cart_items=[{"user_id": "u2", **ITEM}],
        orders=[
            who(1) | {"order_id": "o1", "ordered_at": day(1, "09:00"), "total": 25},
            who(1) | {"order_id": "o2", "ordered_at": ORDERED, "total": 25, "cart_id": "c1"},
        ],
        order_items=[
            {"order_id": order, "line_no": 1, "user_id": "u1", **ITEM} for order in ("o1", "o2")
        ],
    )


def run(world: World, as_of: datetime, **given: Any) -> dict[str, int]:
    """Run all streams of a shop for a moment, and give how many requests each task has sent."""
    sent = {}
    for task in planned(config(**{"since": day(1), **given})):
        if task.object is None:
            continue
        arguments = task.arguments
        spec = SyncSpec(
            object=task.object,
            sync=arguments["sync"],
            sql=render(arguments["sql"], as_of=as_of, **arguments["params"]),
            key=arguments["key"],
            fields=arguments["fields"] or {},
            guards=arguments["guards"] or {},
            as_of=as_of,
            requests_per_s=float("inf"),
            lane_wait_s=0,
            **{k: v for k, v in arguments["options"].items() if k != "dry_run"},
        )
        assert {} == world.sync(spec).held_by_guard, task.task_id
        sent[task.task_id] = len(requests(world))
    return sent


def events(world: World) -> list[tuple[str, str, datetime]]:
    """Give who had which event when; not those that Iterable makes of a cart."""
    return [one for one in told(world) if one[1] != "updateCart"]


def members(world: World) -> dict[str, set[str]]:
    """Give who is in which list of Iterable."""
    with world.server.app_state.lock:
        state = world.server.app_state
        return {
            one.name: {p.user_id for _, p in state.people.profiles() if p.number in one.members}
            for one in state.lists.newest_first()
        }


@pytest.mark.capability("E3", "E28", "E36")
def test_what_happens_in_a_shop_becomes_what_messages_start_with(world: World) -> None:
    """People, an order, carts, a parcel, a subscription and a view, each to its stream, once."""
    a_shop(world)

    run(world, day(3), sms_events=True, phone_region="US")

    assert "+12125550101" == profiles(world)["u1"]["phoneNumber"]
    assert {"o1"} == {bought["id"] for bought in purchases(world)}
    assert {"u1", "u2"} == set(carts_held(world))
    assert Counter(name for _, name, _ in events(world)) == {
        "Page View": 1,
        "Return Cart": 2,
        "Return Cart SMS": 1,
        "Order Shipped": 1,
        "Order Shipped SMS": 1,
        "Subscription Started": 1,
    }
    assert {("u1", "Return Cart SMS", day(2, "11:00"))} == {
        one for one in events(world) if one[1] == "Return Cart SMS"
    }


def test_a_day_that_runs_again_sends_nothing(world: World) -> None:
    """Not one request, of no stream."""
    a_shop(world)
    run(world, day(3), sms_events=True, lists=ABANDONERS)
    before = events(world)

    sent = run(world, day(3), sms_events=True, lists=ABANDONERS)

    assert set(STREAMS) - {"catalog", "lists"} | {"list_cart_abandoners"} == sent.keys()
    assert {0} == set(sent.values())
    assert before == events(world)


@pytest.mark.capability("E7", "E8", "E9", "E10")
def test_who_leaves_a_cart_joins_a_list_and_who_orders_leaves_it(world: World) -> None:
    """The list is created, and found by its name from then on; one day there is nobody in it."""
    given = {
        "lists": ABANDONERS,
        "regular_events": {"purchases": False, "shipments": False},
        "browsing_events": False,
    }
    a_shop(world)
    run(world, day(2), **given)
    at_first = members(world)
    run(world, day(4), **given)
    left_a_cart = members(world)
    buy(world)
    run(world, day(5), **given)
    ordered = members(world)
    fill(world, carts=[], cart_items=[])
    run(world, day(6), **given)

    assert {} == at_first
    assert {"Cart abandoners": {"u1", "u2"}} == left_a_cart
    assert {"Cart abandoners": {"u2"}} == ordered
    assert {"Cart abandoners": set()} == members(world)
    assert {"Return Cart", "Cart Abandoned"} == {
        name for who, name, _ in events(world) if who == "u1" and "Cart" in name
    }


def test_who_has_no_voucher_any_more_is_not_sent_one(world: World) -> None:
    """A code that was taken back leaves the profile."""
    given = {
        "regular_events": {"purchases": False, "shipments": False},
        "return_cart_events": False,
        "browsing_events": False,
        "streams": {name: {"enabled": False} for name in ("traits", "audiences")},
    }
    a_shop(world)
    run(world, day(3), **given)
    before = profiles(world)["u1"]["vouchers"]
    fill(world, voucher_assignments=[who(2) | {"alias": "welcome_codes", "code": "B2"}])
    run(world, day(4), **given)

    assert "A1" == before["welcome_codes"]["code"]
    assert "B2" == profiles(world)["u2"]["vouchers"]["welcome_codes"]["code"]
    assert "A1" not in str(profiles(world)["u1"])


@pytest.mark.capability("E11", "E39")
@pytest.mark.parametrize(
    ("kind", "of_list", "words"),
    [
        pytest.param(None, {"create_list": False}, "a segment is no list", id="not there"),
        pytest.param(None, {"list_id": 7}, "its own project alone, and a segment", id="no such id"),
        pytest.param(ListKind.DYNAMIC, {}, "is no static one", id="no static one"),
    ],
)
def test_a_list_that_nobody_can_be_put_into_stops_its_task_and_says_why(
    duckdb_world: World, kind: ListKind | None, of_list: dict[str, Any], words: str
) -> None:
    world = a_shop(duckdb_world)
    if kind is not None:
        create(world, "VIP", kind)
    given = {
        "lists": {"VIP": {"where": "audience = 'VIP'", **of_list}},
        "regular_events": {"purchases": False, "shipments": False},
        "return_cart_events": False,
        "browsing_events": False,
    }

    with pytest.raises(ConfigError, match=words):
        run(world, day(3), **given)


@pytest.mark.capability("E2", "E3", "E40")
def test_a_stream_that_is_off_sends_nothing(world: World) -> None:
    """Switched on later, it sends what its model has from ``since`` on, and the others nothing."""
    a_shop(world)
    off = {"return_cart_events": False, "regular_events": {"shipments": False}}

    sent = run(world, day(3), **off)

    assert not {"return_carts", "shipments", "review_requests"} & sent.keys()
    assert {"Page View", "Subscription Started"} == {name for _, name, _ in events(world)}

    sent = run(world, day(3))

    assert {"return_carts", "shipments"} == {name for name, n in sent.items() if n}
    assert {"Return Cart", "Order Shipped"} <= {name for _, name, _ in events(world)}


def test_another_delay_sends_no_event_twice(world: World) -> None:
    """Who shortens a delay, or draws it out, gets the new time for new carts alone."""
    carts_alone = {
        "regular_events": False,
        "browsing_events": False,
        "project_requires_users": False,
    }
    a_shop(world)
    run(world, day(3), **carts_alone)
    before = events(world)

    run(world, day(3), trigger_after=60, **carts_alone)
    run(world, day(3), trigger_after=2 * 3_600, **carts_alone)

    assert {"Return Cart"} == {name for _, name, _ in before}
    assert before == events(world)
