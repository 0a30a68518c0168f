"""Seed data: a file with which a project begins, written through the endpoints themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from .answers import Refused
from .endpoints import Call, Table
from .memberships import ListKind
from .routes import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import State

_TABLE = Table(ENDPOINTS)


def load_seed(state: State, value: Any) -> dict[str, int]:
    """
    Write seed data; rate limits, faults and the history have no part in it.

    Args:
        state: the project.

        value: ``{"users": [], "lists": [], "events": [], "purchases": [], "catalogs": {}}``, each
            optional. Users, events and purchases are bodies of the API. A list is
            ``{"name": "VIP", "members": [{"email": "ada@example.com"}]}``, with a ``kind`` if it
            is not a ``Standard`` one, a catalog an object of items by id. ``channels``,
            ``messageTypes`` and ``campaigns``, as a read gives them, replace those of the start.

    Returns:
        How many of each were written.

    Raises:
        ValueError: something is no seed data, or an endpoint refuses it; the text says where.
            Nothing is changed then.
    """
    if not isinstance(value, dict):
        raise ValueError("expected an object")  # noqa: TRY004 -- all wrong values are told alike
    unknown = [name for name in value if name not in _SECTIONS]
    if unknown:
        raise ValueError(f"unknown member {unknown[0]!r}; known: {', '.join(_SECTIONS)}")
    with state.lock:
        saved = state.saved()
        try:
            # In the order of the table: events need their users.
            return {
                name: write(state, name, value[name])
                for name, write in _SECTIONS.items()
                if name in value
            }
        except ValueError:
            state.restore(saved)
            raise


def _rows(state: State, name: str, value: Any, write: Callable[[State, str, Any], None]) -> int:
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected an array")  # noqa: TRY004 -- as above
    for index, row in enumerate(value):
        write(state, f"{name}[{index}]", row)
    return len(value)


def _users(state: State, name: str, value: Any) -> int:
    return _rows(state, name, value, _user)


def _user(state: State, place: str, row: Any) -> None:
    _ask(state, place, "POST", "/api/users/bulkUpdate", {"users": [row]})


def _lists(state: State, name: str, value: Any) -> int:
    return _rows(state, name, value, _list)


def _list(state: State, place: str, row: Any) -> None:
    if not isinstance(row, dict):
        raise ValueError(f"{place}: expected an object")  # noqa: TRY004 -- as above
    rest = dict(row)
    members = rest.pop("members", [])
    kind = rest.pop("kind", ListKind.STANDARD)
    if kind not in list(ListKind):
        raise ValueError(f"{place}.kind: expected one of {', '.join(ListKind)}")
    made = _ask(state, place, "POST", "/api/lists", rest)

    def subscribe(state: State, place: str, member: Any) -> None:
        body = {"listId": made["listId"], "subscribers": [member]}
        _ask(state, place, "POST", "/api/lists/subscribe", body)

    _rows(state, f"{place}.members", members, subscribe)
    # Last of all: nobody joins a dynamic list through the API.
    state.lists.set_kind(made["listId"], ListKind(kind))


def _events(state: State, name: str, value: Any) -> int:
    return _rows(state, name, value, _event)


def _event(state: State, place: str, row: Any) -> None:
    _ask(state, place, "POST", "/api/events/trackBulk", {"events": [row]})


def _purchases(state: State, name: str, value: Any) -> int:
    return _rows(state, name, value, _purchase)


def _purchase(state: State, place: str, row: Any) -> None:
    _ask(state, place, "POST", "/api/commerce/trackPurchase", row)


def _catalogs(state: State, name: str, value: Any) -> int:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected an object of catalogs by name")  # noqa: TRY004 -- as above
    for catalog, items in value.items():
        place = f"{name}.{catalog}"
        if not isinstance(items, dict):
            raise ValueError(f"{place}: expected an object of items by id")  # noqa: TRY004 -- as above
        path = f"/api/catalogs/{quote(catalog, safe='')}"
        _ask(state, place, "POST", path, None)
        for item, fields in items.items():
            body = {"documents": {item: fields}, "replaceUploadedFieldsOnly": False}
            _ask(state, f"{place}.{item}", "POST", f"{path}/items", body)
    return len(value)


def _messaging(state: State, name: str, value: Any) -> int:
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected an array")  # noqa: TRY004 -- as above
    state.messaging.replace(name, value)
    return len(value)


_SECTIONS: dict[str, Callable[[State, str, Any], int]] = {
    "users": _users,
    "lists": _lists,
    "events": _events,
    "purchases": _purchases,
    "catalogs": _catalogs,
    "channels": _messaging,
    "messageTypes": _messaging,
    "campaigns": _messaging,
}


def _ask(state: State, place: str, method: str, path: str, body: Any) -> dict[str, Any]:
    """Let an endpoint handle one row; return its answer."""
    found = _TABLE.find(method, path)
    assert found is not None, path  # noqa: S101 -- all paths are written above
    endpoint, params = found
    text = b"" if body is None else orjson.dumps(body)
    try:
        answer = endpoint.handle(state, Call(path, params, {}, text))
    except Refused as refusal:
        answer = refusal.answer
    said = orjson.loads(answer.body)
    if answer.status >= 300:
        raise ValueError(f"{place}: {said.get('code') or said.get('error')}: {_reason(said)}")
    if said.get("failCount"):
        arrays = said.get("failedUpdates") or said
        reasons = [array for array, names in arrays.items() if isinstance(names, list) and names]
        raise ValueError(f"{place}: refused as {', '.join(reasons)}")
    return dict(said)


def _reason(said: dict[str, Any]) -> str:
    problems = said.get("params") or said.get("msg") or said.get("message")
    return problems if isinstance(problems, str) else orjson.dumps(problems).decode()
