"""
A plan that becomes the snapshot itself, where copying it would cost more than sending it.

The plan of a first sync holds every row of the model, with the values that Iterable accepts. To
fold it is to write all of them once more. Where nothing has to be merged (the snapshot is empty,
and rows were accepted as they are or not at all), the plan loses the other rows and its own
columns, gets those of a snapshot, and takes its name. All of it in the transaction of the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.state.journal import OPEN, REJECTED
from iterable_sync.state.marker import remember
from iterable_sync.state.plans import PLAN_COLUMNS, SEND
from iterable_sync.state.registry import SNAPSHOT_BOOKKEEPING

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered


def is_adoptable(
    engine: StateEngine, session: Session, registered: Registered, run_id: str, plan: str
) -> bool:
    """
    Say whether a run's plan can become the snapshot.

    Args:
        plan: its name, not quoted.
    """
    snapshot = registered.snapshot_table
    if registered.is_append_only:
        # Its snapshot is a few narrow columns, quickly copied.
        return False
    run = engine.dialect.literal(run_id)
    obstacles = (
        engine.table(snapshot),
        f"{engine.table('batches')} WHERE run_id = {run} AND state = '{OPEN}'",
        # In doubt, or accepted without a field: neither is in the snapshot as it is in the plan.
        f"{engine.table('batch_exceptions')} WHERE run_id = {run} "
        f"AND (field <> '' OR outcome <> '{REJECTED}')",
        f"{engine.table(plan)} WHERE _route = '{SEND}' AND _mask <> '{registered.full_mask}'",
    )
    is_free = not any(session.rows(f"SELECT 1 FROM {rows} LIMIT 1") for rows in obstacles)
    return is_free and engine.can_rename(session, plan, snapshot)


def adopt(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    run_id: str,
    plan: str,
    accepted: str,
) -> None:
    """
    Make the plan the snapshot; call it last, for nothing can read the plan afterwards.

    Args:
        plan: its name, not quoted.

        accepted: condition over ``p``: the rows that were accepted.
    """
    table, snapshot = engine.table(plan), registered.snapshot_table
    session.execute(f"DELETE FROM {table} AS p WHERE NOT ({accepted})")
    values = {
        "_status": "'live'",
        "_mapping": str(registered.mapping_version),
        "_origin": "'sent'",
        "_accepted_at": "now()",
        "_run": engine.dialect.literal(run_id),
    }
    for name in PLAN_COLUMNS:
        session.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    has = set(engine.columns_of(session, plan))
    for name, kind in SNAPSHOT_BOOKKEEPING:
        if name not in has:
            value = values.get(name, "NULL")
            session.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind} DEFAULT {value}")
            session.execute(f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT")
    session.execute(f"DROP TABLE {engine.table(snapshot)}")
    session.execute(f"ALTER TABLE {table} RENAME TO {engine.dialect.quote(snapshot)}")
    if session.rows(f"SELECT 1 FROM {engine.table(snapshot)} LIMIT 1"):
        remember(engine, session, registered.sync_id, engine.dialect.literal(run_id))
