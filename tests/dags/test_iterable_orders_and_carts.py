"""The example DAGs of orders and carts: a shop with both, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom
from iterable_sync.sandbox.dump import whole
from models.model_world import TABLES

if TYPE_CHECKING:
    from dags.shops import Shop

DAGS = Path(__file__).parents[2] / "dags"
NAMES = ("orders", "order_items", "carts", "cart_items")
ROWS = """
    INSERT INTO carts BY NAME SELECT user_id, user_id || '@example.com' AS email
        FROM (VALUES ('u1'), ('u2')) AS c (user_id);
    INSERT INTO cart_items BY NAME SELECT 'u1' AS user_id, '00501' AS product_id,
        'Trowel' AS name, 12.50 AS price, 2 AS quantity, '/t' AS url;
"""


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Give a shop with a full cart, an empty one, and an order from before the first to send."""
    for name in NAMES:
        columns = ", ".join(f"{column} {kind}" for column, kind in TABLES[name].items())
        shop.sql(f"CREATE TABLE {name} ({columns})")
    shop.sql(ROWS)
    buy(shop, "old", "2025-12-31")
    return shop


def buy(shop: Shop, name: str, day: str) -> None:
    shop.sql(
        f"INSERT INTO orders BY NAME SELECT '{name}' AS order_id, 'u1' AS user_id, "
        f"'{day} 08:00:00+00' AS ordered_at, 14.45 AS total, FALSE AS is_refunded; "
        f"INSERT INTO order_items BY NAME SELECT '{name}' AS order_id, line_no, product_id, "
        "title AS name, category, price, 1 AS quantity FROM (VALUES "
        "(2, '10606', 'Kite', 'toys', 1.95), (1, '00501', 'Trowel', 'garden', 12.50)"
        ") AS i (line_no, product_id, title, category, price)"
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
