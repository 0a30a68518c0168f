"""
What became of each key since Iterable last accepted it: the plan, made in SQL by values.

The plan is a permanent table until it was folded. A row of it has ``_op`` (what happened to the
key), ``_route`` (what is done about it), ``_mask`` (which columns are sent) and the model's values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import BESIDE, Column, NullPolicy, Op, Role, StateType
from iterable_sync.state.dialects.base import Candidates, DiffSql
from iterable_sync.state.doubted import count_doubted
from iterable_sync.state.forgotten import leave_out_forgotten
from iterable_sync.state.keys import refuse_duplicates_of_plan
from iterable_sync.state.marker import expected
from iterable_sync.state.moved import ignore_moved
from iterable_sync.state.opt_outs import opt_outs
from iterable_sync.state.plans import (
    HELD,
    IGNORE,
    REJECT,
    SEND,
    SKIPPED,
    UNCHANGED,
    Plan,
    recount,
    send_stranded,
)
from iterable_sync.state.rejected import (
    anti_join_rejections,
    forget_absent,
    has_rejections,
    is_refused_removal,
)
from iterable_sync.state.stage import SKIP

if TYPE_CHECKING:
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered
    from iterable_sync.state.stage import Staged


def make_plan(
    engine: StateEngine,
    session: Session,
    spec: SyncSpec,
    registered: Registered,
    staged: Staged,
    *,
    plan_table: str,
    snapshot: str,
    is_temporary: bool,
) -> Plan:
    """
    Compare stage and snapshot and write the plan.

    Args:
        staged: with what :func:`find_compared` gave, unless the snapshot is empty.

        plan_table, snapshot: quoted, qualified names.

        is_temporary: of a dry run, which leaves nothing.

    Raises:
        DuplicateKeys: two rows of the model share a key.
    """
    columns = registered.columns
    diff = _Diff(engine, session, spec, registered, snapshot)
    compared = staged.compared
    if compared is None:
        candidates = Candidates(before=(), added=f"{staged.table} s", parts=(), after=())
    else:
        candidates = engine.candidates(staged.table, compared)
    for statement in candidates.before:
        session.execute(statement)
    kind = "TEMP TABLE" if is_temporary else "TABLE"
    planned = session.execute(f"CREATE {kind} {plan_table} AS {diff.select(candidates)}")
    for statement in candidates.after:
        session.execute(statement)
    plan = Plan(plan_table, columns)
    is_doubted = count_snapshot(engine, session, plan, registered.sync_id, snapshot)
    if compared is not None:
        refuse_duplicates_of_plan(session, staged, plan_table, compared.keys, live=plan.live)
    leave_out_forgotten(engine, session, registered, plan)
    removes = spec.on_remove not in (None, "ignore")
    is_person = registered.shape.is_person
    if removes:
        beside = [engine.dialect.quote(c.name) for c in columns if c.role in BESIDE]
        ignore_moved(session, plan_table, staged.table, beside=beside, send=SEND, ignore=IGNORE)
    if registered.sync_id:
        if has_rejections(engine, session, registered):
            if not is_temporary:
                forget_absent(engine, session, registered, plan_table)
            anti_join_rejections(engine, session, registered, plan_table)
        plan.refused = is_refused_removal(engine, registered)
    plan.removes_people = removes and is_person
    if not planned:
        # Nothing differs, and there is nothing to count.
        return plan
    send_stranded(session, plan)
    session.execute(
        f"UPDATE {plan_table} SET _route = '{UNCHANGED}' "
        f"WHERE _op = '{Op.CHANGED}' AND _route = '{SEND}' AND _mask NOT LIKE '%1%'"
    )
    recount(session, plan)
    if compared is not None and is_doubted:
        count_doubted(session, plan, snapshot, compared.keys)
    if plan.total(op=Op.CHANGED):
        _count_fields(session, plan)
    return plan


def find_compared(
    engine: StateEngine,
    session: Session,
    spec: SyncSpec,
    registered: Registered,
    snapshot: str,
    *,
    has_newest: bool,
) -> DiffSql | None:
    """
    Give what rows are compared to; None where the snapshot is empty.

    Args:
        snapshot: quoted, qualified name.

        has_newest: the stage has the column ``_newest``.
    """
    if not session.rows(f"SELECT 1 FROM {snapshot} LIMIT 1"):
        return None
    return _Diff(engine, session, spec, registered, snapshot).parts(has_newest=has_newest)


def count_snapshot(
    engine: StateEngine, session: Session, plan: Plan, sync_id: int, snapshot: str
) -> bool:
    """
    Count what the sync knows, and look whether it is what the last run left.

    Returns:
        Whether a row of it is in doubt.
    """
    run = expected(engine, session, sync_id)
    of_run = "0" if run is None else f"CASE WHEN _run = {engine.dialect.literal(run)} THEN 1 END"
    plan.live, plan.known, marked, doubted, seeded = map(
        int,
        session.rows(
            "SELECT COALESCE(sum(CASE WHEN _status <> 'gone' THEN 1 ELSE 0 END), 0), count(*), "
            f"count({of_run}), count(_dirty), "
            f"count(CASE WHEN _origin = 'seeded' THEN 1 END) FROM {snapshot}"
        )[0],
    )
    plan.is_lost = run is not None and not marked
    plan.is_first = seeded == plan.known
    return doubted > 0


def _names(engine: StateEngine, session: Session, snapshot: str) -> list[str]:
    # A name as quoted by us: its last part, unquoted.
    return engine.columns_of(session, snapshot.rsplit('."', 1)[-1].strip('"'))


class _Diff:
    """The expressions of one diff, over stage ``s`` and snapshot ``t``."""

    def __init__(
        self,
        engine: StateEngine,
        session: Session,
        spec: SyncSpec,
        registered: Registered,
        snapshot: str,
    ) -> None:
        columns = registered.columns
        have = set(_names(engine, session, snapshot))
        self._dialect = engine.dialect
        self._spec = spec
        self._registered = registered
        self._columns = columns
        self._snapshot = snapshot
        # A dry run meets snapshots that do not have the newest columns yet.
        self._in_snapshot = {c.name for c in columns if not have or c.name in have}
        self._key = self._q(next(c for c in columns if c.is_key))
        self._is_person = registered.shape.is_person

    def _q(self, column: Column) -> str:
        return self._dialect.quote(column.name)

    def _is_compared(self, column: Column) -> bool:
        # Whose a row is may change by itself: Iterable moves what it has with the person. Where a
        # row is the person, it is another one that addresses them which is looked at.
        shape = self._registered.shape
        is_sent = shape.writes_identity and not shape.shares_identity
        return not column.is_key and (is_sent or column.role not in (Role.EMAIL, Role.USER_ID))

    def parts(self, *, has_newest: bool) -> DiffSql:
        """Give what finding candidates needs."""
        newest = max((self._registered.version_of(c) for c in self._columns), default=1)
        always = "TRUE" if self._spec.full_resync else f"t._mapping < {newest}"
        return DiffSql(
            snapshot=self._snapshot,
            keys=tuple(self._q(c) for c in self._columns if c.is_key),
            compared=(
                *(
                    self._q(c)
                    for c in self._columns
                    if self._is_compared(c) and c.name in self._in_snapshot
                ),
                *(("_identity",) if self._is_person else ()),
            ),
            staged=(
                *map(self._q, self._columns),
                *(("_newest",) if has_newest else ()),
                "_identity",
                "_reject",
            ),
            wide=tuple(
                (self._q(c), self._dialect.ddl_type(c))
                for c in self._columns
                if self._is_compared(c)
                and c.name in self._in_snapshot
                # Of which audience a row is decides whether it moved, and an opt-out is looked for
                # in all rows.
                and c.role not in {Role.AUDIENCE, self._registered.shape.free_of_guards}
            ),
            # What the snapshot does not have yet cannot be compared.
            stage_suspect=" OR ".join(
                [
                    "s._reject IS NOT NULL",
                    *(
                        f"s.{self._q(c)} IS NOT NULL"
                        for c in self._columns
                        if c.name not in self._in_snapshot
                    ),
                ]
            ),
            snapshot_suspect=f"(t._status = 'gone' OR t._dirty IS NOT NULL OR {always})",
        )

    def select(self, candidates: Candidates) -> str:
        """Give the SELECT that makes the plan."""
        keys = [f"COALESCE(s.{self._q(c)}, t.{self._q(c)})" for c in self._columns if c.is_key]
        values = [f"{self._effective(c)} AS {self._q(c)}" for c in self._columns]
        inner = ", ".join(
            [
                f"{self._op()} AS _op",
                "s._reject AS _reject",
                f"CASE WHEN s.{self._key} IS NULL THEN t._identity ELSE s._identity END "
                "AS _identity",
                "COALESCE(t._episode, 0) + CASE WHEN t._status = 'gone' OR t._status IS NULL "
                f"OR t._status = 'leaving' AND s.{self._key} IS NOT NULL THEN 1 ELSE 0 END "
                "AS _episode",
                f"{self._dialect.key_text(keys)} AS _key",
                f"CASE WHEN t.{self._key} IS NOT NULL THEN {self._changed_mask()} END AS _changed",
                *values,
            ]
        )
        names = ", ".join(f"d.{self._q(c)}" for c in self._columns)
        # A key that is gone and still absent is no news.
        is_news = f"NOT (s.{self._key} IS NULL AND t._status = 'gone')"
        selects = [
            f"SELECT {inner} FROM {tables} WHERE ({where}) AND {is_news}"
            for tables, where in candidates.parts
        ]
        if candidates.added:
            selects.insert(0, f"SELECT {self._added()} FROM {candidates.added}")
        candidate_rows = " UNION ALL ".join(selects)
        full = self._registered.full_mask
        return (
            f"SELECT {names}, d._identity, d._episode, "
            f"row_number() OVER ({self._order()}) AS _seq, d._op, {self._route()} AS _route, "
            f"CASE WHEN d._op = '{Op.CHANGED}' THEN d._changed ELSE '{full}' END AS _mask, d._key "
            f"FROM ({candidate_rows}) AS d"
        )

    def _added(self) -> str:
        """Give the same columns for rows that the snapshot does not know: most are constants."""
        keys = [f"s.{self._q(c)}" for c in self._columns if c.is_key]
        return ", ".join(
            [
                f"'{Op.ADDED}' AS _op",
                "s._reject AS _reject",
                "s._identity AS _identity",
                "1 AS _episode",
                f"{self._dialect.key_text(keys)} AS _key",
                "CAST(NULL AS text) AS _changed",
                *(f"s.{self._q(c)} AS {self._q(c)}" for c in self._columns),
            ]
        )

    def _order(self) -> str:
        """Order rows by what goes into one request, by person, and by time."""
        shape = self._registered.shape
        if self._is_person and shape.batch_by is None:
            return ""
        by_role = {c.role: c for c in self._columns}
        free = opt_outs(self._dialect, self._registered, "d")
        # Who leaves is not asked before those who say no, nor after those who say yes.
        kinds = f"WHEN d._op = '{Op.REMOVED}' THEN 1 ELSE {0 if free is None else 2} END"
        first = [
            f"CASE {'' if free is None else f'WHEN {free} THEN 0 '}{kinds}",
            *(self._ordered(by_role[role]) for role in shape.batch_by or () if role in by_role),
        ]
        times = (c for c in self._columns if c.role is Role.PURCHASED_AT)
        keys = (c for c in self._columns if c.is_key)
        then = [self._ordered(column) for column in (*times, *keys)]
        whose = 'd._identity COLLATE "C"'
        return "ORDER BY " + ", ".join(
            [*(first if shape.batch_by is not None else ()), whose, *then]
        )

    def _ordered(self, column: Column) -> str:
        collated = ' COLLATE "C"' if column.state is StateType.TEXT else ""
        return f"d.{self._q(column)}{collated}"

    def _op(self) -> str:
        moved = (
            "WHEN t._identity IS NOT NULL AND s._identity IS NOT NULL "
            f"AND t._identity <> s._identity THEN '{Op.IDENTITY_CHANGED}' "
            if self._is_person
            else ""
        )
        return (
            f"CASE WHEN s.{self._key} IS NULL THEN '{Op.REMOVED}' "
            f"WHEN t.{self._key} IS NULL OR t._status = 'gone' THEN '{Op.ADDED}' "
            f"{moved}ELSE '{Op.CHANGED}' END"
        )

    def _route(self) -> str:
        on_change = (
            f"WHEN d._op = '{Op.IDENTITY_CHANGED}' THEN '{HELD}identity_changed' "
            if self._spec.on_identity_change == "hold"
            else ""
        )
        removed = IGNORE if self._spec.on_remove in (None, "ignore") else SEND
        return (
            f"CASE WHEN d._op = '{Op.REMOVED}' THEN '{removed}' "
            f"WHEN d._reject = '{SKIP}' THEN '{SKIPPED}' "
            f"WHEN d._reject IS NOT NULL THEN '{REJECT}' || d._reject "
            f"{on_change}ELSE '{SEND}' END"
        )

    def _effective(self, column: Column) -> str:
        name = self._q(column)
        if column.is_key:
            return f"COALESCE(s.{name}, t.{name})"
        if column.null is NullPolicy.KEEP and column.name in self._in_snapshot:
            return f"CASE WHEN s.{self._key} IS NOT NULL THEN COALESCE(s.{name}, t.{name}) END"
        return f"s.{name}"

    def _changed_mask(self) -> str:
        if self._spec.full_resync:
            return f"'{self._registered.full_mask}'"
        by_position = {c.position: c for c in self._columns}
        bits = [
            self._bit(by_position[i]) if i in by_position else "'0'"
            for i in range(self._registered.width)
        ]
        return " || ".join(bits)

    def _bit(self, column: Column) -> str:
        place, version = column.position + 1, self._registered.version_of(column)
        reasons = [
            f"t._mapping < {version}",
            "t._dirty = '*'",
            f"substr(t._dirty, {place}, 1) = '1'",
        ]
        if self._is_compared(column):
            name = self._q(column)
            differs = (
                f"{self._effective(column)} IS DISTINCT FROM t.{name}"
                if column.name in self._in_snapshot
                else f"s.{name} IS NOT NULL"
            )
            reasons.insert(0, differs)
        return f"CASE WHEN {' OR '.join(reasons)} THEN '1' ELSE '0' END"


def _count_fields(session: Session, plan: Plan) -> None:
    sums = ", ".join(
        f"COALESCE(sum(CASE WHEN substr(_mask, {c.position + 1}, 1) = '1' THEN 1 ELSE 0 END), 0)"
        for c in plan.columns
    )
    counted = session.rows(
        f"SELECT {sums} FROM {plan.table} WHERE _op = '{Op.CHANGED}' AND _route <> '{UNCHANGED}'"
    )[0]
    plan.fields_changed = {c.field: int(n) for c, n in zip(plan.columns, counted, strict=True) if n}
