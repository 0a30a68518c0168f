"""
Looks into row bodies that are already JSON: types of a field, cutting a field out.

Rows are written once, by column; only the few that an answer makes suspect come through here. No
digit of any other field changes: numbers are kept as the text that they were.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iterable_sync.rows import Payload

_DATA = "dataFields"
# Of a row that is a member of an object: the name of that member, which is an id (item_ids.py).
_MEMBER = re.compile(rb'"[A-Za-z0-9-]+":')

# Source: https://support.iterable.com/hc/en-us/articles/208183076 and block/iterable-go; texts of
# these forms become dates. Wider than the documented patterns on purpose: it decides only which
# text is a *safe* first value of a text field.
_DATE_LIKE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?", re.DOTALL)

# Names of Iterable's types (of Elasticsearch below them) that a JSON value may go by. "string" and
# "keyword" are recorded; "long", "double", "boolean", "date" and "object" are documented.
_TEXT = frozenset({"string", "keyword", "text"})
_DATE = _TEXT | {"date"}
_WHOLE = frozenset({"long", "integer", "short", "byte", "int"})
_FRACTION = frozenset({"double", "float", "half_float", "scaled_float"})
_BOOLEAN = frozenset({"boolean"})
_OBJECT = frozenset({"object", "nested", "geo_location", "geo_point"})


class Number:
    """A number as it was written."""

    __slots__ = ("is_whole", "text")

    def __init__(self, text: str, *, is_whole: bool) -> None:
        self.text = text
        self.is_whole = is_whole


def parsed(body: bytes | str) -> Any:
    """
    Read JSON whose numbers stay the texts that they are, as :class:`Number`.

    Raises:
        ValueError: it is no JSON; ``NaN`` and ``Infinity`` are none.
    """
    return json.loads(
        body,
        parse_int=lambda text: Number(text, is_whole=True),
        parse_float=lambda text: Number(text, is_whole=False),
        parse_constant=_no_number,
    )


def as_written(value: Any) -> orjson.Fragment:
    """Give a :class:`Number` as the text that it is, for ``orjson.dumps(default=...)``."""
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def json_types(body: bytes, field: str) -> frozenset[str]:
    """Give the type names that the value of *field* may go by; empty if the row has none."""
    found = _find(_document(body), field)
    return frozenset() if found is None else _types_of(found[0][found[1]])


def safe_first_values(body: bytes, fields: Iterable[str]) -> frozenset[str]:
    """
    Give those of *fields* whose value here fixes the type that the column has.

    The first value decides for ever: a text that looks like a date makes a date field, and an
    array or object without values decides nothing.
    """
    document = _document(body)
    found = {field: _find(document, field) for field in fields}
    return frozenset(
        field for field, at in found.items() if at is not None and _is_telling(at[0][at[1]])
    )


def event_name(body: bytes) -> str | None:
    """Give the name of the event that a row is; None for what is none."""
    name = _document(body).get("eventName")
    return name if isinstance(name, str) else None


def without_fields(payload: Payload, fields: Iterable[str]) -> Payload:
    """
    Give the row without *fields*; all other values stay, numbers digit by digit.

    Raises:
        ValueError: the body cannot be written anew, for it holds text that is not valid Unicode.
    """
    gone = set(fields)
    document = _document(payload.body)
    member = _MEMBER.match(payload.body)
    for field in gone:
        _cut(document, field)
    try:
        body = (member[0] if member else b"") + orjson.dumps(document, default=as_written)
    except orjson.JSONEncodeError:
        body = b""
    if not body:
        raise ValueError("the row cannot be written without the field")
    return replace(
        payload, body=body, fields=tuple(name for name in payload.fields if name not in gone)
    )


def _document(body: bytes) -> dict[str, Any]:
    """Give what a row says; nothing of one that is a name alone."""
    member = _MEMBER.match(body)
    document = parsed(body[member.end() :] if member else body)
    return document if isinstance(document, dict) else {}


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _cut(document: Any, field: str) -> None:
    found = _find(document, field)
    if found is None:
        return
    del found[0][found[1]]
    # An object that lost its last member would replace what Iterable holds by nothing.
    parent = field.rpartition(".")[0]
    at = _find(document, parent) if parent else None
    if at is not None and at[0][at[1]] == {}:
        _cut(document, parent)


def _find(document: Any, field: str) -> tuple[dict[str, Any], str] | None:
    """Give (object, key) that hold a dotted field; never an identifier beside the data fields."""
    start = document.get(_DATA, document)
    return next(_places(start, field), None) if isinstance(start, dict) else None


def _places(within: dict[str, Any], field: str) -> Iterator[tuple[dict[str, Any], str]]:
    if field in within:
        yield within, field
    head, _, rest = field.partition(".")
    while rest:
        inner = within.get(head)
        if isinstance(inner, dict):
            yield from _places(inner, rest)
        step, _, rest = rest.partition(".")
        head = f"{head}.{step}"


def _types_of(value: Any) -> frozenset[str]:
    match value:
        case None:
            return frozenset()
        case bool():
            return _BOOLEAN
        case Number():
            return _WHOLE if value.is_whole else _FRACTION
        case str():
            return _DATE if _DATE_LIKE.fullmatch(value) else _TEXT
        case list():
            return frozenset().union(*map(_types_of, value))
        case _:
            return _OBJECT


def _is_telling(value: Any) -> bool:
    match value:
        case None:
            return False
        case str():
            return _DATE_LIKE.fullmatch(value) is None
        case list():
            return any(map(_is_telling, value))
        case dict():
            return any(map(_is_telling, value.values()))
        case _:
            return True
