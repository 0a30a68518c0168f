"""
Tell Iterable who said yes and who said no to a message type, by ``sql/models/subscriptions.sql``.

Who says no comes first: all opt-outs are answered before the first opt-in is sent, and no guard on
changes holds them. All other subscriptions of a person stay as they are.

Run it after ``iterable_users.py``: to unsubscribe somebody whom Iterable does not know has no
effect there. Iterable's support has to enable subscriptions by API for the project; until then the
task fails, and says so.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableSubscriptionsOperator

with DAG(
    dag_id="iterable_subscriptions",
    description="Who opted out and who opted in, from the warehouse to Iterable",
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
    IterableSubscriptionsOperator(
        task_id="sync_subscriptions",
        sql="models/subscriptions.sql",
        key=("user_id", "subscription_group", "group_id"),
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={"dry_run": "{{ params.dry_run }}"},
    )
