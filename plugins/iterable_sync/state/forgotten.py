"""
People who were forgotten: erased from the state, kept as a hash, and left out of every plan.

The table ``forgotten`` has the hashes that Iterable lists, see :func:`.identity.hash_of`; *person*
is the hash of who was asked for, under which all hashes of one person are found again. A row is of
a forgotten person if its identity has one of these hashes; in a hybrid project, where a person has
two identifiers, its e-mail or its userId as well.

What is erased, of a sync: rows of the snapshot, of plans and of what a dead run had on its way; and
the rejections and held changes of their keys, and of keys that are or hold such an identifier. Of
requests about people the key stays, or they would be made once more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from iterable_sync.identity import folded_sql, hash_of, identifier_sql
from iterable_sync.rows import Op, ProjectType, Role, StateType
from iterable_sync.state import marker

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from iterable_sync.rows import Column
    from iterable_sync.state.dialects.base import Session, StateEngine
    from iterable_sync.state.plans import Plan
    from iterable_sync.state.registry import Registered

HASHED = "sha256:"
"""The prefix of an identity of which no more than the hash is kept."""

_ERASED = "_erased"


def hashed(engine: StateEngine, text: str) -> str:
    """Give the SQL expression of :func:`.identity.hash_of`; *text* is one as well."""
    return engine.dialect.sha256(folded_sql(text))


def hashed_identity(engine: StateEngine, identity: str) -> str:
    """Give the SQL expression of the hash of who an identity, an expression, is."""
    return hashed(engine, identifier_sql(identity))


def forget(engine: StateEngine, session: Session, project: str, hashes: Mapping[str, str]) -> None:
    """
    Note people as forgotten; in a transaction of the caller.

    Args:
        hashes: each with that of who was asked for.
    """
    table = engine.table("forgotten")
    session.execute(
        f"INSERT INTO {table} (project, hash, person, forgotten_at) "
        "SELECT n.project, n.hash, n.person, now() FROM (SELECT CAST(? AS text) AS project, "
        "unnest(CAST(? AS text[])) AS hash, unnest(CAST(? AS text[])) AS person) AS n "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} f "
        "WHERE f.project = n.project AND f.hash = n.hash)",
        (project, list(hashes), list(hashes.values())),
    )


def unforget(engine: StateEngine, session: Session, project: str, hashes: Sequence[str]) -> None:
    """Let people come back, each known by one of these hashes; in a transaction of the caller."""
    table = engine.table("forgotten")
    people = (
        f"SELECT f.person FROM {table} f WHERE f.project = ? "
        "AND f.hash IN (SELECT unnest(CAST(? AS text[])))"
    )
    session.execute(
        f"DELETE FROM {table} WHERE project = ? AND person IN ({people})",
        (project, project, list(hashes)),
    )


def leave_out_forgotten(
    engine: StateEngine, session: Session, registered: Registered, plan: Plan
) -> None:
    """Take the rows of forgotten people out of a plan that was just made, and count them there."""
    hashes = hashes_of_project(engine, session, registered) if registered.is_of_people else None
    if hashes is None or Role.ACTION in {c.role for c in registered.columns}:
        # A request about such a person is theirs to make.
        return
    theirs = _is_theirs(engine, registered, registered.columns, "p", hashes)
    plan.forgotten = session.execute(
        f"DELETE FROM {plan.table} AS p WHERE p._op <> '{Op.REMOVED}' AND {theirs}"
    )
    # Their rows were erased, or are about to be: nothing is asked of Iterable for them.
    session.execute(f"DELETE FROM {plan.table} AS p WHERE p._op = '{Op.REMOVED}' AND {theirs}")
    if plan.forgotten:
        plan.notes.append(f"{plan.forgotten} rows are of people who were forgotten")


def hashes_of_project(engine: StateEngine, session: Session, registered: Registered) -> str | None:
    """Give the SELECT of the hashes of forgotten people of a project; None where there are none."""
    # A dry run of a new sync may find no state at all.
    is_installed = registered.sync_id or engine.columns_of(session, "forgotten")
    if registered.project is None or not is_installed:
        return None
    of_project = (
        f"{engine.table('forgotten')} "
        f"WHERE project = {engine.dialect.literal(registered.project.name)}"
    )
    if not session.rows(f"SELECT 1 FROM {of_project} LIMIT 1"):
        return None
    return f"SELECT hash FROM {of_project}"


def erase(
    engine: StateEngine,
    session: Session,
    registered: Registered,
    hashes: str,
    *,
    with_plans: bool = False,
) -> None:
    """
    Erase people from what is known of a sync; in a transaction of the caller.

    Args:
        hashes: SELECT of theirs.

        with_plans: also from plans of its runs, which nobody works with.
    """
    if not registered.is_of_people:
        return
    snapshot = engine.table(registered.snapshot_table)
    if registered.is_final:
        whose = hashed_identity(engine, "_identity")
        session.execute(
            f"UPDATE {snapshot} SET _identity = '{HASHED}' || {whose} "
            f"WHERE _identity NOT LIKE '{HASHED}%' AND {whose} IN ({hashes})"
        )
    elif erase_rows(engine, session, registered, hashes, snapshot=snapshot):
        marker.pruned(engine, session, registered)
    _erase_named_keys(engine, session, registered, hashes)
    for prefix in ("late", *(["plan"] if with_plans else [])):
        for name in engine.tables_of(session, f"{prefix}_{registered.sync_id}_"):
            has = set(engine.columns_of(session, name))
            columns = [c for c in registered.columns if c.name in has]
            theirs = _is_theirs(engine, registered, columns, "p", hashes)
            session.execute(f"DELETE FROM {engine.table(name)} AS p WHERE {theirs}")


def erase_rows(
    engine: StateEngine, session: Session, registered: Registered, hashes: str, *, snapshot: str
) -> int:
    """
    Erase the rows of people from a snapshot, and what waits under their keys.

    Args:
        hashes: SELECT of theirs.

        snapshot: quoted, qualified name.

    Returns:
        The number of rows of the snapshot.
    """
    quote = engine.dialect.quote
    theirs = _is_theirs(engine, registered, registered.remembered, "t", hashes)
    keys = [f"t.{quote(key)}" for key in registered.key_columns]
    # Looked for once: each row costs a hash.
    table = f"{engine.temporary}{_ERASED}"
    session.execute(f"DROP TABLE IF EXISTS {table}")
    session.execute(
        f"CREATE TEMP TABLE {table} AS SELECT {', '.join(keys)}, "
        f"{engine.dialect.key_text(keys)} AS _key FROM {snapshot} t WHERE {theirs}"
    )
    same = " AND ".join(f"t.{quote(key)} = e.{quote(key)}" for key in registered.key_columns)
    erased = session.execute(f"DELETE FROM {snapshot} AS t USING {table} AS e WHERE {same}")
    if erased and snapshot == engine.table(registered.snapshot_table):
        for name in ("rejections", "held_keys"):
            session.execute(
                f"DELETE FROM {engine.table(name)} WHERE sync_id = {registered.sync_id} "
                f"AND key IN (SELECT _key FROM {table})"
            )
    session.execute(f"DROP TABLE {table}")
    return erased


def _erase_named_keys(
    engine: StateEngine, session: Session, registered: Registered, hashes: str
) -> None:
    """Erase what waits under a key that is, or holds, such an identifier, and was never sent."""
    wanted = None
    for name in ("rejections", "held_keys"):
        rows = f"{engine.table(name)} WHERE sync_id = {registered.sync_id}"
        keys = [key for (key,) in session.rows(f"SELECT DISTINCT key FROM {rows}")]
        if not keys:
            continue
        wanted = wanted or {one for (one,) in session.rows(hashes)}
        named = [key for key in keys if _parts(key, registered.key_columns, wanted)]
        if named:
            session.execute(
                f"DELETE FROM {rows} AND key IN (SELECT unnest(CAST(? AS text[])))", (named,)
            )


def _parts(key: str, key_columns: Sequence[str], hashes: Collection[str]) -> bool:
    parts = [key] if len(key_columns) == 1 else json.loads(key)
    return any(hash_of(str(part)) in hashes for part in parts)


def _is_theirs(
    engine: StateEngine,
    registered: Registered,
    columns: Iterable[Column],
    alias: str,
    hashes: str,
) -> str:
    """Give the condition of rows of some people, by all that identifies them."""
    roles = {Role.OLD, Role.NEW}
    if registered.project is None or registered.project.type is ProjectType.HYBRID:
        # Elsewhere the identity is the identifier, and the other one is nobody's alone.
        roles |= {Role.EMAIL, Role.USER_ID}
    named = [
        hashed(engine, f"{alias}.{engine.dialect.quote(c.name)}")
        for c in columns
        if c.role in roles and c.state is StateType.TEXT
    ]
    whose = [hashed_identity(engine, f"{alias}._identity"), *named]
    return f"({' OR '.join(f'{one} IN ({hashes})' for one in whose)})"
