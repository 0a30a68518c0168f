"""A task whose process is killed in the midst of a run, in a real Airflow with its scheduler."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import duckdb
import psutil
import pytest

from airflow_standalone import Airflow, standalone, wait

if TYPE_CHECKING:
    from pathlib import Path

    from tests.install.conftest import Example

pytestmark = pytest.mark.all

BULK = "/api/users/bulkUpdate"
THREADS = 2
BATCH = 10
REQUESTS_PER_S = 5
COMMIT_WINDOW_S = 2
DAG = f"""
from datetime import timedelta
from airflow.providers.common.compat.sdk import DAG
from iterable_sync import IterableUsersOperator

with DAG(dag_id="killed", schedule=None, is_paused_upon_creation=False) as dag:
    IterableUsersOperator(
        task_id="sync_users",
        sql="SELECT user_id, email, city FROM users",
        key="user_id",
        state_conn_id="state",
        retries=3,
        retry_delay=timedelta(seconds=1),
        options={{
            "batch_rows": {BATCH}, "threads": {THREADS}, "requests_per_s": {REQUESTS_PER_S}
        }},
    )
"""


def test_a_killed_task_is_retried_and_sends_no_more_than_a_window_twice(
    tmp_path: Path, example: Example
) -> None:
    home = tmp_path / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "killed.py").write_text(DAG)
    with standalone(home, example.variables, knows="killed") as airflow:
        run_id = airflow.start("killed")
        kill_the_sender(airflow, example)
        end_leases(tmp_path / "state.duckdb")
        counts = airflow.counts("killed", run_id, retried=True)

    with duckdb.connect(str(example.warehouse), read_only=True) as connection:
        rows = connection.execute("SELECT user_id, city FROM users").fetchall()
    people = {user["userId"]: user["dataFields"] for user in example.sandbox.contents()["users"]}
    sent = sum(entry["rows"] for entry in example.sandbox.requests(path=BULK, applied=True))
    assert dict(rows) == {key: fields.get("city") for key, fields in people.items()}
    assert 0 < counts["accepted"] <= len(rows)
    window = REQUESTS_PER_S * COMMIT_WINDOW_S * BATCH
    assert len(rows) <= sent <= len(rows) + THREADS * BATCH + window


def kill_the_sender(airflow: Airflow, example: Example) -> None:
    """Kill the process that talks to Iterable, once it has sent some batches."""
    wait(lambda: len(example.sandbox.requests(path=BULK)) >= 5, "batches are sent", 120)
    port = example.sandbox.port
    for process in psutil.Process(airflow.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(c.raddr and c.raddr.port == port for c in process.net_connections("tcp")):
                process.kill()
                return
    pytest.fail("no process talks to Iterable")


def end_leases(state: Path) -> None:
    """Let the leases of the dead run end now, not in two minutes."""
    until = time.monotonic() + 30
    while True:
        try:
            with duckdb.connect(str(state)) as connection:
                connection.execute("UPDATE leases SET held_until = now() - INTERVAL '1 second'")
        except duckdb.IOException:
            # The retry may have it open; it finds the lease held, and comes again later.
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return
