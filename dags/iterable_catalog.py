"""
Keep the catalog of products in Iterable as ``sql/models/products.sql`` says.

The catalog is created if there is none, and the types of its fields are set from the columns before
the first item. A product that left the query is deleted there; more than a few are held until
somebody has looked (``guards``). Iterable says nothing of single items, so each run reads some of
those that an earlier one sent, and sends again what has not arrived.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableCatalogOperator

with DAG(
    dag_id="iterable_catalog",
    description="Products from the warehouse to a catalog of Iterable",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "dry_run": Param(default=False, type="boolean", description="Count, and send nothing"),
    },
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    IterableCatalogOperator(
        task_id="sync_products",
        sql="models/products.sql",
        key="product_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={
            "catalog": "Products",
            "create_catalog": True,
            "on_remove": "delete",
            "image_size": "large",
            "dry_run": "{{ params.dry_run }}",
        },
    )
