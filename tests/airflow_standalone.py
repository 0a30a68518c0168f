"""A real scheduler, API server and worker: ``airflow standalone`` with the LocalExecutor."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TASK = "sync_users"


class Airflow:
    """
    Airflow's public API, as an administrator.

    Args:
        pid: of ``airflow standalone``, whose descendants all the others are.
    """

    def __init__(self, port: int, pid: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.pid = pid
        self.headers: dict[str, str] = {}

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            method,
            f"{self.url}{path}",
            json=body or None,
            headers=self.headers,
            timeout=30,
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json()

    def log_in(self) -> None:
        token = self.call("GET", "/auth/token")["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def is_up(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
            parts = ("metadatabase", "scheduler", "dag_processor")
            return all((health.get(part) or {}).get("status") == "healthy" for part in parts)
        return False

    def knows(self, dag_id: str) -> bool:
        found = self.call("GET", "/api/v2/dags?limit=100")["dags"]
        return dag_id in {dag["dag_id"] for dag in found}

    def start(self, dag_id: str) -> str:
        """Start a run by hand; its id."""
        run = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", logical_date=None)
        return str(run["dag_run_id"])

    def scheduled(self, dag_id: str) -> str:
        """Unpause a DAG, and give the run that its schedule starts then."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", is_paused=False)
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        wait(lambda: self.call("GET", path)["total_entries"] > 0, "the schedule starts a run", 60)
        (run,) = self.call("GET", path)["dag_runs"]
        return str(run["dag_run_id"])

    def counts(self, dag_id: str, run_id: str, *, retried: bool = False) -> dict[str, int]:
        """Wait for a run's only task, and give what it returned; *retried*: it may fail before."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
        ended = ("success", "failed", "skipped") + (() if retried else ("up_for_retry",))
        wait(lambda: self.state(path) in ended, "the task ends", 90)
        state = self.state(path)
        assert state == "success", f"{state}: {self.log(path)}"
        value = f"{path}/taskInstances/{TASK}/xcomEntries/return_value?deserialize=true"
        return dict(self.call("GET", value)["value"])

    def state(self, run_path: str) -> str | None:
        (task,) = self.call("GET", f"{run_path}/taskInstances")["task_instances"]
        return task["state"]

    def log(self, run_path: str) -> str:
        return str(self.call("GET", f"{run_path}/taskInstances/{TASK}/logs/1"))[-6000:]


def wait(until: Callable[[], bool], what: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"after {seconds} s still waiting: {what}"
        time.sleep(0.5)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def standalone(
    home: Path, variables: Mapping[str, str], knows: str = "iterable_users"
) -> Iterator[Airflow]:
    """
    Start Airflow on a home, and end it with all its processes.

    Args:
        home: with the folder ``dags``.

        knows: a DAG that has to be parsed before anything can be asked.
    """
    ports = [free_port(), free_port(), free_port()]
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")
    }
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__PORT": str(ports[0]),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports[0]}/execution/",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports[1]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports[2]),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Else LocalExecutor forks 32 children.
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        **variables,
    }
    log_file = home.parent / "standalone.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            ["airflow", "standalone"],
            env=inherited | settings,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            server = Airflow(ports[0], process.pid)
            try:
                wait(server.is_up, "Airflow is up", 180)
            except AssertionError:
                pytest.fail(log_file.read_text()[-8000:])
            server.log_in()
            wait(lambda: server.knows(knows), "the DAG is parsed", 90)
            yield server
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: a TERM to standalone alone leaves its children running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
