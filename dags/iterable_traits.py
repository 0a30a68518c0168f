"""
Keep users in Iterable, and then what the warehouse has worked out about them.

``sync_traits`` writes ``sql/models/traits.sql``, a row for each trait of each person, into fields
of the profiles that ``sync_users`` makes. Iterable applies what it took some time later; ``settle``
waits for as long as is left of a minute, in the triggerer, and not at all where nobody was sent.

The order of all that is about people: users, traits and audiences, lists, orders, carts, events.

Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from iterable_sync import IterableSettleSensor, IterableTraitsOperator, IterableUsersOperator

# One sync, whichever DAG runs it: that of iterable_users.py.
USERS = "iterable_users.sync_users"

with DAG(
    dag_id="iterable_traits",
    description="Users and their computed traits from the warehouse to Iterable",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    users = IterableUsersOperator(
        task_id="sync_users",
        sql="models/users.sql",
        key="user_id",
        sync=USERS,
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
    )
    settle = IterableSettleSensor(
        task_id="settle",
        sync=USERS,
        settle=60,
        deferrable=True,
        iterable_conn_id="iterable_default",
        state_conn_id="state",
    )
    traits = IterableTraitsOperator(
        task_id="sync_traits",
        sql="models/traits.sql",
        key="user_id",
        warehouse_conn_id="warehouse",
        iterable_conn_id="iterable_default",
        state_conn_id="state",
        fields={
            "Average Order Points": {"type": "long"},
            "Reachable By SMS": {"type": "boolean"},
        },
        options={
            "trait": "trait",
            # In an email-based project, whoever Iterable did not take waits here, and nobody else.
            "requires": USERS,
        },
    )
    users >> settle >> traits
