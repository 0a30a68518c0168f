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
SELECT order_id, user_id, email, cart_id, CAST(ordered_at AT TIME ZONE 'UTC' AS text) AS ordered_at,
    total, refunded_amount, is_refunded, profit, currency, coupon, subscription_id, is_rebill,
    CAST(utm AS text) AS utm, campaign_id, template_id, message_id,
    CAST(billing_address AS text) AS billing_address,
    CAST(shipping_address AS text) AS shipping_address
FROM orders ORDER BY order_id
"""
ORDER_ITEMS = """
SELECT order_id, line_no, user_id, CAST(ordered_at AT TIME ZONE 'UTC' AS text) AS ordered_at,
    product_id, name, category, price, quantity, url, image
FROM order_items ORDER BY order_id, line_no
"""
CARTS = """
SELECT cart_id, user_id, email, version, CAST(updated_at AT TIME ZONE 'UTC' AS text) AS updated_at,
    return_url
FROM carts ORDER BY user_id
"""
CART_ITEMS = "SELECT * FROM cart_items ORDER BY user_id, product_id"
PRODUCT_SUBSCRIPTIONS = """
SELECT subscription_id, user_id, email, plan, status, interval_days, price,
    CAST(started_at AT TIME ZONE 'UTC' AS text) AS started_at,
    CAST(renewed_at AT TIME ZONE 'UTC' AS text) AS renewed_at,
    CAST(next_renewal_at AT TIME ZONE 'UTC' AS text) AS next_renewal_at,
    CAST(cancelled_at AT TIME ZONE 'UTC' AS text) AS cancelled_at
FROM product_subscriptions ORDER BY subscription_id
"""
RENEWALS = """
SELECT subscription_id, order_id, CAST(renewed_at AT TIME ZONE 'UTC' AS text) AS renewed_at
FROM product_subscription_renewals ORDER BY order_id
"""
SHIPMENTS = """
SELECT shipment_id, order_id, user_id, email, carrier,
    array_to_string(tracking_numbers, ',') AS tracking_numbers,
    CAST(shipped_at AT TIME ZONE 'UTC' AS text) AS shipped_at,
    CAST(delivered_at AT TIME ZONE 'UTC' AS text) AS delivered_at, is_subscription, is_rebill
FROM shipments ORDER BY shipment_id
"""
SHIPMENT_ITEMS = "SELECT * FROM shipment_items ORDER BY shipment_id, line_no"
REVIEWS = """
SELECT user_id, product_id, CAST(reviewed_at AT TIME ZONE 'UTC' AS text) AS reviewed_at
FROM reviews ORDER BY user_id, product_id
"""
VOUCHERS = """
SELECT user_id, email, campaign, alias, code, kind, marketing_text,
    CAST(assigned_at AT TIME ZONE 'UTC' AS text) AS assigned_at,
    CAST(valid_until AT TIME ZONE 'UTC' AS text) AS valid_until
FROM voucher_assignments ORDER BY user_id, alias
"""
PAGE_VIEWS = """
SELECT view_id, user_id, email, CAST(viewed_at AT TIME ZONE 'UTC' AS text) AS viewed_at,
    campaign_id, url, title, referrer, seconds_on_page, CAST(utm AS text) AS utm, product_id
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
        PRODUCT_SUBSCRIPTIONS,
        RENEWALS,
        SHIPMENTS,
        SHIPMENT_ITEMS,
        REVIEWS,
        VOUCHERS,
        PAGE_VIEWS,
        PRODUCTS,
    ):
        table = sql.split("FROM ")[1].split()[0]
        lines = sorted(repr(row) for row in rows(connection, sql))
        found[table] = (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
    return found


def users_of(connection: Any, *, users: int, day: int) -> dict[str | None, Row]:
    """Make the tables about people, in DuckDB, and give the users by their key."""
    for table in ("shop_diary", "users", "email_changes", "gdpr_requests"):
        sql = shop.render(shop.TABLES[table], users=users, day=day)
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS\n{sql}")
    return {row["user_id"]: row for row in rows(connection, USERS)}
