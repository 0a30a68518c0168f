"""
Keep user profiles in Iterable as ``sql/models/users.sql`` says.

Connections:

* ``warehouse``: where the model is queried; postgres, duckdb or any SQL connection.
* ``iterable_default``: the Iterable project, type iterable.
* ``state``: where it is kept what Iterable has accepted; postgres or duckdb. With a postgres
  warehouse it may be left out (``state_conn_id=None``): state then lives beside the data.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableUsersOperator

with DAG(
    dag_id="iterable_users",
    description="Changed users from the warehouse to Iterable",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "full_resync": Param(
            default=False, type="boolean", description="Send every user, changed or not"
        ),
        "dry_run": Param(default=False, type="boolean", description="Count, and send nothing"),
    },
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    IterableUsersOperator(
        task_id="sync_users",
        sql="models/users.sql",
        key="user_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        full_resync="{{ params.full_resync }}",
        options={"dry_run": "{{ params.dry_run }}"},
        # A DuckDB file is open to one process at a time. Give all tasks that use one a pool with
        # a single slot, by pool="duckdb" and `airflow pools set duckdb 1 "one file"`. With
        # Postgres, the syncs of a project wait for each other by themselves.
    )
