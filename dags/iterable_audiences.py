"""
Keep memberships in audiences in Iterable as ``sql/models/audience_memberships.sql`` says.

Two tasks send the same memberships in two styles: ``audience_fields`` sets a field of the person
for each audience, true for members and false for those who left; ``audience_events`` sends an event
to whoever enters or leaves, which can start a journey. A third style keeps static lists.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableAudiencesOperator

with DAG(
    dag_id="iterable_audiences",
    description="Who entered and who left an audience, from the warehouse to Iterable",
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
    fields = IterableAudiencesOperator(
        task_id="audience_fields",
        style="trait",
        sql="models/audience_memberships.sql",
        key=["user_id", "audience"],
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={"dry_run": "{{ params.dry_run }}"},
    )
    events = IterableAudiencesOperator(
        task_id="audience_events",
        style="event",
        sql="models/audience_memberships.sql",
        key=["user_id", "audience"],
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={"dry_run": "{{ params.dry_run }}"},
    )
    # Whoever an event starts a journey for has the field by then.
    fields >> events
