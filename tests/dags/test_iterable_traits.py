"""The example DAG of users and their traits, with a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_traits.py"


def run(day: int) -> Any:
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and a minute is not to be waited for.
    for task in dag.tasks:
        task.retries = 0
    dag.get_task("settle").settle = 1
    return run_dag(dag, logical_date=datetime(2026, 1, day, tzinfo=UTC))


def fields(shop: Shop, user_id: str, *names: str) -> list[Any]:
    found = shop.in_iterable(user_id)
    assert found is not None
    return [found["dataFields"].get(name) for name in names]


NAMES = ("spend_band", "average_order_points", "reachable_by_sms")


def test_traits_follow_their_users(shop: Shop) -> None:
    """First the person, then what was worked out about them; the day after what changed alone."""
    shop.sql(
        "UPDATE users SET lifetime_value = 40 * order_count, loyalty_points = 10 * order_count + 1,"
        " phone = '+15550100', sms_opt_in = order_count % 2 = 0"
    )

    first = run(1)

    assert first.state == "success"
    assert xcom(first, "sync_traits")["accepted"] == 20
    assert [None, None, True] == fields(shop, "u0", *NAMES)
    assert ["low", 11, False] == fields(shop, "u1", *NAMES)
    assert ["middle", 10, True] == fields(shop, "u4", *NAMES)
    assert fields(shop, "u4", "firstName", "loyaltyPoints") == ["Ana", 41]

    shop.sql("UPDATE users SET lifetime_value = 2000, sms_opt_in = NULL WHERE user_id = 'u4'")
    second = run(2)

    counts = xcom(second, "sync_traits")
    assert (counts["changed"], counts["unchanged"], counts["accepted"]) == (1, 19, 1)
    assert ["high", 10, None] == fields(shop, "u4", *NAMES)


@pytest.mark.all
def test_a_day_without_changes_waits_for_nothing(shop: Shop) -> None:
    run(1)

    second = run(2)

    assert {"success"} == {str(ti.state) for ti in second.get_task_instances()}
    assert xcom(second, "sync_traits")["requests"] == 0


def test_the_tasks_are_about_one_sync_of_users() -> None:
    """It is the one of the DAG of users: both may run, and a field has one owner."""
    dag = load_dag(DAG_FILE)

    assert (
        {"iterable_users.sync_users"}
        == {dag.get_task(name).sync for name in ("sync_users", "settle")}
        == {dag.get_task("sync_traits").options["requires"]}
    )
    assert task_order(dag) == ["sync_users", "settle", "sync_traits"]


def task_order(dag: Any) -> list[str]:
    return [task.task_id for task in dag.topological_sort()]
