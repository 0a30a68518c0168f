"""
Runs an operator in Airflow's real task runner, in this process and without a database.

Templates, XCom, outlet events, retries and states are Airflow's own; only the server that a
worker talks to is a stand-in, which keeps what it is told.
"""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import BaseOperator

WHEN = "2026-01-02T00:00:00Z"


@dataclass
class Done:
    """What a task left behind."""

    state: str
    error: BaseException | None
    told: dict[str, Any]
    xcoms: dict[str, Any]
    rendered: dict[str, Any]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Extra of the asset events, one each."""
        return [event["extra"] for event in self.told.get("outlet_events", [])]


@dataclass
class Server:
    """Answers as Airflow's execution API does."""

    dag_run: dict[str, Any]
    retries: int
    xcoms: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Keep what is told; answer what is asked."""
        path = request.url.path
        content = json.loads(request.content) if request.content else None
        if path.endswith("/run"):
            may_retry = {"max_tries": self.retries, "should_retry": bool(self.retries)}
            return httpx.Response(200, json={"dag_run": self.dag_run, **may_retry})
        if path.startswith("/xcoms/"):
            self.xcoms[path.rpartition("/")[2]] = content
            return httpx.Response(201, json={"message": "kept"})
        if path.endswith("/rtif"):
            self.rendered |= content
            return httpx.Response(201, json={"message": "kept"})
        if path.endswith("/state"):
            self.told = content
            return httpx.Response(204)
        if path.startswith("/connections/"):
            return httpx.Response(404, json={"detail": {"reason": "not_found", "message": ""}})
        return httpx.Response(200, json={})


@contextmanager
def own_signals() -> Iterator[None]:
    """Give the process its handler of SIGTERM back, which the task runner takes for itself."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_task(
    task: BaseOperator,
    *,
    logical_date: str | None = WHEN,
    run_after: str = WHEN,
    retries: int = 0,
    map_index: int = -1,
    try_number: int = 1,
) -> Done:
    """Run *task*, which is in a DAG, as a worker would."""
    from airflow.sdk.api.client import Client
    from airflow.sdk.api.datamodels._generated import TaskInstance
    from airflow.sdk.execution_time.supervisor import run_task_in_process

    dag_run = {
        "dag_id": task.dag_id,
        "run_id": "a_run",
        "logical_date": logical_date,
        "data_interval_start": logical_date,
        "data_interval_end": logical_date,
        "start_date": WHEN,
        "end_date": None,
        "run_type": "manual",
        "run_after": run_after,
        "state": "running",
        "consumed_asset_events": [],
        "partition_key": None,
    }
    server = Server(dag_run, retries)
    client = Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(server))
    instance = TaskInstance(
        id=uuid4(),
        task_id=task.task_id,
        dag_id=task.dag_id,
        run_id="a_run",
        try_number=try_number,
        map_index=map_index,
        dag_version_id=uuid4(),
    )
    with own_signals():
        result = run_task_in_process(instance, task.prepare_for_execution(), client)
    return Done(str(result.state.value), result.error, server.told, server.xcoms, server.rendered)
