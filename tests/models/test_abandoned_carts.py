"""Carts that were left: which events they become, and which carts become none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from models.model_world import day, events, fill, requests, run, shop, told

if TYPE_CHECKING:
    from datetime import datetime

    from harness import World
    from iterable_sync.rows import RunReport

HOUR_S = 3_600
LEFT_AT = day(2, "10:00")
ANA = {"user_id": "u1", "email": "ana@example.com"}
RETURN = ("u1", "Return Cart", day(2, "11:00"))
ABANDONED = ("u1", "Cart Abandoned", day(3, "10:00"))


def cart(number: int = 1, at: datetime = LEFT_AT, **more: Any) -> dict[str, Any]:
    """Give a cart of somebody."""
    return {
        "cart_id": f"c{number}",
        "user_id": f"u{number}",
        "updated_at": at,
        "return_url": f"https://shop.example.com/cart/c{number}?signed=1",
    } | more


def line(number: int = 1, **more: Any) -> dict[str, Any]:
    """Give a line of somebody's cart."""
    return {
        "user_id": f"u{number}",
        "product_id": "00501",
        "name": "Trowel",
        "price": 12.5,
        "quantity": 2,
        "url": "https://shop.example.com/00501",
        "image": "https://images.example.com/1.jpg",
    } | more


def order(at: datetime, **more: Any) -> dict[str, Any]:
    """Give an order of a time."""
    return {"order_id": "o1", "ordered_at": at} | more


def sync(world: World, as_of: datetime, params: Any = None, **spec: Any) -> RunReport:
    """Run the sync of the events of carts."""
    key = ("cart_id", "cart_updated_at", "event_name")
    return run(
        world, "abandoned_carts", object="events", key=key, as_of=as_of, params=params, **spec
    )


@pytest.mark.capability("E5", "E17", "E18", "E4")
def test_a_cart_that_was_left_becomes_an_event_with_what_is_in_it(world: World) -> None:
    """What a mail needs is in the event: products with images, the way back, and the consent."""
    shop(
        world,
        users=[ANA | {"first_name": "Ana", "sms_opt_in": True}],
        carts=[cart(**ANA)],
        cart_items=[
            line(product_id="10606", name='A "Kite"', price=24.9, quantity=1, image=None, url=None),
            line(),
        ],
    )

    sync(world, day(2, "11:00"), {"image_size": 240})

    assert [
        {
            "who": "u1",
            "name": "Return Cart",
            "at": day(2, "11:00"),
            "fields": {
                "cart_id": "c1",
                "cart_updated_at": "2026-03-02 10:00:00 +00:00",
                "return_url": "https://shop.example.com/cart/c1?signed=1",
                "first_name": "Ana",
                "sms_opt_in": True,
                "total": 49.9,
                "items": [
                    {
                        "id": "00501",
                        "name": "Trowel",
                        "price": 12.5,
                        "quantity": 2,
                        "url": "https://shop.example.com/00501",
                        "imageUrl": "https://images.example.com/1.jpg?w=240",
                    },
                    {
                        "id": "10606",
                        "name": 'A "Kite"',
                        "price": 24.9,
                        "quantity": 1,
                        "url": None,
                        "imageUrl": None,
                    },
                ],
            },
        }
    ] == events(world)


@pytest.mark.capability("E5", "E6")
def test_each_stage_comes_when_its_delay_is_over_and_once(world: World) -> None:
    """Before the delay nothing, after it the event with the cart's time, and never again."""
    shop(world, carts=[cart()], cart_items=[line()])

    for as_of, expected in (
        (day(2, "10:59:59"), []),
        (day(2, "11:00"), [RETURN]),
        (day(3, "09:59"), [RETURN]),
        (day(3, "10:00"), [RETURN, ABANDONED]),
    ):
        sync(world, as_of)
        assert expected == told(world)

    for as_of in (day(3, "10:00"), day(9), day(2, "12:00")):
        sync(world, as_of)
        assert [] == requests(world)


@pytest.mark.capability("E5", "E6")
def test_the_delays_are_settings(world: World) -> None:
    """In seconds, from the time at which the cart was changed."""
    shop(world, carts=[cart()], cart_items=[line()])

    sync(world, day(9), {"trigger_after_s": 2 * HOUR_S, "abandon_after_s": 72 * HOUR_S})

    assert [
        ("u1", "Return Cart", day(2, "12:00")),
        ("u1", "Cart Abandoned", day(5, "10:00")),
    ] == told(world)


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param(1, 30, id="longer"), pytest.param(30, 1, id="shorter")],
)
def test_another_delay_sends_no_event_twice(world: World, first: int, second: int) -> None:
    """What was sent stays what it is, and what was not has the new time."""
    shop(world, carts=[cart()], cart_items=[line()])
    sync(world, day(4), {"trigger_after_s": first * HOUR_S})
    before = told(world)
    fill(world, carts=[cart(), cart(2, day(4, "10:00"))], cart_items=[line(), line(2)])

    sync(world, day(6), {"trigger_after_s": second * HOUR_S})

    at = {1: day(4, "11:00"), 30: day(5, "16:00")}[second]
    new = [("u2", "Return Cart", at), ("u2", "Cart Abandoned", day(5, "10:00"))]
    assert sorted(before + new) == sorted(told(world))


@pytest.mark.capability("E16")
def test_a_cart_that_became_an_order_has_no_event(world: World) -> None:
    """By the cart, whenever it was, or by the person, from the change to the end of the window."""
    shop(
        world,
        carts=[cart(n, email=f"ana{n}@example.com") for n in (1, 2, 3, 4, 5, 6)],
        cart_items=[line(n) for n in (1, 2, 3, 4, 5, 6)],
        orders=[
            order(day(2, "10:30"), cart_id="c1"),
            order(day(1), cart_id="c2"),
            order(LEFT_AT, user_id="u3"),
            order(day(9, "10:00"), user_id="u4"),
            order(day(2, "12:00"), email="ANA5@example.com"),
        ],
    )

    report = sync(world, day(20))

    assert 2 == report.queried
    assert {"u6"} == {who for who, _, _ in told(world)}


@pytest.mark.capability("E16")
def test_another_order_leaves_a_cart_abandoned(world: World) -> None:
    """One before the cart was changed, after the window, of somebody else or of nobody."""
    shop(
        world,
        carts=[cart(n, email=f"ana{n}@example.com") for n in (1, 2)],
        cart_items=[line(1), line(2)],
        orders=[
            order(day(2, "09:59:59"), user_id="u1", email="ana1@example.com"),
            order(day(9, "10:00:01"), user_id="u2", email="ana2@example.com"),
            order(day(2, "10:30"), user_id="u3", cart_id="c3", email="ana3@example.com"),
            order(day(2, "10:30")),
        ],
    )

    sync(world, day(20))

    assert [
        (who, name, at)
        for name, at in (("Return Cart", day(2, "11:00")), ("Cart Abandoned", day(3, "10:00")))
        for who in ("u1", "u2")
    ] == told(world)


def test_the_window_of_orders_is_a_setting(world: World) -> None:
    """Who buys later than that has left this cart all the same."""
    shop(
        world,
        carts=[cart()],
        cart_items=[line()],
        orders=[order(day(2, "13:00"), user_id="u1")],
    )

    sync(world, day(20), {"order_window_s": 2 * HOUR_S})

    assert [RETURN, ABANDONED] == told(world)


@pytest.mark.capability("E16", "E6")
def test_an_order_between_the_stages_suppresses_the_second(world: World) -> None:
    """Also one that comes into the warehouse later than the event would have been."""
    shop(world, carts=[cart()], cart_items=[line()])
    sync(world, day(3))
    fill(world, orders=[order(day(3, "08:00"), user_id="u1")])

    for as_of in (day(4), day(20)):
        sync(world, as_of)

    assert [RETURN] == told(world)


def test_a_cart_that_was_changed_begins_anew(world: World) -> None:
    """The first stage comes again, for what is in it now; the second one of before never does."""
    shop(world, carts=[cart()], cart_items=[line()])
    sync(world, day(2, "12:00"))
    fill(world, carts=[cart(at=day(2, "20:00"))], cart_items=[line(quantity=3)])

    for as_of in (day(3), day(3, "12:00"), day(3, "20:00")):
        sync(world, as_of)

    assert [
        RETURN,
        ("u1", "Return Cart", day(2, "21:00")),
        ("u1", "Cart Abandoned", day(3, "20:00")),
    ] == told(world)
    assert [25.0, 37.5, 37.5] == [row["fields"]["total"] for row in events(world)]


def test_one_change_sends_just_that(world: World) -> None:
    """One more cart, one more event."""
    shop(world, carts=[cart(), cart(2)], cart_items=[line(), line(2)])
    sync(world, day(3))
    fill(world, carts=[cart(), cart(2), cart(3)], cart_items=[line(), line(2), line(3)])

    report = sync(world, day(3))

    assert 1 == report.accepted
    assert [["u3"]] == [[row["userId"] for row in body["events"]] for body in requests(world)]


def test_an_empty_cart_has_no_event(world: World) -> None:
    """Who has taken everything out has nothing to come back to."""
    shop(world, carts=[cart(), cart(2)], cart_items=[line(2)])

    sync(world, day(2, "12:00"))

    assert [("u2", "Return Cart", day(2, "11:00"))] == told(world)


def test_a_delay_that_is_made_much_shorter_sends_nothing_that_is_long_over(world: World) -> None:
    """What lies further behind the newest event than events may be late is done with."""
    shop(
        world,
        carts=[cart(1, day(2)), cart(2, day(8)), cart(3, day(9))],
        cart_items=[line(n) for n in (1, 2, 3)],
    )
    long = {"trigger_after_s": HOUR_S, "abandon_after_s": 30 * 24 * HOUR_S}
    sync(world, day(10), long)

    sync(world, day(10), {"abandon_after_s": 2 * HOUR_S})

    assert {("u2", "Cart Abandoned"), ("u3", "Cart Abandoned")} == {
        (who, name) for who, name, _ in told(world) if name != "Return Cart"
    }
