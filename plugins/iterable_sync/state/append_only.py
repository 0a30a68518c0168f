"""
Rows that happen once (events): planned when they are new, remembered by key, and left alone then.

=======================  ==========================================================================
of a row that is in      what is done
the window
=======================  ==========================================================================
not known                it is sent
known, in doubt          it is sent again, whole: its id is the same
known                    nothing, whatever became of its values
forgotten                rejected, ``expired``: it may have been sent
in doubt, or refused     rejected, ``expired``
for ``max_wait``
=======================  ==========================================================================

The snapshot of such a sync has the key, the identity and the time, and none of the other values. A
key that leaves the model, or the window, is no news.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.rows import Op, StateType
from iterable_sync.state import marker
from iterable_sync.state.derived import forget_found, old_identity
from iterable_sync.state.diff import count_snapshot
from iterable_sync.state.event_names import left_out
from iterable_sync.state.forgotten import HASHED, hashed_identity, leave_out_forgotten
from iterable_sync.state.linked import link_changes
from iterable_sync.state.plans import EXPIRED, HELD, REJECT, SEND, STILL_REJECTED, Plan, recount
from iterable_sync.state.rejected import anti_join_rejections
from iterable_sync.state.window import earlier, is_before, is_forgotten, is_time, start_after
from iterable_sync.state.without_consent import without_consent

if TYPE_CHECKING:
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered
    from iterable_sync.state.stage import Staged
    from iterable_sync.state.window import Window


def make_plan(
    engine: StateEngine,
    session: Session,
    spec: SyncSpec,
    registered: Registered,
    staged: Staged,
    window: Window,
    *,
    plan_table: str,
    snapshot: str,
    is_temporary: bool,
) -> Plan:
    """
    Write the plan: what is new in the window, each person's rows in the order of their times.

    Args:
        plan_table, snapshot: quoted, qualified names.

        is_temporary: of a dry run, which leaves nothing.
    """
    kind = "TEMP TABLE" if is_temporary else "TABLE"
    news = _news(engine, spec, registered, staged.table, snapshot)
    ignored = left_out(engine, session, spec, registered, news)
    news = f"{news} AND NOT {ignored.where}"
    blocked = without_consent(engine, session, spec, registered, news)
    selected = _selected(engine, registered, f"{news} AND NOT {blocked.where}", window)
    session.execute(f"CREATE {kind} {plan_table} AS {selected}")
    plan = Plan(plan_table, registered.columns, is_below_low_water=window.is_below_low_water)
    plan.ignored, plan.blocked = ignored.rows, blocked.rows
    plan.notes = ignored.notes + blocked.notes
    leave_out_forgotten(engine, session, registered, plan)
    if registered.sync_id:
        anti_join_rejections(engine, session, registered, plan_table)
        _give_up(engine, session, spec, registered, plan_table, snapshot)
    link_changes(engine, session, registered, plan=plan_table)
    count_snapshot(engine, session, plan, registered.sync_id, snapshot)
    recount(session, plan)
    return plan


def move_on(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    spec: SyncSpec,
    window: Window,
    *,
    plan: str,
    newest: str | None,
) -> None:
    """
    Move the window of a complete run, and forget what is behind it for long enough.

    Args:
        plan: the run's plan, folded; quoted and qualified.

        newest: the newest time that was staged.
    """
    time = f"p.{engine.dialect.quote(registered.time.name)}"
    rejections, mine = engine.table("rejections"), f"r.sync_id = {registered.sync_id}"
    # One dated in the future must not hide those that come meanwhile.
    seen = None if newest is None else min(newest, window.now)
    cursor = max((moment for moment in (window.cursor, seen) if moment is not None), default=None)
    refused = session.rows(
        f'SELECT min({time} COLLATE "C") FROM {plan} p WHERE {is_time(time)} '
        # What a guard holds down there must not keep the window down there.
        f"AND NOT {is_forgotten(engine, time, window)} "
        f"AND (p._route LIKE '{HELD}%' OR p._route IN ('{SEND}', '{STILL_REJECTED}') AND EXISTS "
        f"(SELECT 1 FROM {rejections} r WHERE {mine} AND r.field = '' AND r.key = p._key "
        "AND r.next_try_at IS NOT NULL))"
    )[0][0]
    snapshot = engine.table(registered.snapshot_table)
    doubtful = session.rows(
        f'SELECT min(_event_at COLLATE "C") FROM {snapshot} WHERE _dirty IS NOT NULL '
        f"AND _doubted_at >= now() - {spec.max_wait_s} * INTERVAL '1 second'"
    )[0][0]
    unresolved = min((moment for moment in (refused, doubtful) if moment is not None), default=None)
    low_water = window.low_water
    start = start_after(cursor, unresolved, spec.look_back_s)
    if start is not None:
        kept = earlier(window.now, spec.retention_s)
        # Of a sync that is quiet for long, the window itself is that old.
        low_water = max(low_water or "", min(kept, start))
        session.execute(f"DELETE FROM {snapshot} WHERE {is_before(engine, '_event_at', low_water)}")
        marker.pruned(engine, session, registered)
    if spec.derive_from is not None:
        forget_found(engine, session, registered, plan=plan)
    session.execute(
        f"DELETE FROM {rejections} AS r WHERE {mine} "
        f"AND r.last_seen < now() - {spec.retention_s} * INTERVAL '1 second' "
        f"AND NOT EXISTS (SELECT 1 FROM {plan} p WHERE p._key = r.key)"
    )
    session.execute(
        f"UPDATE {engine.table('syncs')} SET cursor_at = ?, unresolved_since = ?, low_water = ? "
        "WHERE sync_id = ?",
        (cursor, unresolved, low_water, registered.sync_id),
    )


def accepted(engine: StateEngine, registered: Registered, run: str) -> dict[str, str]:
    """
    Give, by column of the snapshot, what is remembered of an accepted row ``p``.

    Args:
        run: its id, quoted.
    """
    # Of a request about a person that is done with, no more than its key is needed.
    whose = f"'{HASHED}' || {hashed_identity(engine, 'p._identity')}"
    return {
        **_remembered(engine, registered),
        **({"_identity": whose} if registered.is_final else {}),
        "_dirty": "NULL",
        "_mapping": str(registered.mapping_version),
        "_accepted_at": "now()",
        "_run": run,
        "_doubted_at": "CAST(NULL AS timestamptz)",
    }


def doubted(engine: StateEngine, registered: Registered, run: str) -> dict[str, str]:
    """Give the same of a row that Iterable may or may not have; ``t`` is what is known of it."""
    # Not of those whom it is linked to: who may be somebody else is looked for again.
    whose = old_identity(engine, registered, "p")
    return {
        **_remembered(engine, registered),
        **({"_identity": whose} if whose else {}),
        "_dirty": "'*'",
        "_mapping": "COALESCE(t._mapping, 0)",
        "_accepted_at": "t._accepted_at",
        "_run": run,
        # The first time: waiting ends with a number of days, not of tries.
        "_doubted_at": "COALESCE(t._doubted_at, now())",
    }


def _remembered(engine: StateEngine, registered: Registered) -> dict[str, str]:
    quote = engine.dialect.quote
    return {
        **{quote(key): f"p.{quote(key)}" for key in registered.key_columns},
        "_identity": "p._identity",
        "_event_at": f"p.{quote(registered.time.name)}",
        "_status": "'live'",
        "_episode": "1",
        "_origin": "'sent'",
    }


def _news(
    engine: StateEngine, spec: SyncSpec, registered: Registered, stage: str, snapshot: str
) -> str:
    """Give what of the stage ``s`` is not known for certain: a FROM and a WHERE."""
    names = map(engine.dialect.quote, registered.key_columns)
    on = " AND ".join(f"s.{name} = t.{name}" for name in names)
    # A change that was worked out is there until the other sync knows of it.
    always = " OR TRUE" if spec.full_resync or spec.derive_from else ""
    return (
        f"FROM {stage} s LEFT JOIN {snapshot} t ON {on} "
        f"WHERE (t._status IS NULL OR t._dirty IS NOT NULL{always})"
    )


def _selected(engine: StateEngine, registered: Registered, news: str, window: Window) -> str:
    quote = engine.dialect.quote
    names = ", ".join(f"s.{quote(c.name)}" for c in registered.columns)
    keys = [f"s.{quote(c.name)}" for c in registered.columns if c.is_key]
    time = f"s.{quote(registered.time.name)}"
    first = []
    if registered.is_final:
        # A quota may let few of them go: who waits longest is first, whoever that is.
        oldest = f'min({time} COLLATE "C") OVER (PARTITION BY s._identity)'
        news = f"FROM (SELECT s.*, {oldest} AS _first {news}) AS s"
        first = ['s._first COLLATE "C"']
    order = ", ".join(
        [*first, 's._identity COLLATE "C"', f'{time} COLLATE "C"']
        + [
            f"s.{quote(c.name)}" + (' COLLATE "C"' if c.state is StateType.TEXT else "")
            for c in registered.columns
            if c.is_key
        ]
    )
    route = (
        f"CASE WHEN s._reject IS NOT NULL THEN '{REJECT}' || s._reject "
        f"WHEN {is_forgotten(engine, time, window)} THEN '{EXPIRED}' ELSE '{SEND}' END"
    )
    key = engine.dialect.key_text(keys)
    return (
        f"SELECT {names}, s._identity, 1 AS _episode, "
        f"row_number() OVER (ORDER BY {order}) AS _seq, '{Op.ADDED}' AS _op, {route} AS _route, "
        f"'{registered.full_mask}' AS _mask, {key} AS _key {news}"
    )


def _give_up(
    engine: StateEngine,
    session: Session,
    spec: SyncSpec,
    registered: Registered,
    plan: str,
    snapshot: str,
) -> None:
    """
    Reject what Iterable refuses, or does not answer for, since ``max_wait_s``.

    Not by the time of the event: one that nobody has tried to send yet, because the sync stood
    still, is sent however old it is. What a guard holds waits for a person.
    """
    long_ago = f"now() - {spec.max_wait_s} * INTERVAL '1 second'"
    session.execute(
        f"UPDATE {plan} AS p SET _route = '{EXPIRED}' FROM {engine.table('rejections')} r "
        f"WHERE r.sync_id = {registered.sync_id} AND r.field = '' AND r.key = p._key "
        f"AND r.next_try_at IS NOT NULL AND r.first_seen < {long_ago} "
        f"AND p._route IN ('{SEND}', '{STILL_REJECTED}')"
    )
    on = " AND ".join(
        f"t.{name} = p.{name}" for name in map(engine.dialect.quote, registered.key_columns)
    )
    session.execute(
        f"UPDATE {plan} AS p SET _route = '{EXPIRED}' FROM {snapshot} t "
        f"WHERE {on} AND t._doubted_at < {long_ago} AND p._route = '{SEND}'"
    )
