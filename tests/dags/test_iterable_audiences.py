"""The example DAG of audiences: customers who order, lapse and become VIPs, and a sandbox."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom
from models.model_world import TABLES

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_audiences.py"


def run(day: int, **conf: Any) -> Any:
    dag = load_dag(DAG_FILE)
    for task in dag.tasks:
        # A failure is to be seen, and not to be waited for.
        task.retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Give a shop whose customers u1 and u2 are in an audience each, and u3 in two."""
    for name in ("orders", "carts", "cart_items", "product_subscriptions"):
        columns = ", ".join(f"{column} {kind}" for column, kind in TABLES[name].items())
        shop.sql(f"CREATE TABLE {name} ({columns})")
    shop.sql("UPDATE users SET is_vip = user_id IN ('u1', 'u3')")
    shop.sql(
        "INSERT INTO orders BY NAME SELECT user_id, CASE WHEN user_id IN ('u2', 'u3') "
        "THEN TIMESTAMPTZ '2026-02-20 00:00:00+00' ELSE TIMESTAMPTZ '2026-01-01 00:00:00+00' END "
        "AS ordered_at FROM users"
    )
    return shop


def fields(shop: Shop) -> dict[str, dict[str, Any]]:
    """Give the fields of audiences that Iterable has of customers."""
    names = ("vip", "order_completed_last_30days", "at_churn_risk")
    with shop.sandbox.app_state.lock:
        people = [p for _, p in shop.sandbox.app_state.people.profiles()]
    told = {p.user_id: {n: v for n, v in p.data_fields().items() if n in names} for p in people}
    return {who: held for who, held in told.items() if held}


def events(shop: Shop) -> set[tuple[str, str, str]]:
    """Give the entries and exits that Iterable has."""
    with shop.sandbox.app_state.lock:
        state = shop.sandbox.app_state
        rows = list(state.events.as_rows(list(state.people.profiles())))
    return {(r["userId"], r["eventName"], r["dataFields"]["audience_key"]) for r in rows}


def test_who_enters_and_who_leaves_arrives_in_both_styles(shop: Shop) -> None:
    first = run(2)
    shop.sql("UPDATE users SET is_vip = user_id = 'u1'")
    second = run(3)

    assert ("success", "success") == (first.state, second.state)
    assert [4, 4] == [
        xcom(first, name)["accepted"] for name in ("audience_fields", "audience_events")
    ]
    assert xcom(second, "audience_fields")["removed_accepted"] == 1
    assert {
        "u1": {"vip": True},
        "u2": {"order_completed_last_30days": True},
        "u3": {"vip": False, "order_completed_last_30days": True},
    } == fields(shop)
    assert {
        ("u1", "Audience Entered", "vip"),
        ("u2", "Audience Entered", "order_completed_last_30days"),
        ("u3", "Audience Entered", "vip"),
        ("u3", "Audience Entered", "order_completed_last_30days"),
        ("u3", "Audience Exited", "vip"),
    } == events(shop)


def test_a_dry_run_sends_nothing(shop: Shop) -> None:
    done = run(2, dry_run=True)

    assert xcom(done, "audience_fields")["queried"] == 4
    assert {} == fields(shop)
