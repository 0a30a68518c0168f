"""The shop's tables as they are, for the demo's own reckoning: by plain SQL, in Python's values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Row = dict[str, Any]
Tables = dict[str, list[Row]]

_READ_AS = {
    # In the zone of this machine otherwise.
    "TIMESTAMP WITH TIME ZONE": "timezone('UTC', {})",
    "JSON": "CAST({} AS VARCHAR)",
}


def read(file: Path) -> Tables:
    """Give the rows of each table; instants are naive and in UTC, JSON is parsed."""
    with duckdb.connect(str(file), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {name: _rows(connection, name) for name in names}


def _rows(connection: Any, table: str) -> list[Row]:
    kinds: Mapping[str, str] = {
        column: kind for column, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()
    }
    selected = ", ".join(_READ_AS.get(kind, "{}").format(name) for name, kind in kinds.items())
    found = connection.execute(f"SELECT {selected} FROM {table} ORDER BY ALL").fetchall()
    rows = [dict(zip(kinds, row, strict=True)) for row in found]
    for name in (name for name, kind in kinds.items() if kind == "JSON"):
        for row in rows:
            row[name] = None if row[name] is None else json.loads(row[name])
    return rows
