"""
Delete, forget and unforget people, as ``sql/models/gdpr_requests.sql`` asks for.

None of it can be undone. Therefore the first run sends nothing: it is held, its log says which
requests it would make, and a person lets them go with the DAG of ``iterable_approval.py``. Later
runs make the new requests, unless they are unusually many (``guards``).

Iterable takes 1,000 requests to forget or unforget in 24 hours. What is beyond them waits for a
later run of this DAG, and the task succeeds. Try it with ``dry_run``, or in a project for tests.

It goes before the syncs of people: who was deleted is sent anew by them where the model still has
the person, who was forgotten is left out of all of them.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableDeletionsOperator

with DAG(
    dag_id="iterable_deletions",
    description="People who are to be deleted or forgotten, from the warehouse to Iterable",
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
    IterableDeletionsOperator(
        task_id="sync_deletions",
        sql="models/gdpr_requests.sql",
        key="request_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        # Requests beyond this share of the people that the project's syncs know wait for a person.
        guards={"max_removed": 0.02},
        options={"dry_run": "{{ params.dry_run }}"},
    )
