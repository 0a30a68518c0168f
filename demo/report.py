"""What a demo prints."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from iterable_sync.reasons import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from rich.console import Console

    from expectation import Membership
    from processes import DemoFailed
    from read_back import ReadBack, Told
    from state_tables import SyncRun

# Each a line of the table; what comes in and what goes out are counted apart, and shown as one.
_LINES = {
    "queried": ("queried",),
    "unchanged": ("unchanged",),
    "added": ("added",),
    "changed": ("changed",),
    "removed": ("removed",),
    "accepted": ("accepted", "removed_accepted"),
    "rejected": ("rejected", "removed_rejected"),
    "still rejected": ("still_rejected",),
    "held": ("held", "removed_held"),
    "requests": ("requests",),
}
_TAIL_LINES = 40
_NAMED_KEYS = 10


def day(
    console: Console, title: str, words: str, runs: Sequence[SyncRun], *, total_s: float
) -> None:
    """Print the table of a day, a column for each sync, with why rows were rejected below it."""
    table = Table(box=box.ROUNDED, pad_edge=True)
    table.add_column()
    for one in runs:
        table.add_column(one.sync, justify="right", min_width=9)
    for line, names in _LINES.items():
        table.add_row(line, *(_count(sum(one.counts[n] for n in names)) for one in runs))
    table.add_row("seconds", *(f"{one.seconds:.1f}" for one in runs))
    table.add_row("kB sent", *(f"{one.counts['bytes_sent'] / 1000:,.1f}" for one in runs))
    console.print(
        f"\n[bold]{title}[/bold]  {words} [dim]({total_s:.0f} s with Airflow's own start)[/dim]"
    )
    console.print(table)
    for one in runs:
        for reason, rows in one.reasons.items():
            console.print(f"  {one.sync}: {rows:,} rejected: {_words(reason)}")
        if lacking := one.counts["fields_rejected"]:
            console.print(
                f"  {one.sync}: {lacking:,} accepted without a field that Iterable would not take"
            )
        if ignored := one.counts["removed_ignored"]:
            console.print(
                f"  {one.sync}: {ignored:,} removed stay in Iterable: on_remove is 'ignore'"
            )


def audiences(
    console: Console, before: Mapping[Membership, Any], now: Mapping[Membership, Any]
) -> None:
    """Print who came into which audience and who left it, as Iterable's profiles have it."""
    console.print("  Audiences, as fields of the profiles in Iterable:")
    names = sorted({name for _, name in now})
    width = max(map(len, names))
    for name in names:
        was, is_in = (
            {who for (who, field), value in of.items() if field == name and value}
            for of in (before, now)
        )
        console.print(
            f"    {name.ljust(width)}  {len(is_in):,} in it: "
            f"{len(is_in - was):,} came, {len(was - is_in):,} left"
        )


def told(console: Console, results: Sequence[Told]) -> None:
    """Print how both sides compare in what is about users, and name what is not alike."""
    for one in results:
        style = "green" if one.holds else "red"
        console.print(
            f"[bold {style}]Iterable holds {one.found:,} of {one.wanted:,} {one.what}"
            f"[/bold {style}]"
        )
        if one.wrong:
            console.print(f"  [red]differ, and nothing says why: {_some(one.wrong)}[/red]")


def read_back(console: Console, result: ReadBack) -> None:
    """Print how both sides compare in users, and name what is not alike."""
    style = "green" if result.holds else "red"
    console.print(
        f"\n[bold {style}]Iterable holds what the warehouse says: "
        f"{result.found:,} of {result.wanted:,} users[/bold {style}]"
    )
    console.print(
        f"  warehouse: {result.rows:,} rows, {len(result.not_there):,} of them rejected or held, "
        f"{result.rows_without_key:,} without a key"
    )
    console.print(
        f"  Iterable: {result.profiles:,} profiles, {len(result.left):,} of them of users who left"
    )
    console.print("  not there, or without a field:")
    named = {key: _words(why) for key, why in result.not_there.items()}
    for key, fields in result.lacking.items():
        named[key] = ", ".join(f"without {field}: {_words(why)}" for field, why in fields.items())
    _keys(console, named)
    if result.wrong:
        console.print(f"  [red]differ, and nothing says why: {_some(result.wrong)}[/red]")


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


def _count(value: int) -> str:
    return f"[bold]{value:,}[/bold]" if value else "[dim]0[/dim]"


def _keys(console: Console, why: Mapping[str, str]) -> None:
    for key in sorted(why)[:_NAMED_KEYS]:
        console.print(f"    {escape(key)}: [dim]{escape(why[key])}[/dim]", soft_wrap=True)
    if len(why) > _NAMED_KEYS:
        console.print(f"    and {len(why) - _NAMED_KEYS:,} more, in the table rejections")


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _NAMED_KEYS:,} more" if len(keys) > _NAMED_KEYS else ""
    return escape(", ".join(keys[:_NAMED_KEYS])) + more


def _words(reason: str) -> str:
    return reason_of(reason).words


def _tail(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return "".join(deque(lines, _TAIL_LINES)).rstrip()
