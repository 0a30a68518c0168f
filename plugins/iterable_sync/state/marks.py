"""
What a sync tells others of its project: whose rows they have to send again, rewrite or forget.

============  ===================================================================================
kind of mark  what heeding it does to the rows of the sync that are of the person
============  ===================================================================================
``doubt``     live rows are doubted: sent again, whatever they say. A purchase emptied the cart.
``renamed``   their identity, and the column with it, become that of ``value``
``gone``      live rows are gone: Iterable does not have the person any more
``erase``     rows are erased, with all that waits of them; ``identity`` is a hash
============  ===================================================================================

Marks are left in the transaction that records what Iterable did. They are rows of their own: the
snapshot of the other sync is left to the one that has its lease, which may be folding what it sent
before that very moment. A run heeds its marks when it begins, before it compares anything, and when
it ends. A row that is sent while marks come in is sent once more than needed, never once too
little: at its end a run doubts what it has written of a person who was renamed or deleted, since
nobody knows which came first.

Nothing passes between syncs whose states are kept in two databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from iterable_sync.identity import EMAIL_PREFIX, USER_ID_PREFIX, folded_sql, identifier_sql
from iterable_sync.rows import Role
from iterable_sync.state.forgotten import erase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_MARKED = "_marked"


class Kind(StrEnum):
    """What a mark asks for; see the module."""

    DOUBT = "doubt"
    RENAMED = "renamed"
    GONE = "gone"
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Mark:
    """
    What each of some syncs is to do.

    Args:
        identity: of a person, or the hash of one who is erased.

        value: the new identity, its identifier spelled as it is in the warehouse.
    """

    kind: Kind
    identity: str
    value: str | None = None


def leave_marks(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str, where: str
) -> None:
    """
    Let the syncs of other objects that the sync object names doubt the people of some rows.

    Args:
        plan: quoted, qualified name.

        where: which rows of the plan, ``p``, Iterable has, or may have.
    """
    if not registered.shape.marks:
        return
    objects = ", ".join(map(engine.dialect.literal, registered.shape.marks))
    syncs, marks = engine.table("syncs"), engine.table("marks")
    session.execute(
        f"INSERT INTO {marks} (sync_id, number, kind, identity) "
        f"SELECT DISTINCT s.sync_id, 0, '{Kind.DOUBT}', p._identity "
        f"FROM {plan} p JOIN {syncs} s ON s.object IN ({objects}) AND s.project = "
        f"(SELECT m.project FROM {syncs} m WHERE m.sync_id = {registered.sync_id}) "
        f"WHERE {where} AND p._identity IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {marks} o WHERE o.sync_id = s.sync_id AND o.identity = p._identity "
        f"AND o.kind = '{Kind.DOUBT}')"
    )


def mark(
    engine: StateEngine, session: Session, marks: Iterable[Mark], sync_ids: Collection[int]
) -> None:
    """Leave marks for some syncs, to be heeded after all that they have; in a transaction."""
    columns = list(zip(*((m.kind.value, m.identity, m.value) for m in marks), strict=True))
    if not columns or not sync_ids:
        return
    table = engine.table("marks")
    number = session.rows(f"SELECT COALESCE(max(number), 0) + 1 FROM {table}")[0][0]
    for sync_id in sync_ids:
        session.execute(
            f"INSERT INTO {table} (sync_id, number, kind, identity, value) "
            f"SELECT {sync_id}, {number}, n.kind, n.identity, n.value "
            "FROM (SELECT unnest(CAST(? AS text[])) AS kind, "
            "unnest(CAST(? AS text[])) AS identity, unnest(CAST(? AS text[])) AS value) AS n",
            [list(column) for column in columns],
        )


def has_marks(engine: StateEngine, session: Session, registered: Registered) -> bool:
    """Say whether there are marks for a sync."""
    mine = f"sync_id = {registered.sync_id}"
    return bool(session.rows(f"SELECT 1 FROM {engine.table('marks')} WHERE {mine} LIMIT 1"))


def heed_marks(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    *,
    run_id: str | None = None,
    is_idle: bool = False,
    will_fold: bool = False,
) -> int:
    """
    Do what the marks for a sync ask for; in a transaction of who has its lease.

    Args:
        run_id: of the run that ends, whose rows are doubted where the others are renamed or gone.

        is_idle: the sync has no run that is under way.

        will_fold: what a dead run left of it will be folded: the marks stay until then.

    Returns:
        The number of rows that were doubted.
    """
    marks, mine = engine.table("marks"), f"sync_id = {registered.sync_id}"
    found = session.rows(f"SELECT DISTINCT number, kind FROM {marks} WHERE {mine} ORDER BY 1, 2")
    if not found:
        return 0
    # Those that come in from now on are for the next run.
    table = f"{engine.temporary}{_MARKED}"
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(
        f"CREATE TEMP TABLE {table} AS SELECT number, kind, identity, value "
        f"FROM {marks} WHERE {mine}"
    )
    heed = _Heed(engine, session, registered, run_id)
    kinds = {Kind(kind) for _, kind in found}
    doubted = heed.doubt(table) if Kind.DOUBT in kinds else 0
    for number, group in groupby(found, key=lambda row: row[0]):
        now = f"(SELECT identity, value, kind FROM {table} WHERE number = {number})"
        of_number = {Kind(kind) for _, kind in group}
        if Kind.RENAMED in of_number:
            heed.rename(now)
        if Kind.GONE in of_number:
            heed.let_go(now)
        if Kind.ERASE in of_number:
            hashes = f"SELECT identity FROM {now} AS n WHERE n.kind = '{Kind.ERASE}'"
            erase(engine, session, registered, hashes, with_plans=is_idle)
    if kinds >= {Kind.DOUBT, Kind.RENAMED}:
        # Who left the doubt may have known the person under the new name already.
        doubted += heed.doubt(table)
    if not will_fold:
        session.execute(
            f"DELETE FROM {marks} AS o WHERE o.{mine} AND EXISTS (SELECT 1 FROM {table} n "
            "WHERE n.number = o.number AND n.kind = o.kind AND n.identity = o.identity)"
        )
    session.execute(f"DROP TABLE {table}")
    return doubted


class _Heed:
    """What marks do to a snapshot; SQL over its rows ``t`` and marks ``n``."""

    def __init__(
        self, engine: StateEngine, session: Session, registered: Registered, run_id: str | None
    ) -> None:
        self._engine = engine
        self._session = session
        self._registered = registered
        self._snapshot = engine.table(registered.snapshot_table)
        # Written by the run that ends: sent before or after what the mark is about.
        self._is_mine = f"t._run = {engine.dialect.literal(run_id)}" if run_id else "FALSE"

    def doubt(self, table: str) -> int:
        """Doubt the live rows of people."""
        if self._registered.is_append_only:
            return 0
        return self._session.execute(
            f"UPDATE {self._snapshot} SET _dirty = '*' WHERE _status = 'live' AND _identity IN "
            f"(SELECT identity FROM {table} WHERE kind = '{Kind.DOUBT}')"
        )

    def rename(self, marks: str) -> None:
        """Let people be known by their new identifier; all at once, so that they may swap."""
        kept = {
            self._engine.dialect.quote(c.name): prefix
            for role, prefix in ((Role.EMAIL, EMAIL_PREFIX), (Role.USER_ID, USER_ID_PREFIX))
            for c in self._registered.remembered
            if c.role is role and not c.is_key
        }
        # Who is known by a userId stays so where it is the e-mail that changed.
        new = [
            "_identity = CASE "
            f"WHEN n.value LIKE '{USER_ID_PREFIX}%' THEN n.value "
            f"WHEN n.identity LIKE '{EMAIL_PREFIX}%' "
            f"THEN '{EMAIL_PREFIX}' || {folded_sql(identifier_sql('n.value'))} "
            "ELSE t._identity END",
            *(
                f"{name} = CASE WHEN n.value LIKE '{prefix}%' AND t._status <> 'gone' "
                f"THEN {identifier_sql('n.value')} ELSE t.{name} END"
                for name, prefix in kept.items()
            ),
        ]
        if not self._registered.is_append_only:
            new.append(
                f"_dirty = CASE WHEN {self._is_mine} AND t._status <> 'gone' THEN '*' "
                "ELSE t._dirty END"
            )
        self._session.execute(
            f"UPDATE {self._snapshot} AS t SET {', '.join(new)} FROM {marks} AS n "
            f"WHERE n.kind = '{Kind.RENAMED}' AND t._identity = n.identity"
        )

    def let_go(self, marks: str) -> None:
        """Let live rows be gone; doubt those of which nobody knows what came first."""
        if self._registered.is_append_only:
            return
        quote = self._engine.dialect.quote
        values = [quote(c.name) for c in self._registered.remembered if not c.is_key]
        columns = [f"{name} = CASE WHEN {self._is_mine} THEN t.{name} END" for name in values]
        self._session.execute(
            f"UPDATE {self._snapshot} AS t SET {''.join(f'{one}, ' for one in columns)}"
            f"_status = CASE WHEN {self._is_mine} THEN t._status ELSE 'gone' END, "
            f"_dirty = CASE WHEN {self._is_mine} THEN '*' END "
            f"FROM {marks} AS n WHERE n.kind = '{Kind.GONE}' AND t._status <> 'gone' "
            "AND t._identity = n.identity"
        )
