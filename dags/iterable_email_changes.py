"""
Let Iterable follow who has another e-mail address now, and then keep the users up to date.

``sync_email_changes`` reads ``sql/models/email_changes.sql`` and moves each profile to its new
address. ``sync_users`` runs after it: it holds the rows of people whose address differs from that
which Iterable has, since to send them would make a second profile; once the address was changed
they go by themselves. Where no table says who has changed the address, it is worked out: see
``users_sync`` of the operator.

A change cannot be taken back. So ``since`` says from when on changes are made; without it a first
run is held as a whole, and ``dry_run`` says what it would do.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import IterableEmailChangesOperator, IterableUsersOperator

with DAG(
    dag_id="iterable_email_changes",
    description="New e-mail addresses, and then users, from the warehouse to Iterable",
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
    changes = IterableEmailChangesOperator(
        task_id="sync_email_changes",
        sql="models/email_changes.sql",
        key=["user_id", "changed_at"],
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={
            # From when on Iterable is to follow.
            "since": "2026-01-01T00:00:00Z",
            # What is done where somebody has the new address already: fail, merge or leave.
            "on_target_exists": "fail",
            "dry_run": "{{ params.dry_run }}",
        },
    )
    users = IterableUsersOperator(
        task_id="sync_users",
        sql="models/users.sql",
        key="user_id",
        # One sync, whichever DAG runs it: that of iterable_users.py.
        sync="iterable_users.sync_users",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        options={"dry_run": "{{ params.dry_run }}"},
    )
    changes >> users
