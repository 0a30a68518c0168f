"""
Fields that got another name: set the new one, clear the old one, of each row once.

The new name is sent by the usual back-fill, since a renamed column is of a newer mapping version
than the rows. Beside it the old name is set to null, as long as a row may have it: one that was not
accepted since, or is in doubt, or that left the model before and may come back. When there is none
any more, the old name is forgotten.

An old name that this sync, or another one of the project, maps now, or a part of, is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iterable_sync.names import dotted, split_name
from iterable_sync.renamed import NOT_RENAMED, Renamed
from iterable_sync.rows import Role
from iterable_sync.state.claims import PROFILE
from iterable_sync.state.field_versions import fields_from_json, fields_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.field_versions import FieldVersion
    from iterable_sync.state.registry import Registered


def find_renamed(
    engine: StateEngine, session: Session, registered: Registered, *, project: str, sync: str
) -> Renamed:
    """Give the old names that rows of a sync may still have in Iterable."""
    named = [field for field in registered.fields if field.was and not field.dropped]
    if not named or registered.is_append_only:
        return NOT_RENAMED
    of_changed: set[str] = set()
    of_returned: set[str] = set()
    for version in {field.version for field in named}:
        group = [field for field in named if field.version == version]
        names = {field.column.name for field in group}
        if _is_any(engine, session, registered, _is_live(group)):
            of_changed |= names
        elif _is_any(engine, session, registered, f"_status = 'gone' AND _mapping < {version}"):
            of_returned |= names
    free = _Free(_mapped(engine, session, registered, project=project, sync=sync))
    was = {
        field.column.name: left
        for field in named
        if field.column.name in of_changed | of_returned and (left := free.of(field.was))
    }
    return Renamed(was, frozenset(of_changed & was.keys()))


def forget_renamed(
    engine: StateEngine, session: Session, registered: Registered, renamed: Renamed
) -> Registered:
    """Forget the old names that no row has any more; in a transaction of the caller."""
    fields = tuple(
        field if field.dropped or field.column.name in renamed.was else replace(field, was=())
        for field in registered.fields
    )
    if fields == registered.fields:
        return registered
    session.execute(
        f"UPDATE {engine.table('syncs')} SET fields = ? WHERE sync_id = ?",
        (fields_to_json(fields), registered.sync_id),
    )
    return replace(registered, fields=fields)


def _is_live(group: Iterable[FieldVersion]) -> str:
    doubts = " OR ".join(
        [f"substr(_dirty, {field.column.position + 1}, 1) = '1'" for field in group]
    )
    version = min(field.version for field in group)
    return f"_status <> 'gone' AND (_mapping < {version} OR _dirty = '*' OR {doubts})"


def _is_any(engine: StateEngine, session: Session, registered: Registered, where: str) -> bool:
    snapshot = engine.table(registered.snapshot_table)
    return bool(session.rows(f"SELECT 1 FROM {snapshot} WHERE {where} LIMIT 1"))


def _mapped(
    engine: StateEngine, session: Session, registered: Registered, *, project: str, sync: str
) -> set[str]:
    """Give the fields, dotted, that a sync writes now, and others of the project that do so."""
    if not registered.shape.of_people:
        # A part of an object is never sent alone: it would replace the object.
        return {
            split_name(field.column.field)[0] for field in registered.fields if not field.dropped
        }
    brought: list[tuple[str]] = []
    if engine.columns_of(session, "claims"):
        brought = session.rows(
            f"SELECT name FROM {engine.table('claims')} WHERE project = ? AND kind = ?",
            (project, PROFILE),
        )
    syncs = [registered.fields]
    for (fields,) in session.rows(
        f"SELECT fields FROM {engine.table('syncs')} "
        "WHERE project = ? AND fields_of = ? AND sync <> ?",
        (project, PROFILE, sync),
    ):
        syncs.append(tuple(field for field in fields_from_json(fields) if not field.dropped))
    return {name for (name,) in brought} | {
        dotted(field.column.field)
        for fields in syncs
        for field in fields
        if not field.dropped and field.column.role is Role.FIELD
    }


class _Free:
    """Which names may be cleared beside what is mapped, and beside each other."""

    def __init__(self, mapped: Iterable[str]) -> None:
        self._mapped = set(mapped)
        self._taken: set[str] = set()

    def of(self, names: Iterable[str]) -> tuple[str, ...]:
        """Give those of *names*, dotted, that can be cleared, and note them."""
        free = tuple(
            name
            for name in map(dotted, names)
            if not any(_overlap(name, other) for other in self._mapped)
            and not any(_overlap(name, other) for other in self._taken - {name})
        )
        self._taken.update(free)
        return free


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
