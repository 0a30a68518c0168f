"""Airflow's public REST API, as far as the demo needs it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from processes import DemoFailed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

_PARTS = ("metadatabase", "scheduler", "dag_processor")
_POLL_S = 0.5


class AirflowApi:
    """
    Talks to an Airflow where everyone is an administrator.

    Args:
        url: its address.

        process, log: ``airflow standalone``; its end is the end of waiting.
    """

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = url
        self._process = process
        self._log = log
        self._session = requests.Session()
        # Not through a proxy that is set for the rest of the world.
        self._session.trust_env = False

    def wait_until_up(self, *, timeout_s: float) -> None:
        """Return once the API, the scheduler and the DAG processor are there, logged in."""
        self._wait(self._is_up, "Airflow is up", timeout_s)
        token = self._call("GET", "/auth/token")["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def run_once(self, dag_id: str, now: datetime, *, timeout_s: float) -> str:
        """
        Switch a DAG on, have one run of it made, and wait for its end.

        Where its schedule is due, the scheduler makes that run as soon as the DAG is on: one that
        is asked for beside it would be a second.

        Returns:
            The run's id.

        Raises:
            DemoFailed: it failed, or the DAG is not there.
        """
        dag = f"/api/v2/dags/{dag_id}"
        self._wait(lambda: self._knows(dag_id), f"the DAG {dag_id} is parsed", timeout_s)
        due = self._call("GET", dag)["next_dagrun_run_after"]
        self._call("PATCH", dag, is_paused=False)
        if due is None or datetime.fromisoformat(due) > now:
            self._call("POST", f"{dag}/dagRuns", logical_date=None)
        self._wait(lambda: bool(self._ended(dag)), f"a run of {dag_id} has ended", timeout_s)
        run = self._ended(dag)[0]
        if run["state"] != "success":
            raise DemoFailed(f"the run {run['dag_run_id']} ended {run['state']}", self._log)
        return str(run["dag_run_id"])

    def _ended(self, dag: str) -> list[dict[str, Any]]:
        found = self._call("GET", f"{dag}/dagRuns")["dag_runs"]
        return [run for run in found if run["state"] in ("success", "failed")]

    def _is_up(self) -> bool:
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except requests.RequestException:
            return False
        return all((health.get(part) or {}).get("status") == "healthy" for part in _PARTS)

    def _knows(self, dag_id: str) -> bool:
        return dag_id in {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags")["dags"]}

    def _call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._session.request(method, f"{self.url}{path}", json=body or None, timeout=60)
        if not answer.ok:
            raise DemoFailed(f"Airflow: {method} {path}: {answer.status_code}", self._log)
        return answer.json()

    def _wait(self, until: Callable[[], bool], what: str, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while not until():
            if self._process.poll() is not None:
                raise DemoFailed("airflow standalone has ended by itself", self._log)
            if time.monotonic() > end:
                raise DemoFailed(f"after {timeout_s:.0f} s still waiting: {what}", self._log)
            time.sleep(_POLL_S)
