"""
Names in Iterable that rows bring with them, and that belong to one sync of a project.

Fields of audiences, and lists, are named by values and not by columns: who owns one is known when a
row with it is planned. The first sync that brings a name has it; the table ``claims`` says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iterable_sync.errors import ConfigError
from iterable_sync.names import MANAGED, split_name
from iterable_sync.naming import snake_case
from iterable_sync.rows import Op, Role
from iterable_sync.state.field_versions import fields_from_json
from iterable_sync.state.plans import REJECT
from iterable_sync.state.registry import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.registry import Registered
    from iterable_sync.sync_object import Shape

PROFILE = "profile"
"""The kind of claim on a field of people."""

LIST = "list"
"""The kind of claim on a list."""

CATALOG = "catalog"
"""The kind of claim on a catalog."""

MAX_AUDIENCES = 500
"""So many fields one sync may bring: they are there for ever, and a project has 1,000 or so."""


# Source: a catalog is one whatever the case of its name (article 360033215072, documented).
_NAMED_BY = {PROFILE: snake_case, CATALOG: str.lower}


def claim_brought(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    plan: str,
    *seeded: str,
    declared: Collection[str] = (),
    project: str,
    sync: str,
    check: Callable[[Session], None] | None,
) -> frozenset[str]:
    """
    Claim for a sync the names that its rows bring.

    Args:
        plan: its quoted, qualified name.

        seeded: the snapshot, where rows of it were not planned first.

        declared: names of the declaration, where all rows are of one.

        check: of the lease, in the transaction that writes; None only looks.

    Returns:
        The fields that may be shown by their names.

    Raises:
        ConfigError: two names are one in Iterable, or one belongs to another sync; names both, or
            the owner.
    """
    role = registered.shape.names_claimed
    column = next((c for c in registered.columns if role is not None and c.role is role), None)
    names = set(declared)
    if column is not None:
        # What is removed has brought its name long ago.
        come = f"(SELECT * FROM {plan} WHERE _op <> '{Op.REMOVED}' AND _route NOT LIKE '{REJECT}%')"
        name = f"p.{engine.dialect.quote(column.name)}"
        for rows in (come, *seeded):
            brought = session.rows(
                f"SELECT DISTINCT {name} FROM {rows} AS p WHERE {name} IS NOT NULL"
            )
            names.update(row[0] for row in brought)
    kind = _kind_of(registered.shape)
    wanted = _in_iterable(kind, names)
    shown = frozenset(name for name, raw in wanted.items() if kind == PROFILE and "@" not in raw)
    if not wanted:
        return shown
    with session.transaction():
        if check is not None:
            # No other sync registers, or claims, meanwhile.
            lock(engine, session)
        _check_free(engine, session, kind, wanted, project=project, sync=sync)
        if check is None:
            return shown
        known = _known(engine, session, project, kind)
        for new in wanted.keys() - known.keys():
            session.execute(
                f"INSERT INTO {engine.table('claims')} (project, kind, name, raw, sync_id) "
                "VALUES (?, ?, ?, ?, ?)",
                (project, kind, new, wanted[new], registered.sync_id),
            )
        check(session)
    return shown


def check_claimed(
    engine: StateEngine, session: Session, registered: Registered, *, project: str, sync: str
) -> None:
    """
    Refuse a field of people that an audience of another sync has.

    Raises:
        ConfigError: names the owner.
    """
    if registered.shape.fields_of != PROFILE:
        return
    known = _known(engine, session, project, PROFILE, is_installed=True)
    for column in registered.columns:
        name = split_name(column.field)[0].lower()
        if column.role is not Role.FIELD or name not in known:
            continue
        raw, owner = known[name]
        if owner != sync:
            raise ConfigError(
                f"sync {sync!r} maps {column.field}, the field of the audience {_quoted(raw)} of "
                f"sync {owner!r} in project {project}; one field has one owner: exclude it here, "
                "or leave the audience out there, and delete its row in the table claims"
            )


def _kind_of(shape: Shape) -> str:
    if shape.needs_catalog:
        return CATALOG
    return LIST if shape.fields_of is None else PROFILE


def _check_free(
    engine: StateEngine,
    session: Session,
    kind: str,
    wanted: Mapping[str, str],
    *,
    project: str,
    sync: str,
) -> None:
    known = _known(engine, session, project, kind)
    for name, raw in wanted.items():
        was, owner = known.get(name, (raw, sync))
        if owner != sync:
            raise ConfigError(_owned(sync, kind, raw, name, owner, project))
        if was != raw and kind != CATALOG:
            raise ConfigError(_same(was, raw, name))
    mine = {name for name, (_, owner) in known.items() if owner == sync}
    if kind == CATALOG and (left := sorted(mine - wanted.keys())):
        raise ConfigError(
            f"sync {sync!r} keeps the items of the catalog {left[0]!r}, and now it would keep "
            f"those of {', '.join(wanted.values())!r}, of which its state says nothing; give the "
            "sync another name, and it starts anew"
        )
    if kind != PROFILE:
        return
    for name, owner in _mapped(engine, session, project, sync).items():
        if name in wanted:
            raise ConfigError(_owned(sync, kind, wanted[name], name, owner, project))
    mine |= wanted.keys()
    if len(mine) > MAX_AUDIENCES:
        raise ConfigError(
            f"sync {sync!r} brings {len(mine)} audiences, each of which becomes a field for ever; "
            f"{MAX_AUDIENCES} are allowed. Is it the right column? style='list' and style='event' "
            "need no fields"
        )


def _in_iterable(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Give name in Iterable -> name in the warehouse."""
    wanted: dict[str, str] = {}
    for raw in sorted(names):
        name = _NAMED_BY.get(kind, str)(raw)
        if not name.strip():
            continue  # its rows are rejected
        if wanted.setdefault(name, raw) != raw:
            raise ConfigError(_same(wanted[name], raw, name))
        if kind == PROFILE and (why := MANAGED.get(name)) is not None:
            raise ConfigError(
                f"audience {_quoted(raw)} would be the field {name!r}, which cannot be written: "
                f"{why}; give the audience another name in the SQL"
            )
    return wanted


def _known(
    engine: StateEngine, session: Session, project: str, kind: str, *, is_installed: bool = False
) -> Mapping[str, tuple[str, str]]:
    """Give name in Iterable -> name in the warehouse, and the sync that has it."""
    # A dry run may be the first of all, and makes no tables.
    if not is_installed and not engine.columns_of(session, "claims"):
        return {}
    rows = session.rows(
        f"SELECT c.name, c.raw, s.sync FROM {engine.table('claims')} c "
        f"JOIN {engine.table('syncs')} s ON s.sync_id = c.sync_id "
        "WHERE c.project = ? AND c.kind = ?",
        (project, kind),
    )
    return {name: (raw, owner) for name, raw, owner in rows}


def _mapped(engine: StateEngine, session: Session, project: str, sync: str) -> dict[str, str]:
    """Give the fields of people that other syncs map, in lower case, and who maps them."""
    if not engine.columns_of(session, "syncs"):
        return {}
    rows = session.rows(
        f"SELECT sync, fields FROM {engine.table('syncs')} "
        "WHERE project = ? AND fields_of = ? AND sync <> ? ORDER BY sync_id DESC",
        (project, PROFILE, sync),
    )
    return {
        split_name(entry.column.field)[0].lower(): owner
        for owner, fields in rows
        for entry in fields_from_json(fields)
        if not entry.dropped and entry.column.role is Role.FIELD
    }


def _same(one: str, other: str, name: str) -> str:
    return (
        f"the audiences {_quoted(one)} and {_quoted(other)} are one field in Iterable, {name!r}; "
        "give one of them another name in the SQL"
    )


def _owned(sync: str, kind: str, raw: str, name: str, owner: str, project: str) -> str:
    what = (
        f"audience {_quoted(raw)}, whose field {name!r}"
        if kind == PROFILE
        else f"{kind} {_quoted(raw)}, which"
    )
    return (
        f"sync {sync!r} brings the {what} belongs to sync {owner!r} in project {project}; it has "
        "one owner: leave it out here or there. If that sync does not bring it any more, delete "
        "its row in the table claims of the state"
    )


def _quoted(raw: str) -> str:
    # An address in here is no name of an audience: it is the wrong column, and somebody's.
    return "'...@...'" if "@" in raw else repr(raw)
