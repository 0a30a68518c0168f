"""
Ask a person before changes go to Iterable that a guard holds.

The first sync delivers what is within the limits of its guards and holds the rest. If something is
held, a person is asked (Browse > Required Actions). On *Approve* the held keys are released, and
the second sync sends exactly them. On *Reject*, or without an answer for a day, they stay held, and
the next run finds the truth anew.

Needs Airflow 3.1 or later with ``apache-airflow-providers-standard``, for its ApprovalOperator;
before Airflow 3.3 also a running triggerer. Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator

from iterable_sync import IterableReleaseOperator, IterableUsersOperator

SYNC = "iterable_approval.users"
CONNECTIONS: dict[str, Any] = {
    "warehouse_conn_id": "warehouse",
    "iterable_conn_id": "iterable_default",
    "state_conn_id": "state",
}
USERS: dict[str, Any] = {
    "sql": "models/users.sql",
    "key": "user_id",
    "sync": SYNC,
    **CONNECTIONS,
}


def is_something_held(ti: Any) -> bool:
    """Say whether a person has to be asked."""
    counts = ti.xcom_pull(task_ids="sync_users")
    return bool(counts["held"] + counts["removed_held"])


with DAG(
    dag_id="iterable_approval",
    description="Users to Iterable; a person approves what a guard holds",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    sync_users = IterableUsersOperator(task_id="sync_users", on_held="succeed", **USERS)
    is_held = ShortCircuitOperator(task_id="is_held", python_callable=is_something_held)
    ask = ApprovalOperator(
        task_id="ask",
        subject="Changes are held back from Iterable",
        body="""
{% set counts = ti.xcom_pull(task_ids='sync_users') %}
| | keys |
|---|---|
| changed or added, held | {{ counts['held'] }} |
| removed, held | {{ counts['removed_held'] }} |
| delivered | {{ counts['accepted'] + counts['removed_accepted'] }} |

The table `held_keys` of the state names them. The log of `sync_users` says which limit they passed.
""",
        response_timeout=timedelta(days=1),
        defaults="Reject",
        retries=0,
    )
    release = IterableReleaseOperator(task_id="release", sync=SYNC, **CONNECTIONS)
    # What came in between meets the guards anew: it fails here, and is asked about the next day.
    send_approved = IterableUsersOperator(task_id="send_approved", **USERS)

    sync_users >> is_held >> ask >> release >> send_approved
