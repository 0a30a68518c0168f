"""What a column of a sync means, since which mapping version, and how its field was called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Any

from iterable_sync.rows import Column, NullPolicy, Role, StateType, WireType

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class FieldVersion:
    """
    A column of a sync, the mapping version it is at, and whether it is still mapped.

    Args:
        was: names that its field had, the oldest first; see :mod:`iterable_sync.state.renames`.
    """

    column: Column
    version: int
    dropped: bool = False
    was: tuple[str, ...] = ()


def same_storage(a: Column, b: Column) -> bool:
    """Tell whether values of one column are kept as those of the other."""
    return (a.state, a.scale, a.is_key) == (b.state, b.scale, b.is_key)


def same_meaning(a: Column, b: Column) -> bool:
    """Tell whether equal values of both columns are the same to Iterable."""
    return (a.field, a.wire, a.role, a.region) == (b.field, b.wire, b.role, b.region)


def names_before(old: FieldVersion, now: Column) -> tuple[str, ...]:
    """Give the names that a field had, where both are data fields."""
    if not old.column.role is now.role is Role.FIELD:
        return ()
    return tuple(name for name in dict.fromkeys((*old.was, old.column.field)) if name != now.field)


def fields_to_json(fields: Iterable[FieldVersion]) -> str:
    """Write the columns of a sync as state keeps them."""
    return json.dumps([_to_json(entry) for entry in fields])


def fields_from_json(text: str) -> tuple[FieldVersion, ...]:
    """Read what :func:`fields_to_json` wrote, by this version or an older one."""
    return tuple(map(_from_json, json.loads(text)))


def _to_json(entry: FieldVersion) -> dict[str, Any]:
    more = {"version": entry.version, "dropped": entry.dropped, "was": entry.was}
    # asdict() copies each value deeply, and there is nothing within one.
    return {f.name: getattr(entry.column, f.name) for f in fields_of(Column)} | more


def _from_json(entry: dict[str, Any]) -> FieldVersion:
    values = dict(entry)
    version, dropped = values.pop("version"), values.pop("dropped")
    was = tuple(values.pop("was", ()))
    values["state"] = StateType(values["state"])
    values["wire"] = WireType(values["wire"])
    values["null"] = NullPolicy(values["null"])
    values["role"] = Role(values["role"])
    return FieldVersion(Column(**values), version, dropped, was)
