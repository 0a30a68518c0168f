"""The example DAGs of orders and carts: a shop with both, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from dags.shops import Shop

DAGS = Path(__file__).parents[2] / "dags"
TABLES = """
    CREATE TABLE orders (order_id VARCHAR, user_id VARCHAR, email VARCHAR, ordered_at TIMESTAMPTZ,
        total DECIMAL(12, 2), campaign_id BIGINT, coupon VARCHAR, is_refunded BOOLEAN);
    CREATE TABLE order_items (order_id VARCHAR, line_no INTEGER, product_id VARCHAR, name VARCHAR,
        category VARCHAR, price DECIMAL(12, 2), quantity INTEGER);
    CREATE TABLE carts (user_id VARCHAR, email VARCHAR);
    CREATE TABLE cart_items (user_id VARCHAR, product_id VARCHAR, name VARCHAR,
        price DECIMAL(12, 2), quantity INTEGER, url VARCHAR);
    INSERT INTO carts VALUES ('u1', 'u1@example.com'), ('u2', 'u2@example.com');
    INSERT INTO cart_items VALUES ('u1', '00501', 'Trowel', 12.50, 2, '/t');
"""


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Give a shop with a full cart, an empty one, and an order from before the first to send."""
    shop.sql(TABLES)
    buy(shop, "old", "2025-12-31")
    return shop


def buy(shop: Shop, name: str, day: str) -> None:
    shop.sql(
        f"INSERT INTO orders VALUES ('{name}', 'u1', NULL, '{day} 08:00:00+00', 14.45, NULL, NULL,"
        f" FALSE); INSERT INTO order_items VALUES ('{name}', 2, '10606', 'Kite', 'toys', 1.95, 1),"
        f" ('{name}', 1, '00501', 'Trowel', 'garden', 12.50, 1)"
    )


def run(what: str, day: int, **conf: Any) -> Any:
    dag = load_dag(DAGS / f"iterable_{what}.py")
    # A failure is to be seen, and not to be waited for.
    dag.get_task(f"sync_{what}").retries = 0
    logical_date = datetime(2026, 3, day, tzinfo=UTC)
    done = run_dag(dag, logical_date=logical_date, run_conf=conf or None)
    assert done.state == "success"
    return xcom(done, f"sync_{what}")


def purchases(shop: Shop) -> dict[str, list[str]]:
    """Give the orders that Iterable has: id -> products, in their order."""
    return {
        row["id"]: [item["id"] for item in row["shoppingCartItems"]]
        for row in whole(shop.sandbox.app_state)["purchases"]
    }


def cart(shop: Shop, who: str) -> list[tuple[str, int]]:
    user = shop.in_iterable(who)
    assert user is not None
    return [(item["id"], item["quantity"]) for item in user["dataFields"]["shoppingCartItems"]]


def test_carts_follow_orders(shop: Shop) -> None:
    """A purchase empties the cart in Iterable, and the next run of carts fills it again."""
    assert run("carts", 2)["accepted"] == 2
    buy(shop, "A-1", "2026-02-01")
    assert run("orders", 2)["accepted"] == 1
    assert ([], {"A-1": ["00501", "10606"]}) == (cart(shop, "u1"), purchases(shop))

    again = run("carts", 3)

    assert (1, [("00501", 2)], []) == (again["requests"], cart(shop, "u1"), cart(shop, "u2"))


def test_a_dry_run_sends_nothing(shop: Shop) -> None:
    buy(shop, "A-1", "2026-02-01")

    assert (1, 2) == (
        run("orders", 2, dry_run=True)["requests"],
        run("carts", 2, dry_run=True)["requests"],
    )
    assert {} == purchases(shop)
