"""
Whether a snapshot is the one that the last fold left: not dropped, truncated or restored.

``syncs.snapshot_run`` names the run that wrote into the snapshot last, in the transaction that
wrote. A row of that run is in the snapshot until a later one writes over it, and takes its place
here as well. So a snapshot without any such row is another one, whatever it holds: its values say
nothing about what Iterable has. The plan looks for one in the scan that counts the snapshot.

Once found, it stays so (``LOST``) until a complete run with ``full_resync`` has sent everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.state.registry import create_snapshot

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

LOST = "lost"


def remember(engine: StateEngine, session: Session, sync_id: int, run: str) -> None:
    """
    Note, in the transaction that writes rows of the snapshot, whose they are.

    Args:
        run: its id, quoted.
    """
    session.execute(
        f"UPDATE {engine.table('syncs')} SET snapshot_run = {run} WHERE sync_id = {sync_id} "
        f"AND COALESCE(snapshot_run, '') NOT IN ('{LOST}', {run})"
    )


def expected(engine: StateEngine, session: Session, sync_id: int) -> str | None:
    """Give the run of which the snapshot has rows; None where no run has written any."""
    if not sync_id:
        return None
    found = session.rows(
        f"SELECT snapshot_run FROM {engine.table('syncs')} WHERE sync_id = ?", (sync_id,)
    )
    run: str | None = found[0][0]
    return run


def look(engine: StateEngine, session: Session, registered: Registered) -> bool:
    """
    Make a missing snapshot anew, and look at it before what a dead run left is folded into it.

    Else that run's rows would make a truncated snapshot look like its own.

    Returns:
        Whether a dead run left something.
    """
    left = session.rows(
        f"SELECT 1 FROM {engine.table('runs')} WHERE sync_id = ? "
        "AND (state = 'running' OR late_table IS NOT NULL) LIMIT 1",
        (registered.sync_id,),
    )
    snapshot = registered.snapshot_table
    run = expected(engine, session, registered.sync_id)
    if not engine.columns_of(session, snapshot):
        with session.transaction():
            create_snapshot(engine, session, registered)
            if run is not None:
                note_lost(engine, session, registered.sync_id)
    elif (
        left
        and run not in (None, LOST)
        and not session.rows(
            f"SELECT 1 FROM {engine.table(snapshot)} WHERE _run = ? LIMIT 1", (run,)
        )
    ):
        note_lost(engine, session, registered.sync_id)
    return bool(left)


def is_own(engine: StateEngine, session: Session, registered: Registered) -> bool:
    """Say whether the snapshot is the one that the last fold left."""
    run = expected(engine, session, registered.sync_id)
    return run is None or bool(
        run != LOST
        and session.rows(
            f"SELECT 1 FROM {engine.table(registered.snapshot_table)} WHERE _run = ? LIMIT 1",
            (run,),
        )
    )


def note_lost(engine: StateEngine, session: Session, sync_id: int) -> None:
    """Remember that the snapshot is another one, whatever is written into it from now on."""
    session.execute(
        f"UPDATE {engine.table('syncs')} SET snapshot_run = '{LOST}' WHERE sync_id = ?", (sync_id,)
    )


def trust(engine: StateEngine, session: Session, registered: Registered) -> None:
    """Take the snapshot as it is, after everything was sent."""
    _choose(engine, session, registered, f"snapshot_run = '{LOST}'")


def pruned(engine: StateEngine, session: Session, registered: Registered) -> None:
    """Name another run where rows were forgotten, and those of the run that was named with them."""
    snapshot = engine.table(registered.snapshot_table)
    _choose(
        engine,
        session,
        registered,
        f"snapshot_run <> '{LOST}' AND NOT EXISTS "
        f"(SELECT 1 FROM {snapshot} t WHERE t._run = snapshot_run)",
    )


def _choose(engine: StateEngine, session: Session, registered: Registered, where: str) -> None:
    syncs, mine = engine.table("syncs"), f"sync_id = {registered.sync_id}"
    if session.rows(f"SELECT 1 FROM {syncs} WHERE {mine} AND {where}"):
        some = session.rows(f"SELECT max(_run) FROM {engine.table(registered.snapshot_table)}")
        session.execute(f"UPDATE {syncs} SET snapshot_run = ? WHERE {mine}", (some[0][0],))
