"""
Show the whole way of the data on this machine: ``make demo``.

The example DAG in a real Airflow, for three days of a shop in their order, then for the third day
once more, and at last for a day that is over. Warehouse and state are DuckDB files, Iterable is the
sandbox; all of it is temporary. What it says is checked, and the command fails where it is not so.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import abandoned
import checks
import example
import expectation
import local_airflow
import read_back
import report
import stage
import state_tables
import summary
from expectation import MEMBERSHIPS, USERS
from expected_events import SINCE
from processes import DemoFailed
from summary import Played

if TYPE_CHECKING:
    from abandoned import Carts
    from checks import Request
    from expectation import Expected
    from local_iterable import Contents, LocalIterable
    from stage import Stage
    from state_tables import SyncRun

_DAYS = (
    "all of it is new",
    "some of it changed, came or left",
    "and a day later",
)
_AIRFLOW_WITHIN_S = 180.0
# An order is a request, and so is a cart; 20 of them go out in a second.
_MORE_FOR_A_USER_S = 0.01

NEXT = {
    "the same to click through": "make demo-ui",
    "the DAG, and the switches of a shop": "dags/iterable_shop.py",
    "the models, their columns are the fields": "sql/models/",
    "on your own warehouse": "README.md",
}


@dataclass(frozen=True)
class Day:
    """
    A day that was played.

    Args:
        held: what Iterable holds at its end.

        carts: what became of those that were left.
    """

    played: Played
    expected: Expected
    held: Contents
    carts: Carts


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit status."""
    parser = argparse.ArgumentParser(description="Sync a demo shop to a local Iterable.")
    stage.add_options(parser)
    options = parser.parse_args(arguments)
    return stage.perform(play, users=options.users, keep=options.keep)


def play(on: Stage) -> None:
    """
    Play the five runs.

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

    days: list[Day] = []
    for number, words in enumerate(_DAYS, start=1):
        days.append(_day(on, sandbox, number, words, days[-1] if days else None))
    last = len(days)
    again = _quiet(on, sandbox, last, "nothing has changed")
    _demand(checks.all_ended_well(again.runs))
    old = _quiet(on, sandbox, last - 1, "the shop is a day ahead")
    newest = state_tables.newest_data(playground.state)
    _demand(checks.older_was_refused(old.runs, newest, _end_of(last - 1)))
    _show_all(on, sandbox, days, [again, old])
    report.pointers(console, f"Done in {time.monotonic() - started:.0f} s. Next:", NEXT)


def _day(on: Stage, sandbox: LocalIterable, number: int, words: str, before: Day | None) -> Day:
    """Move the shop on, run the DAG, and look that what is new was sent, and nothing else."""
    place = on.playground
    place.move_to(day=number)
    expected = expectation.read(
        place.warehouse, _end_of(number), before.expected if before else None
    )
    shown, was = None, None
    if before:
        changes = expected.changes_since(before.expected)
        shown = example.find(before.expected, changes)
        was = sandbox.profile(shown.user_id).get(shown.field) if shown else None
    started = time.monotonic()
    played, writes = _run(on, sandbox, f"Day {number}", _end_of(number))
    report.day(on.console, played.title, words, played.runs, total_s=time.monotonic() - started)
    _demand(checks.all_ended_well(played.runs))
    if before is None:
        _demand(checks.everything_arrived(played.runs, expected))
    else:
        _show_news(on, writes, before.expected, expected)
    if shown:
        _follow(on, sandbox, shown, was, writes[USERS])
    held = sandbox.contents()
    told = read_back.compare_all(expected, held, state_tables.kept(place.state))
    _demand([*read_back.strangers(held), *(words for one in told for words in one.differences)])
    carts = abandoned.in_iterable(held, before.held if before else None)
    said = abandoned.in_warehouse(expected, before.expected if before else None)
    _demand(abandoned.differences(said, carts))
    return Day(played, expected, held, carts)


def _quiet(on: Stage, sandbox: LocalIterable, number: int, words: str) -> Played:
    """Run the DAG for a day that it has run for, and look that nothing is sent."""
    started = time.monotonic()
    played, writes = _run(on, sandbox, f"Day {number} again", _end_of(number))
    _demand(checks.nothing_was_sent([one for of in writes.values() for one in of]))
    total_s = time.monotonic() - started
    report.quiet(on.console, played.title, words, played.writes, total_s=total_s)
    return played


def _end_of(day: int) -> datetime:
    """Give the midnight after a day: what Airflow calls its logical date here."""
    return SINCE + timedelta(days=day)


def _run(
    on: Stage, sandbox: LocalIterable, title: str, as_of: datetime
) -> tuple[Played, dict[str, list[Request]]]:
    """Run the DAG in a process of its own; give what its syncs have written down and sent."""
    known = {run.run_id for run in _runs(on)}
    before = sandbox.last_request()
    command = local_airflow.dags_test(as_of)
    name = f"airflow {title.lower()}"
    within_s = _AIRFLOW_WITHIN_S + _MORE_FOR_A_USER_S * on.playground.users
    with on.console.status(f"{title}: airflow {' '.join(command[3:])}"):
        on.processes.run(name, command, timeout_s=within_s)
    runs = [run for run in _runs(on) if run.run_id not in known]
    found = sandbox.writes(before)
    writes, wrong = checks.by_sync(runs, found)
    _demand(wrong)
    return Played(title, runs, len(found)), writes


def _runs(on: Stage) -> list[SyncRun]:
    state = on.playground.state
    return state_tables.runs(state) if state.exists() else []


def _show_news(
    on: Stage, writes: dict[str, list[Request]], before: Expected, now: Expected
) -> None:
    """Print how little of a later day was sent, having looked that it was the right thing."""
    kept = state_tables.kept(on.playground.state)
    changes = now.changes_since(before)
    of_users = kept.get(USERS, state_tables.Kept())
    sent, wrong = checks.only_changes_were_sent(writes[USERS], now, changes, of_users)
    refilled, late = checks.refilled_carts(writes, now, before)
    people = now.people_since(before)
    _demand([*wrong, *checks.only_news_was_sent(writes, people, kept), *late])
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


def _show_all(on: Stage, sandbox: LocalIterable, days: list[Day], more: list[Played]) -> None:
    """Print the days side by side, and compare all that Iterable holds with the warehouse."""
    held = sandbox.contents()
    _demand(read_back.strangers(held))
    kept = state_tables.kept(on.playground.state)
    expected = days[-1].expected
    gone = {who for day in days for who in day.expected.profiles} - expected.profiles.keys()
    of_users = kept.get(USERS, state_tables.Kept())
    users = read_back.compare(expected, held.profiles, of_users, gone=gone)
    told = [users.told, *read_back.compare_all(expected, held, kept)]
    titles = [day.played.title for day in days]
    on.console.print("\n[bold]All days[/bold]  of the shop, side by side")
    played, carts = [*(day.played for day in days), *more], [day.carts for day in days]
    summary.audiences(on.console, titles, [day.held.things[MEMBERSHIPS] for day in days])
    summary.carts(on.console, titles, carts)
    summary.sent(on.console, played, told)
    report.read_back(on.console, users)
    summary.unlike(on.console, told)
    summary.in_short(on.console, played, carts, told)
    if not all(one.holds for one in told):
        raise DemoFailed("Iterable does not hold what the warehouse says")


def _demand(wrong: list[str]) -> None:
    if wrong:
        raise DemoFailed("; ".join(wrong))


if __name__ == "__main__":
    sys.exit(main())
