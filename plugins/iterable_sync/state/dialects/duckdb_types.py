"""Which DuckDB type comes into the stage in which way."""

from __future__ import annotations

import re

from iterable_sync.rows import StateType, WireType
from iterable_sync.state.dialects.base import Cast

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")

_LONG = Cast(StateType.BIGINT, WireType.LONG, "CAST({0} AS BIGINT)")
_DOUBLE = Cast(StateType.DOUBLE, WireType.DOUBLE, "CAST({0} AS DOUBLE)")
# A column may have a collation that takes different texts for equal; C compares bytes.
_TEXT = Cast(StateType.TEXT, WireType.STRING, "CAST({0} AS VARCHAR) COLLATE C")
_JSON = Cast(StateType.TEXT, WireType.JSON, "CAST(to_json({0}) AS VARCHAR)")
# 39 digits fit no decimal(38): the wider integers travel as text and stay numbers for Iterable.
_WIDE = Cast(StateType.TEXT, WireType.LONG, "CAST({0} AS VARCHAR)")
_ZONED = Cast(
    StateType.TEXT,
    WireType.DATETIME,
    # The same text as that of timezone('UTC', ...), which asks a calendar library for each value
    # and costs twice as much; infinity has no microseconds, and is written as it is.
    "COALESCE(CAST(make_timestamp(epoch_us(CAST({0} AS TIMESTAMP WITH TIME ZONE))) AS VARCHAR), "
    "CAST({0} AS VARCHAR)) || '+00:00'",
)
_MOVED = "CAST(timezone('UTC', timezone({1}, CAST({0} AS TIMESTAMP))) AS VARCHAR) || '+00:00'"
# At the ends of its range a move to another zone overflows, and raises. Out there no value can be
# sent anyway, so it stays as it is and costs its own field alone.
_NAIVE = Cast(
    StateType.TEXT,
    WireType.DATETIME,
    "CASE WHEN {0} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '19999-12-31' "
    f"THEN {_MOVED} ELSE CAST({{0}} AS VARCHAR) END",
    naive=True,
)
_CASTS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"), _LONG),
    "BIGINT": Cast(StateType.BIGINT, WireType.LONG),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM", "VARINT"), _WIDE),
    "FLOAT": _DOUBLE,
    "DOUBLE": Cast(StateType.DOUBLE, WireType.DOUBLE),
    "BOOLEAN": Cast(StateType.BOOLEAN, WireType.BOOLEAN),
    "DATE": Cast(StateType.TEXT, WireType.DATE, "CAST({0} AS VARCHAR)"),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"), _ZONED),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_S"), _NAIVE),
    # The years 1677 to 2262, which no move leaves.
    "TIMESTAMP_NS": Cast(StateType.TEXT, WireType.DATETIME, _MOVED, naive=True),
    "JSON": Cast(StateType.TEXT, WireType.JSON, "CAST({0} AS VARCHAR)"),
    "VARIANT": _JSON,
}
_NESTED = ("STRUCT(", "MAP(", "UNION(", "TUPLE(")


def duckdb_cast(type_name: str) -> Cast:
    """Give the way of a DuckDB type, as DESCRIBE names it, into the stage."""
    if found := _CASTS.get(type_name):
        return found
    if decimal := _DECIMAL.fullmatch(type_name):
        scale = int(decimal[2])
        wire = WireType.DOUBLE if scale else WireType.LONG
        return Cast(StateType.DECIMAL, wire, f"CAST({{0}} AS DECIMAL(38,{scale}))", scale)
    return _JSON if type_name.endswith("]") or type_name.startswith(_NESTED) else _TEXT
