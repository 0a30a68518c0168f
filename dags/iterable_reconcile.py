"""
Look each week whether Iterable shows what it took.

A 2xx of Iterable means that it took a row, not that it applied it; and others may write into the
same fields. Of each sync 2,000 rows are drawn at random and their people read back, which takes
half a minute. What differs is sent again by the next run of the sync, and the log names the fields
with the share of all rows that is likely to differ. More than 1 % fails the task.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableReconcileOperator

SYNCS = {"users": "iterable_users.sync_users", "vip_list": "iterable_lists.sync_vip_list"}

with DAG(
    dag_id="iterable_reconcile",
    description="A sample of what Iterable took is read back",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "mark": Param(default=True, type="boolean", description="Send what differs again"),
    },
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    for name, sync in SYNCS.items():
        IterableReconcileOperator(
            task_id=f"reconcile_{name}",
            sync=sync,
            warehouse_conn_id="warehouse",
            iterable_conn_id="iterable_default",
            state_conn_id="state",
            max_drift=0.01,
            mark="{{ params.mark }}",
        )
