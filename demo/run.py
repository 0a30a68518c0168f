"""
Show the whole way of the data on this machine: ``make demo``.

Three runs of the example DAG in a real Airflow: the first day of a shop, the second, and the second
once more. Warehouse and state are DuckDB files, Iterable is the sandbox; all of it is temporary.
What it says is checked, and the command fails where it is not so.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

import checks
import example
import expectation
import local_airflow
import read_back
import report
import stage
import state_tables
from processes import DemoFailed

if TYPE_CHECKING:
    from local_iterable import LocalIterable
    from stage import Stage
    from state_tables import SyncRun

_AIRFLOW_WITHIN_S = 180.0

NEXT = {
    "the same to click through": "make demo-ui",
    "the DAG, one operator": "dags/iterable_users.py",
    "the model, its columns are the fields": "sql/models/users.sql",
    "on your own warehouse": "README.md",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit status."""
    parser = argparse.ArgumentParser(description="Sync a demo shop to a local Iterable.")
    stage.add_options(parser)
    options = parser.parse_args(arguments)
    return stage.perform(play, users=options.users, keep=options.keep)


def play(on: Stage) -> None:
    """
    Play the three runs.

    Raises:
        DemoFailed: something did not work, or did not show what the demo is there to show.
    """
    started = time.monotonic()
    console, playground = on.console, on.playground
    console.print(
        f"A shop with {playground.users:,} customers in DuckDB, a local Iterable, and Airflow.\n"
        "Nothing leaves this machine."
    )
    with console.status("Preparing the shop, the sandbox and Airflow"):
        migration = on.processes.start("airflow db migrate", local_airflow.MIGRATE)
        sandbox = on.start_sandbox()
        playground.move_to(day=1)
        first_day = expectation.read(playground.warehouse)
        on.processes.finish("airflow db migrate", migration, timeout_s=_AIRFLOW_WITHIN_S)

    done = _run(on, "Day 1", "every customer is new", "2026-01-01T00:00:00")
    _demand(checks.everyone_arrived(done, playground.users))

    playground.move_to(day=2)
    second_day = expectation.read(playground.warehouse)
    changes = second_day.changes_since(first_day)
    shown = example.find(first_day, changes)
    was = sandbox.profile(shown.user_id).get(shown.field) if shown else None
    before = sandbox.last_request()
    done = _run(on, "Day 2", "a few changed, came or left", "2026-01-02T00:00:00")
    writes = sandbox.writes(before)
    kept = state_tables.kept(playground.state)
    sent, wrong = checks.only_changes_were_sent(done, writes, second_day, changes, kept)
    _demand(wrong)
    console.print(
        f"  Sent: {sent.users:,} of {sent.of_users:,} users ({sent.users / sent.of_users:.1%}), "
        f"changed fields only: {sent.bytes / 1000:,.1f} kB,\n"
        f"  where whole rows would have been {sent.bytes_of_whole_rows / 1000:,.1f} kB"
    )
    if shown:
        _follow(on, sandbox, shown, was, writes)

    before = sandbox.last_request()
    done = _run(on, "Day 2 once more", "nothing has changed", "2026-01-02T12:00:00")
    _demand(checks.nothing_was_sent(done, sandbox.writes(before)))
    console.print("  0 write requests reached Iterable, by its own history")

    kept = state_tables.kept(playground.state)
    gone = set(first_day.profiles) - set(second_day.profiles)
    result = read_back.compare(second_day, sandbox.profiles(), kept, gone=gone)
    report.read_back(console, result)
    if not result.holds:
        raise DemoFailed("Iterable does not hold what the warehouse says")

    report.pointers(console, f"Done in {time.monotonic() - started:.0f} s. Next:", NEXT)


def _run(on: Stage, title: str, words: str, date: str) -> SyncRun:
    """Run the DAG in a process of its own and print what the sync has written down of it."""
    known = {run.run_id for run in _runs(on)}
    command = local_airflow.dags_test(date)
    started = time.monotonic()
    with on.console.status(f"{title}: airflow {' '.join(command[3:])}"):
        on.processes.run(f"airflow {title.lower()}", command, timeout_s=_AIRFLOW_WITHIN_S)
    new = [run for run in _runs(on) if run.run_id not in known]
    if len(new) != 1:
        raise DemoFailed(
            f"{title}: the DAG has run, and the table runs has {len(new)} new rows, not 1",
            on.processes.log(f"airflow {title.lower()}"),
        )
    report.run(on.console, title, words, new[0], total_s=time.monotonic() - started)
    return new[0]


def _runs(on: Stage) -> list[SyncRun]:
    state = on.playground.state
    return state_tables.runs(state) if state.exists() else []


def _follow(
    on: Stage,
    sandbox: LocalIterable,
    shown: example.Example,
    was: Any,
    writes: list[dict[str, Any]],
) -> None:
    """Print one change, having found it in the warehouse, in a request and in the profile."""
    carried = next(w for w in writes if shown.user_id in w["keys"])
    now = sandbox.profile(shown.user_id).get(shown.field)
    if (was, now) != (shown.old, shown.new):
        raise DemoFailed(f"Iterable's {shown.field} of {shown.user_id} did not follow the shop")
    on.console.print(
        f"  For example {shown.user_id}: [bold]{shown.words}[/bold]\n  carried by request "
        f"{carried['seq']}, {carried['method']} {carried['path']}, and read back from Iterable"
    )


def _demand(wrong: list[str]) -> None:
    if wrong:
        raise DemoFailed("; ".join(wrong))


if __name__ == "__main__":
    sys.exit(main())
