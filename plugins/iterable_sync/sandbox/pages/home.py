"""The first page: how much there is, a person, the fields, the last requests."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import orjson

from ..identity import fold_email
from .layout import heading, note, page, table, tiles

if TYPE_CHECKING:
    from ..profiles import Profile
    from ..state import State

_LAST_REQUESTS = 50


def home(state: State, *, find: str) -> str:
    """
    Return the page.

    Args:
        state: what is shown.

        find: an e-mail address or userId to look for; empty for none.
    """
    settings = state.settings
    facts = (
        ("users", f"{len(state.people):,}"),
        ("fields", len(state.user_fields.kinds)),
        ("requests", f"{len(state.history):,}"),
        ("project type", settings.project_type),
        ("data centre", settings.region.upper()),
        ("rate limits", "on" if settings.rate_limits else "off"),
    )
    return page(
        "Iterable sandbox",
        "<h1>Iterable sandbox</h1>\n",
        note("A local stand-in for Iterable. Nothing you send here leaves this machine."),
        tiles(facts),
        _search(state, find),
        heading("Last requests"),
        _requests(state),
        heading("Field registry"),
        table(("field", "type"), sorted(state.user_fields.kinds.items())),
    )


def _search(state: State, find: str) -> str:
    form = (
        '<form method="get" action="/"><input name="find" aria-label="E-mail or userId"'
        f' placeholder="E-mail or userId" value="{escape(find)}"><button>Find</button></form>\n'
    )
    parts = [heading("Find a person"), form]
    if find:
        person = state.people.by_user_id(find) or state.people.by_email(fold_email(find))
        parts.append(
            note("Nobody has this e-mail address or userId.")
            if person is None
            else _profile(state, person)
        )
    if state.settings.discard:
        parts.append(note("Profiles are discarded: the sandbox keeps a digest per identity."))
    return "".join(parts)


def _profile(state: State, person: Profile) -> str:
    rows: list[tuple[str, str, str]] = []
    _flatten(state, "", person.data_fields(), rows)
    return table(("field", "type", "value"), rows)


def _flatten(
    state: State, path: str, fields: dict[str, Any], rows: list[tuple[str, str, str]]
) -> None:
    for name, value in sorted(fields.items()):
        full = f"{path}{name}"
        kind = state.user_fields.kinds.get(full, "")
        if isinstance(value, dict):
            _flatten(state, f"{full}.", value, rows)
        else:
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            rows.append((full, kind, text))


def _requests(state: State) -> str:
    entries = state.history.last(_LAST_REQUESTS)
    if not entries:
        return note("None yet.")
    rows = [
        (
            entry.seq,
            f"{entry.method} {entry.path}",
            f"{entry.status}{' (canned)' if entry.canned else ''}",
            entry.rows,
            entry.counts.get("fail", 0),
            entry.bytes,
            f"{entry.seconds * 1000:.1f} ms",
        )
        for entry in entries
    ]
    return table(("#", "request", "status", "rows", "failed", "bytes", "time"), rows)
