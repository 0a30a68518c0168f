"""
Keep all that a shop knows of its customers in Iterable: users, audiences, orders, carts, events.

In this order, since each builds on those before it. A membership, an order, a cart and an event are
about a person, whom ``users`` brings; ``settle`` gives Iterable the time to apply what it took of
them. A purchase empties the person's cart in Iterable; ``carts`` puts there what the warehouse has.

In an email-based project whatever is about somebody whom Iterable did not take waits for that
person (``requires``), and goes by itself later. Connections: as in ``iterable_users.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param

from iterable_sync import (
    IterableAudiencesOperator,
    IterableCartsOperator,
    IterableEventsOperator,
    IterableOrdersOperator,
    IterableSettleSensor,
    IterableUsersOperator,
)

USERS = "shop.users"
# Where the history begins that Iterable is to have.
SINCE = "2026-01-01T00:00:00Z"

ITERABLE_AND_STATE: dict[str, Any] = {
    "iterable_conn_id": "iterable_default",
    "state_conn_id": "state",
}
CONNECTIONS: dict[str, Any] = {"warehouse_conn_id": "warehouse", **ITERABLE_AND_STATE}

with DAG(
    dag_id="iterable_shop",
    description="Users, audiences, orders, carts and events from the warehouse to Iterable",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "settle_s": Param(
            default=60,
            type="number",
            minimum=0,
            description="Seconds that Iterable is given to apply what it took of users",
        ),
    },
    doc_md=__doc__,
    tags=["iterable"],
) as dag:
    users = IterableUsersOperator(
        task_id="users", sync=USERS, sql="models/users.sql", key="user_id", **CONNECTIONS
    )
    settle = IterableSettleSensor(
        task_id="settle",
        sync=USERS,
        settle="{{ params.settle_s }}",
        deferrable=True,
        **ITERABLE_AND_STATE,
    )
    audiences = IterableAudiencesOperator(
        task_id="audiences",
        sync="shop.audiences",
        style="trait",
        sql="models/audience_memberships.sql",
        key=["user_id", "audience"],
        options={"requires": USERS},
        **CONNECTIONS,
    )
    orders = IterableOrdersOperator(
        task_id="orders",
        sync="shop.orders",
        sql="models/orders.sql",
        key="order_id",
        options={"since": SINCE, "line_key": "items__lineNo", "requires": USERS},
        **CONNECTIONS,
    )
    carts = IterableCartsOperator(
        task_id="carts",
        sync="shop.carts",
        sql="models/carts.sql",
        key="user_id",
        # Carts come and go, more of them than people do.
        guards={"max_removed": 0.5, "max_changed": 0.9},
        options={"requires": USERS},
        **CONNECTIONS,
    )
    events = IterableEventsOperator(
        task_id="events",
        sync="shop.events",
        sql="models/events.sql",
        key="view_id",
        # How late a view may come into the table and still be found: look_back_s.
        options={"since": SINCE, "look_back_s": timedelta(days=2), "requires": USERS},
        **CONNECTIONS,
    )
    # One after the other: they share the rate of the project, and in a DuckDB file there is room
    # for one process at a time.
    users >> settle >> audiences >> orders >> carts >> events
