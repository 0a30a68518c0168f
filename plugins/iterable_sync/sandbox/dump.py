"""The whole project as JSON, in pieces."""

from __future__ import annotations

from asyncio import sleep
from typing import TYPE_CHECKING, Any

import orjson

from .events import EventType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from .state import State

_ROWS_PER_CHUNK = 500


def head_of(state: State) -> dict[str, Any]:
    """Return what is said of the project as a whole."""
    return {
        "project_type": state.settings.project_type,
        "count": len(state.people),
        "discarded": state.settings.discard,
        "fields": dict(state.user_fields.kinds),
        "forgotten": {
            "hashedEmails": state.forgotten.email_hashes(),
            "hashedUserIds": state.forgotten.user_id_hashes(),
        },
    }


def sections_of(state: State) -> dict[str, Iterable[Any]]:
    """Return the rows of each store; they are made while they are read."""
    people = list(state.people.profiles())
    return {
        "users": ({"key": key, **person.as_json()} for key, person in people),
        "lists": _lists(state, {person.number: key for key, person in people}),
        "events": _events(state, people, EventType.CUSTOM),
        "purchases": _events(state, people, EventType.PURCHASE),
        "catalogs": _catalogs(state),
    }


async def stream(
    head: Mapping[str, Any], sections: Mapping[str, Iterable[Any]]
) -> AsyncIterator[bytes]:
    """Give *head* with one more member per section, an array never in memory as a whole."""
    yield orjson.dumps(head)[:-1]
    for name, rows in sections.items():
        yield f',"{name}":['.encode()
        lines: list[bytes] = []
        first = True
        for row in rows:
            lines.append(orjson.dumps(row))
            if len(lines) == _ROWS_PER_CHUNK:
                yield (b"" if first else b",\n") + b",\n".join(lines)
                first = False
                lines.clear()
                await sleep(0)
        yield (b"" if first or not lines else b",\n") + b",\n".join(lines) + b"]"
    yield b"}\n"


def whole(state: State) -> dict[str, Any]:
    """Return the whole project at once."""
    with state.lock:
        return head_of(state) | {name: list(rows) for name, rows in sections_of(state).items()}


def _lists(state: State, keys: Mapping[int, str]) -> Iterator[dict[str, Any]]:
    for one in reversed(state.lists.newest_first()):
        # A member without a profile is one under `--discard`: it has a number only.
        yield {**one.as_json(), "members": [keys.get(n, n) for n in sorted(one.members)]}


def _events(state: State, people: Iterable[Any], kind: EventType) -> Iterator[dict[str, Any]]:
    return (row for row in state.events.as_rows(people) if row["eventType"] == kind)


def _catalogs(state: State) -> Iterator[dict[str, Any]]:
    for catalog in list(state.catalogs):
        items = {item_id: item.value for item_id, item in list(catalog.items.items())}
        yield {"name": catalog.name, "fieldMappings": dict(catalog.mappings), "items": items}
