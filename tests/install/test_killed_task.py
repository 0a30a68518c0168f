"""A task whose process, or whose Airflow, is killed in mid-run, with a real scheduler."""

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
SILENCE_S = 8
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


@pytest.mark.failure("P5")
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

    assert 0 < counts["accepted"] <= all_that_has_arrived(example)


@pytest.mark.failure("P7")
def test_a_run_whose_airflow_goes_away_loses_nothing(tmp_path: Path, example: Example) -> None:
    """API server, and with it the metadata database: the run ends or stops, another goes on."""
    home = tmp_path / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "killed.py").write_text(DAG)
    with standalone(home, example.variables, knows="killed") as airflow:
        airflow.start("killed")
        wait(lambda: requests_of(example) >= 3, "batches are sent", 120)
        kill_the_server(airflow)
        assert not airflow.is_up()
        wait_for_silence(example)
    end_leases(tmp_path / "state.duckdb")
    with standalone(home, example.variables, knows="killed") as airflow:
        run_id = airflow.start("killed")
        counts = airflow.counts("killed", run_id, retried=True)

    assert counts["queried"] == counts["accepted"] + counts["unchanged"]
    assert counts["accepted"] < counts["queried"] == all_that_has_arrived(example)


def all_that_has_arrived(example: Example) -> int:
    """Make sure that Iterable has every row, and got no more than a window of them twice."""
    with duckdb.connect(str(example.warehouse), read_only=True) as connection:
        rows = connection.execute("SELECT user_id, city FROM users").fetchall()
    people = {user["userId"]: user["dataFields"] for user in example.sandbox.contents()["users"]}
    sent = sum(entry["rows"] for entry in example.sandbox.requests(path=BULK, applied=True))
    assert dict(rows) == {key: fields.get("city") for key, fields in people.items()}
    window = REQUESTS_PER_S * COMMIT_WINDOW_S * BATCH
    assert len(rows) <= sent <= len(rows) + THREADS * BATCH + window
    return len(rows)


def requests_of(example: Example) -> int:
    return len(example.sandbox.requests(path=BULK))


def kill_the_server(airflow: Airflow) -> None:
    """Kill Airflow's API server, by which alone a task reaches the metadata database."""
    killed = []
    for process in psutil.Process(airflow.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("api-server" in word or "api_server" in word for word in process.cmdline()):
                process.kill()
                killed.append(process)
    assert killed
    psutil.wait_procs(killed, 10)


def wait_for_silence(example: Example) -> None:
    """Wait until nothing was sent for so long that a run would have made many requests."""
    seen, since = requests_of(example), time.monotonic()
    until = since + 120
    while time.monotonic() - since < SILENCE_S:
        assert time.monotonic() < until
        time.sleep(0.2)
        if requests_of(example) != seen:
            seen, since = requests_of(example), time.monotonic()


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
