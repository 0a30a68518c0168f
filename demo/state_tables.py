"""What a sync has written down: its runs, rejections and held keys, by plain SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

MISSING_KEY = "missing_key"


@dataclass(frozen=True)
class SyncRun:
    """
    One row of the table ``runs``.

    Args:
        end: ``clean``, ``held`` and so on.

        seconds: from the start of the sync to its end, without Airflow's own.

        reasons: why rows were rejected in this run -> how many.
    """

    run_id: str
    end: str
    seconds: float
    counts: dict[str, int]
    reasons: dict[str, int]


@dataclass(frozen=True)
class Kept:
    """
    The keys that Iterable does not have as the warehouse says, as state knows them now.

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
            "SELECT run_id, state, epoch(ended_at) - epoch(started_at), counts FROM runs "
            "WHERE counts IS NOT NULL ORDER BY started_at"
        ).fetchall()
        rejected = connection.execute(
            "SELECT run_id, reason, count(*) FROM rejections WHERE field = '' GROUP BY ALL "
            "ORDER BY 3 DESC, 2"
        ).fetchall()
    found = []
    for run_id, end, seconds, text in rows:
        counts = json.loads(text)
        reasons = {reason: n for run, reason, n in rejected if run == run_id}
        # A row without a key cannot be listed by key: it is counted only.
        if without_key := counts["rejected"] - sum(reasons.values()):
            reasons[MISSING_KEY] = without_key
        found.append(SyncRun(run_id, end, seconds, counts, reasons))
    return found


def kept(state: Path) -> Kept:
    """Give what is rejected or held now."""
    with duckdb.connect(str(state), read_only=True) as connection:
        rejections = connection.execute("SELECT key, field, reason FROM rejections").fetchall()
        held = connection.execute("SELECT key, guard FROM held_keys").fetchall()
    fields: dict[str, dict[str, str]] = {}
    for key, field, reason in rejections:
        if field:
            fields.setdefault(key, {})[field] = reason
    return Kept(
        rejected={key: reason for key, field, reason in rejections if not field},
        fields=fields,
        held=dict(held),
    )
