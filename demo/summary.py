"""What a demo prints at its end: all of its runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from expectation import SYNCS
from report import count, some

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from abandoned import Carts
    from read_back import Told
    from state_tables import SyncRun

_OF_CARTS = {
    "Return Cart was sent": "reminded",
    "Cart Abandoned was sent, a day later": "given_up",
    "became an order instead": "ordered",
}


@dataclass(frozen=True)
class Played:
    """
    One run of the DAG.

    Args:
        title: ``Day 1``.

        runs: of its syncs, those left out for which newer data had been sent.

        writes: how many requests that can change something Iterable has had.
    """

    title: str
    runs: Sequence[SyncRun]
    writes: int

    @property
    def sent(self) -> int:
        """How many rows Iterable took."""
        return sum(run.sent for run in self.runs)

    @property
    def older(self) -> int:
        """How many syncs did nothing, as newer data had been sent."""
        return len(SYNCS) - len(self.runs)


def sent(console: Console, played: Sequence[Played], told: Sequence[Told]) -> None:
    """Print how many rows each sync has sent in each run, and how many of them Iterable holds."""
    table = _table("rows sent", [one.title for one in played], "Iterable holds")
    by_sync = {one.sync: one for one in told}
    for sync in SYNCS:
        cells = []
        for one in played:
            rows = [run.sent for run in one.runs if run.sync == sync]
            cells.append(count(sum(rows)) if rows else "[dim]older[/dim]")
        table.add_row(sync, *cells, _held(by_sync[sync]))
    table.add_section()
    table.add_row("write requests", *(count(one.writes) for one in played))
    console.print(table)


def audiences(
    console: Console, titles: Sequence[str], memberships: Sequence[Mapping[tuple[str, str], bool]]
) -> None:
    """Print who came into which audience and who left it, as Iterable's profiles have it."""
    table = _table("audiences: came and left", titles, "members")
    names = sorted({name for _, name in memberships[-1]})
    for name in names:
        members = [
            {who for (who, field), is_in in of.items() if field == name and is_in}
            for of in memberships
        ]
        before = [set(), *members]
        moves = [
            f"[bold]+{len(now - was):,}[/bold] -{len(was - now):,}"
            for was, now in zip(before, members, strict=False)
        ]
        table.add_row(name, *moves, f"{len(members[-1]):,}")
    console.print(table)


def carts(console: Console, titles: Sequence[str], days: Sequence[Carts]) -> None:
    """Print what became of the carts that were left."""
    table = _table("carts that were left, by day", titles)
    for words, what in _OF_CARTS.items():
        table.add_row(words, *(count(len(getattr(day, what))) for day in days))
    console.print(table)


def in_short(
    console: Console, played: Sequence[Played], days: Sequence[Carts], told: Sequence[Told]
) -> None:
    """Print what has happened, a line for each run."""
    first, *others = played
    lines = {
        first.title: f"{first.sent:,} rows were new, and went out in {first.writes:,} requests"
    }
    for one in others:
        if one.sent:
            words = f"{one.sent:,} had changed, come or gone, in {one.writes:,} requests"
        elif one.older:
            words = f"newer data had gone out; {one.writes:,} write requests"
        else:
            words = f"nothing had changed; {one.writes:,} write requests"
        lines[one.title] = words
    reminded, given_up, ordered = (
        sum(len(getattr(day, what)) for day in days) for what in _OF_CARTS.values()
    )
    lines["Carts"] = (
        f"{reminded:,} were left: {ordered:,} became orders after a reminder, "
        f"{given_up:,} were given up"
    )
    console.print("[bold]In short[/bold]")
    width = max(map(len, lines))
    for title, words in lines.items():
        console.print(f"  {title.ljust(width)}  {words}")
    holds = sum(one.holds for one in told)
    style = "green" if holds == len(told) else "red"
    console.print(
        f"[bold {style}]Iterable holds what the warehouse says: {holds} of {len(told)} syncs, "
        f"compared value by value[/bold {style}]"
    )


def unlike(console: Console, told: Sequence[Told]) -> None:
    """Name what differs, and nothing says why."""
    for one in told:
        if one.wrong:
            console.print(
                f"  [red]{one.sync}: differ, and nothing says why: {some(one.wrong)}[/red]"
            )


def _table(head: str, titles: Sequence[str], last: str | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(head)
    for title in (*titles, *([last] if last else [])):
        table.add_column(title.replace(" again", "\nagain"), justify="right")
    return table


def _held(told: Told) -> str:
    style = "green" if told.holds else "red"
    return f"[{style}]{told.found:,} of {told.wanted:,}[/{style}]"
