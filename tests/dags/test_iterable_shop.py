"""The example DAG of a whole shop: the demo's warehouse, and a sandbox as Iterable."""

from __future__ import annotations

import runpy
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from airflow_dags import load_dag, run_dag, xcom
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from dags.shops import Shop

ROOT = Path(__file__).parents[2]
DAG_FILE = ROOT / "dags" / "iterable_shop.py"
STATE = (
    *("users", "traits", "vouchers", "product_subscriptions", "audiences", "list_cart_abandoners"),
    *("orders", "carts"),
)
EVENTS = (
    *("page_views", "return_carts", "browse_abandonment", "shipments", "review_requests"),
    "product_subscription_events",
)
USERS = 200
SINCE = "ordered_at >= TIMESTAMPTZ '2026-01-01 00:00:00+00:00'"
EXPECTED = {
    # Whoever of day 1 has something wrong with them comes on day 2.
    "users": "SELECT count(*) FROM users",
    "traits": "SELECT count(*) FROM users",
    "vouchers": "SELECT count(DISTINCT user_id) FROM voucher_assignments",
    "product_subscriptions": "SELECT count(DISTINCT user_id) FROM product_subscriptions",
    "orders": f"SELECT count(*) FROM orders WHERE {SINCE}",
    "carts": "SELECT count(*) FROM carts",
    "page_views": "SELECT count(*) FROM page_views",
}
"""Task -> how many rows it sends on a first day."""


def move_to(shop: Shop, day: int) -> None:
    """Make the warehouse what the demo shop is at the end of a day."""
    create_shop = runpy.run_path(str(ROOT / "demo" / "shop.py"))["create_shop"]
    with duckdb.connect(str(shop.file)) as connection:
        create_shop(connection, "duckdb", USERS, day)


def count(shop: Shop, sql: str) -> int:
    """Ask the warehouse for a number."""
    with duckdb.connect(str(shop.file)) as connection:
        return int(connection.execute(sql).fetchall()[0][0])


def run(day: int, file: Path = DAG_FILE, **conf: Any) -> dict[str, dict[str, int]]:
    """Run the DAG for a day, which ends at midnight; gives the counts of what was not skipped."""
    dag = load_dag(file)
    # A failure is to be seen, and not to be waited for.
    for task in dag.tasks:
        task.retries = 0
    done = run_dag(
        dag,
        logical_date=datetime(2026, 1, 1 + day, tzinfo=UTC),
        run_conf={"settle_s": 0, **conf},
    )
    assert done.state == "success"
    counts = {task: xcom(done, task) for task in dag.task_ids if task != "settle"}
    return {task: of_task for task, of_task in counts.items() if of_task is not None}


def sent(shop: Shop) -> dict[str, Any]:
    """Give all events and purchases that Iterable has."""
    held = whole(shop.sandbox.app_state)
    return {"events": held["events"], "purchases": held["purchases"]}


def members(shop: Shop) -> set[str]:
    """Give who is in the list of those who have left a cart."""
    state = shop.sandbox.app_state
    with state.lock:
        (abandoners,) = state.lists.newest_first()
        return {p.user_id for _, p in state.people.profiles() if p.number in abandoners.members}


def abandoners(shop: Shop, day: int) -> set[str]:
    """Give who has left a cart for a day, and ordered nothing since, at the end of a day."""
    with duckdb.connect(str(shop.file)) as connection:
        rows = connection.execute(
            "SELECT user_id FROM carts JOIN cart_items USING (user_id) "
            f"WHERE updated_at <= TIMESTAMPTZ '2026-01-{day:02} 00:00:00+00:00' AND NOT EXISTS "
            "(FROM orders AS o WHERE o.user_id = carts.user_id AND ordered_at >= updated_at)"
        ).fetchall()
    return {user_id for (user_id,) in rows}


@pytest.mark.capability("E1", "E36")
def test_a_day_of_a_shop_arrives(shop: Shop) -> None:
    """Every stream sends what the warehouse has of it, and events carry the times of the data."""
    move_to(shop, 1)

    done = run(1)

    assert {*STATE, *EVENTS} == done.keys()
    assert {task: count(shop, sql) for task, sql in EXPECTED.items()} == {
        task: done[task]["accepted"] for task in EXPECTED
    }
    for task, counts in done.items():
        assert 0 < counts["accepted"] == counts["queried"], task
    assert abandoners(shop, 1) == members(shop)
    events = [event for event in sent(shop)["events"] if event["eventName"] != "updateCart"]
    names = Counter(event["eventName"] for event in events)
    assert count(shop, "SELECT count(*) FROM page_views") == names["Page View"]
    assert names["Return Cart"] > 0
    assert "2026-01-02" > max(event["createdAt"] for event in events)


@pytest.mark.all
@pytest.mark.capability("E7", "E10", "E36", "E40")
def test_a_shop_for_three_days_and_once_more(shop: Shop) -> None:
    """
    Each day sends its news, a day that runs again sends nothing, and an old date nothing at all.

    What is up to date is skipped, and stops no stream after it.
    """
    move_to(shop, 1)
    foretold = run(1, dry_run=True)
    nothing = sent(shop)
    in_list = []
    days = []
    for day in (1, 2, 3):
        move_to(shop, day)
        days.append(run(day))
        in_list.append((abandoners(shop, day), members(shop)))
    held = sent(shop)
    again = run(3)
    old = run(2)

    assert {"events": [], "purchases": []} == nothing
    assert {task: counts["added"] for task, counts in foretold.items()} == {
        task: counts["accepted"] for task, counts in days[0].items()
    }
    for counts in days[1:]:
        for task in set(counts) - {"list_cart_abandoners"}:
            assert 0 < counts[task]["accepted"] < counts[task]["queried"], task
    assert all(expected == found for expected, found in in_list)
    assert len({frozenset(found) for _, found in in_list}) == 3
    assert {*STATE, *EVENTS} == again.keys()
    assert set(EVENTS) == old.keys()
    assert {0} == {counts["requests"] for counts in (*again.values(), *old.values())}
    assert held == sent(shop)
    assert len(held["purchases"]) == count(shop, EXPECTED["orders"])


@pytest.mark.all
@pytest.mark.capability("E18", "E28")
def test_what_is_off_by_default_runs_as_well(shop: Shop, tmp_path: Path) -> None:
    """Text messages to nobody without phone and opt-in, the others counted; and a catalog."""
    switched = 'sms_events=True,\n        catalog="Products",'
    text = DAG_FILE.read_text(encoding="utf-8")
    assert text.count("sms_events=False,") == 1
    file = tmp_path / "everything.py"
    file.write_text(text.replace("sms_events=False,", switched), encoding="utf-8")
    move_to(shop, 2)

    done = run(2, file)
    again = run(2, file)

    with duckdb.connect(str(shop.file)) as connection:
        agreed = connection.execute(
            "SELECT user_id FROM users WHERE sms_opt_in AND phone LIKE '+%'"
        ).fetchall()
    texted = [row for row in sent(shop)["events"] if row["eventName"].endswith(" SMS")]
    of_sms = [done[task] for task in ("return_carts_sms", "shipments_sms")]
    assert sum(counts["accepted"] for counts in of_sms) == len(texted) > 0
    assert sum(counts["blocked"] for counts in of_sms) > 0
    assert all(c["queried"] == c["accepted"] + c["blocked"] for c in of_sms)
    assert {row["userId"] for row in texted} <= {user_id for (user_id,) in agreed}
    assert count(shop, "SELECT count(*) FROM products") == done["catalog"]["accepted"]
    assert {0} == {counts["requests"] for counts in again.values()}
