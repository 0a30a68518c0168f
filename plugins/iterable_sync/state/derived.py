"""
Changes of address that no table has: where a model of users differs from what Iterable has of them.

The model is that of the users, with a key that stays with the person. What address Iterable has is
in the snapshot of the sync of users, by which that person is known there. The two are compared in
the state engine, while the model is staged; out of it comes a row for each difference. It is there
until the snapshot knows of the new address, so nothing has to be remembered of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.identity import EMAIL_PREFIX, identity_sql
from iterable_sync.rows import Column, ProjectType, Role, StateType, WireType
from iterable_sync.state.columns import Model, names_of, understand
from iterable_sync.state.plans import SEND
from iterable_sync.state.registry import find, the_sync
from iterable_sync.state.window import written

if TYPE_CHECKING:
    from iterable_sync.rows import Project
    from iterable_sync.spec import SyncSpec
    from iterable_sync.state.dialects.base import Dialect, Session, Source, StateEngine
    from iterable_sync.state.registry import Registered

_CHANGE_ID = Column("change_id", "change_id", StateType.TEXT, WireType.STRING, -1, is_key=True)
_OLD = Column("old_email", "old_email", StateType.TEXT, WireType.STRING, -1, role=Role.OLD)
_NEW = Column("new_email", "new_email", StateType.TEXT, WireType.STRING, -1, role=Role.NEW)
_AT = Column("changed_at", "createdAt", StateType.TEXT, WireType.DATETIME, -1, role=Role.CREATED_AT)


@dataclass(frozen=True, slots=True)
class Derived:
    """
    What changes are worked out of.

    Args:
        columns: of the model of users that are read: key, e-mail and userId.

        snapshot: of the sync of users, quoted and qualified.

        doubted: the identities of people whose change is in doubt, a query; empty for none.

        at: the moment of all changes; a canonical text.
    """

    columns: tuple[Column, ...]
    snapshot: str
    doubted: str
    at: str


def understand_changes(
    engine: StateEngine, session: Session, spec: SyncSpec, source: Source, project: Project
) -> Model:
    """
    Understand a model of users as one of their changes of address.

    Raises:
        ModelError, ConfigError: as :func:`iterable_sync.state.columns.understand`; or the sync of
            users is none, or has another key.
    """
    name = spec.derive_from or ""
    try:
        the_sync(engine, session, project.name, name)
    except ConfigError as error:
        raise ConfigError(
            f"derive_from: {error}. It has to run before, with the same state_conn_id"
        ) from None
    other = find(engine, session, project.name, name)
    mine = find(engine, session, project.name, spec.sync)
    read = {spec.email.lower(), *(key.lower() for key in spec.key)}
    read |= {spec.user_id.lower()} if spec.user_id else {"user_id", "userid"}
    left_out = tuple(
        column for column in names_of(spec, source, engine.dialect) if column.lower() not in read
    )
    users = understand(
        spec.model_copy(update={"exclude": left_out, "fields": {}, "required": ()}),
        source,
        engine.dialect,
    )
    keys = tuple(c.name for c in users.columns if c.is_key)
    by_role = {c.role: c for c in users.columns}
    if other is None or other.key_columns != keys or Role.EMAIL not in by_role:
        raise ConfigError(
            f"derive_from: the sync {name!r} is not one of users with the key {', '.join(keys)} "
            "and an e-mail; give this sync the model and the key of that one"
        )
    if by_role[Role.EMAIL].is_key:
        raise ConfigError(
            "derive_from: the key is the e-mail, so nobody knows who has another one now; it "
            "takes a key that stays with the person"
        )
    columns = [_CHANGE_ID, _OLD, _NEW, _AT]
    if (who := by_role.get(Role.USER_ID)) is not None:
        columns.append(replace(who, is_key=False))
    now = datetime.fromtimestamp(float(session.rows("SELECT extract(epoch FROM now())")[0][0]), UTC)
    return replace(
        users,
        columns=tuple(columns),
        derived=Derived(
            users.columns,
            engine.table(other.snapshot_table),
            ""
            if mine is None
            else f"SELECT _identity FROM {engine.table(mine.snapshot_table)} "
            "WHERE _dirty IS NOT NULL",
            written(now),
        ),
    )


def old_identity(engine: StateEngine, registered: Registered, alias: str) -> str:
    """Give the expression of whom a change of address is about; empty where rows are others."""
    old = next((c for c in registered.columns if c.role is Role.OLD), None)
    by_email = registered.project is None or registered.project.type is ProjectType.EMAIL
    if old is None or old.has_user_ids or not by_email:
        return ""
    return identity_sql(f"{alias}.{engine.dialect.quote(old.name)}", None, ProjectType.EMAIL)


def forget_found(
    engine: StateEngine, session: Session, registered: Registered, *, plan: str
) -> None:
    """
    Let changes be in no doubt any more whose people a later one has brought to where they are.

    Args:
        plan: of a run that is complete; quoted and qualified.
    """
    rejections = engine.table("rejections")
    session.execute(
        f"DELETE FROM {engine.table(registered.snapshot_table)} AS s WHERE s._dirty IS NOT NULL "
        f"AND EXISTS (SELECT 1 FROM {plan} p WHERE p._route = '{SEND}' "
        f"AND {old_identity(engine, registered, 'p')} = s._identity AND NOT EXISTS "
        f"(SELECT 1 FROM {rejections} r WHERE r.sync_id = {registered.sync_id} "
        "AND r.field = '' AND r.key = p._key))"
    )


def changes(dialect: Dialect, rows: str, derived: Derived, *, has_note: bool) -> str:
    """
    Give the changes as a table of the FROM clause.

    Args:
        rows: the users, as a table of the FROM clause.

        has_note: whether they have the column ``_note``.
    """
    quote = dialect.quote
    by_role = {c.role: c for c in derived.columns}
    keys = [quote(c.name) for c in derived.columns if c.is_key]
    email = f"b.{quote(by_role[Role.EMAIL].name)}"
    new = identity_sql(email, None, ProjectType.EMAIL)
    key = dialect.key_text([f"b.{name}" for name in keys])
    values = [
        f"{dialect.value_hash([key, 't._identity', new])} AS {quote(_CHANGE_ID.name)}",
        f"substr(t._identity, {len(EMAIL_PREFIX) + 1}) AS {quote(_OLD.name)}",
        f"{email} AS {quote(_NEW.name)}",
        f"{dialect.literal(derived.at)} AS {quote(_AT.name)}",
        *([f"b.{quote(who.name)}"] if (who := by_role.get(Role.USER_ID)) else []),
        *(["b._note"] if has_note else []),
    ]
    on = " AND ".join(f"t.{name} = b.{name}" for name in keys)
    # Who went and came back reads as unchanged, and may be on the way still.
    doubted = f" OR t._identity IN ({derived.doubted})" if derived.doubted else ""
    return (
        f"(SELECT {', '.join(values)} FROM {rows} AS b JOIN {derived.snapshot} AS t ON {on} "
        f"WHERE t._status = 'live' AND t._identity LIKE '{EMAIL_PREFIX}%' "
        f"AND {new} IS NOT NULL AND ({new} <> t._identity{doubted}))"
    )
