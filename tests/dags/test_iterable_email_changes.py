"""The example DAGs of e-mail changes and of merges: a shop with both, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

pytestmark = pytest.mark.all
DAGS = Path(__file__).parents[2] / "dags"


def run(name: str, day: int, **conf: Any) -> Any:
    dag = load_dag(DAGS / f"iterable_{name}.py")
    for task in dag.tasks:
        # A failure is to be seen, and not to be waited for.
        task.retries = 0
    done = run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)
    assert done.state == "success"
    return done


def email(shop: Shop, who: str) -> str | None:
    user = shop.in_iterable(who)
    return None if user is None else user.get("email")


@pytest.mark.capability("E30")
def test_changes_come_before_users(shop: Shop) -> None:
    """The address is new before users are sent; old ones, and a dry run, change nothing."""
    shop.sql(
        "CREATE TABLE email_changes (user_id VARCHAR, old_email VARCHAR, new_email VARCHAR, "
        "changed_at TIMESTAMPTZ)"
    )
    first = run("email_changes", 2)
    shop.sql(
        "UPDATE users SET email = 'new@example.com' WHERE user_id = 'u3'; "
        "INSERT INTO email_changes VALUES "
        "('u3', 'u3@example.com', 'x@example.com', '2026-02-01 08:00:00+00'), "
        "('u3', 'x@example.com', 'new@example.com', '2026-02-02 08:00:00+00'), "
        "('u4', 'u4@example.com', 'old@example.com', '2025-02-02 08:00:00+00')"
    )

    dry = run("email_changes", 3, dry_run=True)
    before = email(shop, "u3")
    done = run("email_changes", 4)

    assert (20, "u3@example.com") == (xcom(first, "sync_users")["accepted"], before)
    assert 1 == xcom(dry, "sync_email_changes")["requests"]
    counts = xcom(done, "sync_email_changes")
    assert (2, 1, 0) == (counts["accepted"], counts["requests"], counts["rejected"])
    # The snapshot of users has it already.
    assert 0 == xcom(done, "sync_users")["requests"]
    assert ("new@example.com", "u4@example.com") == (email(shop, "u3"), email(shop, "u4"))


def test_merges_are_followed_from_a_day_on(shop: Shop) -> None:
    run("users", 2)
    shop.sql(
        "CREATE TABLE merge_requests (merge_id VARCHAR, source_email VARCHAR, "
        "destination_email VARCHAR, requested_at TIMESTAMPTZ); INSERT INTO merge_requests VALUES "
        "('m1', 'u1@example.com', 'u2@example.com', '2026-02-01 08:00:00+00'), "
        "('m0', 'u5@example.com', 'u6@example.com', '2025-02-01 08:00:00+00')"
    )

    counts = xcom(run("merge", 3), "sync_merges")

    assert (1, 1) == (counts["accepted"], counts["requests"])
    assert (None, "u2@example.com", "u5@example.com") == (
        email(shop, "u1"),
        email(shop, "u2"),
        email(shop, "u5"),
    )
