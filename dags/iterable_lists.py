"""
Keep a static list in Iterable the mirror of ``sql/models/list_members.sql``.

The list is created if Iterable has none of its name; its id is kept in the state, so that somebody
may rename it there. Who is in it already, on the first run, and is not in the model is taken out,
unless these are too many (``guards``): then the run is held until a person has looked.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableListsOperator

with DAG(
    dag_id="iterable_lists",
    description="Who came into a list and who left it, from the warehouse to Iterable",
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
    IterableListsOperator(
        task_id="sync_vip_list",
        sql="models/list_members.sql",
        key="user_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={
            "list_name": "VIP customers",
            "adopt_list": True,
            "dry_run": "{{ params.dry_run }}",
        },
    )
