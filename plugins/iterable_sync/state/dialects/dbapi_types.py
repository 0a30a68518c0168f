"""What the values of a DB-API driver are, and how a column of them comes into the stage."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from iterable_sync.rows import StateType, WireType
from iterable_sync.state.dialects.base import Cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

_INT64 = range(-(2**63), 2**63)
_EXACT_IN_DOUBLE = range(-(2**53), 2**53 + 1)


class Kind(StrEnum):
    """What a column holds, as it is named to the user."""

    INTEGER = "integer"
    BIG_INTEGER = "integer beyond 64 bits"
    BOOLEAN = "boolean"
    DOUBLE = "double"
    DECIMAL = "decimal"
    WHOLE_DECIMAL = "decimal of scale 0"
    TEXT = "text"
    DATE = "date"
    ZONED = "timestamp with time zone"
    NAIVE = "timestamp without time zone"
    JSON = "json"
    NOTHING = "column of NULLs"
    DECLARED = "column of a declared type"


_TEXT = (StateType.TEXT, WireType.STRING)
_STATES = {
    Kind.INTEGER: (StateType.BIGINT, WireType.LONG),
    Kind.BIG_INTEGER: (StateType.TEXT, WireType.LONG),
    Kind.BOOLEAN: (StateType.BOOLEAN, WireType.BOOLEAN),
    Kind.DOUBLE: (StateType.DOUBLE, WireType.DOUBLE),
    Kind.DECIMAL: (StateType.TEXT, WireType.DOUBLE),
    Kind.WHOLE_DECIMAL: (StateType.TEXT, WireType.LONG),
    Kind.DATE: (StateType.TEXT, WireType.DATE),
    Kind.ZONED: (StateType.TEXT, WireType.DATETIME),
    Kind.NAIVE: (StateType.TEXT, WireType.DATETIME),
    Kind.JSON: (StateType.TEXT, WireType.JSON),
}


def cast_of(kind: str) -> Cast:
    """Give the way of a kind into the stage; there is no SQL in it, its name stands for it."""
    state, wire = _STATES.get(Kind(kind), _TEXT) if kind in {*Kind} else _TEXT
    return Cast(state, wire, sql=kind, naive=kind == Kind.NAIVE)


# Which values a column of a kind takes; what several kinds share stands in the most general one.
_TAKES = {
    Kind.INTEGER: {Kind.INTEGER},
    Kind.BIG_INTEGER: {Kind.INTEGER, Kind.BIG_INTEGER},
    Kind.BOOLEAN: {Kind.BOOLEAN},
    Kind.DOUBLE: {Kind.DOUBLE, Kind.INTEGER},
    Kind.DECIMAL: {Kind.DECIMAL, Kind.INTEGER, Kind.BIG_INTEGER},
    Kind.WHOLE_DECIMAL: {Kind.DECIMAL, Kind.INTEGER, Kind.BIG_INTEGER},
    Kind.TEXT: {Kind.TEXT},
    Kind.DATE: {Kind.DATE},
    Kind.ZONED: {Kind.ZONED},
    Kind.NAIVE: {Kind.NAIVE},
    Kind.JSON: {Kind.JSON},
    Kind.NOTHING: {Kind.TEXT},
    Kind.DECLARED: {*Kind},
}

_OF_TYPE: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.DOUBLE,
    Decimal: Kind.DECIMAL,
    str: Kind.TEXT,
    datetime: Kind.NAIVE,
    date: Kind.DATE,
    dict: Kind.JSON,
    list: Kind.JSON,
    tuple: Kind.JSON,
    **dict.fromkeys((bytes, bytearray, memoryview, UUID, time, timedelta), Kind.TEXT),
    **dict.fromkeys(
        (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface), Kind.TEXT
    ),
}


class NoKind(Exception):
    """A column holds values that are of no kind, or of several; its words name types only."""


def kind_of(values: Iterable[Any]) -> Kind:
    """
    Give the kind of a column's values.

    Raises:
        NoKind: they have none in common.
    """
    found = _kinds(values)
    if not found:
        return Kind.NOTHING
    for kind, takes in _TAKES.items():
        if found <= takes and kind is not Kind.DECLARED and kind in found:
            return kind
    raise NoKind(f"values of several kinds: {', '.join(sorted(found))}")


def convert(values: Sequence[Any], kind: Kind, zone: str | None, *, as_text: bool) -> pa.Array:
    """
    Bring a column's values into the stage.

    Args:
        zone: of times without one.

        as_text: into text, whatever the state type of *kind* is.

    Raises:
        NoKind: a value is not of the kind; none is ever coerced.
    """
    import pyarrow as pa

    if not (found := _kinds(values)) <= _TAKES[kind]:
        raise NoKind(f"a value of kind {', '.join(sorted(found - _TAKES[kind]))}")
    if Kind.NAIVE in found and zone is None:
        raise NoKind("a time without a zone, and no timezone= says which")
    if not as_text and kind is Kind.DOUBLE:
        if Kind.INTEGER in found and not all(
            v in _EXACT_IN_DOUBLE for v in values if type(v) is int
        ):
            raise NoKind("an integer beyond 53 bits")
        return pa.array(values, pa.float64())
    if not as_text and kind is Kind.INTEGER:
        return pa.array(values, pa.int64())
    if not as_text and kind is Kind.BOOLEAN:
        return pa.array(values, pa.bool_())
    if found == {Kind.TEXT} and all(v is None or type(v) is str for v in values):
        texts = values
    else:
        in_zone = ZoneInfo(zone) if zone else None
        texts = [None if v is None else _text(v, in_zone) for v in values]
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        # Half a surrogate pair: passed on as it is, so that it costs its own row alone.
        raw = [None if t is None else t.encode(errors="surrogatepass") for t in texts]
        binary = pa.array(raw, pa.binary())
        return pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())


def _kinds(values: Iterable[Any]) -> set[Kind]:
    by_type: dict[type, list[Any]] = {}
    for value in values:
        by_type.setdefault(type(value), []).append(value)
    by_type.pop(type(None), None)
    found = set()
    for of_type, those in by_type.items():
        kind = next((_OF_TYPE[t] for t in of_type.__mro__ if t in _OF_TYPE), None)
        if kind is None:
            raise NoKind(f"values of type {of_type.__name__}")
        if kind is Kind.NAIVE:
            found |= {Kind.NAIVE if v.tzinfo is None else Kind.ZONED for v in those}
        elif kind is Kind.INTEGER and not all(v in _INT64 for v in those):
            found.add(Kind.BIG_INTEGER)
        else:
            found.add(kind)
    return found


def _text(value: Any, zone: ZoneInfo | None) -> str:  # noqa: PLR0911 - a table, read from above
    """Give the canonical text of a value, as the other sources write it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return _special(value) or repr(value)
        case Decimal():
            return _of_decimal(value)
        case datetime():
            return _of_time(value, zone)
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return "\\x" + bytes(value).hex()
        case dict() | list() | tuple():
            return _json(value)
        case _:
            return str(value)


def _special(value: float) -> str | None:
    if math.isfinite(value):
        return None
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _of_decimal(value: Decimal) -> str:
    if not value.is_finite():
        return "NaN" if value.is_nan() else "Infinity" if value > 0 else "-Infinity"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _of_time(value: datetime, zone: ZoneInfo | None) -> str:
    if value.tzinfo is None and zone is not None:
        value = value.replace(tzinfo=zone)
    try:
        moment = value.astimezone(UTC) if value.tzinfo is not None else value
    except OverflowError:
        # Beyond the years 1 to 9999 in UTC: no value to send, and it costs its own field alone.
        return value.isoformat(sep=" ")
    text = moment.replace(tzinfo=None).isoformat(sep=" ")
    if "." in text:
        text = text.rstrip("0")
    # Only inside of JSON is there none.
    return f"{text}+00:00" if moment.tzinfo is not None else text


def _json(value: Any) -> str:  # noqa: PLR0911 - a table, read from above
    """Write JSON with sorted keys and every digit; ``json`` itself cannot write a Decimal."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return json.dumps(_special(value)) if _special(value) else repr(value)
        case Decimal():
            return _of_decimal(value) if value.is_finite() else json.dumps(_of_decimal(value))
        case dict():
            members = sorted((str(key), _json(item)) for key, item in value.items())
            return "{" + ",".join(f"{_json(k)}:{item}" for k, item in members) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_json, value)) + "]"
        case _:
            return json.dumps(_text(value, None), ensure_ascii=False)
