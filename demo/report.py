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
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from processes import DemoFailed
    from read_back import ReadBack
    from state_tables import SyncRun

_LEFT = ("queried", "unchanged", "added", "changed", "removed")
_RIGHT = ("accepted", "rejected", "still_rejected", "held", "requests")
_TAIL_LINES = 40
_NAMED_KEYS = 10


def run(console: Console, title: str, words: str, done: SyncRun, *, total_s: float) -> None:
    """Print the table of a run, with why rows were rejected below it."""
    table = Table(box=box.ROUNDED, show_header=False, pad_edge=True)
    for justify in ("left", "right", "left", "right"):
        table.add_column(justify=justify, min_width=9)
    for left, right in zip(_LEFT, _RIGHT, strict=True):
        table.add_row(left, _count(done, left), right.replace("_", " "), _count(done, right))
    kilobytes = f"{done.counts['bytes_sent'] / 1000:,.1f}"
    table.add_row("seconds", f"{done.seconds:.1f}", "kB sent", kilobytes)
    console.print(
        f"\n[bold]{title}[/bold]  {words} [dim]({total_s:.0f} s with Airflow's own start)[/dim]"
    )
    console.print(table)
    for reason, rows in done.reasons.items():
        console.print(f"  {rows:,} rejected: {_words(reason)}")
    if lacking := done.counts["fields_rejected"]:
        console.print(f"  {lacking:,} accepted without a field that Iterable would not take")
    if ignored := done.counts["removed_ignored"]:
        console.print(f"  {ignored:,} removed stay in Iterable: on_remove is 'ignore'")


def read_back(console: Console, result: ReadBack) -> None:
    """Print how both sides compare, and name what is not alike."""
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


def _count(done: SyncRun, name: str) -> str:
    value = done.counts[name]
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
