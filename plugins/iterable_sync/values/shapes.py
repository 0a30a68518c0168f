"""
The shape of a JSON text as a pattern, so that Arrow finds the texts that are like one already seen.

Texts that match have the same keys in the same order, with values of the same types: what was found
in one of them holds for all. The pattern takes less than JSON allows (no escapes, no exponents, no
number that is not plain); what it does not take is looked at by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from iterable_sync.names import is_location

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRING = r'"[^"\\\x00-\x1f]*"'
_PLAIN = {
    type(None): "null",
    bool: "(?:true|false)",
    int: "(?:0|-?[1-9][0-9]{0,17})",
    float: r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}",
}
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
# Compiling is paid per chunk, and a long pattern seldom fits a second text.
_MOST_CHARACTERS = 4_000


class _NoShape(Exception):
    """The types of a text do not say all that is looked for in it."""


def shape_of(value: Any, name: str, known_types: Mapping[str, str]) -> str | None:
    """
    Give the pattern of texts like one that was parsed to *value*; None if there is none.

    Args:
        value: as ``orjson`` reads it.

        name: the field, dotted.

        known_types: dotted field -> its type in Iterable; whether a text is a date, or a pair of
            numbers a place, is no matter of its type, so a text with one has no shape.
    """
    try:
        pattern = _shape(value, name, known_types)
    except (_NoShape, RecursionError):
        return None
    return rf"\A{pattern}\z" if len(pattern) <= _MOST_CHARACTERS else None


def _shape(value: Any, path: str, known_types: Mapping[str, str]) -> str:
    if is_location(path):
        raise _NoShape
    if isinstance(value, str):
        if known_types.get(path) == "date":
            raise _NoShape
        return _STRING
    if isinstance(value, dict):
        members = (
            f"{_literal(key)}: ?{_shape(item, f'{path}.{key}', known_types)}"
            for key, item in value.items()
        )
        return rf"\{{{', ?'.join(members)}\}}"
    if isinstance(value, list):
        shapes = {_shape(item, path, known_types) for item in value}
        # An item stands twice in the pattern, so lists in lists double it at each level.
        if len(shapes) > 1 or any(len(item) > _MOST_CHARACTERS for item in shapes):
            raise _NoShape
        return r"\[" + "".join(f"{item}(?:, ?{item})*" for item in shapes) + r"\]"
    return _PLAIN[type(value)]


def _literal(key: str) -> str:
    return _SPECIAL.sub(r"\\\1", orjson.dumps(key).decode())
