"""What people buy, read and own in the demo shop: what stays, what comes and what goes."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import shop
from demo.shop_rows import (
    CART_ITEMS,
    CARTS,
    ORDER_ITEMS,
    ORDERS,
    PAGE_VIEWS,
    PRODUCT_SUBSCRIPTIONS,
    PRODUCTS,
    RENEWALS,
    REVIEWS,
    SHIPMENT_ITEMS,
    SHIPMENTS,
    USERS,
    VOUCHERS,
    Row,
    rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shops() -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """Make the shop of 2,000 users as it is on each of three days."""
    with ExitStack() as opened:
        made = [opened.enter_context(duckdb.connect()) for _ in range(3)]
        for day, connection in enumerate(made, start=1):
            shop.create_shop(connection, "duckdb", 2000, day)
        yield made


def days_of(shops: list[duckdb.DuckDBPyConnection], sql: str) -> list[list[Row]]:
    """Give the rows of a table on each day."""
    return [rows(connection, sql) for connection in shops]


def by(name: str, of_a_day: list[Row]) -> dict[Any, Row]:
    return {row[name]: row for row in of_a_day}


def test_orders_stay_and_some_are_refunded(shops: list[duckdb.DuckDBPyConnection]) -> None:
    """Each day has new ones, of all kinds; what changes is a refund, of all that was paid."""
    days = [by("order_id", of) for of in days_of(shops, ORDERS)]

    for number, (before, after) in enumerate(pairwise(days), start=2):
        new = [after[key] for key in after.keys() - before.keys()]
        changed = [key for key in before if before[key]["total"] != after[key]["total"]]
        assert before.keys() < after.keys()
        assert {"S": 40, "C": 9} == {kind: count_of(new, kind) for kind in "SC"}
        assert {False, True} == {row["is_rebill"] for row in new if row["subscription_id"]}
        assert {f"2026-01-{number:02}"} == {row["ordered_at"][:10] for row in new}
        assert changed
        assert all(
            (0, before[key]["total"], True)
            == (after[key]["total"], after[key]["refunded_amount"], after[key]["is_refunded"])
            for key in changed
        )
    history = [row for row in days[0].values() if row["order_id"].startswith("H")]
    assert 900 == len(history)
    assert all("2025-10" < row["ordered_at"] < "2026" for row in history)
    (sums,) = (
        shops[-1]
        .execute(
            "SELECT count(*) FROM orders o WHERE total + refunded_amount <> "
            "(SELECT sum(price * quantity) FROM order_items i WHERE i.order_id = o.order_id)"
        )
        .fetchone()
    )
    assert sums == 0


def count_of(orders: list[Row], kind: str) -> int:
    return sum(row["order_id"].startswith(kind) for row in orders)


def test_what_has_led_to_an_order_is_known_of_some(shops: list[duckdb.DuckDBPyConnection]) -> None:
    """The link, the message, or nothing; all orders have addresses, some of them two."""
    orders = rows(shops[0], ORDERS)

    for name in ("utm", "campaign_id", "template_id", "message_id", "cart_id", "subscription_id"):
        assert {True, False} == {row[name] is None for row in orders}, name
    assert {True, False} == {row["billing_address"] == row["shipping_address"] for row in orders}
    assert {"EUR", "USD"} == {row["currency"] for row in orders}
    assert all(row["campaign_id"] and row["utm"] for row in orders if row["cart_id"])


def test_carts_stand_still_until_they_are_ordered_or_left(
    shops: list[duckdb.DuckDBPyConnection],
) -> None:
    """A version has one time; some become an order of the next day, with just what was in them."""
    carts = [by("cart_id", of) for of in days_of(shops, CARTS)]
    lines = days_of(shops, CART_ITEMS)
    orders = [by("cart_id", [row for row in of if row["cart_id"]]) for of in days_of(shops, ORDERS)]
    bought = rows(shops[-1], ORDER_ITEMS)

    for number, (before, after) in enumerate(pairwise(carts), start=2):
        assert after.keys() - before.keys()
        stayed = before.keys() & after.keys()
        assert stayed
        assert [before[key]["updated_at"] for key in stayed] == [
            after[key]["updated_at"] for key in stayed
        ]
        begun = [
            key for key in before if str(before[key]["updated_at"])[8:10] == f"{number - 1:02}"
        ]
        ordered = [key for key in begun if key in orders[number - 1]]
        assert 9 == len(ordered) < len(begun)
        assert not after.keys() & orders[number - 1].keys()
        for key in ordered:
            of = orders[number - 1][key]
            held = [row for row in lines[number - 2] if row["user_id"] == of["user_id"]]
            assert before[key]["updated_at"] < of["ordered_at"]
            assert contents(held) == contents(
                [row for row in bought if row["order_id"] == of["order_id"]]
            )
    assert {row["user_id"] for row in lines[-1]} < {row["user_id"] for row in carts[-1].values()}


def contents(lines: list[Row]) -> list[tuple[Any, ...]]:
    return sorted((row["product_id"], row["price"], row["quantity"]) for row in lines)


def test_orders_are_shipped_and_then_delivered(shops: list[duckdb.DuckDBPyConnection]) -> None:
    """A day after the order, and two days later, each day some; a refunded one is not."""
    days = [by("order_id", of) for of in days_of(shops, SHIPMENTS)]
    orders = by("order_id", rows(shops[-1], ORDERS))

    for before, after in pairwise(days):
        assert before.keys() < after.keys()
        delivered = [key for key in before if before[key]["delivered_at"] is None]
        assert any(after[key]["delivered_at"] for key in delivered)
        assert {"delivered_at", "email"} >= {
            name for key in before for name in before[key] if before[key][name] != after[key][name]
        }
    last = days[-1]
    assert not [key for key in last if orders[key]["is_refunded"]]
    assert all(row["shipped_at"] > orders[key]["ordered_at"] for key, row in last.items())
    assert all(
        row["delivered_at"] > row["shipped_at"] for row in last.values() if row["delivered_at"]
    )
    assert {True, False} == {"," in row["tracking_numbers"] for row in last.values()}
    assert {True, False} == {row["is_rebill"] for row in last.values()}
    assert {row["shipment_id"] for row in last.values()} == {
        row["shipment_id"] for row in rows(shops[-1], SHIPMENT_ITEMS)
    }


def test_some_products_are_reviewed_once_they_have_arrived(
    shops: list[duckdb.DuckDBPyConnection],
) -> None:
    """Each day some more, of people who have bought them; most are not."""
    days = [{(r["user_id"], r["product_id"]) for r in of} for of in days_of(shops, REVIEWS)]
    bought = {(row["user_id"], row["product_id"]) for row in rows(shops[-1], ORDER_ITEMS)}

    assert days[0] < days[1] < days[2] < bought
    assert len(days[2]) < len(bought) / 2


def test_subscriptions_start_renew_and_end(shops: list[duckdb.DuckDBPyConnection]) -> None:
    """Each day some of each; a renewal is an order, and what has ended has no next one."""
    days = [by("subscription_id", of) for of in days_of(shops, PRODUCT_SUBSCRIPTIONS)]
    orders = by("order_id", rows(shops[-1], ORDERS))
    renewals = rows(shops[-1], RENEWALS)

    for before, after in pairwise(days):
        assert after.keys() - before.keys()
        kept = before.keys() & after.keys()
        assert any(before[key]["renewed_at"] != after[key]["renewed_at"] for key in kept)
        assert any(before[key]["status"] != after[key]["status"] for key in kept)
    last = days[-1]
    assert {"active", "paused", "cancelled"} == {row["status"] for row in last.values()}
    assert all(
        (row["status"] == "active", row["status"] == "cancelled")
        == (row["next_renewal_at"] is not None, row["cancelled_at"] is not None)
        for row in last.values()
    )
    assert all(
        (row["subscription_id"], row["renewed_at"], True)
        == (orders[key]["subscription_id"], orders[key]["ordered_at"], orders[key]["is_rebill"])
        for row in renewals
        for key in [row["order_id"]]
    )
    newest = {
        row["subscription_id"]: row["renewed_at"]
        for row in sorted(renewals, key=lambda row: row["renewed_at"])
    }
    assert newest == {key: row["renewed_at"] for key, row in last.items() if row["renewed_at"]}


def test_vouchers_are_of_new_people_and_of_old_ones(shops: list[duckdb.DuckDBPyConnection]) -> None:
    """Each day has new codes of both kinds, and no code is somebody else's or changes."""
    days = [{(row["user_id"], row["alias"]): row for row in of} for of in days_of(shops, VOUCHERS)]

    for before, after in pairwise(days):
        new = after.keys() - before.keys()
        assert {"welcome_codes", "referral"} == {alias for _, alias in new}
        assert all(
            before[key]["code"] == after[key]["code"] for key in before.keys() & after.keys()
        )
    codes = [row["code"] for row in days[-1].values()]
    assert len(codes) == len(set(codes))
    assert {("welcome_codes", "voucher"), ("referral", "referral")} == {
        (row["alias"], row["kind"]) for row in days[-1].values()
    }


def test_page_views_stay_as_they_are_and_each_day_has_new_ones(
    shops: list[duckdb.DuckDBPyConnection],
):
    """But for those of customers who leave: they are in no table of the shop."""
    days = [by("view_id", of) for of in days_of(shops, PAGE_VIEWS)]
    people = [by("user_id", of).keys() for of in days_of(shops, USERS)]

    for number, ((before, after), here) in enumerate(
        zip(pairwise(days), people[1:], strict=True), start=2
    ):
        new = [after[view] for view in after.keys() - before.keys()]
        assert len(new) > 200
        assert {f"2026-01-{number:02}"} == {row["viewed_at"][:10] for row in new}
        assert {row["user_id"] for row in after.values()} <= here
        assert {view for view in before if before[view]["user_id"] in here} <= after.keys()
        unlike = {view for view in before.keys() & after.keys() if before[view] != after[view]}
        assert {"email"} >= {
            name
            for view in unlike
            for name in before[view]
            if before[view][name] != after[view][name]
        }
    views = days[-1].values()
    assert len({row["url"] for row in views}) == len({row["title"] for row in views}) == 14
    assert 7 == len({row["product_id"] for row in views if row["product_id"]})
    for name in ("campaign_id", "referrer", "utm", "product_id"):
        assert {True, False} == {row[name] is None for row in views}


def test_products_change_a_little_and_their_sizes_every_week(duck: duckdb.DuckDBPyConnection):
    """What was ordered is sold; keys are there once, and most of them are no ids of Iterable."""
    days = []
    for day in (1, 2, 6, 7):
        shop.create_shop(duck, "duckdb", 200, day)
        days.append({row["product_id"]: row for row in rows(duck, PRODUCTS)})
        ordered = {row["product_id"] for row in rows(duck, ORDER_ITEMS)}
        assert 28 == len(days[-1]) == len(rows(duck, PRODUCTS))
        assert ordered <= days[-1].keys()
        assert 21 == sum("/" in key for key in days[-1])
    first, second, sixth, seventh = days

    unlike = {name for key in first for name in first[key] if first[key][name] != second[key][name]}
    assert {"sale_price", "is_in_stock"} == unlike
    assert first.keys() == sixth.keys()
    assert 7 == len(sixth.keys() & seventh.keys())
