"""The example DAG: a DuckDB warehouse, state in a file, and a sandbox that answers as Iterable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_dags import asset_events, load_dag, run_dag, task_instance, xcom
from iterable_sync.sqlfiles import sql_root

if TYPE_CHECKING:
    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_users.py"


class Task:
    """What an operator sees of its task instance."""

    dag_id, task_id, map_index = "iterable_users", "sync_users", -1

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def run(day: int, **conf: Any) -> Any:
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and not to be waited for.
    dag.get_task("sync_users").retries = 0
    return run_dag(dag, logical_date=datetime(2026, 1, day, tzinfo=UTC), run_conf=conf or None)


def test_changed_users_arrive_and_unchanged_ones_cost_nothing(shop: Shop):
    first = run(1)

    counts = xcom(first, "sync_users")
    assert first.state == "success"
    assert (counts["queried"], counts["added"], counts["accepted"]) == (20, 20, 20)
    assert shop.in_iterable("u7")["dataFields"]["firstName"] == "Ana"
    assert shop.in_iterable("u7")["dataFields"]["address"]["street"] == "Oak Street 1"

    shop.sql("UPDATE users SET first_name = 'Zoë' WHERE user_id = 'u7'")
    second = run(2)

    counts = xcom(second, "sync_users")
    assert (counts["changed"], counts["accepted"], counts["unchanged"]) == (1, 1, 19)
    assert shop.in_iterable("u7")["dataFields"]["firstName"] == "Zoë"

    third = run(3)

    counts = xcom(third, "sync_users")
    assert (counts["unchanged"], counts["accepted"], counts["requests"]) == (20, 0, 0)


def test_the_run_is_announced_with_its_counts(shop: Shop):
    done = run(1)

    ((uri, extra),) = asset_events(done)
    assert uri == "iterable://iterable_default/iterable_users.sync_users"
    assert extra == {"sync": "iterable_users.sync_users", **xcom(done, "sync_users")}


def test_a_dry_run_sends_nothing(shop: Shop):
    done = run(1, dry_run=True)

    assert done.state == "success"
    assert xcom(done, "sync_users")["queried"] == 20
    assert shop.in_iterable("u1") is None


def test_a_full_resync_sends_everything(shop: Shop):
    run(1)
    done = run(2, full_resync=True)

    assert xcom(done, "sync_users")["accepted"] == 20


def test_an_older_run_is_skipped(shop: Shop):
    run(2)
    older = run(1)

    assert task_instance(older, "sync_users").state == "skipped"


@pytest.mark.failure("P6")
def test_clearing_old_runs_pushes_nothing_of_the_past(shop: Shop):
    """Airflow runs them with their own logical dates; Iterable holds what it held."""
    shop.sql("UPDATE users SET first_name = 'Today' WHERE user_id = 'u7'")
    run(9)
    shop.sql("UPDATE users SET first_name = 'Past' WHERE user_id = 'u7'")
    cleared = [run(day) for day in (3, 5, 8)]

    assert {task_instance(done, "sync_users").state for done in cleared} == {"skipped"}
    assert shop.in_iterable("u7")["dataFields"]["firstName"] == "Today"


def test_a_mass_removal_is_held_and_fails_without_a_retry(shop: Shop):
    shop.sql(
        "INSERT INTO users BY NAME SELECT 'v' || i AS user_id, "
        "'v' || i || '@example.com' AS email FROM range(480) AS r (i)"
    )
    run(1)
    shop.sql("UPDATE users SET first_name = 'Eva'")
    done = run(2)

    assert task_instance(done, "sync_users").state == "failed"
    assert xcom(done, "sync_users", "counts")["held"] == 500
    assert shop.in_iterable("u1")["dataFields"]["firstName"] == "Ana"


@pytest.mark.failure("P2")
def test_a_killed_task_stops_and_the_next_one_sends_the_rest(shop: Shop):
    """Airflow calls on_kill on SIGTERM; what was accepted until then is recorded."""
    task = load_dag(DAG_FILE).get_task("sync_users")
    task.sql = (sql_root() / "models/users.sql").read_text()
    task.full_resync = False
    task.options = {"batch_rows": 1, "requests_per_s": 5, "threads": 1}
    context: Any = {"ti": Task(), "outlet_events": OutletEventAccessors()}
    killer = Timer(1.5, task.on_kill)
    killer.start()
    with pytest.raises(AirflowException, match="keys are still to be sent"):
        task.execute(context)

    killed = context["ti"].pushed["counts"]
    rest = xcom(run(2), "sync_users")
    assert killed["pending"] > 0
    assert killed["accepted"] + killed["pending"] == 20
    assert (rest["unchanged"], rest["accepted"]) == (killed["accepted"], killed["pending"])


@pytest.mark.failure("H13")
def test_a_refused_key_fails(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    connection = {"conn_type": "iterable", "host": shop.sandbox.url, "password": "0" * 32}
    connection["extra"] = {
        "data_center": "us",
        "project_type": "hybrid",
        "project_id": "1",
        "sandbox": True,
    }
    monkeypatch.setenv("AIRFLOW_CONN_ITERABLE_DEFAULT", json.dumps(connection))

    done = run(1)

    assert task_instance(done, "sync_users").state == "failed"


def test_no_personal_data_and_no_key_in_the_log(shop: Shop, capfd: pytest.CaptureFixture[str]):
    shop.sql("UPDATE users SET email = 'canary.7f3a.example' WHERE user_id = 'u3'")
    done = run(1)

    out, err = capfd.readouterr()
    counts = xcom(done, "sync_users")
    assert counts["rejected"] + counts["fields_rejected"] == 1
    for secret in ("canary.7f3a", "u3@", "@example.com", shop.sandbox.api_key):
        assert secret not in out + err


def test_the_dag_is_imported_without_a_connection():
    """The dag processor has none, and a DAG page that does not show is the first impression."""
    dag = load_dag(DAG_FILE)

    assert dag.task_ids == ["sync_users"]
    assert dag.max_active_runs == 1
