"""Writes new versions of snapshot rows, set-based: unknown keys inserted, known ones replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.state.marker import remember

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_NEW = "_fold_new"


def write_rows(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    *,
    source: str,
    where: str,
    new: Mapping[str, str],
    whole: bool,
) -> int:
    """
    Write rows into a sync's snapshot; whether a key is known is asked of the snapshot.

    Replacing is DELETE and INSERT of a small temporary table: 2 to 5 times as fast as MERGE, and
    writing the same rows twice changes nothing.

    Args:
        source: the plan, as ``p``.

        where: condition over ``p``.

        new: column of the snapshot -> its new value, over ``p`` and the old row ``t``, whose
            columns are NULL for an unknown key.

        whole: rows with a full mask were accepted as they are: a first sync is all such rows, and
            they are copied without asking column by column.

    Returns:
        The number of rows written.
    """
    planned = session.rows(f"SELECT count(*) FROM {source} WHERE {where}")[0][0]
    if not planned:
        return 0
    snapshot, quote = engine.table(registered.snapshot_table), engine.dialect.quote
    on = " AND ".join(f"t.{quote(k)} = p.{quote(k)}" for k in registered.key_columns)
    names = ", ".join(new)
    table = f"{engine.temporary}{_NEW}"
    session.execute(f"DROP TABLE IF EXISTS {table}")
    values = [f"{expression} AS {name}" for name, expression in new.items()]
    known = session.execute(
        f"CREATE TEMP TABLE {table} AS SELECT {', '.join(values)} "
        f"FROM {source} JOIN {snapshot} t ON {on} WHERE {where}"
    )
    written = 0
    if known < planned:
        written += _insert(engine, session, registered, source, where, new, whole=whole)
    if known:
        written += session.execute(f"DELETE FROM {snapshot} AS t USING {table} AS p WHERE {on}")
        session.execute(f"INSERT INTO {snapshot} ({names}) SELECT {names} FROM {table}")
    session.execute(f"DROP TABLE {table}")
    remember(engine, session, registered.sync_id, new["_run"])
    return written


def _insert(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    source: str,
    where: str,
    new: Mapping[str, str],
    *,
    whole: bool,
) -> int:
    """Insert the rows whose key the snapshot does not know."""
    snapshot, quote = engine.table(registered.snapshot_table), engine.dialect.quote
    names = ", ".join(new)
    same = " AND ".join(f"k.{quote(k)} = p.{quote(k)}" for k in registered.key_columns)
    unknown = f"NOT EXISTS (SELECT 1 FROM {snapshot} k WHERE {same})"
    inserted = 0
    if whole:
        full = registered.full_mask
        own = {quote(c.name): f"p.{quote(c.name)}" for c in registered.columns}
        copied = {**new, **own, "_dirty": "NULL"}
        inserted = session.execute(
            f"INSERT INTO {snapshot} ({names}) SELECT {', '.join(copied.values())} "
            f"FROM {source} WHERE {where} AND p._mask = '{full}' AND {unknown}"
        )
        where = f"{where} AND p._mask <> '{full}'"
    nothing = f"(SELECT * FROM {snapshot} WHERE FALSE) t"
    return inserted + session.execute(
        f"INSERT INTO {snapshot} ({names}) SELECT {', '.join(new.values())} "
        f"FROM {source} LEFT JOIN {nothing} ON FALSE WHERE {where} AND {unknown}"
    )
