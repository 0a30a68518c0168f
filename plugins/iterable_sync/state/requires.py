"""
Rows that wait until Iterable has taken their person, by another sync of the project.

In an email-based project Iterable drops what it gets about an e-mail that it does not know, and
says that it took it; about a userId it does so where the sync object does not make people. A row
whose person the required sync has not had accepted is therefore held, ``waiting_for_user``; it is
planned anew by each run, and so goes by itself once the person is there. What waits for longer than
``max_wait_s`` is rejected, ``expired``. A row that changes (events do not) comes back from there as
well when its person does.

The wait begins when the row is first held, which is kept in ``held_keys``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.guards import WAITING
from iterable_sync.identity import EMAIL_PREFIX, USER_ID_PREFIX
from iterable_sync.rows import Op, ProjectType
from iterable_sync.state import plans
from iterable_sync.state.doubted import in_doubt
from iterable_sync.state.registry import the_sync

if TYPE_CHECKING:
    from iterable_sync.rows import Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered
    from iterable_sync.sync_object import Shape

_PROFILE = "profile"


def required_people(
    engine: StateEngine, session: Session, spec: SyncSpec, project: Project, shape: Shape
) -> str | None:
    """
    Give the quoted name of the snapshot of the required sync; None where nothing waits.

    A dry run may come before all others, and says what would go if that sync had run.

    Raises:
        ConfigError: no sync of people of that name has run here.
    """
    if spec.requires is None:
        return None
    try:
        sync_id = the_sync(engine, session, project.name, spec.requires)
    except ConfigError as error:
        if spec.dry_run:
            return None
        raise ConfigError(
            f"requires: {error}. It has to run before, with the same state_conn_id"
        ) from None
    ((table, of),) = session.rows(
        f"SELECT snapshot_table, fields_of FROM {engine.table('syncs')} WHERE sync_id = ?",
        (sync_id,),
    )
    if spec.requires == spec.sync or of != _PROFILE:
        raise ConfigError(
            f"requires: {spec.requires!r} is no sync of people for this one to wait for; name one "
            "of users"
        )
    if not engine.columns_of(session, table):
        raise ConfigError(
            f"requires: the snapshot of {spec.requires!r} is gone; run that sync first"
        )
    waits = project.type is ProjectType.EMAIL or not shape.makes_people
    return engine.table(table) if waits else None


def hold_waiting(
    engine: StateEngine,
    session: Session,
    spec: SyncSpec,
    registered: Registered,
    plan: plans.Plan,
    *,
    people: str | None,
    snapshot: str,
) -> None:
    """
    Hold the rows of a plan whose person Iterable has not taken yet; before guards count it.

    Args:
        people: what :func:`required_people` gave.

        snapshot: of the sync itself, quoted and qualified.
    """
    is_seeded = spec.first_sync == "seed" and not plan.known
    if people is None or is_seeded:
        return
    is_there = (
        f"EXISTS (SELECT 1 FROM {people} u WHERE u._identity = p._identity "
        # Wholly in doubt is who was sent for the first time, and nobody knows what became of it.
        "AND u._status = 'live' AND u._dirty IS DISTINCT FROM '*')"
    )
    # In a project that knows userIds the required sync may have somebody under theirs: a row that
    # says their e-mail alone would wait for ever.
    is_by_email = registered.project is not None and registered.project.type is ProjectType.EMAIL
    whose = EMAIL_PREFIX if is_by_email else USER_ID_PREFIX
    # As it stands, and never negated: only so do engines make one join of it.
    waits = (
        f"p._op <> '{Op.REMOVED}' AND p._route = '{plans.SEND}' "
        f"AND p._identity LIKE '{whose}%' AND NOT {is_there}"
    )
    if registered.sync_id:
        _let_return(engine, session, registered, plan, is_there)
        _discount_doubted(engine, session, registered, plan, snapshot, waits)
    held = session.execute(
        f"UPDATE {plan.table} AS p SET _route = '{plans.HELD}{WAITING}' WHERE {waits}"
    )
    if held:
        plans.send_stranded(session, plan)
    if registered.sync_id:
        _expire(engine, session, spec, registered, plan)
    plans.recount(session, plan)
    if waiting := plan.total(route=f"{plans.HELD}{WAITING}"):
        plan.notes.append(
            f"{waiting} rows wait for people whom the sync {spec.requires!r} has not had accepted; "
            "they go by themselves in the first run after that"
        )


def _let_return(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    plan: plans.Plan,
    is_there: str,
) -> None:
    """Send what waited for too long, now that its person is there."""
    if registered.is_append_only:
        return
    session.execute(
        f"UPDATE {plan.table} AS p SET _route = '{plans.SEND}' "
        f"FROM {engine.table('rejections')} r WHERE r.sync_id = {registered.sync_id} "
        f"AND r.field = '' AND r.key = p._key AND '{plans.REJECT}' || r.reason = '{plans.EXPIRED}' "
        f"AND p._route = '{plans.STILL_REJECTED}' AND p._op <> '{Op.REMOVED}' AND {is_there}"
    )


def _discount_doubted(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    plan: plans.Plan,
    snapshot: str,
    waits: str,
) -> None:
    if not plan.doubted:
        return
    for op, n in session.rows(
        f"SELECT p._op, count(*) FROM {plan.table} p "
        f"WHERE {in_doubt(engine, registered, snapshot)} AND {waits} GROUP BY 1"
    ):
        plan.doubted[op] -= int(n)


def _expire(
    engine: StateEngine,
    session: Session,
    spec: SyncSpec,
    registered: Registered,
    plan: plans.Plan,
) -> None:
    session.execute(
        f"UPDATE {plan.table} AS p SET _route = '{plans.EXPIRED}' "
        f"FROM {engine.table('held_keys')} h WHERE h.sync_id = {registered.sync_id} "
        f"AND h.key = p._key AND h.op = p._op AND h.guard = '{WAITING}' "
        f"AND p._route = '{plans.HELD}{WAITING}' "
        f"AND h.held_at < now() - {spec.max_wait_s} * INTERVAL '1 second'"
    )
