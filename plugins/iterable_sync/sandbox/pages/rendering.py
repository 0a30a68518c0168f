"""From what a page shows to its HTML; everything that is no markup yet is escaped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A longer value is folded behind its beginning, and one longer still is cut.
_FOLD_CHARS = 240
_CUT_CHARS = 20_000

Cell = Any


@dataclass(frozen=True, slots=True)
class Shown:
    """
    What a page shows.

    Args:
        template: name of its file, without the ending.

        values: what the template asks for.

        location: where the browser is sent instead; then nothing is shown.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table of a page.

    Args:
        caption: what it shows, for those who cannot see the heading above it.

        columns: their titles.

        rows: cells: markup as it is, numbers with their thousands apart, other texts escaped.

        layout: on a phone: ``dense`` for a name, a type and perhaps a value, without titles;
            ``pairs`` for many short values, two in a line.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    layout: str = ""


def missing(what: str, back: str, back_name: str) -> Shown:
    """Say that there is no such thing, and give a way back."""
    return Shown("missing", {"what": what, "back": back, "back_name": back_name}, status=404)


def link(text: object, *segments: object, **query: object) -> Markup:
    """Return a link to a page of this site; *segments* are quoted."""
    return Markup('<a href="{}"><bdi>{}</bdi></a>').format(address(*segments, **query), text)


def address(*segments: object, **query: object) -> str:
    """Return the address of a page of this site."""
    path = "/" + "/".join(quote(str(segment), safe="") for segment in segments)
    return f"{path}?{urlencode(query)}" if query else path


def code(text: object) -> Markup:
    """Return a text in the type of code."""
    return Markup("<code><bdi>{}</bdi></code>").format(text)


def badge(text: object, kind: str) -> Markup:
    """Return a text with a coloured ground: *kind* is ``good``, ``bad``, ``odd`` or ``plain``."""
    return Markup('<span class="badge {}">{}</span>').format(kind, text)


def quiet(text: object) -> Markup:
    """Return a text that stands back."""
    return Markup('<span class="quiet">{}</span>').format(text)


def number(value: float) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def moment(unix_s: float) -> Markup:
    """Return a time of this machine's day, with the whole of it as a title."""
    when = datetime.fromtimestamp(unix_s, UTC).astimezone()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        when.isoformat(timespec="milliseconds"),
        when.isoformat(" ", timespec="milliseconds"),
        when.strftime("%H:%M:%S"),
    )


def day(unix_s: float) -> str:
    """Return a date and time of this machine, to the minute."""
    return datetime.fromtimestamp(unix_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def json_value(value: Any) -> Markup:
    """Return a value of a field: text as it is, all else as JSON; a long one is folded."""
    if value in ("", [], {}):
        return quiet("empty text" if value == "" else orjson.dumps(value).decode())
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if len(text) <= _FOLD_CHARS:
        plain = Markup("<bdi>{}</bdi>") if isinstance(value, str) else Markup("<code>{}</code>")
        return plain.format(text)
    rest = text[:_CUT_CHARS]
    note = f"{len(text):,} characters" + (
        f", the first {_CUT_CHARS:,} shown" if len(text) > _CUT_CHARS else ""
    )
    return Markup("<details><summary><bdi>{}…</bdi> {}</summary><pre>{}</pre></details>").format(
        text[:48], quiet(note), rest
    )


def render(shown: Shown) -> str:
    """Return the page."""
    return _ENVIRONMENT.get_template(f"{shown.template}.html").render(shown.values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["number"] = number
    made.tests["number_cell"] = _is_number
    made.tests["markup"] = lambda value: isinstance(value, Markup)
    return made


_ENVIRONMENT = _environment()
