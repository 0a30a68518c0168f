"""
Keep the carts in Iterable as ``sql/models/carts.sql`` says: an emptied cart is emptied there too.

Runs some minutes after ``iterable_orders.py``, since a purchase empties the person's cart in
Iterable: the carts of those who bought something are sent again, changed or not. Where the
warehouse has events of the cart and no carts, the model is ``sql/models/carts_from_events.sql``.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableCartsOperator

with DAG(
    dag_id="iterable_carts",
    description="Carts from the warehouse to Iterable",
    schedule="15 * * * *",
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
    IterableCartsOperator(
        task_id="sync_carts",
        sql="models/carts.sql",
        key="user_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        # Carts come and go, more of them than people do.
        guards={"max_removed": 0.5, "max_changed": 0.9},
        options={"dry_run": "{{ params.dry_run }}"},
    )
