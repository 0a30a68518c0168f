"""JSON columns: sent to the digit as they are, after a look at what is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from iterable_sync.names import is_location
from iterable_sync.values.columns import Bad, Reason, Refused
from iterable_sync.values.conversions import MAX_CHARACTERS, literal_of_text
from iterable_sync.values.places import is_place
from iterable_sync.values.shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

# An escaped NUL, and no escaped backslash in front of "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

# A pattern is compiled in about the time that a few dozen texts take.
_WORTH_A_SHAPE = 100
_MOST_SHAPES = 8

_PLAIN = frozenset({str, int, float, bool})

# Whether Iterable widens an integer inside an object to a double is not documented; it is left to
# Iterable, as the text goes out untouched.
_TAKES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "long": (int,),
    "double": (float, int),
    "boolean": (bool,),
    "date": (str,),
    "object": (dict,),
    "nested": (dict,),
    "geo_location": (dict,),
}


def look_into(
    text: pa.Array, name: str, known_types: Mapping[str, str], bad: Bad
) -> tuple[pa.Array, list[tuple[str, ...]]]:
    """
    Check a column of JSON texts.

    Returns:
        The texts, null where they are bad or JSON's own null; and per row the dotted fields to
        which its text gives a value.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    look = _Look(name, known_types, text)
    # Code 0 is no value.
    table: list[tuple[str, ...]] = [()]
    codes = np.zeros(len(text), np.int64)
    rows = text.is_valid().to_numpy(zero_copy_only=False).nonzero()[0]
    texts = text.drop_null()
    for attempt in range(_MOST_SHAPES):
        if len(rows) < _WORTH_A_SHAPE:
            break
        # Not always the first, which may be one without a shape.
        sample = texts[attempt * len(rows) // _MOST_SHAPES].as_py()
        if (shape := look.shape(sample)) is None:
            continue
        pattern, found = shape
        matches = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
        table.append(found)
        codes[rows[matches]] = len(table) - 1
        is_rare = matches.sum() < len(rows) / _MOST_SHAPES
        rows, texts = rows[~matches], texts.filter(pa.array(~matches))
        if is_rare:
            break
    seen: dict[str, int] = {}
    for row, value in zip(rows.tolist(), texts.to_numpy(zero_copy_only=False), strict=True):
        code = seen.get(value)
        if code is None:
            answer = look.at(value)
            code = 0
            if isinstance(answer, tuple):
                code = seen[value] = len(table)
                table.append(answer)
            elif answer is not None:
                bad[row] = str(answer)
        codes[row] = code
    has_value = codes > 0
    if has_value.sum() < len(text) - text.null_count:
        text = pc.if_else(pa.array(has_value), text, pa.scalar(None, text.type))
    return text, [table[code] for code in codes.tolist()]


class _Look:
    """
    What is in a JSON text.

    Objects of a column mostly have the same keys with values of the same types. Such keys are
    learnt, and an object that has nothing else is not gone through.
    """

    def __init__(self, name: str, known_types: Mapping[str, str], column: pa.Array) -> None:
        import pyarrow.compute as pc

        self._name = name
        self._known_types = known_types
        self._learnt: dict[str, dict[type, str]] = {}
        self._may_have_nul = pc.any(pc.match_substring(column, "\\u0000")).as_py()
        self._may_be_long = (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_CHARACTERS

    def shape(self, text: str) -> tuple[str, tuple[str, ...]] | None:
        """Give a pattern of texts like this one, and their dotted fields; None if there is none."""
        found = self.at(text)
        if not isinstance(found, tuple) or self._may_be_long:
            return None
        pattern = shape_of(orjson.loads(text), self._name, self._known_types)
        return None if pattern is None else (pattern, found)

    def at(self, text: str) -> tuple[str, ...] | Reason | None:
        """Give the dotted fields of a text; or why it is bad; or None for JSON's own null."""
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            is_place_ = is_location(self._name)
            return Reason.INVALID_GEO_LOCATION if is_place_ else Reason.INVALID_JSON
        if self._may_have_nul and _NUL.search(text):
            return Reason.NUL_CHARACTER
        if type(value) is not dict or self._may_be_long or is_location(self._name):
            return None if value is None else self._go_through(value)
        found = []
        learnt = self._learnt
        try:
            for key, item in value.items():
                kind = type(item)
                if kind is list:
                    (kind,) = set(map(type, item))
                found.append(learnt[key][kind])
        except (KeyError, ValueError):
            return self._learn(value)
        return tuple(found)

    def _learn(self, value: dict[str, Any]) -> tuple[str, ...] | Reason:
        found = self._go_through(value)
        if isinstance(found, tuple):
            for key, item in value.items():
                path = f"{self._name}.{key}"
                plain = item[0] if type(item) is list and item else item
                # Whether a text is a date depends on the value.
                if type(plain) in _PLAIN and self._known_types.get(path) != "date":
                    self._learnt.setdefault(key, {})[type(plain)] = path
        return found

    def _go_through(self, value: Any) -> tuple[str, ...] | Reason:
        found: dict[str, None] = {}
        # A list of what is left instead of recursion: JSON may nest deeper than Python's stack.
        left: list[tuple[str, Any]] = [(self._name, value)]
        while left:
            path, value = left.pop()
            kind = type(value)
            if kind is list:
                left += [(path, item) for item in value]
            elif value is None:
                continue
            elif is_location(path) and not is_place(value):
                return Reason.INVALID_GEO_LOCATION
            elif (known := self._known_types.get(path)) is not None and not _takes(known, value):
                return Reason.WRONG_TYPE
            # A place is one field: Iterable lists no part of it.
            elif kind is dict and not is_location(path):
                left += [(f"{path}.{key}", item) for key, item in value.items()]
            elif kind is str and len(value) > MAX_CHARACTERS:
                return Reason.TOO_LONG
            else:
                found[path] = None
        return tuple(found)


def _takes(known: str, value: Any) -> bool:
    """Tell whether Iterable takes a value into a field of a type; of an unknown type we say yes."""
    if (kinds := _TAKES.get(known)) is None:
        return True
    if known == "date" and isinstance(value, str):
        try:
            literal_of_text(value)
        except Refused:
            return False
    return type(value) in kinds
