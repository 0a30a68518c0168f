"""``iterable-sync explain``: why a row was, or was not, sent."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iterable_sync.errors import IterableSyncError, StateBusy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.explain import Explanation, LastRun
    from iterable_sync.fates import Finding

NOTHING_KNOWN = 3
"""The exit code where no sync knows anything."""

_SHORT = 8


def explain(
    *,
    state: Annotated[
        str,
        typer.Option(
            envvar="ITERABLE_SYNC_STATE",
            show_envvar=True,
            help="duckdb:///FILE or postgresql://USER@HOST/DATABASE; only read.",
        ),
    ],
    key: Annotated[
        str | None,
        typer.Option(help='Key of the row; of several columns \'["u1","x"]\', or one part.'),
    ] = None,
    email: Annotated[str | None, typer.Option(help="E-mail of the person.")] = None,
    user_id: Annotated[str | None, typer.Option(help="userId of the person.")] = None,
    sync: Annotated[
        str | None, typer.Option(help="This sync alone, e.g. shop.users; else all.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="This project alone, e.g. 12345.us; else all.")
    ] = None,
    schema: Annotated[
        str | None, typer.Option(help="Of the state in PostgreSQL; iterable_sync by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say why a row was, or was not, sent. Reads the state, and makes no request."""
    from iterable_sync.databases import state_of
    from iterable_sync.explain import explain as ask

    try:
        found = ask(
            state_of(state, schema=schema),
            key=key,
            email=email,
            user_id=user_id,
            sync=sync,
            project=project,
        )
    except StateBusy as error:
        way_out = "a DuckDB file is open to one process at a time; ask again when that one is done"
        typer.echo(f"explain: {error}; {way_out}", err=True)
        raise typer.Exit(1) from None
    except ImportError as error:
        typer.echo(f"explain: {error}. Is the extra installed, [duckdb] or [postgres]?", err=True)
        raise typer.Exit(1) from None
    except IterableSyncError as error:
        typer.echo(f"explain: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(_as_json(found) if as_json else _as_text(found))
    if not any(one.is_known for one in found):
        raise typer.Exit(NOTHING_KNOWN)


def _as_text(found: Sequence[Explanation]) -> str:
    # What knows something first; of many syncs most know nothing.
    blocks = [_block(one) for one in sorted(found, key=lambda one: not one.is_known)]
    return "\n\n".join(blocks)


def _block(one: Explanation) -> str:
    about = f" ({one.object}, project {one.project})" if one.object else ""
    lines = [f"{one.sync or 'all syncs'}{about}"]
    lines += [f"  {_line(finding)}" for finding in one.findings]
    if one.is_cut:
        lines.append("  there are more rows than these")
    if one.verdict:
        lines.append(f"  nothing known: {one.verdict}")
    if one.last_run is not None:
        lines.append(f"  last run: {_run(one.last_run)}")
    lines += [f"  the {lease} is held now by {holder}" for lease, holder in one.busy]
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    """Give a finding: what, since when, why, and what is next."""
    head = finding.fate.value.replace("_", " ")
    if finding.rows > 1:
        head += f", {finding.rows:,} rows"
    if finding.fields:
        head += f", {', '.join(finding.fields)}"
    parts = [f"{head}: {finding.words}"]
    if finding.code:
        parts.append(finding.code + (f", up to: {finding.owner}" if finding.owner else ""))
    if finding.at is not None:
        parts.append(f"{'first ' if finding.code else ''}{_time(finding.at)}")
    if finding.next_try_at is not None:
        parts.append(f"next try {_time(finding.next_try_at)}")
    if finding.run_id:
        parts.append(f"run {finding.run_id[:_SHORT]}")
    return f"{parts[0]} ({'; '.join(parts[1:])})" if parts[1:] else parts[0]


def _run(run: LastRun) -> str:
    counts = ", ".join(f"{name} {n:,}" for name, n in run.counts.items() if "bytes" not in name)
    when = f"ended {_time(run.ended_at)}" if run.ended_at else f"began {_time(run.started_at)}"
    return f"{run.end}, {when}, run {run.run_id[:_SHORT]}" + (f"; {counts}" if counts else "")


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _as_json(found: Sequence[Explanation]) -> str:
    document = [asdict(one) | {"busy": dict(one.busy), "is_known": one.is_known} for one in found]
    return json.dumps({"syncs": document}, indent=2, ensure_ascii=False, default=_written)


def _written(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
