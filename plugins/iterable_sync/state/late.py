"""
What a worker that seemed dead may still send: remembered at the first fold, doubted at a second.

A take-over doubts what the old holder had on its way, the new run sends it afresh, its acceptance
clears the doubt. Only then may the old bytes arrive, from a worker that was frozen and wakes: an
old value overwrites the new one, and nothing differs. So the rows of the open batches are kept, in
a table of their own beside the run's row, and doubted once more by the first run that starts
``SECOND_FOLD_S`` after the first fold, or as soon as the woken holder says that it is done.
Their people may have gone over to other keys by then: those are doubted with them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from iterable_sync.state.fold import Fold
from iterable_sync.state.journal import OPEN, REJECTED
from iterable_sync.state.plans import SEND

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.leases import Lease
    from iterable_sync.state.registry import Registered

log = logging.getLogger(__name__)

SECOND_FOLD_S = 900
"""A request ends 30 s after its first byte; the rest is for a machine that stood still."""


def remember(
    engine: StateEngine, session: Session, registered: Registered, run_id: str, plan: str
) -> None:
    """
    Keep which rows a dead run had on their way, before its open batches are folded.

    Not the plan itself: it may be as large as the model, and only these rows can arrive.

    Args:
        plan: its name, not quoted.
    """
    table = f"late_{plan.removeprefix('plan_')}"
    keys = ", ".join(f"p.{engine.dialect.quote(key)}" for key in registered.key_columns)
    session.execute(f"DROP TABLE IF EXISTS {engine.table(table)}")
    session.execute(
        f"CREATE TABLE {engine.table(table)} AS "
        f"SELECT {keys}, p._identity, p._episode, p._op, p._mask FROM {engine.table(plan)} p "
        f"JOIN {engine.table('batches')} b ON p._seq BETWEEN b.seq_lo AND b.seq_hi "
        f"WHERE b.run_id = {engine.dialect.literal(run_id)} AND b.state = '{OPEN}' "
        f"AND p._route = '{SEND}' AND p._seq NOT IN (SELECT e.seq "
        f"FROM {engine.table('batch_exceptions')} e "
        f"WHERE e.run_id = {engine.dialect.literal(run_id)} "
        f"AND e.field = '' AND e.outcome = '{REJECTED}')"
    )
    if not session.rows(f"SELECT 1 FROM {engine.table(table)} LIMIT 1"):
        session.execute(f"DROP TABLE {engine.table(table)}")
        return
    session.execute(
        f"UPDATE {engine.table('runs')} SET late_table = ?, "
        f"second_fold_at = now() + INTERVAL '{SECOND_FOLD_S} seconds' WHERE run_id = ?",
        (table, run_id),
    )


def fold_again(engine: StateEngine, session: Session, registered: Registered, lease: Lease) -> None:
    """
    Doubt once more what dead runs of a sync had on their way, where it is time; then forget it.

    Call it after their settled batches were folded, for that clears doubts.

    Raises:
        LeaseLost: nothing was written for the run at hand.
    """
    due = session.rows(
        f"SELECT run_id, late_table FROM {engine.table('runs')} WHERE sync_id = ? "
        "AND late_table IS NOT NULL AND (second_fold_at <= now() OR woke_at IS NOT NULL)",
        (registered.sync_id,),
    )
    for run_id, table in due:
        with session.transaction():
            doubted = Fold(engine, registered, run_id, table).again(session)
            session.execute(f"DROP TABLE {engine.table(table)}")
            session.execute(
                f"UPDATE {engine.table('runs')} SET late_table = NULL WHERE run_id = ?", (run_id,)
            )
            lease.check(session)
        log.info("run %s: %d rows in doubt once more, it may have woken", run_id[:8], doubted)


def wake(engine: StateEngine, session: Session, run_id: str) -> None:
    """Let a run that ends without its lease say that nothing of it is on its way any more."""
    session.execute(
        f"UPDATE {engine.table('runs')} SET woke_at = now() "
        "WHERE run_id = ? AND (state = 'running' OR late_table IS NOT NULL)",
        (run_id,),
    )
