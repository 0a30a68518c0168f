"""
What Iterable changes by itself: a sync tells others whose rows they have to send again.

A purchase empties the cart of the person. Whoever records the purchase as taken, or as perhaps
taken, leaves a mark for each sync of carts in the same transaction; the next run of that sync
doubts the rows of these people before it compares anything, and sends them whatever they say.

A mark is a row of its own, and the other sync's snapshot is left to the one that has its lease:
that one may be folding what it sent before the purchase at this very moment. For the same reason a
cart that is sent while marks come in is sent once more than needed, and never once too little.

Nothing passes between syncs whose states are kept in two databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_MARKED = "_marked"


def leave_marks(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str, where: str
) -> None:
    """
    Mark the people of some rows for the syncs that the sync object names.

    Args:
        plan: quoted, qualified name.

        where: which rows of the plan, ``p``, Iterable has, or may have.
    """
    if not registered.shape.marks:
        return
    objects = ", ".join(map(engine.dialect.literal, registered.shape.marks))
    syncs, marks = engine.table("syncs"), engine.table("marks")
    session.execute(
        f"INSERT INTO {marks} (sync_id, identity) SELECT DISTINCT s.sync_id, p._identity "
        f"FROM {plan} p JOIN {syncs} s ON s.object IN ({objects}) AND s.project = "
        f"(SELECT m.project FROM {syncs} m WHERE m.sync_id = {registered.sync_id}) "
        f"WHERE {where} AND p._identity IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {marks} o WHERE o.sync_id = s.sync_id AND o.identity = p._identity)"
    )


def heed_marks(engine: StateEngine, session: Session, registered: Registered) -> int:
    """
    Doubt the live rows of people who were marked for a sync; in a transaction of its run.

    Returns:
        The number of rows.
    """
    marks, mine = engine.table("marks"), f"sync_id = {registered.sync_id}"
    if not session.rows(f"SELECT 1 FROM {marks} WHERE {mine} LIMIT 1"):
        return 0
    # Those that come in from now on are for the next run.
    table = f"{engine.temporary}{_MARKED}"
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(f"CREATE TEMP TABLE {table} AS SELECT identity FROM {marks} WHERE {mine}")
    doubted = session.execute(
        f"UPDATE {engine.table(registered.snapshot_table)} SET _dirty = '*' "
        f"WHERE _status = 'live' AND _identity IN (SELECT identity FROM {table})"
    )
    session.execute(
        f"DELETE FROM {marks} WHERE {mine} AND identity IN (SELECT identity FROM {table})"
    )
    session.execute(f"DROP TABLE {table}")
    return doubted
