"""
Show the whole way of the data on this machine: ``make demo``.

Three runs of the example DAG in a real Airflow: the first day of a shop, the second, and the second
once more; each of them syncs users, audiences, orders, carts and events. Warehouse and state are
DuckDB files, Iterable is the sandbox; all of it is temporary. What it says is checked, and the
command fails where it is not so.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
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
    from checks import Request
    from expectation import Expected
    from local_iterable import Contents, LocalIterable
    from stage import Stage
    from state_tables import SyncRun

_AIRFLOW_WITHIN_S = 180.0
# An order is a request, and so is a cart; 20 of them go out in a second.
_MORE_FOR_A_USER_S = 0.01

NEXT = {
    "the same to click through": "make demo-ui",
    "the DAG, an operator for each sync": "dags/iterable_shop.py",
    "the models, their columns are the fields": "sql/models/",
    "on your own warehouse": "README.md",
}


@dataclass(frozen=True)
class Day:
    """
    A day that was played.

    Args:
        writes: requests that can change something, by sync.

        held: what Iterable holds at its end.
    """

    writes: dict[str, list[Request]]
    expected: Expected
    held: Contents


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
        on.processes.finish("airflow db migrate", migration, timeout_s=_AIRFLOW_WITHIN_S)

    expected = expectation.read(playground.warehouse)
    runs, writes = _run(on, sandbox, "Day 1", "all of it is new", "2026-01-01T00:00:00")
    _demand(checks.everything_arrived(runs, expected))
    first = _end(on, sandbox, writes, expected)

    playground.move_to(day=2)
    expected = expectation.read(playground.warehouse, expected)
    changes = expected.changes_since(first.expected)
    shown = example.find(first.expected, changes)
    was = sandbox.profile(shown.user_id).get(shown.field) if shown else None
    _, writes = _run(on, sandbox, "Day 2", "some changed, came or left", "2026-01-02T00:00:00")
    _show_news(on, writes, first.expected, expected)
    if shown:
        _follow(on, sandbox, shown, was, writes["users"])
    second = _end(on, sandbox, writes, expected, first)

    _, writes = _run(on, sandbox, "Day 2 once more", "nothing has changed", "2026-01-02T12:00:00")
    _demand(checks.nothing_was_sent([one for of in writes.values() for one in of]))
    console.print("  0 write requests reached Iterable, by its own history")

    held = sandbox.contents()
    gone = set(first.expected.profiles) - set(second.expected.profiles)
    kept = state_tables.kept(playground.state)
    users = read_back.compare(second.expected, held.profiles, kept, gone=gone)
    others = read_back.compare_all(second.expected, held)
    report.read_back(console, users)
    report.told(console, others)
    if not (users.holds and all(one.holds for one in others)):
        raise DemoFailed("Iterable does not hold what the warehouse says")

    report.pointers(console, f"Done in {time.monotonic() - started:.0f} s. Next:", NEXT)


def _run(
    on: Stage, sandbox: LocalIterable, title: str, words: str, date: str
) -> tuple[list[SyncRun], dict[str, list[Request]]]:
    """Run the DAG in a process of its own; print what the syncs have written down, and give it."""
    known = {run.run_id for run in _runs(on)}
    before = sandbox.last_request()
    command = local_airflow.dags_test(date)
    name = f"airflow {title.lower()}"
    within_s = _AIRFLOW_WITHIN_S + _MORE_FOR_A_USER_S * on.playground.users
    started = time.monotonic()
    with on.console.status(f"{title}: airflow {' '.join(command[3:])}"):
        on.processes.run(name, command, timeout_s=within_s)
    runs = [run for run in _runs(on) if run.run_id not in known]
    if wrong := checks.all_ended_well(runs):
        raise DemoFailed(f"{title}: {'; '.join(wrong)}", on.processes.log(name))
    report.day(on.console, title, words, runs, total_s=time.monotonic() - started)
    writes, wrong = checks.by_sync(runs, sandbox.writes(before))
    _demand(wrong)
    return runs, writes


def _runs(on: Stage) -> list[SyncRun]:
    state = on.playground.state
    return state_tables.runs(state) if state.exists() else []


def _end(
    on: Stage,
    sandbox: LocalIterable,
    writes: dict[str, list[Request]],
    expected: Expected,
    before: Day | None = None,
) -> Day:
    """Look at the end of a day that Iterable holds what is about users, and who came and left."""
    held = sandbox.contents()
    report.audiences(on.console, before.held.memberships if before else {}, held.memberships)
    _demand(
        [
            f"Iterable holds {one.found:,} of {one.wanted:,} {one.what}, and "
            f"{len(one.wrong):,} that differ"
            for one in read_back.compare_all(expected, held)
            if not one.holds
        ]
    )
    return Day(writes, expected, held)


def _show_news(
    on: Stage, writes: dict[str, list[Request]], before: Expected, now: Expected
) -> None:
    """Print how little of the second day was sent, having looked that it was the right thing."""
    kept = state_tables.kept(on.playground.state)
    changes = now.changes_since(before)
    sent, wrong = checks.only_changes_were_sent(writes["users"], now, changes, kept)
    refilled, late = checks.refilled_carts(writes, now, before)
    _demand([*wrong, *checks.only_news_was_sent(writes, now.people_since(before)), *late])
    on.console.print(
        f"  Sent: {sent.users:,} of {sent.of_users:,} users ({sent.users / sent.of_users:.1%}), "
        f"changed fields only: {sent.bytes / 1000:,.1f} kB,\n"
        f"  where whole rows would have been {sent.bytes_of_whole_rows / 1000:,.1f} kB"
    )
    if refilled:
        on.console.print(
            "  A purchase empties the cart in Iterable. Put back, unchanged in the warehouse: "
            f"{refilled:,}"
        )


def _follow(
    on: Stage,
    sandbox: LocalIterable,
    shown: example.Example,
    was: Any,
    writes: list[Request],
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
