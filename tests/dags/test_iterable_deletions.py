"""The example DAG of deletions: requests that wait for a person, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom
from iterable_sync.state import DuckDBState
from iterable_sync.state.approvals import approve

if TYPE_CHECKING:
    from dags.shops import Shop

pytestmark = pytest.mark.all
DAGS = Path(__file__).parents[2] / "dags"
TASK = "sync_deletions"


def run(name: str, day: int, **conf: Any) -> Any:
    dag = load_dag(DAGS / f"iterable_{name}.py")
    for task in dag.tasks:
        # A failure is to be seen, and not to be waited for.
        task.retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)


def test_first_run_waits_for_a_person_and_later_ones_go(shop: Shop) -> None:
    """Who is forgotten stays away though the model has them; who is deleted comes back."""
    run("users", 2)
    shop.sql(
        "CREATE TABLE gdpr_requests (request_id VARCHAR, user_id VARCHAR, email VARCHAR, "
        "action VARCHAR, requested_at TIMESTAMPTZ); INSERT INTO gdpr_requests VALUES "
        "('r1', 'u1', 'u1@example.com', 'forget', '2026-03-01 08:00:00+00'), "
        "('r2', 'u2', NULL, 'delete', '2026-03-01 08:00:00+00')"
    )

    dry = run("deletions", 3, dry_run=True)
    first = run("deletions", 3)
    there = shop.in_iterable("u1")
    state = DuckDBState(str(shop.file.with_name("state.duckdb")))
    approve(state, "1.us", f"iterable_deletions.{TASK}", by="data protection")
    second = run("deletions", 4)
    gone = [shop.in_iterable(who) for who in ("u1", "u2")]
    users = run("users", 5)
    shop.sql("INSERT INTO gdpr_requests SELECT 'r3', 'u3', NULL, 'delete', '2026-03-04 08:00+00'")
    third = run("deletions", 6)

    assert ("success", "failed") == (dry.state, first.state)
    assert there is not None
    assert ("success", "success", [None, None]) == (second.state, third.state, gone)
    assert (2, 0) == (xcom(second, TASK)["accepted"], xcom(second, TASK)["held"])
    counts = xcom(users, "sync_users")
    assert (1, 1) == (counts["accepted"], counts["skipped"])
    assert 1 == xcom(third, TASK)["accepted"]
    assert shop.in_iterable("u1") is None
    assert shop.in_iterable("u2") is not None
    assert shop.in_iterable("u3") is None
