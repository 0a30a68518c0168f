"""Orders end to end: what arrives in Iterable, at first and later, and what is held or rejected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from commerce_world import (
    expected_purchases,
    line,
    order,
    orders_spec,
    purchases,
    put_orders,
    sync_orders,
    with_people,
)
from harness import USERS
from iterable_sync.errors import ConfigError
from iterable_sync.objects.orders import OBJECT
from iterable_sync.rows import ProjectType, RunEnd

if TYPE_CHECKING:
    from harness import World

EMAIL, USER_ID = ProjectType.EMAIL, ProjectType.USER_ID


@pytest.mark.capability("A6")
@pytest.mark.parametrize("kind", [EMAIL, USER_ID])
def test_first_and_later_sync_bring_what_the_warehouse_says(
    world: World, kind: ProjectType
) -> None:
    """New orders, changed lines, a refund and an order that left; all else is not sent again."""
    with_people(world, kind)
    orders = [order(1), order(2, "u2", day=2, coupon="X", campaign_id=5), order(3, total=0)]
    lines = [line("A-1", 2), line("A-1", 1, quantity=3, color="red"), line("A-2", 9)]
    put_orders(world, orders, lines)
    first = sync_orders(world)
    assert (RunEnd.CLEAN, 3, 3) == (first.end, first.accepted, first.requests)
    assert expected_purchases(orders, lines, kind) == purchases(world)

    left = expected_purchases(orders[2:], lines, kind)
    orders = [order(1), order(2, "u2", day=2, coupon="X", total=-7.25), order(4, "u3", day=4)]
    lines = [line("A-1", 1, quantity=3, color="red"), line("A-2", 9), line("A-4", 4)]
    put_orders(world, orders, lines)
    second = sync_orders(world)

    assert (RunEnd.CLEAN, 3, 3) == (second.end, second.accepted, second.requests)
    assert (1, 1) == (second.removed, second.removed_ignored)
    assert sorted(expected_purchases(orders, lines, kind) + left, key=lambda p: p["id"]) == (
        purchases(world)
    )
    assert 0 == sync_orders(world).requests


@pytest.mark.capability("C9")
def test_what_else_a_shop_says_of_an_order_is_kept(world: World) -> None:
    """Each column under its name and with its type; the second order of a person is a repeat."""
    with_people(world)
    put_orders(world, [order(1), order(2, day=2)], [line("A-1", 1), line("A-1", 2)])
    said = {"revenue": 19.5, "shipping": 2.5, "tax": 1.5, "discount": 3.25, "_p": 7.25}
    more = "".join(f"{value} AS {name}, " for name, value in said.items())
    sql = orders_spec(world).sql.replace(
        "o.coupon, ",
        f"{more} 'EUR' AS currency, 'express' AS delivery_method, "
        "dense_rank() OVER (PARTITION BY o.user_id ORDER BY o.ordered_at) > 1 AS repeat, ",
    )

    sync_orders(world, sql=sql)

    said |= {"currency": "EUR", "delivery_method": "express"}
    assert [
        {"order_id": "A-1", "repeat": False, **said},
        {"order_id": "A-2", "repeat": True, **said},
    ] == [found["dataFields"] for found in purchases(world)]


def test_orders_of_a_person_go_in_the_order_of_their_times(world: World) -> None:
    """One after the other, whatever the order of the keys and the number of threads."""
    with_people(world)
    orders = [order(n, f"u{n % 2}", day=20 - n) for n in range(12)]
    put_orders(world, orders)

    client = world.connect()
    sync_orders(world, client=client, threads=4)

    for who in ("u0", "u1"):
        times = [b["createdAt"] for b in client.bodies if b["user"]["userId"] == who]
        assert (6, sorted(times)) == (len(times), times)


def test_wrong_rows_are_rejected_and_wait(world: World) -> None:
    with_people(world)
    bad = ("A-3", 2, "P2", None, 2.5, 1, None)
    put_orders(world, [order(1), order(2, total=None), order(3)], [line("A-3", 1), bad])

    report = sync_orders(world)

    assert (1, {"missing_total": 1, "invalid_items": 1}) == (
        report.accepted,
        report.rejected_by_reason,
    )
    assert {("A-2", "", "missing_total"), ("A-3", "", "invalid_items")} == world.rejections()
    assert 0 == sync_orders(world).requests
    put_orders(world, [order(1), order(2), order(3)], [line("A-3", 1)])
    assert 2 == sync_orders(world).accepted
    assert set() == world.rejections()


def test_total_that_went_is_no_old_total(world: World) -> None:
    """A NULL is what the warehouse says now; what was sent before is not sent in its stead."""
    with_people(world)
    put_orders(world, [order(1, coupon="X", campaign_id=5)])
    sync_orders(world)
    put_orders(world, [order(1, total=None)])
    assert {"missing_total": 1} == sync_orders(world).rejected_by_reason

    put_orders(world, [order(1)])
    sync_orders(world)

    assert expected_purchases([order(1)], []) == purchases(world)


def test_first_run_of_all_history_is_held_and_says_how_long_it_takes(world: World) -> None:
    with_people(world)
    put_orders(world, [order(n) for n in range(250)])

    report = sync_orders(world, first_sync=None, requests_per_s=None)

    assert (RunEnd.HELD, 250, 0) == (report.end, report.held, report.requests)
    (note,) = (one for one in report.notes if "first_sync" in one)
    assert "a first run would send 250 rows, 0 are allowed" in note
    assert "first_sync='all'" in note
    assert "since=" in note
    assert "13 seconds at the rate of this sync" in note
    assert [] == purchases(world)
    assert 250 == sync_orders(world).accepted


def test_orders_before_the_time_are_left_alone(world: World) -> None:
    """Also those that were sent before the time was moved: they are not taken for gone."""
    with_people(world)
    orders = [order(n, day=n) for n in range(1, 7)]
    put_orders(world, orders)

    def since(day: int, **more: Any) -> Any:
        moment = f"2026-03-{day:02}T00:00:00Z"
        return sync_orders(world, since=moment, first_sync=None, **more)

    first = since(3)
    assert (4, 4) == (first.queried, first.accepted)
    later = since(5)
    assert (2, 0, 0) == (later.queried, later.removed, later.requests)
    earlier = since(1)
    assert (6, 2) == (earlier.queried, earlier.accepted)
    assert {f"A-{n}" for n in range(1, 7)} == world.acknowledged(sync="orders").keys()
    assert expected_purchases(orders, []) == purchases(world)


def test_first_run_takes_all_for_sent_where_it_is_told_to(world: World) -> None:
    """Another tool has sent them; only what changes from now on goes."""
    with_people(world)
    put_orders(world, [order(1), order(2)], [line("A-1", 1)])
    assert (2, 0) == ((report := sync_orders(world, first_sync="seed")).seeded, report.requests)

    put_orders(world, [order(1), order(2), order(3)], [line("A-1", 1, quantity=2)])
    sync_orders(world, first_sync=None)

    assert expected_purchases([order(1), order(3)], [line("A-1", 1, quantity=2)]) == (
        purchases(world)
    )


def test_orders_that_iterable_has_are_named_by_a_query(world: World) -> None:
    """With their lines, so that those that changed since are sent."""
    with_people(world)
    orders = [order(1), order(2), order(3)]
    lines = [line("A-1", 1), line("A-2", 2), line("A-2", 3)]
    put_orders(world, orders, lines)
    told = orders_spec(world).sql + " WHERE o.order_id < 'A-3' AND COALESCE(line_no, 0) < 3"

    report = sync_orders(world, seed_sql=told)

    assert (RunEnd.CLEAN, 2, 1) == (report.end, report.accepted, report.unchanged)
    assert expected_purchases(orders[1:], lines) == purchases(world)


def test_order_waits_for_its_person(world: World) -> None:
    """In a project by e-mail, where a purchase would make a person of an unknown address."""
    with_people(world, EMAIL)
    world.put(("u1", "u1@example.com", "Bern", 1), columns=USERS)
    world.sync()
    put_orders(world, [order(1), order(2, "u2")])

    report = sync_orders(world, requires="users")

    assert (1, {"waiting_for_user": 1}) == (report.accepted, report.held_by_guard)
    assert ["A-1"] == [one["id"] for one in purchases(world)]


def test_dry_run_says_how_many_requests_and_sends_none(world: World) -> None:
    with_people(world)
    put_orders(world, [order(n) for n in range(40)])

    report = sync_orders(world, dry_run=True, requests_per_s=None)

    assert (40, 2.0) == (report.requests, report.seconds["sending, at the limit"])
    assert [] == purchases(world)


@pytest.mark.failure("H5", "O3")
@pytest.mark.capability("A22")
def test_replay_after_a_lost_answer_makes_no_second_purchase(world: World) -> None:
    with_people(world)
    put_orders(world, [order(1), order(2)], [line("A-1", 1)])
    rule = {"kind": "reset", "at": "answer", "endpoint": f"{OBJECT.path}*", "times": 1}
    world.server.app_state.fail([rule])

    assert 3 == sync_orders(world).requests
    assert 2 == sync_orders(world, full_resync=True).requests

    assert expected_purchases([order(1), order(2)], [line("A-1", 1)]) == purchases(world)


def test_refusal_of_iterable_costs_the_order_it_is_about(world: World) -> None:
    with_people(world)
    put_orders(world, [order(1), order(2), order(3)])
    refusal = {"status": 409, "body": {"code": "Conflict", "msg": "m", "params": None}}
    world.answer_next(refusal, path=OBJECT.path)

    report = sync_orders(world, threads=1)

    assert (2, {"conflict": 1}) == (report.accepted, report.rejected_by_reason)
    assert 2 == len(purchases(world))


def test_wrong_type_of_a_field_costs_its_order_and_no_other(world: World) -> None:
    """Also where the field is the person's, and Iterable holds it with another type."""
    with_people(world)
    world.put(("u9", "u9@example.com", "Bern", 1), columns=USERS)
    world.sync()
    put_orders(world, [order(1, coupon="5 points"), order(2)])
    sql = orders_spec(world).sql.replace("o.coupon", "o.coupon AS user__points")

    report = sync_orders(world, sql=sql)

    assert (1, {"wrong_type": 1}) == (report.accepted, report.rejected_by_reason)
    assert ["A-2"] == [one["id"] for one in purchases(world)]


@pytest.mark.parametrize(("more", "goes"), [(-1, True), (0, True), (1, False)])
def test_order_beyond_the_size_of_a_request_is_rejected(
    world: World, more: int, goes: bool
) -> None:
    with_people(world)
    put_orders(world, [order(1, coupon="x"), order(2)])
    sync_orders(world)
    size = len(json.dumps(world.client.bodies[0], separators=(",", ":")))  # type: ignore[union-attr]
    put_orders(world, [order(1, coupon="x" * (1 + 2_000 - size + more)), order(2)])

    report = sync_orders(world, batch_bytes=2_000)

    assert goes == (report.accepted == 1)
    assert ({} if goes else {"too_large": 1}) == report.rejected_by_reason


@pytest.mark.capability("A26")
def test_model_without_a_total_is_an_error(world: World) -> None:
    with_people(world)
    sql = f"SELECT order_id, user_id, ordered_at AS created_at FROM {world.prefix}orders"

    with pytest.raises(ConfigError, match="orders need a column 'total'"):
        world.sync(orders_spec(world, sql=sql))
