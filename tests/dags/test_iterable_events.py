"""The example DAG of events: a table of page views that grows, and a sandbox as Iterable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_events.py"
COLUMNS = """
    view_id VARCHAR, user_id VARCHAR, email VARCHAR, viewed_at TIMESTAMPTZ, campaign_id BIGINT,
    url VARCHAR, title VARCHAR, product_id VARCHAR, referrer VARCHAR, seconds_on_page DOUBLE,
    utm JSON
"""


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Give a shop with page views, the first of them before those that Iterable is to have."""
    shop.sql(f"CREATE TABLE page_views ({COLUMNS})")
    view(shop, "old", "2025-12-31")
    view(shop, "a", "2026-02-01")
    view(shop, "b", "2026-02-02")
    return shop


def view(shop: Shop, name: str, day: str) -> None:
    shop.sql(
        "INSERT INTO page_views BY NAME "
        f"SELECT '{name}' AS view_id, 'u1' AS user_id, '{day} 08:00:00+00' AS viewed_at, "
        f"'/{name}' AS url, 9.0 AS seconds_on_page"
    )


def run(day: int, **conf: Any) -> Any:
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and not to be waited for.
    dag.get_task("sync_page_views").retries = 0
    return run_dag(dag, logical_date=datetime(2026, 3, day, tzinfo=UTC), run_conf=conf or None)


def urls(shop: Shop) -> list[str]:
    """Give the pages of the views that Iterable has."""
    with shop.sandbox.app_state.lock:
        state = shop.sandbox.app_state
        rows = list(state.events.as_rows(list(state.people.profiles())))
    return sorted(row["dataFields"]["url"] for row in rows)


def test_new_views_arrive_once_and_late_ones_too(shop: Shop) -> None:
    first = run(2)
    view(shop, "late", "2026-02-01")
    view(shop, "c", "2026-02-03")
    second = run(3)

    assert (first.state, second.state) == ("success", "success")
    assert (xcom(first, "sync_page_views")["accepted"], ["/a", "/b", "/c", "/late"]) == (
        2,
        urls(shop),
    )
    assert xcom(second, "sync_page_views")["accepted"] == 2


@pytest.mark.failure("P6")
def test_clearing_an_old_run_sends_nothing_again(shop: Shop) -> None:
    run(3)
    older = run(2)

    assert older.state == "success"
    assert xcom(older, "sync_page_views")["requests"] == 0


def test_a_dry_run_sends_nothing(shop: Shop) -> None:
    done = run(2, dry_run=True)

    assert xcom(done, "sync_page_views")["queried"] == 2
    assert urls(shop) == []
