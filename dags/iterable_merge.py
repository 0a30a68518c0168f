"""
Merge profiles that are one person, as ``sql/models/merges.sql`` asks for.

The profile of the source is deleted, and the values of the destination win; nothing brings it back.
That is why it has to be allowed, why ``since`` says from when on requests are followed, and why a
first run without it is held as a whole. Begin with ``dry_run``, or with a project for tests.

Run it after the sync of users: where Iterable does not know the destination, the source would get
its address and keep a userId of its own. Leave the source out of the models from then on, or it
comes back as somebody new.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableMergeOperator

with DAG(
    dag_id="iterable_merge",
    description="Profiles that are one person, merged in Iterable",
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
    IterableMergeOperator(
        task_id="sync_merges",
        sql="models/merges.sql",
        key="merge_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={
            # The source is deleted.
            "allow_merge": True,
            # From when on requests are followed.
            "since": "2026-01-01T00:00:00Z",
            "dry_run": "{{ params.dry_run }}",
        },
    )
