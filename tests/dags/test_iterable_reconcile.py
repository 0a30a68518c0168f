"""The example DAG that reads back, after those of users and lists, in a real Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

DAGS = Path(__file__).parents[2] / "dags"


def run(name: str, day: int, settle: float | None = None) -> Any:
    dag = load_dag(DAGS / f"{name}.py")
    for task in dag.tasks:
        # A failure is to be seen, and not to be waited for; nor is a settling time.
        task.retries = 0
        if settle is not None:
            task.settle = settle
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC))


@pytest.mark.all
def test_what_iterable_lost_fails_the_week_and_comes_back_with_the_next_run(shop: Shop) -> None:
    shop.sql("UPDATE users SET is_vip = user_id IN ('u1', 'u2')")
    assert ("success", "success") == (
        run("iterable_users", 2).state,
        run("iterable_lists", 2).state,
    )
    whole = run("iterable_reconcile", 3, settle=0)
    state = shop.sandbox.app_state
    with state.lock:
        for _, person in state.people.profiles():
            if person.user_id == "u7":
                person.fields["firstName"] = "Eve"

    found = run("iterable_reconcile", 4, settle=0)
    run("iterable_users", 5)
    healed = run("iterable_reconcile", 6, settle=0)

    assert ("success", "failed", "success") == (whole.state, found.state, healed.state)
    assert (20, 0) == tuple(
        xcom(whole, "reconcile_users")[name] for name in ("compared", "drifted")
    )
    assert (1, 0) == tuple(xcom(whole, "reconcile_vip_list")[name] for name in ("lists", "drifted"))
    assert {"reconcile_users": "failed", "reconcile_vip_list": "success"} == {
        ti.task_id: str(ti.state) for ti in found.get_task_instances()
    }
    assert 0 == xcom(healed, "reconcile_users")["drifted"]
