"""
Send orders to Iterable as purchases, as ``sql/models/orders.sql`` says, and again when they change.

An order is one request, so ``since`` says where the history begins that Iterable is to have; a
first run of all of it is held until somebody says ``first_sync="all"``.

A purchase empties the person's cart in Iterable. ``iterable_carts.py`` runs after this one and
sends the carts of those who bought something again.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableOrdersOperator

with DAG(
    dag_id="iterable_orders",
    description="New and changed orders from the warehouse to Iterable",
    schedule="5 * * * *",
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
    IterableOrdersOperator(
        task_id="sync_orders",
        sql="models/orders.sql",
        key="order_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={
            # Where the history begins that Iterable is to have.
            "since": "2026-01-01T00:00:00Z",
            "line_key": "items__lineNo",
            "dry_run": "{{ params.dry_run }}",
        },
    )
