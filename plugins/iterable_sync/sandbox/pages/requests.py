"""The last requests: what was asked, what was answered, and how long it took."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from .rendering import Shown, Table, address, badge, code, link, missing, moment, number, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from markupsafe import Markup
    from starlette.requests import Request

    from ..history import Entry
    from ..state import State

_SHOWN = 100

# What the list can be narrowed to: a name in the address, a text in the form, a test.
_FILTERS: tuple[tuple[str, str, Callable[[Entry], bool]], ...] = (
    ("", "All", lambda _entry: True),
    ("2xx", "2xx: accepted", lambda entry: 200 <= entry.status < 300),
    ("4xx", "4xx: refused", lambda entry: 400 <= entry.status < 500),
    ("400", "400", lambda entry: entry.status == 400),
    ("401", "401: key", lambda entry: entry.status == 401),
    ("404", "404", lambda entry: entry.status == 404),
    ("429", "429: rate limit", lambda entry: entry.status == 429),
    ("5xx", "5xx: server error", lambda entry: entry.status >= 500),
    ("rows", "Accepted, but rows failed", lambda entry: entry.counts.get("fail", 0) > 0),
    ("fault", "With a fault", lambda entry: bool(entry.faults)),
)
_COLUMNS = ("Request", "Status", "Time", "Rows", "Failed", "Size", "Took")


def requests(state: State, request: Request) -> Shown:
    """Show the newest requests, of one kind if asked."""
    chosen = request.query_params.get("status", "")
    fits = next((test for name, _, test in _FILTERS if name == chosen), _FILTERS[0][2])
    path = request.query_params.get("path", "").strip()
    before = request.query_params.get("before", "")
    limit = int(before) if before.isdecimal() and len(before) < 16 else None
    fitting = (
        entry
        for entry in state.history.last(len(state.history))
        if fits(entry) and path in entry.path and (limit is None or entry.seq < limit)
    )
    found = list(islice(fitting, _SHOWN + 1))
    query = {name: text for name, text in (("status", chosen), ("path", path)) if text}
    values = {
        "filters": [(name, text, name == chosen) for name, text, _ in _FILTERS],
        "path": path,
        "total": len(state.history),
        "forgotten": state.history.forgotten,
        "table": request_table(found[:_SHOWN]),
        "older": address("requests", **query, before=found[_SHOWN - 1].seq)
        if len(found) > _SHOWN
        else None,
        "newest": address("requests", **query) if limit is not None else None,
    }
    return Shown("requests", values)


def one_request(state: State, request: Request) -> Shown:
    """Show all that is known of one request."""
    wanted = request.path_params["seq"]
    entries = state.history.last(len(state.history))
    entry = next((one for one in entries if str(one.seq) == wanted), None)
    if entry is None:
        return missing("request", "/requests", "Requests")
    rows: list[tuple[object, object]] = [
        ("Request", code(f"{entry.method} {entry.path}")),
        ("Time", moment(entry.wall_time)),
        ("Status", _status(entry)),
        ("Took", f"{entry.seconds * 1000:.2f} ms"),
        ("Size", f"{number(entry.bytes)} bytes"),
        ("Digest of the body", code(entry.digest)),
        ("Rows", entry.rows),
        *((f"Rows: {name}", count) for name, count in entry.counts.items()),
        ("Took effect", "yes" if entry.applied else "no"),
        ("Faults", ", ".join(entry.faults) or quiet("none")),
    ]
    values = {
        "seq": entry.seq,
        "table": Table("Facts", ("Fact", "Value"), rows, layout="dense"),
        "names": (
            ("Changed", _names(entry.keys)),
            ("Accepted but dropped by a fault", _names(entry.dropped)),
            ("Reported as failed by a fault", _names(entry.refused)),
        ),
    }
    return Shown("request", values)


def request_table(entries: Iterable[Entry]) -> Table:
    """Return a table of requests."""
    rows = [
        (
            link(entry.seq, "requests", entry.seq) + " " + code(f"{entry.method} {entry.path}"),
            _status(entry),
            moment(entry.wall_time),
            entry.rows,
            entry.counts.get("fail", 0),
            f"{number(entry.bytes)} B",
            f"{entry.seconds * 1000:.2f} ms",
        )
        for entry in entries
    ]
    return Table("Requests", _COLUMNS, rows, layout="pairs")


def _status(entry: Entry) -> Markup:
    kind = "good" if 200 <= entry.status < 300 else "odd" if entry.status == 429 else "bad"
    mark = badge(entry.status or "cut", kind)
    for fault in entry.faults:
        mark += " " + badge(f"fault: {fault}", "plain")
    return mark


def _names(names: Iterable[str]) -> list[str]:
    return [str(name) for name in islice(names, _SHOWN)]
