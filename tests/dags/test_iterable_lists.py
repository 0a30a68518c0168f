"""The example DAG of lists: a list that somebody began by hand, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_lists.py"
TASK = "sync_vip_list"


def run(day: int, **conf: Any) -> Any:
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and not to be waited for.
    dag.get_task(TASK).retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)


def vip(shop: Shop, *numbers: int) -> None:
    """Let these customers be the very good ones."""
    chosen = ", ".join(f"'u{n}'" for n in numbers)
    shop.sql(f"UPDATE users SET is_vip = user_id IN ({chosen})")


def members(shop: Shop) -> set[str]:
    """Give who is in the list."""
    with shop.sandbox.app_state.lock:
        state = shop.sandbox.app_state
        inside = {n for one in state.lists.newest_first() for n in one.members}
        return {p.user_id for _, p in state.people.profiles() if p.number in inside}


def test_list_is_created_and_follows_the_warehouse(shop: Shop) -> None:
    vip(shop, 1, 2, 3)
    first = run(2)
    vip(shop, 2, 3, 4)
    second = run(3)

    assert (first.state, second.state) == ("success", "success")
    assert {"u2", "u3", "u4"} == members(shop)
    counts = xcom(second, TASK)
    assert (1, 1) == (counts["accepted"], counts["removed_accepted"])


def test_a_dry_run_creates_no_list(shop: Shop) -> None:
    vip(shop, 1)
    done = run(2, dry_run=True)

    assert 1 == xcom(done, TASK)["added"]
    assert 0 == len(shop.sandbox.app_state.lists)
