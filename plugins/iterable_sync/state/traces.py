"""
What the tables of the state say of the rows of one key or of one person; reads only.

A row is found in the snapshot, and in the plan of a run that has not ended. What is held or
rejected is kept by its key alone: of a person those keys are found that their rows have in the
snapshot, in a plan or in another sync, and those that are or hold their e-mail or userId.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.identity import fold_email
from iterable_sync.rows import Role
from iterable_sync.state.registry import find
from iterable_sync.state.wanted import is_theirs, may_name, names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered
    from iterable_sync.state.wanted import Who

MOST_ROWS = 10_000
"""So many rows of a sync are looked at, those in doubt and the latest first."""

_OF_PLAN = ("p._key", "p._identity", "p._op", "p._route", "b.state", "e.outcome")


@dataclass(frozen=True, slots=True)
class Known:
    """
    A row of the snapshot.

    Args:
        dirty: mask of the columns in doubt; ``*`` is all of them, None nothing.

        mapping: the version of the mapping that it was accepted under.

        accepted_s: when, in seconds since 1970.

        emails, user_ids: that it has.
    """

    key: str
    identity: str | None
    status: str
    dirty: str | None
    mapping: int
    origin: str
    run_id: str
    accepted_s: float | None
    emails: tuple[str, ...]
    user_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """
    A row of the plan of a run that has not ended.

    Args:
        batch: state of the batch that it is in, None where it was not sent yet.

        outcome: of the row, where it is another than that of its batch.

        emails, user_ids: that it has.
    """

    key: str
    identity: str | None
    op: str
    route: str
    run_id: str
    batch: str | None
    outcome: str | None
    emails: tuple[str, ...]
    user_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A change that a guard holds; times in seconds since 1970."""

    key: str
    op: str
    guard: str
    held_s: float
    run_id: str
    is_approved: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was refused, or one column of it; times in seconds since 1970."""

    key: str
    column: str
    reason: str
    attempts: int
    first_s: float
    last_s: float
    next_try_s: float | None
    is_due: bool
    run_id: str


@dataclass(frozen=True, slots=True)
class LatestRun:
    """
    The run of a sync that began last; times in seconds since 1970.

    Args:
        state: ``running`` also of one that died and that no other has found yet.

        counts: as the table has them.
    """

    run_id: str
    state: str
    started_s: float
    ended_s: float | None
    plan_table: str | None
    counts: dict[str, object]


def syncs(engine: StateEngine, session: Session) -> list[tuple[str, str]]:
    """
    Give project and name of all syncs that have run.

    Raises:
        ConfigError: there is no state.
    """
    if not engine.columns_of(session, "syncs"):
        raise ConfigError(
            "no sync has run with this state: it has no table `syncs`. Is it the right database, "
            "file or schema?"
        )
    rows = session.rows(f"SELECT project, sync FROM {engine.table('syncs')} ORDER BY sync_id")
    return [(project, sync) for project, sync in rows]


def registered(engine: StateEngine, session: Session, project: str, sync: str) -> Registered:
    """Give a sync that has run."""
    found = find(engine, session, project, sync)
    if found is None:
        raise ConfigError(f"the sync {sync!r} of project {project} has just been removed")
    return found


def known(engine: StateEngine, session: Session, of: Registered, who: Who) -> list[Known]:
    """Give the rows of the snapshot, in doubt first, then the latest."""
    there = engine.columns_of(session, of.snapshot_table)
    where = is_theirs(engine, of, who, there, "t")
    if not there or where is None:
        return []
    key = engine.dialect.key_text([f"t.{engine.dialect.quote(name)}" for name in of.key_columns])
    emails, user_ids = _identifiers(engine, of, there, "t")
    rows = session.rows(
        f"SELECT {key}, t._identity, t._status, t._dirty, t._mapping, t._origin, t._run, "
        f"{', '.join([_seconds('t._accepted_at'), *emails, *user_ids])} "
        f"FROM {engine.table(of.snapshot_table)} t WHERE {where} "
        f"ORDER BY t._accepted_at DESC NULLS FIRST LIMIT {MOST_ROWS}"
    )
    return [
        Known(
            key=key,
            identity=identity,
            status=status,
            dirty=dirty,
            mapping=int(mapping or 0),
            origin=origin,
            run_id=run_id,
            accepted_s=_number(accepted),
            emails=_folded(more[: len(emails)]),
            user_ids=_given(more[len(emails) :]),
        )
        for key, identity, status, dirty, mapping, origin, run_id, accepted, *more in rows
    ]


def planned(
    engine: StateEngine, session: Session, of: Registered, who: Who, run: LatestRun
) -> list[Planned]:
    """Give the rows of the plan of a run; none where it has none any more."""
    there = engine.columns_of(session, run.plan_table) if run.plan_table else []
    where = is_theirs(engine, of, who, there, "p")
    if run.plan_table is None or not there or where is None:
        return []
    this = engine.dialect.literal(run.run_id)
    emails, user_ids = _identifiers(engine, of, there, "p")
    rows = session.rows(
        f"SELECT {', '.join([*_OF_PLAN, *emails, *user_ids])} "
        f"FROM {engine.table(run.plan_table)} p "
        f"LEFT JOIN {engine.table('batches')} b ON b.run_id = {this} "
        "AND p._seq BETWEEN b.seq_lo AND b.seq_hi "
        f"LEFT JOIN {engine.table('batch_exceptions')} e ON e.run_id = {this} "
        f"AND e.seq = p._seq AND e.field = '' WHERE {where} LIMIT {MOST_ROWS}"
    )
    return [
        Planned(
            key=key,
            identity=identity,
            op=op,
            route=route,
            run_id=run.run_id,
            batch=batch,
            outcome=outcome,
            emails=_folded(more[: len(emails)]),
            user_ids=_given(more[len(emails) :]),
        )
        for key, identity, op, route, batch, outcome, *more in rows
    ]


def keys_named(engine: StateEngine, session: Session, of: Registered, who: Who) -> set[str]:
    """Give the keys of held and rejected rows that are, or hold, what is asked for."""
    may_be = may_name(engine, [who.key] if who.key is not None else who.emails | who.user_ids)
    found = set()
    for table in ("held_keys", "rejections"):
        rows = session.rows(
            f"SELECT DISTINCT key FROM {engine.table(table)} "
            f"WHERE sync_id = {of.sync_id} AND ({may_be})"
        )
        found |= {key for (key,) in rows if names(of, key, who)}
    return found


def held(
    engine: StateEngine, session: Session, of: Registered, keys: Collection[str]
) -> list[HeldKey]:
    """Give what is held of some keys."""
    if not keys:
        return []
    rows = session.rows(
        f"SELECT key, op, guard, {_seconds('held_at')}, run_id, "
        "COALESCE(approved_until > now(), FALSE) "
        f"FROM {engine.table('held_keys')} WHERE sync_id = {of.sync_id} "
        "AND key IN (SELECT unnest(CAST(? AS text[]))) ORDER BY held_at",
        (list(keys),),
    )
    return [
        HeldKey(key, op, guard, float(since), run_id, bool(is_approved))
        for key, op, guard, since, run_id, is_approved in rows
    ]


def rejected(
    engine: StateEngine, session: Session, of: Registered, keys: Collection[str]
) -> list[Rejected]:
    """Give what is rejected of some keys."""
    if not keys:
        return []
    rows = session.rows(
        f"SELECT key, field, reason, attempts, {_seconds('first_seen')}, {_seconds('last_seen')}, "
        f"{_seconds('next_try_at')}, COALESCE(next_try_at <= now(), FALSE), run_id "
        f"FROM {engine.table('rejections')} WHERE sync_id = {of.sync_id} "
        "AND key IN (SELECT unnest(CAST(? AS text[]))) ORDER BY first_seen, field",
        (list(keys),),
    )
    return [
        Rejected(
            key=key,
            column=column,
            reason=reason,
            attempts=int(attempts),
            first_s=float(first),
            last_s=float(last),
            next_try_s=_number(next_try),
            is_due=bool(is_due),
            run_id=run_id,
        )
        for key, column, reason, attempts, first, last, next_try, is_due, run_id in rows
    ]


def marked(
    engine: StateEngine, session: Session, of: Registered, identities: Iterable[str]
) -> list[str]:
    """Give the kinds of marks that other syncs have left for some people."""
    rows = session.rows(
        f"SELECT DISTINCT kind FROM {engine.table('marks')} WHERE sync_id = {of.sync_id} "
        "AND identity IN (SELECT unnest(CAST(? AS text[]))) ORDER BY 1",
        (list(identities),),
    )
    return [kind for (kind,) in rows]


def hashes_kept(
    engine: StateEngine, session: Session, project: str, hashes: Collection[str]
) -> frozenset[str]:
    """Give all hashes of a forgotten person, who is known by one of these; none of another."""
    forgotten = engine.table("forgotten")
    rows = session.rows(
        f"SELECT hash FROM {forgotten} WHERE project = ? AND person IN "
        f"(SELECT person FROM {forgotten} WHERE project = ? "
        "AND hash IN (SELECT unnest(CAST(? AS text[]))))",
        (project, project, list(hashes)),
    )
    return frozenset(one for (one,) in rows)


def forgotten_s(
    engine: StateEngine, session: Session, project: str, hashes: Collection[str]
) -> float | None:
    """Say since when somebody is forgotten, in seconds since 1970; None where they are not."""
    rows = session.rows(
        f"SELECT {_seconds('min(forgotten_at)')} FROM {engine.table('forgotten')} "
        "WHERE project = ? AND hash IN (SELECT unnest(CAST(? AS text[])))",
        (project, list(hashes)),
    )
    return _number(rows[0][0])


def latest_run(engine: StateEngine, session: Session, of: Registered) -> LatestRun | None:
    """Give the run of a sync that began last; None where the history has none any more."""
    rows = session.rows(
        f"SELECT run_id, state, {_seconds('started_at')}, {_seconds('ended_at')}, plan_table, "
        f"counts FROM {engine.table('runs')} WHERE sync_id = {of.sync_id} "
        "ORDER BY token DESC LIMIT 1"
    )
    if not rows:
        return None
    run_id, state, started, ended, plan_table, counts = rows[0]
    return LatestRun(
        run_id=run_id,
        state=state,
        started_s=float(started),
        ended_s=_number(ended),
        plan_table=plan_table,
        counts=json.loads(counts) if counts else {},
    )


def _identifiers(
    engine: StateEngine, of: Registered, there: Collection[str], alias: str
) -> tuple[list[str], list[str]]:
    """Give the expressions of e-mails and of userIds in a table with these columns."""
    named = {
        role: [
            f"CAST({alias}.{engine.dialect.quote(c.name)} AS text)"
            for c in of.columns
            if c.role is role and c.name in there
        ]
        for role in (Role.EMAIL, Role.USER_ID)
    }
    return named[Role.EMAIL], named[Role.USER_ID]


def _folded(emails: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(fold_email(one) for one in emails if one)


def _given(user_ids: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(one for one in user_ids if one)


def _seconds(time: str) -> str:
    # DuckDB hands out times only where pytz is installed.
    return f"extract(epoch FROM {time})"


def _number(found: object) -> float | None:
    return None if found is None else float(str(found))
