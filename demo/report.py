"""What a demo prints of a run, and where it ends."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from iterable_sync.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from processes import DemoFailed
    from read_back import People
    from state_tables import SyncRun

# Each a column; what comes in and what goes out are counted apart, and shown as one.
_COLUMNS = {
    "queried": ("queried",),
    "unchanged": ("unchanged",),
    "added": ("added",),
    "changed": ("changed",),
    "removed": ("removed",),
    "accepted": ("accepted", "removed_accepted"),
    "rejected": ("rejected", "still_rejected", "removed_rejected"),
    "requests": ("requests",),
}
# What a narrow terminal can do without.
_WIDE_ONLY = ("queried", "requests")
_WIDE = 98
_TAIL_LINES = 40
_NAMED_KEYS = 10


def day(
    console: Console, title: str, words: str, runs: Sequence[SyncRun], *, total_s: float
) -> None:
    """Print the table of a run, a line for each sync, with why rows were rejected below it."""
    table = Table(box=box.SIMPLE_HEAD, padding=0)
    table.add_column("sync")
    columns = {
        column: names
        for column, names in _COLUMNS.items()
        if console.width >= _WIDE or column not in _WIDE_ONLY
    }
    for column in columns:
        table.add_column(column, justify="right")
    for one in runs:
        table.add_row(one.sync, *(count(_sum(one, names)) for names in columns.values()))
    kilobytes = sum(one.counts["bytes_sent"] for one in runs) / 1000
    console.print(
        f"\n[bold]{title}[/bold]  {words} "
        f"[dim]({kilobytes:,.0f} kB sent, {total_s:.0f} s with Airflow's own start)[/dim]"
    )
    console.print(table)
    _rejected(console, runs)
    if ignored := _named(runs, "removed_ignored"):
        console.print(f"  removed, and left in Iterable, as on_remove is 'ignore': {ignored}")


def quiet(console: Console, title: str, words: str, writes: int, *, total_s: float) -> None:
    """Print that a run has sent nothing."""
    console.print(
        f"\n[bold]{title}[/bold]  {words}: {count(writes)} write requests reached Iterable, by its "
        f"own history [dim]({total_s:.0f} s)[/dim]"
    )


def read_back(console: Console, users: People) -> None:
    """Print how both sides compare in users, and name what is not alike."""
    console.print(
        f"  users in the warehouse: {users.rows:,} rows, {len(users.not_there):,} of them rejected "
        f"or held, {users.rows_without_key:,} without a key"
    )
    console.print(
        f"  users in Iterable: {users.profiles:,} profiles, {len(users.left):,} of them of users "
        "who left"
    )
    console.print("  not there, or without a field, each for a reason:")
    named = {key: _words(why) for key, why in users.not_there.items()}
    for key, fields in users.lacking.items():
        named[key] = ", ".join(f"without {field}: {_words(why)}" for field, why in fields.items())
    _keys(console, named)


def failure(console: Console, failed: DemoFailed, *, keep: bool) -> None:
    """Print what went wrong and the last lines of the log that says more."""
    console.print(f"\n[bold red]The demo failed:[/bold red] {escape(str(failed))}")
    if failed.log and failed.log.exists():
        console.print(f"[dim]The last lines of {failed.log.name}:[/dim]")
        console.print(Text(_tail(failed.log)), soft_wrap=True)
        if not keep:
            console.print("With --keep all files stay, the logs included.")


def pointers(console: Console, head: str, places: Mapping[str, str]) -> None:
    """Print where to go on: what -> address, file or command, never cut, to be copied."""
    console.print(f"\n{head}")
    width = max(map(len, places))
    for what, place in places.items():
        line = f"  {escape(what.ljust(width))}  [bold]{escape(place)}[/bold]"
        console.print(line, soft_wrap=True)


def count(value: int) -> str:
    """Give a number as it stands in a table, where nothing is to be overlooked."""
    return f"[bold]{value:,}[/bold]" if value else "[dim]0[/dim]"


def some(keys: Sequence[str]) -> str:
    """Give the first of many keys."""
    more = f" and {len(keys) - _NAMED_KEYS:,} more" if len(keys) > _NAMED_KEYS else ""
    return escape(", ".join(keys[:_NAMED_KEYS])) + more


def _rejected(console: Console, runs: Sequence[SyncRun]) -> None:
    """Print why rows were rejected, one line for a reason and all syncs that have it."""
    found: dict[str, Counter[str]] = {}
    for one in runs:
        for reason, rows in one.reasons.items():
            found.setdefault(reason, Counter())[one.sync] += rows
    for reason, syncs in found.items():
        of = ", ".join(f"{sync} {rows:,}" for sync, rows in syncs.items())
        console.print(f"  rejected, {_words(reason)}: {of}")
    if still := _named(runs, "still_rejected"):
        console.print(f"  still rejected, since nothing about them has changed: {still}")
    if lacking := _named(runs, "fields_rejected"):
        console.print(f"  accepted without a field that Iterable would not take: {lacking}")


def _named(runs: Sequence[SyncRun], name: str) -> str:
    return ", ".join(f"{one.sync} {one.counts[name]:,}" for one in runs if one.counts[name])


def _sum(run: SyncRun, names: Sequence[str]) -> int:
    return sum(run.counts[name] for name in names)


def _keys(console: Console, why: Mapping[str, str]) -> None:
    for key in sorted(why)[:_NAMED_KEYS]:
        console.print(f"    {escape(key)}: [dim]{escape(why[key])}[/dim]", soft_wrap=True)
    if len(why) > _NAMED_KEYS:
        console.print(f"    and {len(why) - _NAMED_KEYS:,} more, in the table rejections")


def _words(reason: str) -> str:
    return reason_of(reason).words


def _tail(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return "".join(deque(lines, _TAIL_LINES)).rstrip()
