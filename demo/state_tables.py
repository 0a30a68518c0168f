"""What a sync has written down: its runs, rejections and held keys, by plain SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

MISSING_KEY = "missing_key"
# In the order in which the DAG runs them.
SYNCS = ("users", "audiences", "orders", "carts", "events")


@dataclass(frozen=True)
class SyncRun:
    """
    One row of the table ``runs``.

    Args:
        sync: what the sync is called in :data:`SYNCS`.

        end: ``clean``, ``held`` and so on.

        started_at, ended_at: of the sync, without Airflow's own; Unix time, seconds.

        reasons: why rows were rejected in this run -> how many.
    """

    run_id: str
    sync: str
    end: str
    started_at: float
    ended_at: float
    counts: dict[str, int]
    reasons: dict[str, int]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended_at - self.started_at


@dataclass(frozen=True)
class Kept:
    """
    The users whom Iterable does not have as the warehouse says, as state knows them now.

    Args:
        rejected: key -> reason.

        fields: key -> field -> reason; the rest of the row was accepted.

        held: key -> guard.
    """

    rejected: dict[str, str]
    fields: dict[str, dict[str, str]]
    held: dict[str, str]


def runs(state: Path) -> list[SyncRun]:
    """Give all runs that have ended, the oldest first."""
    with duckdb.connect(str(state), read_only=True) as connection:
        rows = connection.execute(
            "SELECT run_id, split_part(sync, '.', 2), state, epoch(started_at), epoch(ended_at), "
            "counts FROM runs JOIN syncs USING (sync_id) WHERE counts IS NOT NULL "
            "ORDER BY started_at"
        ).fetchall()
        rejected = connection.execute(
            "SELECT run_id, reason, count(*) FROM rejections WHERE field = '' GROUP BY ALL "
            "ORDER BY 3 DESC, 2"
        ).fetchall()
    found = []
    for run_id, sync, end, started_at, ended_at, text in rows:
        counts = json.loads(text)
        reasons = {reason: n for run, reason, n in rejected if run == run_id}
        # A row without a key cannot be listed by key: it is counted only.
        if without_key := counts["rejected"] - sum(reasons.values()):
            reasons[MISSING_KEY] = without_key
        found.append(SyncRun(run_id, sync, end, started_at, ended_at, counts, reasons))
    return found


def kept(state: Path) -> Kept:
    """Give which users are rejected or held now."""
    with duckdb.connect(str(state), read_only=True) as connection:
        of_users = "JOIN syncs USING (sync_id) WHERE object = 'users'"
        rejections = connection.execute(
            f"SELECT key, field, reason FROM rejections {of_users}"
        ).fetchall()
        held = connection.execute(f"SELECT key, guard FROM held_keys {of_users}").fetchall()
    fields: dict[str, dict[str, str]] = {}
    for key, field, reason in rejections:
        if field:
            fields.setdefault(key, {})[field] = reason
    return Kept(
        rejected={key: reason for key, field, reason in rejections if not field},
        fields=fields,
        held=dict(held),
    )
