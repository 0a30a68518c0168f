"""Rejections that wait: since when, and how they are made due before their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.rows import Op
from iterable_sync.state.plans import STILL_REJECTED
from iterable_sync.state.registry import the_sync

if TYPE_CHECKING:
    from collections.abc import Collection

    from iterable_sync.state.dialects.base import Session, StateEngine


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    Rows that are not sent, since they were rejected before with the same values.

    Args:
        oldest_s: seconds since the first of them was rejected.
    """

    reason: str
    rows: int
    oldest_s: int


def waiting(engine: StateEngine, session: Session, sync_id: int, plan: str) -> list[Waiting]:
    """Say what of a plan waits for its rejection to be due, by reason."""
    rows = session.rows(
        "SELECT r.reason, count(*), extract(epoch FROM now() - min(r.first_seen)) "
        f"FROM {plan} p JOIN {engine.table('rejections')} r "
        f"ON r.sync_id = {sync_id} AND r.field = '' AND r.key = p._key "
        f"WHERE p._route = '{STILL_REJECTED}' AND p._op <> '{Op.REMOVED}' "
        "GROUP BY 1 ORDER BY 1"
    )
    return [Waiting(reason, int(n), int(oldest)) for reason, n, oldest in rows]


def requeue(
    engine: StateEngine,
    project: str,
    sync: str,
    *,
    reasons: Collection[str] = (),
    max_keys: int | None = None,
    older_than_s: float = 0.0,
    include_permanent: bool = False,
) -> dict[str, int]:
    """
    Make rejected rows and fields due: the next run tries them, although nothing changed.

    Args:
        project: e.g. ``12345.us``.

        reasons: codes; none means all.

        max_keys: of so many keys at most, those first that wait longest.

        older_than_s: only what was first rejected so many seconds ago.

        include_permanent: also what would wait until its value changes.

    Returns:
        reason -> rejections that are due now and were not before.

    Raises:
        ConfigError: there is no such sync, or a number makes no sense.
    """
    if older_than_s < 0 or (max_keys is not None and max_keys < 1):
        raise ConfigError("requeue: max_keys has to be 1 or more, and no age is negative")
    rejections = engine.table("rejections")
    with engine.session() as session, session.transaction():
        mine = f"sync_id = {the_sync(engine, session, project, sync)}"
        conditions = [
            mine,
            "(next_try_at > now() OR next_try_at IS NULL)"
            if include_permanent
            else "next_try_at > now()",
            f"first_seen <= now() - {float(older_than_s)} * INTERVAL '1 second'",
        ]
        if reasons:
            named = ", ".join(engine.dialect.literal(reason) for reason in sorted(set(reasons)))
            conditions.append(f"reason IN ({named})")
        where = " AND ".join(conditions)
        if max_keys is not None:
            where += (
                f" AND key IN (SELECT key FROM {rejections} WHERE {where} "
                f"GROUP BY key ORDER BY min(first_seen), key LIMIT {int(max_keys)})"
            )
        counted = session.rows(
            f"SELECT reason, count(*) FROM {rejections} WHERE {where} GROUP BY 1 ORDER BY 1"
        )
        session.execute(f"UPDATE {rejections} SET next_try_at = now() WHERE {where}")
    return {reason: int(n) for reason, n in counted}
