"""Two keys, one person: what was sent for one of them was written over what the other had said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.identity import USER_ID_PREFIX
from iterable_sync.rows import Op, Role
from iterable_sync.state.plans import SEND

if TYPE_CHECKING:
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered


def doubt_overwritten(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str, where: str
) -> None:
    """
    Doubt the live keys whose person another key was sent for.

    An e-mail address goes from one key to another while the change of the first is held; should
    the first take it back, its row reads as unchanged, and the profile has the other's values.

    Args:
        plan: quoted, qualified name.

        where: which rows of the plan, ``p``, were sent.
    """
    # Two live keys of one person there are only while one of them is not sent: it is held, or
    # rejected, or has left.
    waits = session.rows(
        f"SELECT 1 FROM {plan} p WHERE p._op <> '{Op.ADDED}' AND p._route <> '{SEND}' LIMIT 1"
    )
    arrives = "" if waits else f" AND p._op IN ('{Op.ADDED}', '{Op.IDENTITY_CHANGED}')"
    doubt_others(engine, session, registered, plan=plan, where=f"{where}{arrives}")


def doubt_others(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str, where: str
) -> None:
    """
    Doubt the live keys that have the person of a row, under another key than that row.

    Args:
        plan: quoted, qualified name.

        where: which rows of the plan, ``p``.
    """
    keys = [c for c in registered.columns if c.is_key]
    # A person known by a userId that is the key has one key.
    by_key = [c.role for c in keys] == [Role.USER_ID]
    doubtful = f" AND p._identity NOT LIKE '{USER_ID_PREFIX}%'" if by_key else ""
    sent = f"FROM {plan} p WHERE {where}{doubtful}"
    if not session.rows(f"SELECT 1 {sent} LIMIT 1"):
        return
    names = [engine.dialect.quote(c.name) for c in keys]
    same = " AND ".join(f"t.{name} = n.{name}" for name in names)
    columns = ", ".join(f"p.{name}" for name in names)
    session.execute(
        f"UPDATE {engine.table(registered.snapshot_table)} AS t SET _dirty = '*' "
        f"FROM (SELECT p._identity, {columns} {sent}) AS n "
        f"WHERE t._identity = n._identity AND t._status = 'live' AND NOT ({same})"
    )
