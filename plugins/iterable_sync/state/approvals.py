"""
Held changes, and letting them go: a person approves what is held, and the next plan sends it.

An approval is of the keys that are held at that moment, each for the kind of change that it had.
The next plan lets through those of them that still are changes of that kind; all others meet the
guards as if nothing had been approved. Once Iterable has taken or refused a row, its approval is
used up; what a run could not send keeps it. It ends after some hours, on the database's clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.guards import DOUBTS_THE_QUERY, SNAPSHOT_LOST
from iterable_sync.state.journal import IN_DOUBT, NOT_APPLIED
from iterable_sync.state.plans import HELD, IGNORE, SEND
from iterable_sync.state.registry import the_sync

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine

_IDENTITY_CHANGED = "identity_changed"
_LONGEST_H = 24 * 30


@dataclass(frozen=True, slots=True)
class Held:
    """
    Changes of one kind that one guard holds.

    Args:
        approved: keys of them that an approval covers, which is not over yet.

        oldest_s: seconds since the first of them was held.
    """

    guard: str
    op: str
    keys: int
    approved: int
    oldest_s: float


def listed(engine: StateEngine, project: str, sync: str) -> list[Held]:
    """
    Say what is held of a sync, by guard and kind of change.

    Args:
        project: e.g. ``12345.us``.

    Raises:
        ConfigError: there is no such sync.
    """
    with engine.session() as session:
        rows = session.rows(
            "SELECT guard, op, count(*), "
            "COALESCE(sum(CASE WHEN approved_until > now() THEN 1 ELSE 0 END), 0), "
            "extract(epoch FROM now() - min(held_at)) "
            f"FROM {engine.table('held_keys')} WHERE sync_id = ? GROUP BY 1, 2 ORDER BY 1, 2",
            (the_sync(engine, session, project, sync),),
        )
    return [
        Held(guard, op, int(keys), int(approved), float(oldest))
        for guard, op, keys, approved, oldest in rows
    ]


def approve(
    engine: StateEngine,
    project: str,
    sync: str,
    *,
    by: str,
    guard: str | None = None,
    hours: float = 24.0,
) -> dict[str, int]:
    """
    Let the keys that are held now through the guards once.

    Args:
        project: e.g. ``12345.us``.

        by: who says so; it is kept with the keys.

        guard: only what this one holds.

    Returns:
        guard -> keys that are approved; empty where nothing is held.

    Raises:
        ConfigError: there is no such sync; or what is held cannot be approved, since the snapshot
            that it was compared with is not the one that the sync had.
    """
    if not by.strip():
        raise ConfigError("an approval says by whom it is")
    if not 0 < hours <= _LONGEST_H:
        raise ConfigError(f"an approval lasts for up to {_LONGEST_H} hours, not {hours:g}")
    held_keys = engine.table("held_keys")
    with engine.session() as session:
        mine = f"sync_id = {the_sync(engine, session, project, sync)}"
        named = () if guard is None else (guard,)
        mine += " AND guard = ?" * len(named)
        with session.transaction():
            rows = session.rows(
                f"SELECT guard FROM {held_keys} WHERE {mine}{engine.row_lock}", named
            )
            found = Counter(str(row[0]) for row in rows)
            if found.pop(SNAPSHOT_LOST, 0) and not found:
                raise ConfigError(
                    f"sync {sync!r}: the snapshot is not the one that the last run left, so what "
                    "was found by comparing with it cannot be approved; run once with "
                    "full_resync=True, which sends every row again"
                )
            session.execute(
                f"UPDATE {held_keys} SET approved_by = ?, "
                f"approved_until = now() + {float(hours)} * INTERVAL '1 hour' "
                f"WHERE {mine} AND guard <> '{SNAPSHOT_LOST}'",
                (by, *named),
            )
    return dict(found)


class Approvals:
    """
    The approvals of a sync as one run meets them.

    Args:
        run_id: of the run that takes them; None only looks, for a dry run.
    """

    def __init__(self, engine: StateEngine, sync_id: int, run_id: str | None) -> None:
        self._engine = engine
        self._table = engine.table("held_keys")
        self._mine = f"h.sync_id = {sync_id}"
        self._sync_id = sync_id
        # Taken at one moment: between counting and holding, none runs out.
        self._taken = (
            "h.approved_until > now()"
            if run_id is None
            else f"h.approved_until IS NOT NULL AND h.run_id = {engine.dialect.literal(run_id)}"
        )
        self._run_id = run_id

    def are_given(self, session: Session) -> bool:
        """Say whether there are approvals that are not over."""
        return bool(
            session.rows(
                f"SELECT 1 FROM {self._table} h WHERE {self._mine} "
                "AND h.approved_until > now() LIMIT 1"
            )
        )

    def take(self, session: Session, plan: str, *, but_for: str = "FALSE") -> Counter[str]:
        """
        Take the approvals that are not over, and let changed identities among them go.

        Args:
            but_for: condition over the plan ``p``: changes that no guard counts anyway.

        Returns:
            op -> planned changes that are approved, and that a guard would count.
        """
        table = self._table
        if self._run_id is not None:
            session.execute(
                f"UPDATE {table} AS h SET run_id = ? WHERE {self._mine} "
                "AND h.approved_until > now()",
                (self._run_id,),
            )
        same = f"{self._mine} AND {self._taken} AND h.key = p._key AND h.op = p._op"
        moved = f"p._route = '{HELD}{_IDENTITY_CHANGED}'"
        rows = session.rows(
            f"SELECT p._op, count(*) FROM {plan} p JOIN {table} h ON {same} "
            f"WHERE {moved} OR p._route IN ('{SEND}', '{IGNORE}') AND NOT ({but_for}) GROUP BY 1"
        )
        session.execute(
            f"UPDATE {plan} AS p SET _route = '{SEND}' FROM {table} h WHERE {same} AND {moved}"
        )
        return Counter({op: int(n) for op, n in rows})

    def let_through(self, guard: str) -> str:
        """
        Give the condition over the plan ``p`` under which an approval stands against *guard*.

        One that doubts the query as a whole holds also what was approved for another reason: the
        plan then is made of something else than what the person has seen.
        """
        under = (
            f" AND h.guard = {self._engine.dialect.literal(guard)}"
            if guard in DOUBTS_THE_QUERY
            else ""
        )
        return (
            f"EXISTS (SELECT 1 FROM {self._table} h WHERE {self._mine} AND {self._taken}{under} "
            "AND h.key = p._key AND h.op = p._op)"
        )

    def use_up(self, session: Session, plan: str, settled: str) -> None:
        """
        Take the approval from rows that Iterable has taken or refused.

        Args:
            settled: condition over ``p``: rows of settled batches.
        """
        if not session.rows(f"SELECT 1 FROM {self._table} h WHERE {self._mine} LIMIT 1"):
            return
        undecided = (
            f"SELECT e.seq FROM {self._engine.table('batch_exceptions')} e "
            f"WHERE e.run_id = {self._engine.dialect.literal(self._run_id or '')} "
            f"AND e.field = '' AND e.outcome IN ('{NOT_APPLIED}', '{IN_DOUBT}')"
        )
        session.execute(
            f"DELETE FROM {self._table} AS h USING {plan} AS p WHERE {self._mine} "
            f"AND {self._taken} AND h.key = p._key AND h.op = p._op AND p._route = '{SEND}' "
            f"AND {settled} AND p._seq NOT IN ({undecided})"
        )

    def hold_anew(self, session: Session, plan: str, *, holds: bool) -> None:
        """
        Write down what a plan holds, in the place of what was held before.

        What was approved and could not be sent stays, and so does an approval that was given
        while the run was under way. What is held still, is held since it was first.

        Args:
            holds: the plan holds something.
        """
        run = self._engine.dialect.literal(self._run_id or "")
        same = "p._key = h.key AND p._op = h.op"
        guard = f"substr(p._route, {len(HELD) + 1})"
        if session.rows(f"SELECT 1 FROM {self._table} h WHERE {self._mine} LIMIT 1"):
            again = f"CASE WHEN h.run_id <> {run} AND h.approved_until > now() THEN"
            session.execute(
                f"UPDATE {self._table} AS h SET guard = {guard}, run_id = {run}, "
                f"approved_by = {again} h.approved_by END, "
                f"approved_until = {again} h.approved_until END "
                f"FROM {plan} p WHERE {self._mine} AND {same} AND p._route LIKE '{HELD}%'"
            )
            session.execute(
                f"DELETE FROM {self._table} AS h WHERE {self._mine} AND NOT EXISTS "
                f"(SELECT 1 FROM {plan} p WHERE {same} AND (p._route LIKE '{HELD}%' "
                f"OR p._route = '{SEND}' AND {self._taken}))"
            )
        if not holds:
            return
        session.execute(
            f"INSERT INTO {self._table} (sync_id, op, key, guard, held_at, run_id) "
            f"SELECT {self._sync_id}, p._op, p._key, {guard}, now(), {run} FROM {plan} p "
            f"WHERE p._route LIKE '{HELD}%' AND NOT EXISTS "
            f"(SELECT 1 FROM {self._table} h WHERE {self._mine} AND {same})"
        )
