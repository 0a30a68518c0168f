"""
Show the demo in Airflow's own pages: ``make demo-ui``.

A standalone Airflow with the example DAG, run once, and the sandbox with its page. The pages of
both are for this machine only, and stay until Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import local_airflow
import report
import stage
import state_tables
from airflow_api import AirflowApi
from interrupts import Stopped

if TYPE_CHECKING:
    from stage import Stage

_UP_WITHIN_S = 180.0
_RUN_WITHIN_S = 180.0

SHOP = Path(__file__).with_name("shop.py")


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit status."""
    parser = argparse.ArgumentParser(
        description="Sync a demo shop to a local Iterable, in an Airflow to click through."
    )
    stage.add_options(parser)
    parser.add_argument("--once", action="store_true", help="end after the first run of the DAG")
    options = parser.parse_args(arguments)
    return stage.perform(
        lambda on: play(on, once=options.once), users=options.users, keep=options.keep
    )


def play(on: Stage, *, once: bool) -> None:
    """
    Start everything, run the DAG, and wait.

    Raises:
        DemoFailed: something did not work.
    """
    console, playground = on.console, on.playground
    started = time.monotonic()
    with console.status("Starting Airflow; this takes half a minute"):
        sandbox = on.start_sandbox()
        playground.move_to(day=1)
        port, settings = local_airflow.standalone_settings()
        on.processes.environment.update(settings)
        process = on.processes.start("airflow standalone", local_airflow.STANDALONE)
        url = f"http://127.0.0.1:{port}"
        airflow = AirflowApi(url, process, on.processes.log("airflow standalone"))
        airflow.wait_until_up(timeout_s=_UP_WITHIN_S)
    with console.status(f"Running the DAG {local_airflow.DAG_ID}"):
        run_id = airflow.run_once(local_airflow.DAG_ID, datetime.now(UTC), timeout_s=_RUN_WITHIN_S)
    runs = state_tables.runs(playground.state)
    report.day(console, "Day 1", "all of it is new", runs, total_s=time.monotonic() - started)
    if once:
        return

    dag = f"{url}/dags/{local_airflow.DAG_ID}"
    task = f"{dag}/runs/{quote(run_id)}/tasks/{local_airflow.TASK_ID}"
    report.pointers(
        console,
        "Open:",
        {
            "Airflow, no login": url,
            "the DAG, to trigger it": dag,
            "the log of this run": task,
            "what Iterable has": sandbox.url,
        },
    )
    command = (
        f"{_short(sys.executable)} {_short(SHOP)} "
        f"--path {playground.warehouse} --users {playground.users}"
    )
    report.pointers(
        console,
        "To move the shop on, run this, and trigger the DAG again:",
        {"day 2": f"{command} --day 2"},
    )
    _wait(on)


def _short(path: str | Path) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path)


def _wait(on: Stage) -> None:
    on.console.print("\nCtrl-C ends it and removes everything.")
    try:
        while True:
            signal.pause()
    except Stopped as stopped:
        if stopped.signum != signal.SIGINT:
            raise
    on.console.print("\nEnding Airflow and the sandbox.")


if __name__ == "__main__":
    sys.exit(main())
