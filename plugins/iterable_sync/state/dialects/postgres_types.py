"""Which Postgres type comes into the stage in which way."""

from __future__ import annotations

import re

from iterable_sync.rows import StateType, WireType
from iterable_sync.state.dialects.base import Cast

_NUMERIC = re.compile(r"numeric(?:\((\d+),(-?\d+)\))?")

COMPOSITE = "record"
"""Stands for every type made of named parts."""

MAX_IDENTIFIER_BYTES = 63
"""Postgres cuts longer names."""


def _as_text(expression: str) -> str:
    # Texts are compared by bytes: other collations, and citext, take different ones for equal.
    return f'CAST({expression} AS text) COLLATE "C"'


_LONG = Cast(StateType.BIGINT, WireType.LONG, "CAST({0} AS bigint)")
_TEXT = Cast(StateType.TEXT, WireType.STRING, _as_text("{0}"))
_JSON = Cast(StateType.TEXT, WireType.JSON, _as_text("{0}"))
_NESTED = Cast(StateType.TEXT, WireType.JSON, _as_text("to_json({0})"))
# numeric can be NaN, Infinity or longer than any decimal(38): as text it keeps every digit, and
# trimmed it is one text per number.
_DECIMAL = _as_text("trim_scale({0})")
# At the ends of its range a move to another zone overflows, and raises. Out there no value can be
# sent anyway, so it stays as it is and costs its own field alone.
_NAIVE = (
    "(CASE WHEN {0} BETWEEN timestamp '0001-01-01' AND timestamp '19999-12-31' "
    "THEN CAST({0} AT TIME ZONE {1} AT TIME ZONE 'UTC' AS text) || '+00:00' "
    'ELSE CAST({0} AS text) END) COLLATE "C"'
)
_CASTS = {
    "smallint": _LONG,
    "integer": _LONG,
    "bigint": Cast(StateType.BIGINT, WireType.LONG),
    "oid": _LONG,
    "real": Cast(StateType.DOUBLE, WireType.DOUBLE, "CAST({0} AS double precision)"),
    "double precision": Cast(StateType.DOUBLE, WireType.DOUBLE),
    "money": Cast(StateType.TEXT, WireType.DOUBLE, _as_text("trim_scale(CAST({0} AS numeric))")),
    "boolean": Cast(StateType.BOOLEAN, WireType.BOOLEAN),
    "date": Cast(StateType.TEXT, WireType.DATE, _as_text("{0}")),
    "timestamp with time zone": Cast(
        StateType.TEXT,
        WireType.DATETIME,
        "(CAST({0} AT TIME ZONE 'UTC' AS text) || '+00:00') COLLATE \"C\"",
    ),
    "timestamp without time zone": Cast(StateType.TEXT, WireType.DATETIME, _NAIVE, naive=True),
    "json": _JSON,
    "jsonb": _JSON,
    COMPOSITE: _NESTED,
}


def postgres_cast(type_name: str) -> Cast:
    """Give the way of a Postgres type (as ``format_type`` names it) into the stage."""
    if type_name.endswith("[]"):
        return _NESTED
    if found := _CASTS.get(type_name):
        return found
    if numeric := _NUMERIC.fullmatch(type_name):
        is_integer = numeric[2] is not None and int(numeric[2]) <= 0
        return Cast(StateType.TEXT, WireType.LONG if is_integer else WireType.DOUBLE, _DECIMAL)
    return _TEXT
