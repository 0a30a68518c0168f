"""The rows of the demo shop, alike on both engines, for the tests of its tables."""

from __future__ import annotations

import hashlib
from typing import Any

import shop

Row = dict[str, Any]

# Engines print instants, lists and JSON differently; everything else is fetched as it is.
USERS = """
SELECT user_id, email, first_name, last_name, phone, locale, time_zone, country, city,
    CAST(address AS text) AS address, birth_date,
    CAST(signed_up_at AT TIME ZONE 'UTC' AS text) AS signed_up_at,
    CAST(last_order_at AT TIME ZONE 'UTC' AS text) AS last_order_at,
    order_count, lifetime_value, average_order_value, loyalty_points, is_vip, plan, score,
    email_opt_in, sms_opt_in,
    coalesce(array_to_string(favourite_categories, ','), '') AS favourite_categories,
    CAST(updated_at AT TIME ZONE 'UTC' AS text) AS updated_at
FROM users ORDER BY email
"""
EMAIL_CHANGES = """
SELECT user_id, old_email, new_email, CAST(changed_at AT TIME ZONE 'UTC' AS text) AS changed_at
FROM email_changes ORDER BY changed_at, user_id
"""
ORDERS = """
SELECT order_id, user_id, email, CAST(ordered_at AT TIME ZONE 'UTC' AS text) AS ordered_at,
    total, is_refunded, coupon, campaign_id
FROM orders ORDER BY order_id
"""
ORDER_ITEMS = """
SELECT order_id, line_no, user_id, CAST(ordered_at AT TIME ZONE 'UTC' AS text) AS ordered_at,
    product_id, name, category, price, quantity
FROM order_items ORDER BY order_id, line_no
"""
CARTS = """
SELECT user_id, email, version, CAST(updated_at AT TIME ZONE 'UTC' AS text) AS updated_at
FROM carts ORDER BY user_id
"""
CART_ITEMS = "SELECT * FROM cart_items ORDER BY user_id, product_id"
PAGE_VIEWS = """
SELECT view_id, user_id, email, CAST(viewed_at AT TIME ZONE 'UTC' AS text) AS viewed_at,
    campaign_id, url, title, referrer, seconds_on_page, CAST(utm AS text) AS utm
FROM page_views ORDER BY view_id
"""
PRODUCTS = """
SELECT product_id, name, category, price, sale_price, is_in_stock, width_cm, height_cm, image,
    CAST(listed_at AT TIME ZONE 'UTC' AS text) AS listed_at
FROM products ORDER BY product_id
"""
GDPR_REQUESTS = """
SELECT request_id, user_id, email, action,
    CAST(requested_at AT TIME ZONE 'UTC' AS text) AS requested_at
FROM gdpr_requests ORDER BY request_id
"""
DIARY = "SELECT day, person, kind, luck FROM shop_diary ORDER BY day, person"


def rows(connection: Any, sql: str) -> list[Row]:
    result = connection.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def digest(connection: Any) -> dict[str, tuple[int, str]]:
    found = {}
    for sql in (
        USERS,
        EMAIL_CHANGES,
        GDPR_REQUESTS,
        DIARY,
        ORDERS,
        ORDER_ITEMS,
        CARTS,
        CART_ITEMS,
        PAGE_VIEWS,
        PRODUCTS,
    ):
        table = sql.split("FROM ")[1].split()[0]
        lines = sorted(repr(row) for row in rows(connection, sql))
        found[table] = (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
    return found


def users_of(connection: Any, *, users: int, day: int) -> dict[str | None, Row]:
    """Make the shop and give its users by their key."""
    shop.create_shop(connection, "duckdb", users, day)
    return {row["user_id"]: row for row in rows(connection, USERS)}
