"""The example DAG of subscriptions: a shop whose customers change their minds, and a sandbox."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_subscriptions.py"
TASK = "sync_subscriptions"


def run(day: int, **conf: Any) -> Any:
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and not to be waited for.
    dag.get_task(TASK).retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)


def enable(shop: Shop, *, enabled: bool = True) -> None:
    """Let Iterable's support enable subscriptions by API, or not."""
    with shop.sandbox.app_state.lock:
        shop.sandbox.app_state.change({"subscriptions_enabled": enabled})


def say(shop: Shop, **answers: str) -> None:
    """Let all customers say this: column of the table users -> SQL."""
    told = ", ".join(f"{column} = {answer}" for column, answer in answers.items())
    shop.sql(f"UPDATE users SET {told}")


def have(shop: Shop, array: str) -> dict[str, list[int]]:
    """Give who has which ids in an array of the profile."""
    with shop.sandbox.app_state.lock:
        people = [person for _, person in shop.sandbox.app_state.people.profiles()]
        found = {p.user_id: p.data_fields().get(array) for p in people}
    return {who: ids for who, ids in found.items() if ids}


def test_opt_outs_and_opt_ins_follow_the_warehouse(shop: Shop) -> None:
    enable(shop)
    say(shop, email_opt_in="TRUE", sms_opt_in="user_id = 'u3'")
    first = run(2)
    say(shop, email_opt_in="user_id <> 'u4'")
    second = run(3)

    assert ("success", "success") == (first.state, second.state)
    assert {"u3": [105]} == have(shop, "subscribedMessageTypeIds")
    assert {"u4": [101]} == have(shop, "unsubscribedMessageTypeIds")
    counts = xcom(second, TASK)
    assert (1, 1, 39) == (counts["changed"], counts["requests"], counts["unchanged"])


def test_project_that_is_not_enabled_fails_and_nothing_is_lost(shop: Shop) -> None:
    say(shop, email_opt_in="TRUE", sms_opt_in="user_id = 'u3'")
    first = run(2)
    enable(shop)
    second = run(3)

    assert ("failed", "success") == (first.state, second.state)
    assert {"u3": [105]} == have(shop, "subscribedMessageTypeIds")


def test_a_dry_run_asks_for_nothing(shop: Shop) -> None:
    enable(shop)
    say(shop, email_opt_in="FALSE", sms_opt_in="TRUE")
    done = run(2, dry_run=True)

    assert 40 == xcom(done, TASK)["added"]
    assert {} == have(shop, "unsubscribedMessageTypeIds")
