"""The example DAG of a catalog: the products of the demo shop, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from airflow_dags import load_dag, run_dag, xcom
from iterable_sync.item_ids import item_id

if TYPE_CHECKING:
    from dags.shops import Shop

ROOT = Path(__file__).parents[2]
TASK = "sync_products"

pytestmark = pytest.mark.all


def run(day: int, **conf: Any) -> Any:
    dag = load_dag(ROOT / "dags" / "iterable_catalog.py")
    # A failure is to be seen, and not to be waited for.
    dag.get_task(TASK).retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)


def sell(shop: Shop, day: int) -> None:
    """Let the warehouse have the products of a day of the demo shop."""
    sql = (ROOT / "sql" / "demo" / "products.sql").read_text(encoding="utf-8")
    shop.sql(f"CREATE OR REPLACE TABLE products AS {sql.replace('{{ params.day }}', str(day))}")


def wanted(shop: Shop) -> dict[str, dict[str, Any]]:
    """Give what the catalog has to have, as the table says; a NULL is no value."""
    with duckdb.connect(str(shop.file)) as connection:
        rows = connection.execute(
            "SELECT product_id, name, category, price, sale_price, is_in_stock, width_cm, "
            "height_cm, image, strftime(timezone('UTC', listed_at), '%Y-%m-%d %H:%M:%S +00:00') "
            "FROM products"
        ).fetchall()
    return {
        item_id(key): {
            "sku": key,
            "name": name,
            "category": category,
            "price": float(price),
            **({"sale_price": float(sale)} if sale is not None else {}),
            "is_in_stock": in_stock,
            "size": {"width": width, "height": height},
            "image_url": f"{image}?w=1200",
            "listed_at": listed_at,
        }
        for key, name, category, price, sale, in_stock, width, height, image, listed_at in rows
    }


def items(shop: Shop) -> dict[str, dict[str, Any]]:
    """Give what the catalog has, but for nulls."""
    with shop.sandbox.app_state.lock:
        (catalog,) = shop.sandbox.app_state.catalogs
    return {
        name: {field: value for field, value in (item.value or {}).items() if value is not None}
        for name, item in catalog.items.items()
    }


def test_catalog_is_created_and_follows_the_warehouse(shop: Shop) -> None:
    """Prices change, products leave, and what is sent is what changed."""
    for day in (1, 2, 8):
        sell(shop, day)
        done = run(day)

        assert "success" == done.state
        assert wanted(shop) == items(shop)
    counts = xcom(done, TASK)
    assert (21, 4, 21) == (counts["added"], counts["changed"], counts["removed_accepted"])


def test_a_dry_run_creates_no_catalog(shop: Shop) -> None:
    sell(shop, 1)
    done = run(2, dry_run=True)

    assert 28 == xcom(done, TASK)["added"]
    assert 0 == len(shop.sandbox.app_state.catalogs)
