"""How Iterable shows the values of a warehouse."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from warehouse import Row

Record = dict[str, Any]


def shown(values: Mapping[str, Any]) -> Record:
    """Give a record as it is read back: instants and dates as texts, nothing that has no value."""
    return {name: _shown(value) for name, value in values.items() if value is not None}


def picked(row: Mapping[str, Any], columns: Mapping[str, str]) -> Record:
    """Give fields of a row as they are read back, by Iterable's name -> column."""
    return shown({field: row[column] for field, column in columns.items()})


def by_owner(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    """Give rows by a column of theirs."""
    found = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return shown(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} +00:00"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d} 00:00:00 +00:00"
    return float(value) if isinstance(value, Decimal) else value
