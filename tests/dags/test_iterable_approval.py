"""The example DAG of approvals, in a real Airflow: a person answers through its API."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dags import load_dag, run_dag, xcom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dags.shops import Shop

DAG_FILE = Path(__file__).parents[2] / "dags" / "iterable_approval.py"


def run(day: int) -> Any:
    dag = load_dag(DAG_FILE)
    # A failure is to be seen, and not to be waited for.
    for task in dag.tasks:
        task.retries = 0
    return run_dag(dag, logical_date=datetime(2026, 1, day, tzinfo=UTC))


def states(done: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in done.get_task_instances()}


class Person:
    """Answers as Airflow's API knows a user."""

    def get_id(self) -> str:
        return "ana"

    def get_name(self) -> str:
        return "Ana"


@contextmanager
def answering(choice: str) -> Iterator[list[str]]:
    """Answer the question as soon as it is asked; gives the texts that the person sees."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    seen: list[str] = []

    def answer() -> None:
        until = time.monotonic() + 60
        while not seen and time.monotonic() < until:
            time.sleep(0.2)
            with create_session() as session:
                asked = session.scalars(
                    select(HITLDetail)
                    .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
                    .where(TaskInstance.state == "awaiting_input")
                ).first()
                if asked is None or asked.response_received:
                    continue
                body = asked.body
                update_hitl_detail(
                    dag_id=asked.task_instance.dag_id,
                    dag_run_id=asked.task_instance.run_id,
                    task_id=asked.task_instance.task_id,
                    update_hitl_detail_payload=UpdateHITLDetailPayload(
                        chosen_options=[choice], params_input={}
                    ),
                    user=Person(),
                    session=session,
                )
            seen.append(body)

    thread = Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        thread.join(timeout=60)


def mass_change(shop: Shop) -> None:
    shop.sql(
        "INSERT INTO users BY NAME SELECT 'v' || i AS user_id, "
        "'v' || i || '@example.com' AS email FROM range(180) AS r (i)"
    )
    run(1)
    shop.sql("UPDATE users SET first_name = 'Eva'")


@pytest.mark.all
def test_nobody_is_asked_where_nothing_is_held(shop: Shop):
    done = run(1)

    assert states(done) == {
        "sync_users": "success",
        "is_held": "success",
        "ask": "skipped",
        "release": "skipped",
        "send_approved": "skipped",
    }
    assert shop.in_iterable("u7") is not None


def test_what_a_person_approves_is_sent(shop: Shop):
    mass_change(shop)
    shop.sql("INSERT INTO users BY NAME SELECT 'new' AS user_id, 'new@example.com' AS email")

    with answering("Approve") as seen:
        done = run(2)

    assert set(states(done).values()) == {"success"}
    assert xcom(done, "sync_users")["held"] == 200
    assert xcom(done, "release") == {"approved": 200, "max_changed": 200}
    assert xcom(done, "send_approved")["accepted"] == 200
    assert shop.in_iterable("u1")["dataFields"]["firstName"] == "Eva"
    assert "| changed or added, held | 200 |" in seen[0]
    assert "| delivered | 1 |" in seen[0]


@pytest.mark.all
def test_what_a_person_rejects_stays_held(shop: Shop):
    mass_change(shop)

    with answering("Reject"):
        done = run(2)

    assert states(done)["release"] == "skipped"
    assert states(done)["send_approved"] == "skipped"
    assert shop.in_iterable("u1")["dataFields"]["firstName"] == "Ana"


def test_the_dag_is_imported_without_a_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
    dag = load_dag(DAG_FILE)

    assert dag.task_ids == ["sync_users", "is_held", "ask", "release", "send_approved"]


def test_the_three_tasks_are_about_one_sync():
    """State is shared by the sync's name alone."""
    dag = load_dag(DAG_FILE)

    assert (
        len({dag.get_task(name).sync for name in ("sync_users", "release", "send_approved")}) == 1
    )
