"""What the syncs have written down: their runs, rejections and held keys, by plain SQL."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

MISSING_KEY = "missing_key"


@dataclass(frozen=True)
class SyncRun:
    """
    One row of the table ``runs``.

    Args:
        sync: its name without the shop's: ``users``.

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
    def sent(self) -> int:
        """How many rows Iterable took, those that say that something is over included."""
        return self.counts["accepted"] + self.counts["removed_accepted"]


@dataclass(frozen=True)
class Kept:
    """
    The rows of a sync that Iterable does not have as the warehouse says, as state knows them now.

    Args:
        rejected: key -> reason.

        fields: key -> field -> reason; the rest of the row was accepted.

        held: key -> guard.
    """

    rejected: dict[str, str] = field(default_factory=dict)
    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    @property
    def why(self) -> dict[str, str]:
        """Key -> why Iterable does not have the row."""
        return self.rejected | self.held

    @property
    def people(self) -> dict[str, str]:
        """The same by userId, with which keys of rows about people begin."""
        return {
            json.loads(key)[0] if key.startswith("[") else key: why for key, why in self.why.items()
        }


# `shop.users` is shown as `users`.
_NAME = "substr(sync, strpos(sync, '.') + 1)"


def runs(state: Path) -> list[SyncRun]:
    """Give all runs that have ended, the oldest first."""
    with duckdb.connect(str(state), read_only=True) as connection:
        rows = connection.execute(
            f"SELECT run_id, {_NAME}, state, epoch(started_at), epoch(ended_at), "
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


def kept(state: Path) -> dict[str, Kept]:
    """Give which rows are rejected or held now, by the name of the sync."""
    with duckdb.connect(str(state), read_only=True) as connection:
        of_sync = f"{_NAME}, key"
        rejections = connection.execute(
            f"SELECT {of_sync}, field, reason FROM rejections JOIN syncs USING (sync_id)"
        ).fetchall()
        held = connection.execute(
            f"SELECT {of_sync}, guard FROM held_keys JOIN syncs USING (sync_id)"
        ).fetchall()
    found: dict[str, Kept] = {}
    for sync, key, name, reason in rejections:
        of = found.setdefault(sync, Kept())
        if name:
            of.fields.setdefault(key, {})[name] = reason
        else:
            of.rejected[key] = reason
    for sync, key, guard in held:
        found.setdefault(sync, Kept()).held[key] = guard
    return found


def newest_data(state: Path) -> dict[str, datetime]:
    """Give the moment as of which each sync has last sent everything; naive, in UTC."""
    with duckdb.connect(str(state), read_only=True) as connection:
        return dict(
            connection.execute(f"SELECT {_NAME}, timezone('UTC', as_of) FROM syncs").fetchall()
        )
