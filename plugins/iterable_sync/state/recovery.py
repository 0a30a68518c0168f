"""What the next run does about a run that ended without saying so: killed, or without its lease."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from iterable_sync.state import late
from iterable_sync.state.fold import Fold

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.leases import Lease
    from iterable_sync.state.registry import Registered

log = logging.getLogger(__name__)


def fold_leftovers(
    engine: StateEngine, session: Session, registered: Registered, lease: Lease
) -> None:
    """
    Fold what such runs of a sync recorded, doubt what they left open, and drop their plans.

    What was left open is doubted once more later, see :mod:`iterable_sync.state.late`; not where
    the run said that its last request was over, nor of append-only syncs, whose rows have ids.

    Raises:
        LeaseLost: nothing was written for the run at hand.
    """
    runs = session.rows(
        f"SELECT run_id, plan_table, woke_at IS NOT NULL FROM {engine.table('runs')} "
        "WHERE sync_id = ? AND state = 'running'",
        (registered.sync_id,),
    )
    for run_id, plan_table, is_over in runs:
        with session.transaction():
            if plan_table and engine.columns_of(session, plan_table):
                fold = Fold(engine, registered, run_id, plan_table)
                if not is_over and not registered.is_append_only:
                    late.remember(engine, session, registered, run_id, plan_table)
                folded = fold.settled(session)
                folded += fold.left_open(session)
                log.info(
                    "run %s ended without a report: %d accepted, %d in doubt folded",
                    run_id[:8],
                    folded.accepted + folded.removed,
                    folded.in_doubt,
                )
                session.execute(f"DROP TABLE {engine.table(plan_table)}")
            session.execute(
                f"DELETE FROM {engine.table('batch_exceptions')} WHERE run_id = ?", (run_id,)
            )
            session.execute(
                f"UPDATE {engine.table('runs')} SET state = 'crashed', ended_at = now() "
                "WHERE run_id = ?",
                (run_id,),
            )
            lease.check(session)
    late.fold_again(engine, session, registered, lease)
