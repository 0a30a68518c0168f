"""How long ago Iterable got something of a sync: what it took it applies some time later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.state.registry import the_sync

if TYPE_CHECKING:
    from datetime import datetime

    from iterable_sync.state.dialects.base import StateEngine


def seconds_left(
    engine: StateEngine, project: str, sync: str, settle_s: float, *, at: datetime | None = None
) -> float:
    """
    Give how much is left of the time that Iterable is given, since it last got a row of a sync.

    A request without an answer counts too: it may have been applied.

    Args:
        project: e.g. ``12345.us``.

        settle_s: the time, at most the seven days for which requests are kept one by one.

        at: the moment that is now; None takes the clock of the database, which wrote the others.

    Returns:
        Seconds; 0 where it is over, or nothing was sent.

    Raises:
        ConfigError: there is no such sync.
    """
    with engine.session() as session:
        sync_id = the_sync(engine, session, project, sync)
        now = "now()" if at is None else f"CAST('{at.isoformat()}' AS timestamptz)"
        # What is still open has no number of requests yet.
        passed = session.rows(
            f"SELECT extract(epoch FROM {now} - max(COALESCE(b.settled_at, b.opened_at))) "
            f"FROM {engine.table('batches')} b JOIN {engine.table('runs')} r "
            "ON r.run_id = b.run_id WHERE r.sync_id = ? AND COALESCE(b.requests, 1) > 0",
            (sync_id,),
        )[0][0]
    return 0.0 if passed is None else max(0.0, settle_s - float(passed))
