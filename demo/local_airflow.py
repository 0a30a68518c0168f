"""An Airflow for the demo: its home in a temporary folder, its settings in the environment."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import local_iterable

if TYPE_CHECKING:
    from datetime import datetime

    from playground import Playground

DAG_ID = "iterable_shop"
TASK_ID = "users"
DAG_FILE = Path(__file__).resolve().parent.parent / "dags" / f"{DAG_ID}.py"

AIRFLOW = (sys.executable, "-m", "airflow")
MIGRATE = (*AIRFLOW, "db", "migrate")
STANDALONE = (*AIRFLOW, "standalone")

# `airflow dags test` waits for a retry as long as the DAG says: minutes in which nothing is seen.
# And the sandbox needs no time to settle: it applies what it takes at once.
_NO_WAITING = """\
def task_policy(task):
    task.retries = 0


def dag_policy(dag):
    # A task has a copy of its own.
    for params in (dag.params, *(task.params for task in dag.tasks)):
        params["settle_s"] = 0
"""


def prepare_home(playground: Playground) -> None:
    """Make the home, with the example DAG in it and no plugin folder's content."""
    dags = playground.airflow_home / "dags"
    dags.mkdir(parents=True)
    # Empty: the package is installed, and loading it from plugins/ as well is an import error.
    (playground.airflow_home / "plugins").mkdir()
    settings = playground.airflow_home / "config"
    settings.mkdir()
    (settings / "airflow_local_settings.py").write_text(_NO_WAITING, encoding="utf-8")
    # A copy, so that Python's caches come into the temporary folder.
    shutil.copy(DAG_FILE, dags)


def environment(playground: Playground) -> dict[str, str]:
    """Give what every process of the demo sees; connections to Iterable come once it runs."""
    home = playground.airflow_home
    kept = {
        name: value
        for name, value in os.environ.items()
        # An Airflow of the user's own is none of the demo's business.
        if not name.startswith("AIRFLOW")
    }
    no_proxy = ",".join(filter(None, [os.environ.get("no_proxy"), "127.0.0.1,localhost"]))
    return kept | {
        # `airflow standalone` finds its parts by name.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def connections(playground: Playground, iterable_url: str) -> dict[str, str]:
    """Give the variables that define the three connections of the example DAG."""
    defined: dict[str, dict[str, Any]] = {
        "WAREHOUSE": _duckdb(playground.warehouse),
        "STATE": _duckdb(playground.state),
        "ITERABLE_DEFAULT": {
            "conn_type": "iterable",
            "host": iterable_url,
            "password": local_iterable.API_KEY,
            "extra": local_iterable.PROJECT,
        },
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in defined.items()}


def _duckdb(file: Path) -> dict[str, Any]:
    return {"conn_type": "duckdb", "host": str(file)}


def dags_test(date: datetime) -> tuple[str, ...]:
    """Give the command that runs the DAG for a date, without a scheduler."""
    return (*AIRFLOW, "dags", "test", DAG_ID, date.isoformat())


def standalone_settings() -> tuple[int, dict[str, str]]:
    """Give a free port, and the variables for an Airflow that answers there, to this machine."""
    api, worker_logs, trigger_logs = _free_ports(3)
    return api, {
        # Everyone who reaches it is an administrator: nobody else shall reach it.
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(api),
        # Tasks report to it, and it does not follow the port by itself.
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        # LocalExecutor forks as many children as it may run tasks: 32 by default.
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
    }


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        # All open at a time, so that they differ.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
