"""
Send page views to Iterable as custom events, each once, as ``sql/models/events.sql`` says.

The model may return all views that there ever were: a run asks for those of the last two days
before the newest one that it has seen (``look_back_s``), and for older ones that Iterable has not
taken yet. Clearing old runs sends nothing again.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableEventsOperator

with DAG(
    dag_id="iterable_events",
    description="New page views from the warehouse to Iterable",
    schedule="@hourly",
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
    IterableEventsOperator(
        task_id="sync_page_views",
        sql="models/events.sql",
        key="view_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={
            # Where the history begins that Iterable is to have.
            "since": "2026-01-01T00:00:00Z",
            # How late a view may come into the table and still be found.
            "look_back_s": timedelta(days=2),
            "dry_run": "{{ params.dry_run }}",
        },
    )
