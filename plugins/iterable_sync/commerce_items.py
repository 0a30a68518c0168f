"""
The items of an order or a cart, as Iterable takes them.

================  =================================================================================
``id``            a text that is not blank, or a whole number, which becomes its digits; also from
                  ``product_id``; required
``name``          a text that is not blank; required
``price``         a number, or the text of one; required
``quantity``      a whole number, or the text of one; required
``sku``           a text, or a number, which becomes its digits
``description``,  texts; the last one also from ``image_url``
``url``,
``imageUrl``
``categories``    a list of texts, or one text, which becomes a list of one; also from ``category``
``dataFields``    an object; all other members go into it, under their own names
================  =================================================================================

A member that is null is left out. No digit of a number is lost, and no text is taken for a number
where it is an id: ``00501`` stays what it is.

Source: Swagger ``CommerceItem``, documented: ``price`` is a double, ``quantity`` has 64 bits, and
what is extra belongs into ``dataFields``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from iterable_sync.bodies import Number, as_written, parsed
from iterable_sync.rows import StateType, WireType
from iterable_sync.values import render
from iterable_sync.values.columns import Refused
from iterable_sync.values.conversions import double_of_text, long_of_double

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

_ALIASES = {"product_id": "id", "image_url": "imageUrl", "category": "categories"}
_EXTRAS = "dataFields"


class _Wrong(Exception):
    """A member cannot be sent; *what* is no value of a row."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def write_items(items: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """
    Write the items of each row as JSON.

    Args:
        items: JSON lists of objects (``large_string``).

    Returns:
        The texts, null where there are no items or wrong ones; and row -> where they are wrong,
        e.g. ``items[2].price is no number``, without any value.
    """
    import pyarrow as pa

    looked_at = render(items, StateType.TEXT, WireType.JSON, "items", {})
    wrong = {row: f"items: {reason}" for row, reason in looked_at.bad.items()}
    known: dict[str, str | _Wrong] = {}
    written: list[str | None] = []
    for row, text in enumerate(looked_at.written.to_pylist()):
        if text is None:
            written.append(None)
            continue
        if (found := known.get(text)) is None:
            found = known[text] = _write(text)
        if isinstance(found, _Wrong):
            wrong[row] = found.what
            written.append(None)
        else:
            written.append(found)
    return pa.array(written, pa.large_string()), wrong


def _write(text: str) -> str | _Wrong:
    try:
        return orjson.dumps(_items(parsed(text)), default=as_written).decode()
    except _Wrong as wrong:
        return wrong
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        return _Wrong("items cannot be read")


def _items(items: Any) -> list[dict[str, Any]]:
    if not isinstance(items, list):
        raise _Wrong("items is no list")
    return [_item(item, f"items[{place}]") for place, item in enumerate(items)]


def _item(item: Any, path: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _Wrong(f"{path} is no object")
    given = {name: value for name, value in item.items() if value is not None}
    for alias, name in _ALIASES.items():
        if alias in given and name not in given:
            given[name] = given.pop(alias)
    made: dict[str, Any] = {}
    for name, (read, is_required) in _MEMBERS.items():
        if name in given:
            made[name] = read(given.pop(name), f"{path}.{name}")
        elif is_required:
            raise _Wrong(f"{path}.{name} is missing")
    extras = given.pop(_EXTRAS, {})
    if not isinstance(extras, dict):
        raise _Wrong(f"{path}.{_EXTRAS} is no object")
    if extras := given | extras:
        made[_EXTRAS] = extras
    return made


def _id(value: Any, path: str) -> str:
    if isinstance(value, Number) and not value.is_whole:
        raise _Wrong(f"{path} is no whole number")
    return _named(_code(value, path), path)


def _name(value: Any, path: str) -> str:
    return _named(_text(value, path), path)


def _named(text: str, path: str) -> str:
    if not text.strip():
        raise _Wrong(f"{path} is missing")
    return text


def _code(value: Any, path: str) -> str:
    return value.text if isinstance(value, Number) else _text(value, path)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{path} is no text")
    return value


def _price(value: Any, path: str) -> Number:
    return Number(_double(value, path), is_whole=False)


def _quantity(value: Any, path: str) -> Number:
    try:
        return Number(long_of_double(_double(value, path)), is_whole=True)
    except Refused:
        raise _Wrong(f"{path} is no whole number of 64 bits") from None


def _double(value: Any, path: str) -> str:
    text = value.text if isinstance(value, Number) else value
    try:
        return double_of_text(text if isinstance(text, str) else "")
    except Refused:
        raise _Wrong(f"{path} is no number") from None


def _categories(value: Any, path: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise _Wrong(f"{path} is no list")
    return [_text(one, f"{path}[{place}]") for place, one in enumerate(value)]


# In the order in which they are sent.
_MEMBERS: dict[str, tuple[Callable[[Any, str], Any], bool]] = {
    "id": (_id, True),
    "sku": (_code, False),
    "name": (_name, True),
    "description": (_text, False),
    "categories": (_categories, False),
    "price": (_price, True),
    "quantity": (_quantity, True),
    "url": (_text, False),
    "imageUrl": (_text, False),
}
