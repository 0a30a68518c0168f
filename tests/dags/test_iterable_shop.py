"""The example DAG of a whole shop: the demo's warehouse, and a sandbox as Iterable."""

from __future__ import annotations

import runpy
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from airflow_dags import load_dag, run_dag, xcom
from iterable_sync.sandbox.dump import whole

if TYPE_CHECKING:
    from dags.shops import Shop

ROOT = Path(__file__).parents[2]
DAG_FILE = ROOT / "dags" / "iterable_shop.py"
SYNCS = ("users", "audiences", "orders", "carts", "events")
USERS = 200


def move_to(shop: Shop, day: int) -> dict[str, int]:
    """Make the warehouse what the demo shop is on a day; gives the rows of its tables."""
    create_shop = runpy.run_path(str(ROOT / "demo" / "shop.py"))["create_shop"]
    with duckdb.connect(str(shop.file)) as connection:
        rows: dict[str, int] = create_shop(connection, "duckdb", USERS, day)
    return rows


def run(day: int) -> dict[str, Any]:
    """Run the DAG without the time to settle, and give the counts of each sync."""
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and not to be waited for.
    for task in dag.tasks:
        task.retries = 0
    done = run_dag(dag, logical_date=datetime(2026, 1, day, tzinfo=UTC), run_conf={"settle_s": 0})
    assert done.state == "success"
    return {sync: xcom(done, sync) for sync in SYNCS}


def test_a_day_of_a_shop_arrives_and_then_what_is_new(shop: Shop) -> None:
    """Each sync sends all of a first day, the news of the second, and then nothing."""
    before = move_to(shop, 1)
    first = run(1)
    now = move_to(shop, 2)
    second = run(2)
    held = whole(shop.sandbox.app_state)
    third = run(3)

    tables = {"users": "users", "orders": "orders", "carts": "carts", "events": "page_views"}
    assert {sync: before[table] for sync, table in tables.items()} == {
        sync: first[sync]["accepted"] for sync in tables
    }
    assert first["audiences"]["accepted"] == first["audiences"]["queried"] > 0
    assert now["orders"] == len(held["purchases"])
    assert now["page_views"] == Counter(e["eventName"] for e in held["events"])["Page View"]
    for sync in ("users", "orders", "carts", "events"):
        assert 0 < second[sync]["accepted"] < second[sync]["queried"], sync
    assert {0} == {third[sync]["requests"] for sync in SYNCS}


def test_each_task_follows_those_that_it_builds_on() -> None:
    """All wait for the people of one sync, and carts come after the purchases that empty them."""
    dag = load_dag(DAG_FILE)

    assert ["users", "settle", *SYNCS[1:]] == [task.task_id for task in dag.topological_sort()]
    assert all(len(task.downstream_task_ids) <= 1 for task in dag.tasks)
    assert [f"shop.{sync}" for sync in SYNCS] == [dag.get_task(sync).sync for sync in SYNCS]
    assert {"shop.users"} == {
        dag.get_task("settle").sync,
        *(dag.get_task(sync).options["requires"] for sync in SYNCS[1:]),
    }


def test_the_time_to_settle_is_a_minute_unless_a_run_says_otherwise() -> None:
    dag = load_dag(DAG_FILE)

    assert dag.params["settle_s"] == 60
    assert dag.get_task("settle").settle == "{{ params.settle_s }}"
