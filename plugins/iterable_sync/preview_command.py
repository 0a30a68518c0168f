"""``iterable-sync preview``: the requests that a sync would make for a few rows of its model."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from iterable_sync.errors import ConfigError, IterableSyncError
from iterable_sync.rows import ProjectType  # noqa: TC001 - typer reads it

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iterable_sync.preview import Preview, Refused
    from iterable_sync.rehearsal import Request

_STDIN = "-"
_INDENTED = orjson.OPT_INDENT_2


def preview(
    *,
    model: Annotated[
        str,
        typer.Option(
            help="A file here or of the package, e.g. models/users.sql, or SQL; - reads stdin."
        ),
    ],
    sync_object: Annotated[str, typer.Option("--object", help="What rows become, e.g. users.")],
    key: Annotated[list[str], typer.Option(help="A key column of the model; once for each.")],
    project_type: Annotated[
        ProjectType, typer.Option(help="How the project of Iterable identifies people.")
    ],
    warehouse: Annotated[
        str,
        typer.Option(
            envvar="ITERABLE_SYNC_WAREHOUSE",
            show_envvar=True,
            help="duckdb:///FILE or postgresql://USER@HOST/DATABASE; only read.",
        ),
    ],
    rows: Annotated[int, typer.Option(help="So many rows at most.")] = 5,
    as_of: Annotated[
        str | None,
        typer.Option(help="The moment of the run, e.g. 2026-01-02T00:00:00Z; now by default."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of {{ params.NAME }} in the model.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of the sync, as JSON, e.g. exclude='[\"city\"]'."),
    ] = None,
    sync: Annotated[
        str, typer.Option(help="Name of the sync; ids of events are made of it.")
    ] = "preview",
    project_id: Annotated[
        str | None, typer.Option(help="Id of the project; ids of events are made of it.")
    ] = None,
    region: Annotated[str, typer.Option(help="us or eu.")] = "us",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """
    Print the requests that rows of a model would become.

    Nothing is sent, no state is read or written, and Iterable is not asked.

    WHAT IS PRINTED IS PERSONAL DATA: it holds the values of the rows. Do not paste it into tickets.
    """
    from iterable_sync.databases import source_of
    from iterable_sync.models import render, text_of
    from iterable_sync.operators.arguments import build_spec
    from iterable_sync.preview import preview as requests_of

    try:
        moment = _moment(as_of)
        text = sys.stdin.read() if model == _STDIN else text_of(model)
        arguments = {
            "sync": sync,
            "object": sync_object,
            "sql": render(text, as_of=moment, **_named(param, "--param")),
            "key": tuple(key),
            "as_of": moment,
        }
        found = requests_of(
            build_spec(arguments, _named(option, "--option"), "preview"),
            source=source_of(warehouse),
            project_type=project_type,
            project_id=project_id,
            region=region,
            rows=rows,
        )
    except IterableSyncError as error:
        typer.echo(f"preview: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(_as_json(found) if as_json else _as_text(found))


def _moment(as_of: str | None) -> datetime:
    if as_of is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(as_of)
    except ValueError:
        raise ConfigError("--as-of is no time such as 2026-01-02T00:00:00Z") from None


def _named(given: Iterable[str] | None, option: str) -> dict[str, Any]:
    """Read NAME=VALUE: a value that is no JSON is the text that it is."""
    found: dict[str, Any] = {}
    for one in given or ():
        name, equals, text = one.partition("=")
        if not (name and equals):
            raise ConfigError(f"{option}: each is NAME=VALUE, and number {len(found) + 1} is not")
        if name in found:
            raise ConfigError(f"{option}: {name} is given twice")
        try:
            found[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            found[name] = text
    return found


def _as_text(found: Preview) -> str:
    counts = (found.rows, len(found.requests), len(found.refused))
    lines = ["rows: {}, requests: {}, refused: {}".format(*counts), ""]
    for request in found.requests:
        lines += [f"asks first: {one}" for one in request.asks]
        lines += [f"{request.method} {request.path}", *_body(request), ""]
    if found.refused:
        lines += ["Refused", *map(_refusal, found.refused), ""]
    return "\n".join([*lines, "Notes", *(f"  {note}" for note in found.notes)])


def _body(request: Request) -> list[str]:
    from iterable_sync.bodies import as_written, parsed

    if not request.body:
        return []
    # Numbers keep their digits: what is shown is what is sent, but for blanks.
    document = parsed(request.body)
    return [orjson.dumps(document, default=as_written, option=_INDENTED).decode()]


def _refusal(refused: Refused) -> str:
    where = "a row without a key" if refused.key is None else f"key {refused.key}"
    whole = "" if refused.field is None else f", field {refused.field}"
    return f"  {where}{whole}: {refused.reason}, {refused.words}"


def _as_json(found: Preview) -> str:
    document = {
        "rows": found.rows,
        "requests": [
            {
                "method": request.method,
                "path": request.path,
                "body": orjson.Fragment(request.body) if request.body else None,
                "rows": request.rows,
                "asks": request.asks,
            }
            for request in found.requests
        ],
        "refused": [
            {"key": one.key, "field": one.field, "reason": one.reason, "words": one.words}
            for one in found.refused
        ],
        "notes": found.notes,
    }
    return orjson.dumps(document).decode()
