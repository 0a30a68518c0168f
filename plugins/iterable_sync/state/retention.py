"""
What of a sync's history goes, and when: at the end of a complete run, at most once a day.

Batches of runs that ended a week ago are summed into their run and deleted; runs go after
``history_s``. So do plans that nobody will fold: a worker that was frozen while it planned, and
woke after another run had taken over, leaves one. Rejections need no pruning, they go when they
are resolved; nor does the snapshot, whose keys say what Iterable has.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine

log = logging.getLogger(__name__)

_IS_DUE = "(pruned_at IS NULL OR pruned_at < now() - INTERVAL '1 day')"
BATCHES_S = 7 * 86_400.0
"""For so long the batches of an ended run are kept one by one."""

RUNS_AT_ONCE = 1_000
"""So many runs are summed, and so many deleted, by one run: a long history goes in parts."""


def is_due(engine: StateEngine, session: Session, sync_id: int) -> bool:
    """Say whether a sync is to be pruned."""
    return bool(
        session.rows(
            f"SELECT 1 FROM {engine.table('syncs')} WHERE sync_id = {sync_id} AND {_IS_DUE}"
        )
    )


def prune(
    engine: StateEngine, session: Session, sync_id: int, *, token: int, history_s: float
) -> None:
    """
    Forget what is old of a sync, in the transaction of the caller.

    Args:
        token: of the sync's lease, held by the caller: a plan of a lower one is nobody's.

        history_s: seconds that a run is kept after its end.
    """
    session.execute(
        f"UPDATE {engine.table('syncs')} SET pruned_at = now() WHERE sync_id = {sync_id}"
    )
    summed = _sum_batches(engine, session, sync_id, min(BATCHES_S, history_s))
    deleted = _delete_runs(engine, session, sync_id, history_s)
    dropped = _drop_orphans(engine, session, sync_id, token)
    if summed or deleted or dropped:
        log.info(
            "pruned: batches of %d runs summed, %d runs deleted, %d orphaned tables dropped",
            summed,
            deleted,
            dropped,
        )


def _ended(engine: StateEngine, session: Session, sync_id: int, age_s: float, more: str) -> str:
    """Give the ids, as SQL, of some runs that ended so long ago; the oldest first."""
    rows = session.rows(
        f"SELECT run_id FROM {engine.table('runs')} WHERE sync_id = {sync_id} "
        "AND state <> 'running' AND late_table IS NULL "
        f"AND ended_at < now() - {float(age_s)} * INTERVAL '1 second' {more} "
        f"ORDER BY ended_at LIMIT {RUNS_AT_ONCE}"
    )
    return ", ".join(engine.dialect.literal(row[0]) for row in rows)


def _sum_batches(engine: StateEngine, session: Session, sync_id: int, age_s: float) -> int:
    runs, batches = engine.table("runs"), engine.table("batches")
    ids = _ended(engine, session, sync_id, age_s, "AND batches IS NULL")
    if not ids:
        return 0
    summed = session.execute(
        f"UPDATE {runs} AS r SET batches = n.batches, requests = n.requests, "
        "bytes_sent = n.bytes_sent, request_seconds = n.seconds "
        "FROM (SELECT o.run_id AS run_id, count(b.run_id) AS batches, "
        "COALESCE(sum(b.requests), 0) AS requests, COALESCE(sum(b.bytes_sent), 0) AS bytes_sent, "
        "COALESCE(sum(b.seconds), 0) AS seconds "
        f"FROM {runs} o LEFT JOIN {batches} b ON b.run_id = o.run_id "
        f"WHERE o.run_id IN ({ids}) GROUP BY 1) AS n WHERE r.run_id = n.run_id"
    )
    session.execute(f"DELETE FROM {batches} WHERE run_id IN ({ids})")
    return summed


def _delete_runs(engine: StateEngine, session: Session, sync_id: int, age_s: float) -> int:
    ids = _ended(engine, session, sync_id, age_s, "")
    if not ids:
        return 0
    for name in ("batches", "batch_exceptions"):
        session.execute(f"DELETE FROM {engine.table(name)} WHERE run_id IN ({ids})")
    return session.execute(f"DELETE FROM {engine.table('runs')} WHERE run_id IN ({ids})")


def _drop_orphans(engine: StateEngine, session: Session, sync_id: int, token: int) -> int:
    kept = {
        name
        for row in session.rows(
            f"SELECT late_table, CASE WHEN state = 'running' THEN plan_table END "
            f"FROM {engine.table('runs')} WHERE sync_id = {sync_id}"
        )
        for name in row
    }
    dropped = 0
    for kind in ("plan", "late"):
        prefix = f"{kind}_{sync_id}_"
        for name in engine.tables_of(session, prefix):
            number = name.removeprefix(prefix)
            if name in kept or not re.fullmatch(r"\d+", number) or int(number) >= token:
                continue
            session.execute(f"DROP TABLE {engine.table(name)}")
            dropped += 1
    return dropped
