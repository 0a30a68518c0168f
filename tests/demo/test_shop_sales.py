"""Orders, carts, page views and products of the demo shop: what stays, what comes and what goes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import shop
from demo.shop_rows import (
    CART_ITEMS,
    CARTS,
    ORDER_ITEMS,
    ORDERS,
    PAGE_VIEWS,
    PRODUCTS,
    rows,
    users_of,
)

if TYPE_CHECKING:
    import duckdb


def test_orders_stay_and_carts_come_and_go(duck: duckdb.DuckDBPyConnection):
    """Each day has new orders and refunds of old ones; carts are emptied, vanish and return."""
    totals, carts = [], []
    for day in (1, 2, 3):
        shop.create_shop(duck, "duckdb", 2000, day)
        totals.append({row["order_id"]: row["total"] for row in rows(duck, ORDERS)})
        carts.append({row["user_id"]: row["version"] for row in rows(duck, CARTS)})
    filled = {row["user_id"] for row in rows(duck, CART_ITEMS)}

    assert [40, 80, 120] == [len(of_day) for of_day in totals]
    for before, after in pairwise(totals):
        changed = {number for number in before if before[number] != after[number]}
        assert before.keys() < after.keys()
        assert changed
        assert {0} == {after[number] for number in changed}
    for before, after in pairwise(carts):
        assert before.keys() - after.keys()
        assert after.keys() - before.keys()
        assert any(before[who] != after[who] for who in before.keys() & after.keys())
    assert filled < carts[-1].keys()
    (sums,) = duck.execute(
        "SELECT count(*) FROM orders o WHERE NOT is_refunded AND total <> "
        "(SELECT sum(price * quantity) FROM order_items i WHERE i.order_id = o.order_id)"
    ).fetchone()
    assert sums == 0


def test_page_views_stay_as_they_are_and_each_day_has_new_ones(duck: duckdb.DuckDBPyConnection):
    """But for those of customers who leave: they are in no table of the shop."""
    days, people = [], []
    for day in (1, 2, 3):
        people.append(users_of(duck, users=2000, day=day).keys())
        days.append({row["view_id"]: row for row in rows(duck, PAGE_VIEWS)})

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
    assert len({row["url"] for row in views}) == len({row["title"] for row in views}) == 7
    for name in ("campaign_id", "referrer", "utm"):
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
