"""Kinds of faults that take rows out of a request, and still answer as if nothing were odd."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from ..answers import Refused, envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from ..answers import Answer
    from ..endpoints import Call
    from ..state import State

    Handler = Callable[[Call], Answer]

# The members of bodies that hold one row each; a body without them is a row itself.
_ROW_MEMBERS = (
    "users",
    "usersByUserId",
    "events",
    "subscribers",
    "updateSubscriptionsRequests",
    "documents",
    "itemIds",
)
REASONS = ("invalid", "invalidData", "notFound", "conflict", "forgotten")
# Source: the codes are from the Swagger document, which of them a single row gets is assumed.
_SINGLE = {
    "invalid": (400, "InvalidEmailAddressError", "InvalidUserIdError"),
    "invalidData": (400, "RequestFieldsTypesMismatched", "RequestFieldsTypesMismatched"),
    "notFound": (400, "UnknownEmailError", "UnknownUserIdError"),
    "conflict": (409, "Conflict", "Conflict"),
    "forgotten": (400, "ForgottenUserError", "ForgottenUserError"),
}


@dataclass(slots=True)
class Withheld:
    """
    What rows a request lost on its way, by identifier, and through which kinds of faults.

    Args:
        dropped: accepted, but not applied.

        refused: named as failed in the answer.
    """

    dropped: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    is_whole: bool = False


def drop(
    state: State,
    handle: Handler,
    arguments: Mapping[str, Any],
    random: Random,
    withheld: Withheld,
) -> Handler:
    """
    Accept everything, but do not apply a fraction of the rows.

    The answer is that of the whole request, tried on the real stores; they are then put back,
    and the request is handled without those rows. Costs a copy of all stores per request.
    """

    def handle_some(call: Call) -> Answer:
        body = _Body(call)
        chosen = [row for row in body.rows() if random.random() < arguments["fraction"]]
        if not chosen:
            return handle(call)
        answer = _without_effect(state, handle, call)
        withheld.dropped.extend(row.name for row in chosen)
        withheld.kinds.append("drop")
        if len(chosen) == len(body.rows()):
            withheld.is_whole = True
            return replace(answer, keys=())
        applied = handle(replace(call, body=body.without(chosen)))
        return replace(answer, keys=applied.keys)

    return handle_some


def refuse_rows(
    state: State,
    handle: Handler,
    arguments: Mapping[str, Any],
    _random: Random,
    withheld: Withheld,
) -> Handler:
    """
    Report the rows with a mark as failed, and apply the others.

    Where an answer has no failures by row, the request is refused as a whole. An endpoint without
    the array of the reason names the row under the array for invalid identifiers.
    """

    def handle_others(call: Call) -> Answer:
        body = _Body(call)
        marked = [row for row in body.rows() if _is_marked(row.value, row.name, arguments)]
        if not marked:
            return handle(call)
        withheld.refused.extend(row.name for row in marked)
        withheld.kinds.append("refuse_rows")
        if not body.is_reported:
            raise Refused(_single_refusal(marked[0], arguments["reason"]))
        if len(marked) == len(body.rows()):
            # Without rows the request would be another one: some endpoints refuse an empty array.
            answer = _nothing_done(_without_effect(state, handle, call))
        else:
            answer = handle(replace(call, body=body.without(marked)))
        return _reported(answer, marked, arguments)

    return handle_others


def refuse_batch(
    _state: State,
    handle: Handler,
    arguments: Mapping[str, Any],
    _random: Random,
    withheld: Withheld,
) -> Handler:
    """
    Refuse the whole request if one of its rows has a mark.

    Source:
        ``obj.users[1].preferUserId`` in the ``params`` of a ``BadJsonBody``: from public fixtures
        and an issue of 2024.
    """

    def handle_unmarked(call: Call) -> Answer:
        body = _Body(call)
        marked = [row for row in body.rows() if _is_marked(row.value, row.name, arguments)]
        if not marked:
            return handle(call)
        withheld.refused.extend(row.name for row in marked)
        withheld.kinds.append("refuse_batch")
        suffix = f".{arguments['field']}" if arguments["field"] else ""
        problems = {f"{row.path}{suffix}": "String value expected" for row in marked}
        params = problems if arguments["with_path"] else None
        text = f"[{call.path}] Invalid JSON body"
        raise Refused(envelope(400, arguments["code"], text, params))

    return handle_unmarked


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One row: its place in the body, its value, and how an answer names it."""

    member: str
    place: int | str
    value: Any
    path: str

    @property
    def name(self) -> str:
        if isinstance(self.place, str):
            return self.place
        if not isinstance(self.value, dict):
            return str(self.value)
        user = self.value.get("user")
        named = user if isinstance(user, dict) else self.value
        email = named.get("email")
        return str(email).strip().lower() if email else str(named.get("userId") or "")

    @property
    def is_named_by_email(self) -> bool:
        return "@" in self.name


class _Body:
    """A request body, as rows."""

    def __init__(self, call: Call) -> None:
        self._path = call.path
        try:
            parsed = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            parsed = None
        self._parsed: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
        self._members = [
            member for member in _ROW_MEMBERS if isinstance(self._parsed.get(member), list | dict)
        ]
        self._rows = list(self._find())

    @property
    def is_reported(self) -> bool:
        """Whether the answer has failures by row: it has for objects in an array."""
        return all(
            isinstance(row.place, int) and isinstance(row.value, dict) and row.member
            for row in self._rows
        )

    def rows(self) -> list[_Row]:
        """Give all rows, in order."""
        return self._rows

    def without(self, rows: list[_Row]) -> bytes:
        """Return the body without *rows*."""
        gone = {(row.member, row.place) for row in rows}
        rest = dict(self._parsed)
        for member in self._members:
            value = rest[member]
            if isinstance(value, dict):
                rest[member] = {k: v for k, v in value.items() if (member, k) not in gone}
            else:
                rest[member] = [v for i, v in enumerate(value) if (member, i) not in gone]
        return orjson.dumps(rest)

    def _find(self) -> Iterator[_Row]:
        for member in self._members:
            value = self._parsed[member]
            if isinstance(value, dict):
                for key, item in value.items():
                    yield _Row(member, key, item, f"obj.{member}.{key}")
            else:
                for index, item in enumerate(value):
                    yield _Row(member, index, item, f"obj.{member}[{index}]")
        if not self._members:
            # Without a body it is about what the path names, as in a deletion.
            place = 0 if self._parsed else unquote(self._path.rpartition("/")[2])
            yield _Row("", place, self._parsed, "obj")


def _without_effect(state: State, handle: Handler, call: Call) -> Answer:
    saved = state.saved()
    try:
        return handle(call)
    finally:
        state.restore(saved)


def _nothing_done(answer: Answer) -> Answer:
    """Return the report of a bulk request as it is when no row of it came through."""
    parsed = {
        name: [] if isinstance(value, list) else value
        for name, value in orjson.loads(answer.body).items()
    }
    parsed |= {"successCount": 0, "failCount": 0}
    if isinstance(failed := parsed.get("failedUpdates"), dict):
        parsed["failedUpdates"] = {array: [] for array in failed}
    counts = {"success": 0, "fail": 0}
    return replace(answer, body=orjson.dumps(parsed), rows=0, keys=(), counts=counts)


def _is_marked(value: Any, name: str, arguments: Mapping[str, Any]) -> bool:
    if arguments["keys"] is not None:
        user_id = str(value.get("userId")) if isinstance(value, dict) else name
        folded = name if "@" in name else None
        return any(key in (name, user_id) or key.lower() == folded for key in arguments["keys"])
    found = value
    for step in arguments["field"].split("."):
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    wanted = arguments["equals"]
    return wanted is None or (found == wanted and type(found) is type(wanted))


def _single_refusal(row: _Row, reason: str) -> Answer:
    status, by_email, by_user_id = _SINGLE[reason]
    return envelope(status, by_email if row.is_named_by_email else by_user_id, "Refused by a fault")


def _reported(answer: Answer, rows: list[_Row], arguments: Mapping[str, Any]) -> Answer:
    """Return *answer* with *rows* among its failures."""
    parsed = orjson.loads(answer.body)
    for row in rows:
        kind = "Emails" if row.is_named_by_email else "UserIds"
        for array in (arguments["reason"] + kind, "invalid" + kind):
            places = (parsed.get("failedUpdates") or {}, parsed)
            named = [place[array] for place in places if isinstance(place.get(array), list)]
            for names in named:
                names.append(row.name)
            if named:
                break
    parsed["failCount"] = parsed.get("failCount", 0) + len(rows)
    counts = {**(answer.counts or {}), "fail": parsed["failCount"]}
    total = answer.rows + len(rows)
    return replace(answer, body=orjson.dumps(parsed), counts=counts, rows=total)
