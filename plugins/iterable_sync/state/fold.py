"""
Fold plan and journal into the snapshot and the rejections: set-based, in the engine, idempotent.

=============================  =====================================================
what the journal says of rows  what folding does
=============================  =====================================================
accepted                       sent values into the snapshot, their ``_dirty`` cleared
accepted, a field rejected     the same but for that field, which stays dirty
rejected                       a rejection; the snapshot stays
rejected, and in doubt         both: an earlier attempt of the request may have been applied
in doubt, or still open        sent fields become ``_dirty``; an unknown key is inserted
                               with ``_dirty = '*'`` and no values
not applied                    nothing: they still differ
removal accepted or ignored    values NULL, ``_status = 'gone'``
removal in doubt               as above; ``_status = 'leaving'`` where a row is no person
=============================  =====================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.failpoints import failpoint
from iterable_sync.rows import Op
from iterable_sync.state.adoption import adopt, is_adoptable
from iterable_sync.state.approvals import Approvals
from iterable_sync.state.effects import apply_effects, doubt_effects
from iterable_sync.state.folded_rows import FoldedRows
from iterable_sync.state.journal import (
    FOLDED,
    IN_DOUBT,
    OPEN,
    REJECTED,
    REJECTED_IN_DOUBT,
    SETTLED,
)
from iterable_sync.state.marks import leave_marks
from iterable_sync.state.overwritten import doubt_others, doubt_overwritten
from iterable_sync.state.plans import HELD, IGNORE, REJECT, SEEDED, SEND
from iterable_sync.state.rejected import field_hash, row_hash
from iterable_sync.state.snapshot import write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered

_ROWS = "_fold_rows"


@dataclass(slots=True)
class Folded:
    """Rows that a fold wrote, in keys."""

    accepted: int = 0
    removed: int = 0
    ignored: int = 0
    rejected: int = 0
    removed_rejected: int = 0
    fields_rejected: int = 0
    in_doubt: int = 0
    held: int = 0

    def __iadd__(self, other: Folded) -> Folded:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


class Fold:
    """
    Folding for one run, in transactions of the caller.

    Args:
        plan: name of the run's plan table, not quoted.
    """

    def __init__(self, engine: StateEngine, registered: Registered, run_id: str, plan: str) -> None:
        self._engine = engine
        self._registered = registered
        self._run_id = run_id
        self._plan_name = plan
        self._plan = engine.table(plan)
        self._approvals = Approvals(engine, registered.sync_id, run_id)
        self._adopted: list[str] | None = None
        self._counts: dict[tuple[str, str], int] | None = None
        self._snapshot = engine.table(registered.snapshot_table)
        self._run = engine.dialect.literal(run_id)
        self._rows = FoldedRows(engine, registered, self._run)

    def settled(self, session: Session) -> Folded:
        """Fold the settled batches that were not folded yet."""
        folded = Folded()
        if not (settled := self._ranges(session, SETTLED)):
            return folded
        # Most runs have none, and what is about them need not be asked one by one.
        exceptions = session.rows(
            f"SELECT DISTINCT field, outcome FROM {self._engine.table('batch_exceptions')} "
            f"WHERE run_id = {self._run}"
        )
        refused = {field for field, _ in exceptions if field}
        outcomes = {outcome for _, outcome in exceptions}
        for ranges in _chunks(settled):
            folded += self._accepted(session, ranges, refused)
            if outcomes & {IN_DOUBT, REJECTED_IN_DOUBT}:
                folded.in_doubt += self._in_doubt(
                    session,
                    f"{_within(ranges)} "
                    f"AND p._seq IN ({self._exceptions(IN_DOUBT, REJECTED_IN_DOUBT)})",
                )
            if outcomes & {REJECTED, REJECTED_IN_DOUBT}:
                self._reject(
                    session,
                    f"{_within(ranges)} AND e.run_id = {self._run} "
                    f"AND e.outcome IN ('{REJECTED}', '{REJECTED_IN_DOUBT}')",
                    folded,
                )
            self._approvals.use_up(session, self._plan, _within(ranges))
            self._doubt_overwritten(session, ranges)
        self._forgive(session, settled)
        self._mark(session, SETTLED)
        return folded

    def everything(self, session: Session) -> Folded:
        """Fold all that is left of a run that ends; its plan may be gone afterwards."""
        is_adopted = is_adoptable(
            self._engine, session, self._registered, self._run_id, self._plan_name
        )
        self._adopted = [] if is_adopted else None
        folded = self.settled(session)
        folded += self.left_open(session)
        folded += self.unsent(session)
        if self._adopted:
            accepted = " OR ".join(self._adopted)
            adopt(self._engine, session, self._registered, self._run_id, self._plan_name, accepted)
        return folded

    def left_open(self, session: Session) -> Folded:
        """Fold the batches of a dead run that were opened and never settled."""
        folded = Folded()
        if not (opened := self._ranges(session, OPEN)):
            return folded
        for ranges in _chunks(opened):
            folded.in_doubt += self._in_doubt(
                session,
                f"{_within(ranges)} AND p._route = '{SEND}' "
                f"AND p._seq NOT IN ({self._exceptions(REJECTED)})",
            )
            self._doubt_overwritten(session, ranges)
        self._mark(session, OPEN)
        return folded

    def again(self, session: Session) -> int:
        """Doubt the rows of a plan once more, and who has their people by now."""
        same = " AND ".join(
            f"k.{self._engine.dialect.quote(key)} = p.{self._engine.dialect.quote(key)}"
            for key in self._registered.key_columns
        )
        doubted = self._in_doubt(session, f"EXISTS (SELECT 1 FROM {self._snapshot} k WHERE {same})")
        if self._registered.shape.is_person:
            # A change or a removal as well: the person may have gone over to another key since.
            doubt_others(self._engine, session, self._registered, plan=self._plan, where="TRUE")
        return doubted

    def unsent(self, session: Session) -> Folded:
        """Fold what the plan decided without a request: seeded, rejected and held rows."""
        folded = Folded()
        # Asked first: each of them is a wide statement, and most plans have no such rows.
        planned = self._planned(session)
        routes = {route for _, route in planned}
        if SEEDED in routes:
            seeded = self._rows.sent(set()) | {"_origin": "'seeded'"}
            self._write(session, f"p._route = '{SEEDED}'", seeded)
        if (Op.REMOVED, IGNORE) in planned and not self._registered.is_append_only:
            folded.ignored = self._write(
                session,
                f"p._op = '{Op.REMOVED}' AND p._route = '{IGNORE}'",
                # Nothing was sent: what Iterable has is of the mapping that it was.
                self._rows.gone() | {"_mapping": "t._mapping"},
            )
        if any(route.startswith(REJECT) for route in routes):
            hashed = row_hash(self._engine, self._registered, "p")
            folded.rejected += session.execute(
                self._upsert_rejections(
                    "SELECT p._key AS key, '' AS field, "
                    f"substr(p._route, {len(REJECT) + 1}) AS reason, {hashed} AS value_hash, "
                    "CAST(NULL AS double precision) AS retry_after_s "
                    f"FROM {self._plan} p WHERE p._route LIKE '{REJECT}%'"
                )
            )
            self._drop_older(session)
        folded.held = sum(n for (_, route), n in planned.items() if route.startswith(HELD))
        self._approvals.hold_anew(session, self._plan, holds=folded.held > 0)
        return folded

    def _planned(self, session: Session) -> dict[tuple[str, str], int]:
        """Give (op, route) -> rows of the plan."""
        if self._counts is None:
            rows = session.rows(f"SELECT _op, _route, count(*) FROM {self._plan} GROUP BY 1, 2")
            self._counts = {(op, route): int(n) for op, route, n in rows}
        return self._counts

    def _accepted(
        self, session: Session, ranges: Sequence[tuple[int, int]], refused: set[str]
    ) -> Folded:
        where = (
            f"{_within(ranges)} AND p._route = '{SEND}' "
            f"AND p._seq NOT IN (SELECT e.seq FROM {self._engine.table('batch_exceptions')} e "
            f"WHERE e.run_id = {self._run} AND e.field = '')"
        )
        folded = Folded()
        leave_marks(
            self._engine,
            session,
            self._registered,
            plan=self._plan,
            where=f"{where} AND p._op <> '{Op.REMOVED}'",
        )
        apply_effects(
            self._engine,
            session,
            self._registered,
            run_id=self._run_id,
            plan=self._plan,
            where=where,
        )
        if self._adopted is not None:
            self._adopted.append(f"({where})")
            counted = session.rows(f"SELECT count(*) FROM {self._plan} p WHERE {where}")
            folded.accepted = int(counted[0][0])
            return folded
        folded.accepted = self._write(
            session,
            f"{where} AND p._op <> '{Op.REMOVED}'",
            self._rows.sent(refused),
            whole=not refused and not self._registered.is_append_only,
        )
        if (Op.REMOVED, SEND) in self._planned(session) and not self._registered.is_append_only:
            where = f"{where} AND p._op = '{Op.REMOVED}'"
            folded.removed = self._write(session, where, self._rows.gone())
        return folded

    def _doubt_overwritten(self, session: Session, ranges: Sequence[tuple[int, int]]) -> None:
        # Nobody is overwritten where the plan itself becomes the snapshot: it was empty.
        if self._adopted is None and self._registered.shape.is_person:
            where = f"{_within(ranges)} AND p._route = '{SEND}'"
            doubt_overwritten(self._engine, session, self._registered, plan=self._plan, where=where)

    def _in_doubt(self, session: Session, where: str) -> int:
        leave_marks(self._engine, session, self._registered, plan=self._plan, where=where)
        doubt_effects(self._engine, session, self._registered, plan=self._plan, where=where)
        return self._write(session, where, self._rows.doubted())

    def _write(
        self, session: Session, where: str, new: dict[str, str], *, whole: bool = False
    ) -> int:
        return write_rows(
            self._engine,
            session,
            self._registered,
            source=f"{self._plan} p",
            where=where,
            new=new,
            whole=whole,
        )

    def _reject(self, session: Session, where: str, folded: Folded) -> None:
        """Write the rejections of rows and of fields."""
        exceptions = self._engine.table("batch_exceptions")
        joined = f"FROM {self._plan} p JOIN {exceptions} e ON e.seq = p._seq WHERE {where}"
        counts = session.rows(
            f"SELECT e.field <> '', p._op = '{Op.REMOVED}', count(*) {joined} GROUP BY 1, 2"
        )
        for of_field, of_removal, n in counts:
            if of_field:
                folded.fields_rejected += n
            elif of_removal:
                folded.removed_rejected += n
            else:
                folded.rejected += n
        if not counts:
            return
        hashes = " ".join(
            f"WHEN {self._engine.dialect.literal(c.name)} "
            f"THEN {field_hash(self._engine, self._registered, c, 'p')}"
            for c in self._registered.columns
        )
        whole = row_hash(self._engine, self._registered, "p")
        session.execute(
            self._upsert_rejections(
                f"SELECT p._key AS key, e.field AS field, e.reason AS reason, "
                f"CASE e.field WHEN '' THEN {whole} {hashes} ELSE '' END AS value_hash, "
                f"e.retry_after_s AS retry_after_s {joined}"
            )
        )
        failpoint("writing_rejects")

    def _upsert_rejections(self, rows: str) -> str:
        table, sync = self._engine.table("rejections"), self._registered.sync_id
        return (
            f"INSERT INTO {table} (sync_id, key, field, reason, value_hash, attempts, first_seen, "
            "last_seen, next_try_at, run_id) "
            f"SELECT {sync}, n.key, n.field, n.reason, n.value_hash, "
            "COALESCE(o.attempts, 0) + 1, COALESCE(o.first_seen, now()), now(), "
            f"now() + n.retry_after_s * INTERVAL '1 second', {self._run} "
            f"FROM ({rows}) AS n LEFT JOIN {table} o ON o.sync_id = {sync} AND o.key = n.key "
            "AND o.field = n.field"
        )

    def _drop_older(self, session: Session) -> bool:
        """Drop rejections that this run wrote anew; say whether the sync has any."""
        table, sync = self._engine.table("rejections"), self._registered.sync_id
        if not session.rows(f"SELECT 1 FROM {table} WHERE sync_id = {sync} LIMIT 1"):
            return False
        session.execute(
            f"DELETE FROM {table} AS r WHERE r.sync_id = {sync} AND r.run_id <> {self._run} AND "
            f"EXISTS (SELECT 1 FROM {table} n WHERE n.sync_id = {sync} "
            f"AND n.run_id = {self._run} AND n.key = r.key AND n.field = r.field)"
        )
        return True

    def _forgive(self, session: Session, settled: Sequence[tuple[int, int]]) -> None:
        """Drop the rejections of rows and fields that were accepted."""
        table, sync = self._engine.table("rejections"), self._registered.sync_id
        if not self._drop_older(session):
            return
        place = " ".join(
            f"WHEN {self._engine.dialect.literal(c.name)} THEN substr(p._mask, {c.position + 1}, 1)"
            for c in self._registered.columns
        )
        for ranges in _chunks(settled):
            session.execute(
                f"DELETE FROM {table} AS r USING {self._plan} AS p "
                f"WHERE r.sync_id = {sync} AND r.run_id <> {self._run} AND r.key = p._key "
                f"AND {_within(ranges)} AND p._route = '{SEND}' "
                f"AND (CASE r.field WHEN '' THEN '1' {place} ELSE '1' END) = '1' "
                f"AND p._seq NOT IN (SELECT e.seq "
                f"FROM {self._engine.table('batch_exceptions')} e "
                f"WHERE e.run_id = {self._run} AND e.field = '')"
            )

    def _ranges(self, session: Session, state: str) -> list[tuple[int, int]]:
        """Give the seq ranges of batches in a state, neighbours joined."""
        rows = session.rows(
            f"SELECT seq_lo, seq_hi FROM {self._engine.table('batches')} "
            f"WHERE run_id = {self._run} AND state = '{state}' ORDER BY seq_lo"
        )
        ranges: list[tuple[int, int]] = []
        for lo, hi in rows:
            if ranges and ranges[-1][1] + 1 >= lo:
                ranges[-1] = (ranges[-1][0], max(hi, ranges[-1][1]))
            else:
                ranges.append((lo, hi))
        return ranges

    def _mark(self, session: Session, state: str) -> None:
        session.execute(
            f"UPDATE {self._engine.table('batches')} SET state = '{FOLDED}' "
            f"WHERE run_id = {self._run} AND state = '{state}'"
        )

    def _exceptions(self, *outcomes: str) -> str:
        names = ", ".join(f"'{outcome}'" for outcome in outcomes)
        return (
            f"SELECT e.seq FROM {self._engine.table('batch_exceptions')} e "
            f"WHERE e.run_id = {self._run} AND e.field = '' AND e.outcome IN ({names})"
        )


def _within(ranges: Sequence[tuple[int, int]]) -> str:
    return "(" + " OR ".join(f"p._seq BETWEEN {lo} AND {hi}" for lo, hi in ranges) + ")"


def _chunks(ranges: Sequence[tuple[int, int]], size: int = 200) -> list[Sequence[tuple[int, int]]]:
    return [ranges[i : i + size] for i in range(0, len(ranges), size)]
