"""
What is waiting since Iterable, or mapping, refused it: left out of a plan while nothing changed.

A rejection knows the hash of what was refused: of a row, or of one value and how it is mapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Op, Role
from iterable_sync.state.plans import REJECT, SEND, STILL_REJECTED

if TYPE_CHECKING:
    from iterable_sync.rows import Column
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered


def has_rejections(engine: StateEngine, session: Session, registered: Registered) -> bool:
    """Say whether anything of a sync is rejected."""
    return bool(
        session.rows(
            f"SELECT 1 FROM {engine.table('rejections')} "
            f"WHERE sync_id = {registered.sync_id} LIMIT 1"
        )
    )


def forget_absent(engine: StateEngine, session: Session, registered: Registered, plan: str) -> None:
    """
    Drop the rejections of keys that left the query, and of what went back to what Iterable has.

    Such keys are not in the plan, or removed there, and such fields are nothing that a row would
    send; a refused removal itself is remembered.
    """
    rejections, mine = engine.table("rejections"), f"r.sync_id = {registered.sync_id}"
    names = {c.name: c for c in registered.columns}
    fields = " ".join(
        f"WHEN {engine.dialect.literal(name)} "
        f"THEN substr(p._mask, {names[name].position + 1}, 1) = '1'"
        for (name,) in session.rows(f"SELECT DISTINCT r.field FROM {rejections} r WHERE {mine}")
        if name in names
    )
    # A kept NULL can bring a row into the plan that has nothing to send.
    sends = f"CASE r.field WHEN '' THEN p._mask LIKE '%1%' {fields} ELSE TRUE END"
    session.execute(
        f"DELETE FROM {rejections} AS r WHERE {mine} AND NOT EXISTS "
        f"(SELECT 1 FROM {plan} p WHERE p._key = r.key AND CASE p._op "
        f"WHEN '{Op.REMOVED}' THEN r.value_hash = {row_hash(engine, registered, 'p')} "
        f"WHEN '{Op.CHANGED}' THEN {sends} ELSE TRUE END)"
    )


def is_refused_removal(engine: StateEngine, registered: Registered) -> str:
    """Give the condition over the plan ``p``: a removal that was refused and is not due again."""
    return (
        f"(p._op = '{Op.REMOVED}' AND EXISTS (SELECT 1 FROM {engine.table('rejections')} r "
        f"WHERE {_waiting(registered)} AND {_is_same_row(engine, registered)}))"
    )


def anti_join_rejections(
    engine: StateEngine, session: Session, registered: Registered, plan: str
) -> None:
    """
    Leave out rows and fields whose rejected value is unchanged and not due again.

    What the stage finds wrong it finds anew in each run; other rows and other columns decide it
    too, so the same value may be right by now.
    """
    rejections = engine.table("rejections")
    waiting = _waiting(registered)
    rejected = session.rows(f"SELECT DISTINCT r.field FROM {rejections} r WHERE {waiting}")
    dialect = engine.dialect
    names = {c.name: c for c in registered.columns}
    found_by_stage = "'duplicate_identity', 'missing_identifier', 'missing_required'" + (
        "" if engine.holds_nul else ", 'nul_character'"
    )
    for (name,) in rejected:
        if name == "":
            session.execute(
                f"UPDATE {plan} AS p SET _route = '{STILL_REJECTED}' FROM {rejections} r "
                f"WHERE {waiting} AND {_is_same_row(engine, registered)} "
                f"AND (p._route = '{REJECT}' || r.reason "
                f"OR p._route = '{SEND}' AND r.reason NOT IN ({found_by_stage}))"
            )
        elif column := names.get(name):
            place = column.position + 1
            value = field_hash(engine, registered, column, "p")
            session.execute(
                f"UPDATE {plan} AS p SET _mask = substr(p._mask, 1, {place - 1}) || '0' "
                f"|| substr(p._mask, {place + 1}) FROM {rejections} r "
                f"WHERE {waiting} AND r.field = {dialect.literal(name)} AND r.key = p._key "
                f"AND r.value_hash = {value} AND p._op <> '{Op.REMOVED}'"
            )


def _waiting(registered: Registered) -> str:
    mine = f"r.sync_id = {registered.sync_id}"
    return f"{mine} AND (r.next_try_at IS NULL OR r.next_try_at > now())"


def _is_same_row(engine: StateEngine, registered: Registered) -> str:
    return f"r.field = '' AND r.key = p._key AND r.value_hash = {row_hash(engine, registered, 'p')}"


def row_hash(engine: StateEngine, registered: Registered, alias: str) -> str:
    """Give the hash of a row's values, by which a rejection knows that nothing changed."""
    # A request is the same one whenever it is made.
    columns = (
        c for c in registered.columns if not (registered.is_final and c.role is Role.CREATED_AT)
    )
    names = (f"{alias}.{engine.dialect.quote(c.name)}" for c in columns)
    # Not the whole op: in doubt, a key that was to be added is known and changes.
    removed = f"{alias}._op = '{Op.REMOVED}'"
    return engine.dialect.value_hash([f"'{registered.mapping_version}'", removed, *names])


def field_hash(engine: StateEngine, registered: Registered, column: Column, alias: str) -> str:
    """Give the hash of one value and of how it is mapped, as :func:`row_hash`."""
    name = f"{alias}.{engine.dialect.quote(column.name)}"
    return engine.dialect.value_hash([f"'{registered.version_of(column)}'", name])
